// Parses a request's path: which function is called, and in which envelope it is answered. The path is untrusted.
#pragma once

#include <string>
#include <string_view>

namespace clamscanner {

enum class EnvelopeForm {
    Documented,  // /ClamScanner/FUNCTION
    Live,        // /execute/ClamScanner/FUNCTION, with or without /cpsessDIGITS before it: what panel front ends expect
};

struct Address {
    EnvelopeForm form = EnvelopeForm::Documented;
    std::string module;    // "" when the path names none
    std::string function;  // likewise
};

// `path` has no query and is still percent-encoded. Every path is an address, though perhaps of no function.
[[nodiscard]] Address address_of(std::string_view path);

}  // namespace clamscanner
