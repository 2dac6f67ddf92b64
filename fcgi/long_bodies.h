// Limits how many long bodies are held at a time: anybody may send them, and each is in memory as a whole.
#pragma once

#include <cstddef>
#include <optional>
#include <semaphore>
#include <utility>

namespace clamscanner {

class LongBodies {
 public:
    explicit LongBodies(std::ptrdiff_t permits) : permits_(permits) {}

    // Allows one body, as long as this exists.
    class Permit {
     public:
        explicit Permit(std::counting_semaphore<>& permits) : permits_(&permits) {}
        Permit(Permit&& other) noexcept : permits_(std::exchange(other.permits_, nullptr)) {}
        Permit& operator=(Permit&&) = delete;
        ~Permit() {
            if (permits_ != nullptr) permits_->release();
        }

     private:
        std::counting_semaphore<>* permits_;
    };

    // Empty when the limit is reached.
    [[nodiscard]] std::optional<Permit> take() {
        return permits_.try_acquire() ? std::optional<Permit>(Permit(permits_)) : std::nullopt;
    }

 private:
    std::counting_semaphore<> permits_;
};

}  // namespace clamscanner
