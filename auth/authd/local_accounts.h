// Fingerprints of each account's lines in /etc/passwd and /etc/shadow. A remembered login becomes invalid when its
// account's lines change; one user's chsh affects nobody else. It also becomes invalid when the rules of PAM change:
// any file in /etc/pam.d or /etc/security. Also tells whether /etc/nologin exists. Reads local files only, never the
// name service.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/base/replace_file.h"

namespace clamscanner {

class LocalAccounts {
 public:
    struct Files {
        std::string passwd = "/etc/passwd";
        std::string shadow = "/etc/shadow";
        std::vector<std::string> nologin = {"/etc/nologin", "/run/nologin"};
        std::vector<std::string> rules = {"/etc/pam.d", "/etc/security"};  // directories, with those in them
        // Whether any change of the files changes all fingerprints. Otherwise an account without a password that is
        // removed and made anew would keep its fingerprint.
        bool any_change_affects_all = false;
    };
    // A plain hash, not a MAC, is enough: users can influence only their own lines.
    struct Lines {
        std::size_t passwd = 0;
        std::size_t shadow = 0;
        auto operator<=>(const Lines&) const = default;
    };

    // All that is known here of an account, or of one that is not local.
    struct State {
        std::optional<Lines> lines;
        std::size_t rules = 0;
        auto operator<=>(const State&) const = default;
    };

    LocalAccounts() : LocalAccounts(Files{}) {}
    explicit LocalAccounts(Files files) : files_(std::move(files)) { refresh(); }

    // Looks at the files' versions, and reads them again if one has changed.
    void refresh();

    // These answers are as of the last refresh(). Empty: not a local account.
    [[nodiscard]] std::optional<Lines> lines_of(const std::string& name) const {
        const auto found = accounts_.find(name);
        return found != accounts_.end() ? std::optional(found->second) : std::nullopt;
    }
    [[nodiscard]] State state_of(const std::string& name) const { return {lines_of(name), rules_}; }
    [[nodiscard]] std::size_t rules() const noexcept { return rules_; }  // another number after each change
    [[nodiscard]] bool logins_are_closed() const noexcept { return closed_; }

 private:
    struct Watched {
        std::string file;
        FileVersion version;
    };
    void refresh_accounts();
    void refresh_rules();

    Files files_;
    FileVersion passwd_;
    FileVersion shadow_;
    bool closed_ = false;
    std::vector<Watched> watched_;  // the directories of rules, and what is in them
    std::size_t rules_ = 0;         // how often they changed
    std::size_t times_read_ = 0;
    std::unordered_map<std::string, Lines> accounts_;
};

}  // namespace clamscanner
