// Accounts that the administrator holds: nothing of ours runs as their users, so that userdel(8) and usermod(8) can
// change them. Stored beside authd's nonces, in a file that only root may write, one account per line:
//
//     NAME UID
//
// An account is held if either matches: so it stays held after usermod --login and --uid, and its line can still be
// removed after userdel. clamscanner-account writes the file; authd rereads it whenever it has changed.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "auth/base/replace_file.h"

namespace clamscanner {

struct HeldAccount {
    std::string name;
    uid_t uid = 0;
    bool operator==(const HeldAccount&) const = default;
};

// Empty when the file does not exist. Throws ConfigError, which names file and line, or std::system_error.
[[nodiscard]] std::vector<HeldAccount> read_held_accounts(const std::string& file);
void write_held_accounts(const std::string& file, const std::vector<HeldAccount>& accounts);

class HeldAccounts {
 public:
    explicit HeldAccounts(std::string file) : file_(std::move(file)) {}

    // By the file's current content. Throws as read_held_accounts() does: without the list, nobody can be known to be
    // free.
    [[nodiscard]] bool include(const std::string& name, uid_t uid);

 private:
    const std::string file_;
    FileVersion version_{};
    std::vector<HeldAccount> accounts_;
};

}  // namespace clamscanner
