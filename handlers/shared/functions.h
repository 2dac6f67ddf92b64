// The modules and their functions: the tables that both the responder and the agent's router use.
#pragma once

#include <span>
#include <string_view>

namespace clamscanner {

inline constexpr std::string_view module_name = "ClamScanner";

struct Function {
    std::string_view name;
    std::string_view methods;  // as an Allow header has them
    // A page of another site may call such a function with the visitor's credentials, because browsers do not show it
    // the answer.
    bool only_reads;
    bool long_body;  // may be larger than what other requests are allowed
};

inline constexpr Function functions[] = {
    {"cancel_scan", "POST", false, false},
    {"check_disinfection_status", "GET, HEAD, POST", true, false},
    {"confirm_notifications", "POST", false, false},
    {"delete_quarantined_files", "POST", false, true},
    {"disinfect_files", "POST", false, true},
    {"get_notifications", "GET, HEAD, POST", true, false},
    {"get_scan_paths", "GET, HEAD, POST", true, false},
    {"get_scan_status", "GET, HEAD, POST", true, false},
    {"get_schedule", "GET, HEAD, POST", true, false},
    {"ignore_files", "POST", false, true},
    {"list_history", "GET, HEAD, POST", true, false},
    {"list_ignored_files", "GET, HEAD, POST", true, false},
    {"list_infected_files", "GET, HEAD, POST", true, false},
    {"list_quarantined_files", "GET, HEAD, POST", true, false},
    {"list_unscanned_files", "GET, HEAD, POST", true, false},
    {"restore_quarantined_files", "POST", false, true},
    {"set_notifications", "POST", false, false},
    {"set_schedule", "POST", false, false},
    {"start_scan", "GET, POST", false, false},
    {"unignore_files", "POST", false, true},
    {"view_infected_file", "GET, HEAD, POST", true, false},
};

// UAPI's module Tokens. Responder and authd carry these out between them, since nothing that runs as the account may:
// no agent and no uapi answers them. UAPI's reference names GET alone for all of them, and clients send it; so the ones
// that change something take both, and are refused to pages of other sites.
inline constexpr std::string_view tokens_module_name = "Tokens";

inline constexpr Function token_functions[] = {
    {"create_full_access", "GET, POST", false, false},
    {"create_limited", "GET, POST", false, false},  // ours
    {"list", "GET, HEAD, POST", true, false},
    {"rename", "GET, POST", false, false},
    {"revoke", "GET, POST", false, false},
};

struct Module {
    std::string_view name;
    std::span<const Function> functions;
};

// Every other name below /execute/ is an unknown module.
inline constexpr Module modules[] = {
    {module_name, functions},
    {tokens_module_name, token_functions},
};

// Null when there is none of that name.
[[nodiscard]] const Module* find_module(std::string_view name) noexcept;
[[nodiscard]] const Function* find_function(std::string_view module, std::string_view name) noexcept;

[[nodiscard]] bool takes_method(const Function& function, std::string_view method) noexcept;

}  // namespace clamscanner
