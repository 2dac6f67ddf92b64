// openapi.yaml as JSON: the description of the API for programs. Anybody may read it, without a login.
#pragma once

#include <string_view>

namespace clamscanner {

inline constexpr std::string_view openapi_path = "/ClamScanner/openapi.json";
inline constexpr std::string_view openapi_methods = "GET, HEAD";

[[nodiscard]] std::string_view openapi_document() noexcept;

}  // namespace clamscanner
