// The messages to authd, and between authd and the processes it starts. Responders and jobd ask; authd answers.
//
//   responder ── Login, SignedLogin or TokenLogin (+ the agent's ends of two pipes) ──► authd
//   authd ── LoginAnswer, if it is a refusal ──► responder
//   authd ── Serve (+ those ends, if the login is right) ──► agent ── Served ──► authd
//
//   where the request's body has yet to come:
//   responder ── Login, SignedLogin or TokenLogin (no pipes) ──► authd ── LoginAnswer ──► responder
//   responder ── OpenAgent (+ those ends) ──► authd ── Serve, or LoginAnswer, as above
//
//   responder ── TokenOrder ──► authd ── TokenAnswer ──► responder
//   jobd ── StartRunner (+ one end of a packet socket) ──► authd ── RunnerAnswer ──► jobd
//   administrator ── EndProcesses ──► authd ── ProcessesEnded ──► administrator
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/base/home_identity.h"
#include "auth/base/limits.h"
#include "auth/base/secret.h"
#include "auth/base/signature.h"
#include "auth/base/voucher.h"

namespace clamscanner {

// Message numbers are unique across all conversations, so that no message can be mistaken for another. Each boundary
// has its own range: authd 1, agents 20 (handlers/shared), jobd 40, the engine 100, the process that holds the
// signatures 120, workers 130, runners 140 (jobs/).
enum class MessageType : std::uint16_t {
    Login = 1,
    LoginAnswer = 2,
    Serve = 3,
    Served = 4,
    StartRunner = 5,
    RunnerAnswer = 6,
    LoginChecked = 7,  // auth/authd/pam_login.h: from a child of authd's to authd
    SignedLogin = 8,
    EndProcesses = 9,
    ProcessesEnded = 10,
    OpenAgent = 11,
    TokenLogin = 12,
    TokenOrder = 13,
    TokenAnswer = 14,
    TokenChanged = 15,  // auth/authd/token_change.h: from a child of authd's to authd
};

inline constexpr std::size_t longest_password = 1024;
inline constexpr std::size_t longest_key_id = 128;
inline constexpr std::size_t longest_signature = 128;
inline constexpr std::size_t longest_signed_text = 64 * 1024;

// What a request's pipes are for; the agent answers nothing else on them.
enum class Purpose : std::uint8_t { Api = 0, Statistics = 1 };

// Carries the agent's ends of one request's pipes (request_pipes.h). authd does not read them: it passes them to the
// account's agent, or closes them. The request already waits in its pipe, so the responder waits once, not twice.
//
// It may also come without pipes: nobody's body is waited for before the password is known to be right. Then Welcome is
// answered too, and OpenAgent brings the pipes.
struct Login {
    static constexpr auto type = MessageType::Login;
    std::string user;
    Secret password;
    std::string address;  // the client's, from the web server: may tighten limits, never loosen them
    Purpose purpose = Purpose::Api;
    void fields(auto& wire) {
        wire.text(user, longest_user_name);
        wire.secret(password, longest_password);
        wire.text(address, longest_address);
        wire.choice(purpose, Purpose::Statistics);
    }
};

// The same for a request that was signed with an access key.
struct SignedLogin {
    static constexpr auto type = MessageType::SignedLogin;
    std::string key_id;
    SignatureForm form = SignatureForm::V1;
    std::string text;  // what the client must have signed
    std::string signature;
    std::string address;
    void fields(auto& wire) {
        wire.text(key_id, longest_key_id);
        wire.choice(form, SignatureForm::V3);
        wire.text(text, longest_signed_text);
        wire.text(signature, longest_signature);
        wire.text(address, longest_address);
    }
};

// The same for a request that carries an API token in place of the password (api_tokens.h).
struct TokenLogin {
    static constexpr auto type = MessageType::TokenLogin;
    std::string user;
    Secret token;
    std::string address;
    void fields(auto& wire) {
        wire.text(user, longest_user_name);
        wire.secret(token, longest_password);
        wire.text(address, longest_address);
    }
};

// What a token lets its bearer do; a password lets one do everything.
enum class TokenScope : std::uint8_t {
    Full = 0,
    ReadOnly = 1,  // functions that only read, those of tokens too
    Limited = 2,   // scanning and listing: functions that only read, and start_scan
};

enum class LoginVerdict : std::uint8_t {
    Welcome = 0,      // the agent has the pipes, and what comes there is the answer
    Wrong = 1,        // name or password; nobody learns which
    Forbidden = 2,    // the password was right; the account is locked, expired, has no home or a uid below the floor
    Penalised = 3,    // too many failures; retry_seconds says when to come back
    Saturated = 4,    // too many logins are being checked
    Busy = 5,         // this account has too many requests under way
    Unavailable = 6,  // internal fault: the agent could not be started
    NoKey = 7,        // from here on, only for a SignedLogin
    KeyDisabled = 8,
    TimeMalformed = 9,
    TimeExpired = 10,
    WrongSignature = 11,
    NonceUsed = 12,
    Throttled = 13,       // the key's nonce table is full
    NoAction = 14,        // the signed text names no action, or an impossible one
    Held = 15,            // for any login: the administrator holds the account
    FilesHang = 16,       // for any login: the home, or what is mounted in it, does not answer
    TokenExpired = 17,    // from here on, only for a TokenLogin or a TokenOrder; the token itself was right
    TokenSuspended = 18,  // the account's line in /etc/shadow has changed since the token was made
    TokenOfAnother = 19,  // it was made for an earlier account of the name, or before its home moved
    TokensOff = 20,
};
inline constexpr auto last_login_verdict = LoginVerdict::TokensOff;

// Sent for Welcome only where the login came without pipes: else the agent's reply on its pipe is answer enough. A
// refusal is sent before authd closes the pipes, so that a responder that sees them close finds the reason waiting.
struct LoginAnswer {
    static constexpr auto type = MessageType::LoginAnswer;
    LoginVerdict verdict = LoginVerdict::Unavailable;
    std::uint32_t retry_seconds = 0;
    std::uint32_t uid = 0;  // of the account; with Welcome only
    void fields(auto& wire) {
        wire.choice(verdict, last_login_verdict);
        wire.number(retry_seconds);
        wire.number(uid);
    }
};

// Once after a login without pipes that was right, with the pipes. It is the same login: nothing is checked a second
// time but that the account is still the one that logged in, so a password that is good only once, and a nonce, do.
struct OpenAgent {
    static constexpr auto type = MessageType::OpenAgent;
    void fields(auto&) {}
};

enum class TokenAction : std::uint8_t { Create = 0, List = 1, Rename = 2, Revoke = 3 };

// By UAPI's rule.
[[nodiscard]] inline bool is_token_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= longest_token_name && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

inline constexpr std::int64_t expires_by_default = -1;
inline constexpr std::int64_t expires_never = 0;
inline constexpr std::int64_t latest_expiry = 253'402'300'799;  // the end of the year 9999

// What the account's owner wants done with the account's tokens. Carried out by authd alone: nothing that runs as the
// account may make, read or change them.
struct TokenOrder {
    static constexpr auto type = MessageType::TokenOrder;
    std::string user;
    Secret secret;  // the password, or a token
    bool is_token = false;
    std::string address;
    TokenAction action = TokenAction::List;
    std::string name;                              // "" for List
    std::string new_name;                          // for Rename
    TokenScope scope = TokenScope::Full;           // for Create, as is the time
    std::int64_t expires_at = expires_by_default;  // or expires_never, or seconds since the epoch
    void fields(auto& wire) {
        wire.text(user, longest_user_name);
        wire.secret(secret, longest_password);
        wire.number(is_token);
        wire.text(address, longest_address);
        wire.choice(action, TokenAction::Revoke);
        wire.text(name, longest_token_name);
        wire.text(new_name, longest_token_name);
        wire.choice(scope, TokenScope::Limited);
        wire.number(expires_at);
    }
};

enum class TokenResult : std::uint8_t {
    Done = 0,
    NoSuchToken = 1,
    NameTaken = 2,
    TooMany = 3,
    InThePast = 4,        // the time at which it is to expire
    NeedsPassword = 5,    // what was asked for is not done for any token
    NeedsFullAccess = 6,  // nor for one of this scope
    Damaged = 7,          // the file of the account's tokens: nothing is done until the administrator has looked at it
    Fault = 8,
};

enum class TokenState : std::uint8_t { Valid = 0, Expired = 1, Suspended = 2 };

// A token as its owner sees it. Times are seconds since the epoch, 0 for never.
struct TokenRow {
    std::string name;
    std::int64_t created = 0;
    std::int64_t expires = expires_never;
    TokenScope scope = TokenScope::Full;
    TokenState state = TokenState::Valid;
    std::int64_t first_used = 0;
    std::string first_used_from;
    std::int64_t last_used = 0;
    std::string last_used_from;
    void fields(auto& wire) {
        wire.text(name, longest_token_name);
        wire.number(created);
        wire.number(expires);
        wire.choice(scope, TokenScope::Limited);
        wire.choice(state, TokenState::Suspended);
        wire.number(first_used);
        wire.text(first_used_from, longest_address);
        wire.number(last_used);
        wire.text(last_used_from, longest_address);
    }
};

struct TokenAnswer {
    static constexpr auto type = MessageType::TokenAnswer;
    LoginVerdict verdict = LoginVerdict::Unavailable;
    std::uint32_t retry_seconds = 0;
    TokenResult result = TokenResult::Fault;  // of a Welcome, as is the rest
    Secret token;                             // that was made: it is in no file, and nobody can show it again
    std::int64_t created = 0;
    std::int64_t expires = expires_never;
    std::uint32_t most = 0;  // that an account may have
    std::vector<TokenRow> rows;
    void fields(auto& wire) {
        wire.choice(verdict, last_login_verdict);
        wire.number(retry_seconds);
        wire.choice(result, TokenResult::Fault);
        wire.secret(token, longest_password);
        wire.number(created);
        wire.number(expires);
        wire.number(most);
        wire.list(rows, most_tokens_per_account);
    }
};

// To an agent, with the pipes of the request to serve.
struct Serve {
    static constexpr auto type = MessageType::Serve;
    Purpose purpose = Purpose::Api;
    // As signed, "" without a signature. The agent carries out nothing else.
    std::string action;
    std::string version;
    TokenScope scope = TokenScope::Full;  // of the token; Full without one
    std::string token = {};               // its name; "" without one
    Voucher voucher = {};                 // of a login with every right to the API
    void fields(auto& wire) {
        wire.choice(purpose, Purpose::Statistics);
        wire.text(action, longest_action);
        wire.text(version, longest_action);
        wire.choice(scope, TokenScope::Limited);
        wire.text(token, longest_token_name);
        voucher.fields(wire);
    }
};

// From an agent, just before it writes the replies: `requests` more are finished.
struct Served {
    static constexpr auto type = MessageType::Served;
    std::uint32_t requests = 1;
    void fields(auto& wire) { wire.number(requests); }
};

// From jobd, with the runner's end of their socket pair. The runner lives as long as jobd keeps the connection on which
// it sent this.
struct StartRunner {
    static constexpr auto type = MessageType::StartRunner;
    std::uint32_t uid = 0;
    // Of the account that owns the task: a uid that now has another name or home gets no runner. The home is all 0
    // where jobd may not look at it.
    std::string name;
    HomeIdentity home = {};
    // Earlier starts of the task made no progress.
    bool again = false;
    void fields(auto& wire) {
        wire.number(uid);
        wire.text(name, longest_user_name);
        home.fields(wire);
        wire.number(again);
    }
};

enum class RunnerVerdict : std::uint8_t {
    Started = 0,
    Suspended = 1,    // pam_acct_mgmt says no
    NoAccount = 2,    // no such uid, another name, or below the floor
    Unavailable = 3,  // a fault, or too many runners
    Held = 4,         // the administrator holds the account; also sent when that ends a runner
    FilesHang = 5,    // earlier ones were killed and have not ended: the kernel waits for files of the account's
};

// A second one follows Started only if the runner is ended because its account is held.
struct RunnerAnswer {
    static constexpr auto type = MessageType::RunnerAnswer;
    RunnerVerdict verdict = RunnerVerdict::Unavailable;
    void fields(auto& wire) { wire.choice(verdict, RunnerVerdict::FilesHang); }
};

// From root's clamscanner-account, which has written down that the account is held.
struct EndProcesses {
    static constexpr auto type = MessageType::EndProcesses;
    std::uint32_t uid = 0;
    void fields(auto& wire) { wire.number(uid); }
};

// Every agent and runner of that uid has ended, and is reaped.
struct ProcessesEnded {
    static constexpr auto type = MessageType::ProcessesEnded;
    void fields(auto&) {}
};

}  // namespace clamscanner
