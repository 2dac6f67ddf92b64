#include "fcgi/body_limits.h"

#include <algorithm>

namespace clamscanner {

BodyLimit::BodyLimit(std::size_t of_all, std::size_t of_one_owner)
    : of_all_(std::max<std::size_t>(of_all, 1)), of_one_owner_(std::max<std::size_t>(of_one_owner, 1)) {}

std::optional<BodyLimit::Permit> BodyLimit::take(BodyOwner owner, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    auto& bodies = bodies_[owner];
    if (!has_room(bodies) && bodies.waiting < of_one_owner_) {
        ++bodies.waiting;
        given_back_.wait_for(lock, patience, [&] { return has_room(bodies); });
        --bodies.waiting;
    }
    if (!has_room(bodies)) {
        forget_if_empty(owner);
        return std::nullopt;
    }
    ++bodies.permitted;
    ++permitted_;
    return Permit(*this, owner);
}

void BodyLimit::give_back(BodyOwner owner) {
    const std::lock_guard lock(mutex_);
    --bodies_.at(owner).permitted;
    --permitted_;
    forget_if_empty(owner);
    given_back_.notify_all();
}

void BodyLimit::forget_if_empty(BodyOwner owner) {
    const auto& bodies = bodies_.at(owner);
    if (bodies.permitted == 0 && bodies.waiting == 0) bodies_.erase(owner);
}

}  // namespace clamscanner
