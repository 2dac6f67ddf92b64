// Finds a Maildir message under its present name. Mail programs rename messages when their owner reads them (new/ID
// becomes cur/ID:2,S, and each flag renames it again), so the name may change between a scan and the action; the part
// before the colon stays, and is unique (see Courier's maildir(5)). Used by the runner, as the account's own user. The
// caller must check the file's content afterwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

// The present path of the message that was at `path`, below `home`. Empty unless that is in cur/ or new/ of a Maildir
// that still holds the message.
[[nodiscard]] std::optional<std::string> moved_mail(int home, std::string_view path);

// The directories among which mail programs move the message at this path; none if it is not in a Maildir.
[[nodiscard]] std::vector<std::string> maildir_directories(int home, std::string_view path);

}  // namespace clamscanner
