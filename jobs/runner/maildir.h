// Where a message of a Maildir is now. Mail programs rename messages as their owner reads them (new/ID becomes
// cur/ID:2,S, and each flag renames it again), so between a scan and what is done about it the name may be another one;
// the part before the colon stays, and is unlike any other's (the format as Courier's maildir(5) has it). Used by the
// runner, as the account's own user; which file it is, its identity and content tell afterwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

// `path` is below `home`, and nothing is there any more. Empty unless it was in cur/ or new/ of a Maildir in which a
// message of that name is now.
[[nodiscard]] std::optional<std::string> moved_message(int home, std::string_view path);

// The directories among which mail programs move a message of this path; none if it was in no Maildir's.
[[nodiscard]] std::vector<std::string> maildir_directories(int home, std::string_view path);

}  // namespace clamscanner
