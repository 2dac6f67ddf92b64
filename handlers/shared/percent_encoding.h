// Percent-decoding of foreign text (RFC 3986): strict, so that no two programs read the same request differently.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clamscanner {

enum class Plus { IsPlus, IsSpace };  // a blank in forms and queries, itself in a path

// Empty when a percent sign is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, Plus plus);

// One "name=value" of a query or a form, as it stands there; without an equals sign it is all name.
struct EncodedPair {
    std::string_view name;
    std::string_view value;
};

// Takes the next one off `encoded`; empty ones are passed over. Nothing when there is no more.
[[nodiscard]] std::optional<EncodedPair> take_pair(std::string_view& encoded);

// Everything but letters, digits and -_.~, with capital hex digits.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace clamscanner
