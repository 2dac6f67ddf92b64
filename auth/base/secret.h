// Holds a password or another secret: never copied, and wiped when it is destroyed.
#pragma once

#include <string.h>

#include <string>
#include <string_view>
#include <utility>

namespace clamscanner {

class Secret {
 public:
    Secret() = default;
    // Copies; wiping what `text` points to stays the caller's duty.
    explicit Secret(std::string_view text) { assign(text); }
    // A moved std::string may leave its short-string bytes behind, so a move copies, then wipes the source.
    Secret(Secret&& other) noexcept : text_(other.text_) { other.wipe(); }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            assign(other.text_);
            other.wipe();
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(); }

    [[nodiscard]] const std::string& reveal() const noexcept { return text_; }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    void assign(std::string_view text) {
        wipe();
        text_.reserve(text.size());  // one allocation: growing would leave unwiped copies behind
        text_ = text;
    }

 private:
    void wipe() noexcept {
        ::explicit_bzero(text_.data(), text_.size());
        text_.clear();
    }
    std::string text_;
};

}  // namespace clamscanner
