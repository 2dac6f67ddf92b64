// The functions of UAPI's module Tokens, which responder and authd carry out between them, since nothing that runs as
// the account may: no agent and no uapi answers them.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

#include "handlers/shared/functions.h"

namespace clamscanner {

inline constexpr std::string_view tokens_module_name = "Tokens";

// UAPI's reference names GET alone for all of them, and clients send it; so the ones that change something take both,
// and are refused to pages of other sites.
inline constexpr Function token_functions[] = {
    {"create_full_access", "GET, POST", false, false},
    {"create_limited", "GET, POST", false, false},  // ours
    {"list", "GET, HEAD, POST", true, false},
    {"rename", "GET, POST", false, false},
    {"revoke", "GET, POST", false, false},
};

}  // namespace clamscanner
