// What an account's history says of each change that was made at once: of a path its end, of a mail address the whole,
// since both are the account's own. At most longest_message bytes. Used by jobd alone.
#pragma once

#include <string>

#include "jobs/jobd/messages.h"

namespace clamscanner {

// ---- What is ignored, and no longer: of several, `path` and `virus` are of the first.
[[nodiscard]] std::string ignored_text(const std::string& path, const std::string& virus, const Ignoring& ignoring);
[[nodiscard]] std::string unignored_text(const std::string& path, const std::string& virus);
[[nodiscard]] std::string time_is_over_text(const std::string& path, const std::string& virus);
// By a row of the administrator's. They say no more of it than list_ignored_files does: the rest would tell malware
// where it is not looked for.
[[nodiscard]] std::string ignored_for_all_text(const std::string& path, const std::string& virus,
                                               const Ignoring& ignoring);
[[nodiscard]] std::string found_again_for_all_text(const std::string& path, const std::string& virus);

// ---- The schedule
[[nodiscard]] std::string schedule_text(const Schedule& before, const Schedule& now);

// ---- Where mails go: each "" if nothing was changed.
// `asked`: for this address, "" for the mailbox on this host.
[[nodiscard]] std::string address_asked_text(const Notifications& before, const std::string& asked);
[[nodiscard]] std::string address_confirmed_text(const Notifications& before, const Notifications& now);
[[nodiscard]] std::string mails_text(const Notifications& before, const Notifications& now);

}  // namespace clamscanner
