// The SHA-256 of a file's bytes, and which file a descriptor is.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// 64 lower-case hex digits; empty when the file cannot be read to its end, or that is not reached after `most_bytes`:
// whoever may write to a file can have it grow faster than it is read. Leaves the descriptor's offset alone.
[[nodiscard]] std::optional<std::string> content_hash(int fd,
                                                      std::uint64_t most_bytes = std::numeric_limits<off_t>::max());

[[nodiscard]] FileIdentity identity_of(const struct stat& status) noexcept;

}  // namespace clamscanner
