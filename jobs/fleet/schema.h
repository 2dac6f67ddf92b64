// The database's schema, as SQL: a file for each version (schema/N.sql), each run once, in order.
#pragma once

#include <span>

namespace clamscanner {

// The first brings an empty database to version 1, the next from there to 2 …
[[nodiscard]] std::span<const char* const> schema_versions() noexcept;

}  // namespace clamscanner
