// The command lines that two programs read alike: root's front, which becomes somebody for good, and the one that then
// does the work.
#pragma once

#include "auth/base/command_line.h"

namespace clamscanner {

inline constexpr Option uapi_options[] = {{"input", "json", "arguments come on standard input, as a JSON object"},
                                          {"output", "json|jsonpretty", "how the answer is laid out; json without it"},
                                          {"user", "NAME", "for root: for whom; for all others their own name"}};
inline constexpr CommandForm uapi_form{"uapi", "ClamScanner FUNCTION [KEY=VALUE ...]", uapi_options,
                                       "Keys and values are percent-encoded, as in a URL.\n"};

inline constexpr Option scan_options[] = {
    {"all", nullptr, "have the homes of all accounts scanned, beside the scans that the accounts start"},
    {"status", nullptr, "how far the latest scan of all accounts is"},
    {"list-held", nullptr, "the signatures that hit so much that nothing is deleted for them"},
    {"allow", "SIGNATURE", "let files be deleted for it all the same"}};
inline constexpr CommandForm scan_form{"clamscanner-scan", "", scan_options,
                                       "One of --all, --status, --list-held and --allow.\n"};

}  // namespace clamscanner
