// The messages to authd, and between authd and the processes it starts. Responders and jobd ask; authd answers.
//
//   responder ── Login or SignedLogin (+ the agent's ends of two pipes) ──► authd
//   authd ── LoginAnswer, if it is a refusal ──► responder
//   authd ── Serve (+ those ends, if the login is right) ──► agent ── Served ──► authd
//
//   where the request's body has yet to come:
//   responder ── Login or SignedLogin (no pipes) ──► authd ── LoginAnswer ──► responder
//   responder ── OpenAgent (+ those ends) ──► authd ── Serve, or LoginAnswer, as above
//
//   jobd ── StartRunner (+ one end of a packet socket) ──► authd ── RunnerAnswer ──► jobd
//   administrator ── EndProcesses ──► authd ── ProcessesEnded ──► administrator
#pragma once

#include <cstdint>
#include <string>

#include "auth/base/home_identity.h"
#include "auth/base/limits.h"
#include "auth/base/secret.h"
#include "auth/base/signature.h"

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
    Throttled = 13,  // the key's nonce table is full
    NoAction = 14,   // the signed text names no action, or an impossible one
    Held = 15,       // for any login: the administrator holds the account
    FilesHang = 16,  // for any login: the home, or what is mounted in it, does not answer
};
inline constexpr auto last_login_verdict = LoginVerdict::FilesHang;

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

// To an agent, with the pipes of the request to serve.
struct Serve {
    static constexpr auto type = MessageType::Serve;
    Purpose purpose = Purpose::Api;
    // As signed, "" without a signature. The agent carries out nothing else.
    std::string action;
    std::string version;
    void fields(auto& wire) {
        wire.choice(purpose, Purpose::Statistics);
        wire.text(action, longest_action);
        wire.text(version, longest_action);
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
    void fields(auto& wire) {
        wire.number(uid);
        wire.text(name, longest_user_name);
        home.fields(wire);
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
