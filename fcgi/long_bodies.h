// Long bodies are held in memory whole, and anybody may send them: only so many are taken at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <semaphore>
#include <utility>

namespace clamscanner {

class LongBodies {
 public:
    explicit LongBodies(std::ptrdiff_t places) : places_(places) {}

    // For one body, as long as it is kept.
    class Place {
     public:
        explicit Place(std::counting_semaphore<>& places) : places_(&places) {}
        Place(Place&& other) noexcept : places_(std::exchange(other.places_, nullptr)) {}
        Place& operator=(Place&&) = delete;
        ~Place() {
            if (places_ != nullptr) places_->release();
        }

     private:
        std::counting_semaphore<>* places_;
    };

    // Empty when all places are taken.
    [[nodiscard]] std::optional<Place> take() {
        return places_.try_acquire() ? std::optional<Place>(Place(places_)) : std::nullopt;
    }

 private:
    std::counting_semaphore<> places_;
};

}  // namespace clamscanner
