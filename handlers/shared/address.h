// What a request's path asks for, and in which form it is to be answered. The path is foreign.
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

// `path` is without the query and still percent-encoded. Every path is an address, if of nothing.
[[nodiscard]] Address address_of(std::string_view path);

}  // namespace clamscanner
