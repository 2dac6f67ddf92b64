// The SHA-256 of a text. That of a file: jobs/shared/content_hash.h.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

// 64 lower-case hex digits. Throws std::runtime_error.
[[nodiscard]] std::string sha256_hex(std::string_view text);

}  // namespace clamscanner
