// What the audit log says of logins. A panel polls, and each poll is a login: one that was right is written when it is
// the first of its account, from its origin and in its way, for an hour. Of those that were refused at most 20 are
// written in a second; the next line says how many were left out.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/authd/login_desk.h"
#include "auth/authd/messages.h"

namespace clamscanner {

class LoginTrail {
 public:
    // `logins` knows which names accounts have; it must outlive this.
    explicit LoginTrail(LoginDesk& logins) : logins_(logins) {}

    struct Way {
        std::string_view by;  // "password", "token" or "key"
        std::string which;    // the token's name or the key's id; "" if there is none, or it is not known
    };
    // `account` is null unless the login was right.
    void note(const std::string& user, const std::string& address, const Way& way, const LoginAnswer& answer,
              const Account* account);
    // What an account's owner wanted done with a token.
    void note_order(const TokenOrder& order, const TokenAnswer& answer);

 private:
    [[nodiscard]] bool is_news(const std::string& key);
    [[nodiscard]] bool may_write_refusal();
    [[nodiscard]] bool is_account(const std::string& user);

    LoginDesk& logins_;
    std::unordered_map<std::string, Deadline> written_;
    Deadline second_began_;
    unsigned in_second_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace clamscanner
