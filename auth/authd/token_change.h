// Makes, renames and revokes an account's API tokens. Runs in a child of authd's, so that a slow disk holds up nobody,
// and in root's clamscanner-tokens; a lock lets only one of them at the files at a time.
#pragma once

#include <string>

#include "auth/authd/api_tokens.h"
#include "auth/authd/messages.h"

namespace clamscanner {

struct TokenChange {
    std::string file;
    TokenAction action = TokenAction::Create;  // never List
    std::string name;
    std::string new_name;    // for Rename
    ApiToken made;           // for Create: all but name and digest
    std::string generation;  // of the account: tokens of another one are dropped on the way
    std::size_t most = 0;
};

struct TokenChanged {
    static constexpr auto type = MessageType::TokenChanged;
    TokenResult result = TokenResult::Fault;
    Secret token;               // that was made
    std::uint32_t dropped = 0;  // tokens of another generation
    void fields(auto& wire) {
        wire.choice(result, TokenResult::Fault);
        wire.secret(token, longest_password);
        wire.number(dropped);
    }
};

// On the disk when this returns Done. May wait for others, and for the disk. Throws std::system_error; then it was made
// or not.
[[nodiscard]] TokenChanged change_tokens(const TokenChange& change);

// For the administrator: revokes the token, or all if `name` is "", of whatever generation. False when there is none.
// With no name a damaged file becomes an empty one; else throws ConfigError. Throws std::system_error.
[[nodiscard]] bool revoke_tokens(const std::string& file, const std::string& name);

// An account's line in a shadow file.
struct ShadowLine {
    std::string digest = no_shadow_line;  // its SHA-256
    std::size_t fingerprint = 0;          // as LocalAccounts has it; 0: there is no line
};

// Throws std::system_error.
[[nodiscard]] ShadowLine shadow_line(const std::string& user, const std::string& file = "/etc/shadow");

}  // namespace clamscanner
