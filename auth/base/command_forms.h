// The command lines that two programs read alike: root's front, which becomes somebody for good, and the one that then
// does the work.
#pragma once

#include "auth/base/command_line.h"

namespace clamscanner {

inline constexpr Option uapi_options[] = {{"input", "json", "arguments come on standard input, as a JSON object"},
                                          {"output", "json|jsonpretty", "how the answer is laid out; json without it"},
                                          {"user", "NAME", "for root: for whom; for all others their own name"}};
inline constexpr CommandForm uapi_form{"uapi", "ClamScanner FUNCTION [KEY=VALUE ...]", uapi_options,
                                       "Keys and values are percent-encoded, as in a URL.\n",
                                       "Calls a function of the virus scanner, for the user who runs it."};

inline constexpr Option scan_options[] = {
    {"all", nullptr, "have the homes of all accounts scanned, beside the scans that the accounts start"},
    {"account", "NAME", "have this account scanned, and those that are named after the options"},
    {"wait", nullptr, "with these: wait for the end, tell how far it is, and print the result"},
    {"scheduled", nullptr, "with these: the accounts' histories name the schedule in place of the administrator"},
    {"status", nullptr, "how far the latest such scan is, or its result"},
    {"cancel", nullptr, "end it: what is not scanned yet stays unscanned"},
    {"finds", nullptr, "what the accounts' last scans found; by this signature, if one is named after the options"},
    {"quarantine", "SIGNATURE", "say what would be put into quarantine: all that was found by it, in all accounts"},
    {"yes", nullptr, "with this: do it, as each owner would, and print what became of it"},
    {"list-held", nullptr, "the signatures that hit so much that nothing is deleted for them"},
    {"allow", "SIGNATURE", "let files be deleted for it all the same"},
    {"ignore", "list|add|remove", "what is ignored in all accounts although it is found; remove: the ID after it"},
    {"sha256", "HEX", "with --ignore add: the content that is fine"},
    {"signature", "NAME", "with --ignore add: the signature that is wrong, or wrong about that content or these paths"},
    {"path", "PATTERN", "with --ignore add and --signature: files below each home, as in 'public_html/*.js'"},
    {"reason", "TEXT", "with --ignore add: why, for whoever lists it"},
    {"expires", "YYYY-MM-DD", "with --ignore add: from that day on, in UTC, it is found again"},
    {"json", nullptr, "print a result or a list as JSON"}};
inline constexpr CommandForm scan_form{
    "clamscanner-scan", "[NAME ... | SIGNATURE | ID]", scan_options,
    "One of --all, --account, --status, --cancel, --finds, --quarantine, --list-held, --allow and --ignore.\n"
    "Exit status of a scan that was waited for: 0 nothing found, 1 something found, 2 not all accounts were scanned.\n",
    "Has all accounts scanned, and says what became of it. Root's."};

inline constexpr Option fleet_options[] = {{"json", nullptr, "print each line as a JSON object"}};
inline constexpr CommandForm fleet_form{
    "clamscanner-fleet",
    "init | add-machine NAME URL | remove-machine NAME | list | scan | status [TASK] | findings [NAME]", fleet_options,
    "add-machine reads the machine's access key from standard input: its id and its secret, a line each.\n",
    "At the centre of many machines: which they are, and what they found. Root's."};

inline constexpr Option status_options[] = {
    {"check", nullptr, "look at the installation as well, and say what to do about each thing that is wrong"},
    {"json", nullptr, "print it as JSON"},
    {"metrics", nullptr, "print figures for a program that collects them, as OpenMetrics"}};
inline constexpr CommandForm status_form{
    "clamscanner-status", "", status_options,
    "Exit status, as monitoring wants it: 0 all is well, 1 a warning, 2 something does not work, 3 not known.\n",
    "How the virus scanner is: daemons, signatures, queue, disk, and what is wrong. Root's."};

}  // namespace clamscanner
