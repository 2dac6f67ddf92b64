// Whether a whole text fits an extended regular expression of POSIX. (g++ 12 calls parts of its own <regex>
// uninitialized when it builds with sanitizers.)
#pragma once

#include <regex.h>

#include <stdexcept>
#include <string>

namespace clamscanner {

[[nodiscard]] inline bool matches(const std::string& text, const std::string& pattern) {
    regex_t expression{};
    if (::regcomp(&expression, ("^(" + pattern + ")$").c_str(), REG_EXTENDED | REG_NOSUB) != 0)
        throw std::invalid_argument("not a regular expression: " + pattern);
    const bool fits = ::regexec(&expression, text.c_str(), 0, nullptr, 0) == 0;
    ::regfree(&expression);
    return fits;
}

}  // namespace clamscanner
