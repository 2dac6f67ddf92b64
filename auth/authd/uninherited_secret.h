// A secret that stays with authd: in pages of its own, of which a child has zeros from its first moment and a core file
// nothing. The kernel sees to that, whoever forks and for whatever (a check, an agent, a runner). What a child is to
// know is handed to it: copied into a Secret just before the fork.
#pragma once

#include <string_view>

#include "auth/base/secret.h"

namespace clamscanner {

class UninheritedSecret {
 public:
    UninheritedSecret() = default;
    // Wiping what `bytes` points to stays the caller's duty. Throws std::system_error.
    explicit UninheritedSecret(std::string_view bytes);
    [[nodiscard]] static UninheritedSecret random(std::size_t size);

    UninheritedSecret(UninheritedSecret&& other) noexcept { swap(other); }
    UninheritedSecret& operator=(UninheritedSecret&& other) noexcept {
        UninheritedSecret(std::move(other)).swap(*this);
        return *this;
    }
    UninheritedSecret(const UninheritedSecret&) = delete;
    UninheritedSecret& operator=(const UninheritedSecret&) = delete;
    ~UninheritedSecret();

    [[nodiscard]] std::string_view reveal() const noexcept { return {pages_, size_}; }

 private:
    void map(std::size_t size);
    void swap(UninheritedSecret& other) noexcept {
        std::swap(pages_, other.pages_);
        std::swap(size_, other.size_);
    }
    char* pages_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace clamscanner
