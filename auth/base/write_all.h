// Everything into a file, however little one call takes. For what may not wait (sockets, pipes with a deadline) see
// jobs/shared/frames.h.
#pragma once

#include <unistd.h>

#include <string_view>

#include "auth/base/checked.h"

namespace clamscanner {

// False, with errno set, when not all of it could be written.
[[nodiscard]] inline bool write_all(int file, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const auto written = uninterrupted([&] { return ::write(file, bytes.data(), bytes.size()); });
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace clamscanner
