// Whether the address that a request came to serves an account's content: then the pages of a hacked site would be of
// one origin with the service, and read with the owner's password, which browsers send along, whatever the owner may.
// Of all ways to serve such content this one can be seen from here: the web server names its document root. Goes by
// /etc/passwd alone, and looks at no home: that may never answer.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "auth/base/socket.h"

namespace clamscanner {

// Shared by all threads.
class DocumentRoots {
 public:
    // Accounts are users with a uid from there on.
    explicit DocumentRoots(std::uint64_t uid_floor, std::string passwd = "/etc/passwd")
        : uid_floor_(uid_floor), passwd_(std::move(passwd)) {}

    // Whether `directory`, "" for none, is the home of an account or below one. Remembered for a minute.
    [[nodiscard]] bool is_an_accounts(const std::string& directory);

 private:
    struct Answer {
        bool is_an_accounts;
        Deadline expires;
    };
    [[nodiscard]] bool look_up(const std::string& directory) const;

    const std::uint64_t uid_floor_;
    const std::string passwd_;
    std::mutex mutex_;
    std::map<std::string, Answer> answers_;  // by directory
};

}  // namespace clamscanner
