// Universally unique identifiers.
#pragma once

#include <string>

#include "auth/base/random.h"

namespace clamscanner {

// RFC 9562, version 4, in lower case.
[[nodiscard]] inline std::string random_uuid() {
    auto text = random_hex(16);
    text[12] = '4';
    text[16] = "89ab"[text[16] % 4];
    for (const std::size_t place : {8, 13, 18, 23}) text.insert(place, "-");
    return text;
}

}  // namespace clamscanner
