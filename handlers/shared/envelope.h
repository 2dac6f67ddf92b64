// UAPI's two envelopes for a function's answer. Every field is always present, keys in alphabetical order. Used by
// agents, by uapi, and by the responder for its own refusals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "handlers/shared/address.h"

namespace clamscanner {

// A function's successful answer.
struct Answer {
    std::string data;             // JSON; "": null
    std::string metadata = "{}";  // JSON
    std::vector<std::string> messages;
    std::vector<std::string> warnings;
};

[[nodiscard]] std::string envelope(const Address& address, const Answer& answer);

[[nodiscard]] std::string failure_envelope(const Address& address, std::string_view error);

}  // namespace clamscanner
