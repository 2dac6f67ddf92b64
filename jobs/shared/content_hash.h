// The SHA-256 of a file's bytes, and a file's identity.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// 64 lower-case hex digits; empty if the file cannot be read to its end, or is longer than `most_bytes`: a writer could
// make it grow faster than it is read. Does not move the descriptor's offset. `goes_on` is called with each piece that
// is hashed, and ends it when it returns false: then it is empty, too.
using GoesOn = std::function<bool(std::string_view piece)>;
[[nodiscard]] std::optional<std::string> content_hash(int fd,
                                                      std::uint64_t most_bytes = std::numeric_limits<off_t>::max(),
                                                      const GoesOn& goes_on = {});

[[nodiscard]] FileIdentity identity_of(const struct stat& status) noexcept;

}  // namespace clamscanner
