// Limits how many bodies are read or written at a time: each holds a thread for as long as its client takes to send or
// to read it, and a long one is held in memory as a whole. So one account's clients can neither take all threads nor
// all of that memory. Shared by all threads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace clamscanner {

// Whose body it is: a uid, or nobody's that is known yet; of a reply, by the user's name as it was typed.
using BodyOwner = std::uint64_t;
inline constexpr BodyOwner unknown_owner = ~BodyOwner{0};

class BodyLimit {
 public:
    // How many there may be at a time; each at least one.
    BodyLimit(std::size_t of_all, std::size_t of_one_owner);

    // Allows one body, as long as this exists.
    class Permit {
     public:
        Permit(BodyLimit& limit, BodyOwner owner) : limit_(&limit), owner_(owner) {}
        Permit(Permit&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)), owner_(other.owner_) {}
        Permit& operator=(Permit&&) = delete;
        ~Permit() {
            if (limit_ != nullptr) limit_->give_back(owner_);
        }

     private:
        BodyLimit* limit_;
        BodyOwner owner_;
    };

    // Waits at most that long, and not at all where as many of this owner wait already; empty when the limit is
    // reached.
    [[nodiscard]] std::optional<Permit> take(BodyOwner owner, std::chrono::milliseconds patience = {});

 private:
    struct Bodies {
        std::size_t permitted = 0;
        std::size_t waiting = 0;
    };
    [[nodiscard]] bool has_room(const Bodies& owners) const {
        return permitted_ < of_all_ && owners.permitted < of_one_owner_;
    }
    void give_back(BodyOwner owner);
    void forget_if_empty(BodyOwner owner);

    const std::size_t of_all_;
    const std::size_t of_one_owner_;
    std::mutex mutex_;
    std::condition_variable given_back_;
    std::size_t permitted_ = 0;
    std::map<BodyOwner, Bodies> bodies_;
};

// How long a body may wait for others of its account.
inline constexpr std::chrono::milliseconds patience_for_bodies{100};

// For a responder with that many threads.
struct BodyLimits {
    explicit BodyLimits(std::size_t threads)
        : under_way(threads / 2, threads / 8),
          long_ones(threads / 8, threads / 32),
          long_replies(threads / 2, threads / 8) {}
    BodyLimit under_way;     // until the body is there
    BodyLimit long_ones;     // until the request is answered
    BodyLimit long_replies;  // until the web server has taken it
};

}  // namespace clamscanner
