// A Content-Type header, and other headers of the same form: a name, then parameters (RFC 9110, section 8.3.1).
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace clamscanner {

struct MediaType {
    std::string name;                               // in lower case; "" when the header is not of the form
    std::map<std::string, std::string> parameters;  // names in lower case, values without quotes

    // No charset named, or UTF-8 or its part US-ASCII.
    [[nodiscard]] bool is_utf8() const;
};

[[nodiscard]] MediaType media_type_of(std::string_view header);

[[nodiscard]] std::string lower_case(std::string_view ascii);

}  // namespace clamscanner
