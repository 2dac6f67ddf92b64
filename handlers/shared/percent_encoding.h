// Percent-decoding of untrusted text (RFC 3986): strict, so that no two programs read the same request differently.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "jobs/shared/refusal.h"

namespace clamscanner {

enum class Plus { IsPlus, IsSpace };  // a plus sign is a space in forms and queries, itself in a path

// Empty when a percent sign is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, Plus plus);

// One "name=value" of a query or a form, still encoded; without an equals sign it is all name.
struct EncodedPair {
    std::string_view name;
    std::string_view value;
};

// Takes the next pair off `encoded`, skipping empty ones. Empty when there is none left.
[[nodiscard]] std::optional<EncodedPair> take_pair(std::string_view& encoded);

// A query or a form with something in it that is not percent-encoded as it should be; it says which.
struct BrokenEncoding : Refusal {
    using Refusal::Refusal;
};

// Gives each name and value of a query or of an application/x-www-form-urlencoded body to `take`, decoded. Throws
// BrokenEncoding.
void read_pairs(std::string_view encoded, const std::function<void(std::string name, std::string value)>& take);

// Everything but letters, digits and -_.~, with capital hex digits.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace clamscanner
