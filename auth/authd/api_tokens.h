// API tokens: an account's programs log in with one instead of the password (Authorization: cpanel USER:TOKEN). They
// are stored in tokens/ beside the nonces, where only root may read or write, in a file USER.tokens for each account,
// one token per line:
//
//     NAME SHA256 CREATED EXPIRES full|readonly|limited GENERATION SHADOW
//
// The token itself is in no file. It is valid only for the account it was made for, not for a later account of the same
// name (account_generation.h), and as long as the account's line in /etc/shadow has the SHA-256 that it had then ("-":
// it had none, as where accounts are not local).
//
// By name, not uid, since a token login names the account, and authd's loop may not ask the name service for its uid.
//
// When and from where each was used stands in USER.uses, which is written without waiting for the disk. Its loss does
// no harm:
//
//     SHA256 FIRST-USED FROM LAST-USED FROM
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/authd/messages.h"
#include "auth/base/replace_file.h"

namespace clamscanner {

inline constexpr const char* no_shadow_line = "-";

// Times are seconds since the epoch.
struct ApiToken {
    std::string name;
    std::string digest;  // SHA-256, in hex digits
    std::int64_t created = 0;
    std::int64_t expires = expires_never;
    TokenScope scope = TokenScope::Full;
    std::string generation;
    std::string shadow;
    bool operator==(const ApiToken&) const = default;
};

struct TokenUse {
    std::int64_t first = 0;
    std::string first_from;
    std::int64_t last = 0;
    std::string last_from;
};

// 32 characters of A-Z and 0-9, which no owner has to guess apart, from the kernel: 165 bits. Throws std::system_error.
[[nodiscard]] Secret random_token();

[[nodiscard]] std::string name_of(TokenScope scope);

// Whether accounts of that name can have tokens at all: it becomes part of a file's name.
[[nodiscard]] bool is_possible_token_owner(const std::string& user) noexcept;
[[nodiscard]] std::string tokens_file(const std::string& directory, const std::string& user);

// Empty when the file does not exist. Throws ConfigError, which names file and line, when it is damaged, or when
// anybody but root may read or write it, or std::system_error.
[[nodiscard]] std::vector<ApiToken> read_tokens(const std::string& file);

// On the disk when this returns. Throws std::system_error.
void write_tokens(const std::string& file, const std::vector<ApiToken>& tokens);

// The uses in the file, by digest; none where it is damaged or cannot be read.
using TokenUses = std::map<std::string, TokenUse>;
[[nodiscard]] TokenUses read_token_uses(const std::string& tokens_file);

// authd's look at the files: each is read again whenever it has changed.
class TokenFiles {
 public:
    static constexpr std::size_t most_accounts = 1024;  // remembered at a time
    static constexpr std::int64_t seconds_between_writes = 60;

    struct Tokens {
        FileVersion version{};
        bool is_damaged = false;  // then none is valid; the log says why
        std::vector<ApiToken> tokens;
        TokenUses uses;
        std::int64_t uses_written = 0;
    };

    explicit TokenFiles(std::string directory) : directory_(std::move(directory)) {}

    // By the file's current content; valid until the next call. Throws std::system_error.
    [[nodiscard]] const Tokens& of(const std::string& user);

    // True if the token was never used before. Written down at the first use, later once a minute.
    bool note_use(const std::string& user, const ApiToken& token, std::int64_t now, const std::string& origin);

    [[nodiscard]] std::string file_of(const std::string& user) const { return tokens_file(directory_, user); }

 private:
    Tokens& read(const std::string& user, const FileVersion& version);
    void write_uses(const std::string& user, Tokens& tokens, std::int64_t now);

    const std::string directory_;
    std::unordered_map<std::string, Tokens> accounts_;
};

}  // namespace clamscanner
