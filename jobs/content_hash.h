// The SHA-256 of a file's bytes, and which file a descriptor is.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>

#include "jobs/messages.h"

namespace clamscanner {

// 64 lower-case hex digits; empty when the file cannot be read to its end. Leaves the descriptor's offset alone.
[[nodiscard]] std::optional<std::string> content_hash(int fd);

// The same of a text. Throws std::runtime_error.
[[nodiscard]] std::string hash_of_text(std::string_view text);

[[nodiscard]] FileIdentity identity_of(const struct stat& status) noexcept;

}  // namespace clamscanner
