#include "auth/authd/token_desk.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "auth/base/log.h"
#include "auth/base/sha256.h"

namespace clamscanner {
namespace {

constexpr std::uint32_t saturated_seconds = 2;
constexpr std::uint32_t busy_seconds = 1;
constexpr std::uint32_t held_seconds = 30;  // as in agents.cpp
constexpr std::int64_t day = 86'400;
constexpr std::size_t most_shadow_lines = 4096;

struct Permission {
    TokenAction action;
    TokenScope scope;
};

// What a token may do to tokens. Anything else takes the password, or a token of full access.
constexpr Permission permissions[] = {
    {TokenAction::List, TokenScope::Full},
    {TokenAction::List, TokenScope::ReadOnly},
    {TokenAction::Rename, TokenScope::Full},
    {TokenAction::Revoke, TokenScope::Full},
};

bool may(TokenAction action, TokenScope scope) {
    return std::ranges::any_of(permissions,
                               [&](const Permission& one) { return one.action == action && one.scope == scope; });
}

TokenAnswer refusal(const LoginAnswer& login) {
    TokenAnswer answer;
    answer.verdict = login.verdict;
    answer.retry_seconds = login.retry_seconds;
    return answer;
}

TokenAnswer result(TokenResult result) {
    TokenAnswer answer;
    answer.verdict = LoginVerdict::Welcome;
    answer.result = result;
    return answer;
}

LoginVerdict fault_while_checking(const std::exception& fault) {
    log_line(Severity::Error, std::string("cannot check a token: ") + fault.what());
    return LoginVerdict::Unavailable;
}

// A client that goes on with a token that was revoked is no guesser: the same one counts once.
Fingerprint fingerprint_of(const std::string& digest) {
    constexpr std::size_t digits = 2 * sizeof(Fingerprint);
    return std::stoull(digest.substr(0, digits), nullptr, 16);
}

std::string called(const std::string& token, const std::string& user) {
    return "the token " + token + " of " + printable(user);
}

// One line of the account's history.
void log_change(const TokenOrder& order, const Account& account, std::int64_t expires) {
    const auto origin = origin_of(order.address);
    auto line = called(order.name, account.name);
    if (order.action == TokenAction::Create)
        line += " was made from " + origin + " (" + name_of(order.scope) + ", " +
                (expires == expires_never ? "never expires" : "expires at " + std::to_string(expires)) + ")";
    else if (order.action == TokenAction::Rename)
        line += " was renamed to " + order.new_name + " from " + origin;
    else
        line += " was revoked from " + origin;
    log_line(Severity::Info, line);
}

}  // namespace

TokenDesk::TokenDesk(EventLoop& loop, LoginDesk& logins, LoginDesk& accounts, Change change, const Config& config,
                     Clocks clocks)
    : loop_(loop),
      logins_(logins),
      accounts_(accounts),
      penalties_(logins.penalties()),
      change_(std::move(change)),
      config_(config),
      clocks_(std::move(clocks)),
      files_(config.token_directory()),
      held_(config.held_accounts()) {}

// ---- Logins ------------------------------------------------------------------------------------------------------

void TokenDesk::answer_login(const TokenLogin& login, const Answer& answer) {
    check(login.user, login.token, login.address,
          [answer](const LoginAnswer& said, const Account* account, const ApiToken* token) {
              answer(said, account,
                     {Purpose::Api, "", "", token != nullptr ? token->scope : TokenScope::Limited,
                      token != nullptr ? token->name : std::string()});
          });
}

void TokenDesk::check(const std::string& user, const Secret& token, const std::string& address, const Checked& done) {
    if (!config_.tokens.enabled) return done({LoginVerdict::TokensOff, 0}, nullptr, nullptr);
    Question question{user, origin_of(address), sha256_hex(token.reveal()), address, false, clocks_.now()};
    // Count all invalid names as one account.
    if (!is_possible_token_owner(user)) question.user.clear();
    question.known = recent_successes_.includes(question.user, question.origin, question.asked);
    const auto penalty = penalty_of(question);
    const auto verdict = penalty != 0 && !question.known ? LoginVerdict::Wrong : verdict_on(question);
    if (verdict == LoginVerdict::Welcome) return check_account(question, done);
    if (verdict != LoginVerdict::Wrong) return done({verdict, 0}, nullptr, nullptr);
    if (penalty != 0) return done({LoginVerdict::Penalised, penalty}, nullptr, nullptr);
    answer_wrong(question, done);
}

std::function<bool()> TokenDesk::watch(const TokenLogin& login) {
    const Question question{login.user, "", sha256_hex(login.token.reveal()), "", false, {}};
    return [this, question] { return verdict_on(question) == LoginVerdict::Welcome; };
}

// As far as the token alone tells.
LoginVerdict TokenDesk::verdict_on(const Question& question) try {
    if (files_.of(question.user).is_damaged) return LoginVerdict::Unavailable;
    const auto* const token = find(question);
    if (token == nullptr) return LoginVerdict::Wrong;
    return is_expired(*token) ? LoginVerdict::TokenExpired : LoginVerdict::Welcome;
} catch (const std::exception& fault) {
    return fault_while_checking(fault);
}

std::uint32_t TokenDesk::penalty_of(const Question& question) {
    return std::max(penalties_.on_account(question.user, question.origin, question.known, question.asked),
                    penalties_.on_origin(question.origin, question.asked));
}

const ApiToken* TokenDesk::find(const Question& question) {
    const ApiToken* found = nullptr;
    // All of them, so that the time tells nothing either.
    for (const auto& token : files_.of(question.user).tokens)
        if (::CRYPTO_memcmp(token.digest.data(), question.digest.data(), question.digest.size()) == 0) found = &token;
    return found;
}

void TokenDesk::check_account(const Question& question, const Checked& done) {
    accounts_.answer_login({question.user, Secret(question.origin), question.address, Purpose::Api},
                           [this, question, done](const LoginAnswer& said, const Account* account) {
                               if (said.verdict != LoginVerdict::Welcome) return done(said, nullptr, nullptr);
                               end_check(question, *account, done);
                           });
}

void TokenDesk::end_check(const Question& question, const Account& account, const Checked& done) {
    std::optional<ApiToken> token;
    const auto verdict = verdict_on(question, account, token);
    if (verdict != LoginVerdict::Welcome) return done({verdict, 0}, nullptr, nullptr);
    note_use(question, account, *token);
    done({LoginVerdict::Welcome, 0}, &account, &*token);
}

LoginVerdict TokenDesk::verdict_on(const Question& question, const Account& account,
                                   std::optional<ApiToken>& token) try {
    // Again: it may have been revoked while PAM was asked. That is no guess.
    const auto* const found = find(question);
    if (found == nullptr) return LoginVerdict::Wrong;
    token = *found;
    if (token->generation != account.generation) {
        log_line(Severity::Warning, called(token->name, account.name) +
                                        " was made for an earlier account of the name, or before its home moved");
        return LoginVerdict::TokenOfAnother;
    }
    if (is_expired(*token)) return LoginVerdict::TokenExpired;
    return is_suspended(*token, account) ? LoginVerdict::TokenSuspended : LoginVerdict::Welcome;
} catch (const std::exception& fault) {
    return fault_while_checking(fault);
}

bool TokenDesk::is_expired(const ApiToken& token) const {
    return token.expires != expires_never && token.expires <= clocks_.wall();
}

bool TokenDesk::is_suspended(const ApiToken& token, const Account& account) {
    return config_.tokens.suspend_on_password_change && token.shadow != shadow_of(account.name).digest;
}

TokenState TokenDesk::state_of(const ApiToken& token, const Account& account) {
    if (is_expired(token)) return TokenState::Expired;
    return is_suspended(token, account) ? TokenState::Suspended : TokenState::Valid;
}

const ShadowLine& TokenDesk::shadow_of(const std::string& user) {
    // The version first: what is written while we read makes another one, and is read the next time.
    const auto version = version_of(clocks_.shadow);
    if (version != shadow_version_ || shadow_lines_.size() >= most_shadow_lines) shadow_lines_.clear();
    shadow_version_ = version;
    if (const auto found = shadow_lines_.find(user); found != shadow_lines_.end()) return found->second;
    auto line = shadow_line(user, clocks_.shadow);
    return shadow_lines_[user] = std::move(line);
}

void TokenDesk::note_use(const Question& question, const Account& account, const ApiToken& token) {
    recent_successes_.note(question.user, question.origin, question.asked, account.generation);
    if (files_.note_use(question.user, token, clocks_.wall(), question.origin))
        log_line(Severity::Info,
                 called(token.name, account.name) + " was used for the first time, from " + question.origin);
}

void TokenDesk::answer_wrong(const Question& question, const Checked& done) {
    auto& delayed = question.known ? delayed_known_ : delayed_strangers_;
    if (delayed.size() >= config_.login.max_waiting)
        return done({LoginVerdict::Saturated, saturated_seconds}, nullptr, nullptr);
    penalties_.begin(question.user, question.origin);
    penalties_.end(question.user, question.origin, true, question.asked, fingerprint_of(question.digest));
    // Log no name that has no tokens: it may be a password typed into the wrong field.
    const bool has_tokens = files_.of(question.user).version != FileVersion{};
    log_line(Severity::Info,
             "wrong token from " + question.origin + (has_tokens ? " for " + printable(question.user) : std::string()));
    const auto place = delayed.emplace(delayed.end());
    *place = loop_.after(std::chrono::milliseconds(config_.login.failure_milliseconds), [&delayed, place, done] {
        delayed.erase(place);
        done({LoginVerdict::Wrong, 0}, nullptr, nullptr);
    });
}

// ---- Orders ------------------------------------------------------------------------------------------------------

void TokenDesk::answer_order(TokenOrder order, const OrderAnswer& answer) {
    if (!config_.tokens.enabled) return answer(refusal({LoginVerdict::TokensOff, 0}));
    order.is_token ? order_by_token(std::move(order), answer) : order_by_password(std::move(order), answer);
}

void TokenDesk::order_by_token(TokenOrder order, const OrderAnswer& answer) {
    const auto user = order.user;
    const auto address = order.address;
    const Secret token = std::exchange(order.secret, {});
    const auto shared = std::make_shared<const TokenOrder>(std::move(order));
    check(user, token, address,
          [this, shared, answer](const LoginAnswer& said, const Account* account, const ApiToken* used) {
              if (said.verdict != LoginVerdict::Welcome) return answer(refusal(said));
              if (shared->action == TokenAction::Create) return answer(result(TokenResult::NeedsPassword));
              if (!may(shared->action, used->scope)) return answer(result(TokenResult::NeedsFullAccess));
              carry_out(*shared, *account, answer);
          });
}

void TokenDesk::order_by_password(TokenOrder order, const OrderAnswer& answer) {
    Login login{order.user, std::exchange(order.secret, {}), order.address, Purpose::Api};
    const auto shared = std::make_shared<const TokenOrder>(std::move(order));
    const auto before = logins_.lines_of(shared->user);
    logins_.answer_login(std::move(login),
                         [this, shared, before, answer](const LoginAnswer& said, const Account* account) {
                             if (said.verdict != LoginVerdict::Welcome) return answer(refusal(said));
                             if (has_changed(before, shared->user, *account))
                                 return answer(refusal({LoginVerdict::Busy, busy_seconds}));
                             carry_out(*shared, *account, answer);
                         });
}

// A password that was changed while it was checked makes no token, which would outlive the change. (Where PAM maps the
// name that was typed to another, that account's earlier line is unknown.)
bool TokenDesk::has_changed(const std::optional<LocalAccounts::Lines>& before, const std::string& user,
                            const Account& account) try {
    return user == account.name && shadow_of(user).fingerprint != (before ? before->shadow : 0);
} catch (const std::system_error& fault) {
    log_line(Severity::Error, fault.what());
    return true;
}

void TokenDesk::carry_out(const TokenOrder& order, const Account& account, const OrderAnswer& answer) try {
    // Tokens are for the functions of hosting accounts; a host user has none.
    if (account.uid < config_.login.uid_floor || !is_possible_token_owner(account.name))
        return answer(refusal({LoginVerdict::Forbidden, 0}));
    if (held_.include(account.name, account.uid)) return answer(refusal({LoginVerdict::Held, held_seconds}));
    if (order.action == TokenAction::List) return answer(list(account));
    begin_change(order, account, answer);
} catch (const std::exception& fault) {
    log_line(Severity::Error, "no tokens for " + printable(account.name) + ": " + fault.what());
    answer(refusal({LoginVerdict::Unavailable, 0}));
}

TokenAnswer TokenDesk::list(const Account& account) {
    const auto& found = files_.of(account.name);
    if (found.is_damaged) return result(TokenResult::Damaged);
    auto answer = result(TokenResult::Done);
    for (const auto& token : found.tokens) {
        if (token.generation != account.generation) continue;  // nothing of a former owner's is shown
        TokenRow row{token.name, token.created, token.expires, token.scope, state_of(token, account), 0, "", 0, ""};
        if (const auto use = found.uses.find(token.digest); use != found.uses.end()) {
            row.first_used = use->second.first;
            row.first_used_from = use->second.first_from;
            row.last_used = use->second.last;
            row.last_used_from = use->second.last_from;
        }
        answer.rows.push_back(std::move(row));
    }
    return answer;
}

std::int64_t TokenDesk::expiry_of(const TokenOrder& order) const {
    if (order.expires_at != expires_by_default) return order.expires_at;
    return clocks_.wall() + static_cast<std::int64_t>(config_.tokens.default_days) * day;
}

void TokenDesk::begin_change(const TokenOrder& order, const Account& account, const OrderAnswer& answer) {
    const auto expires = expiry_of(order);
    const auto created = clocks_.wall();
    if (order.action == TokenAction::Create && expires != expires_never && expires <= created)
        return answer(result(TokenResult::InThePast));
    if (changing_.contains(account.name)) return answer(refusal({LoginVerdict::Busy, busy_seconds}));
    if (changing_.size() >= most_changes) return answer(refusal({LoginVerdict::Saturated, saturated_seconds}));
    TokenChange change{files_.file_of(account.name),
                       order.action,
                       order.name,
                       order.new_name,
                       {"", "", created, expires, order.scope, account.generation, shadow_of(account.name).digest},
                       account.generation,
                       config_.tokens.max_per_account};
    // What is told and logged afterwards needs no secret.
    const auto asked = std::make_shared<const TokenOrder>(TokenOrder{
        order.user, Secret(), order.is_token, order.address, order.action, order.name, order.new_name, order.scope, 0});
    changing_.insert(account.name);
    const auto done = [this, asked, account, answer, created, expires](TokenChanged changed) {
        changing_.erase(account.name);
        if (changed.result == TokenResult::Fault) return answer(refusal({LoginVerdict::Unavailable, 0}));
        if (changed.dropped != 0 && changed.result == TokenResult::Done)
            log_line(Severity::Warning, std::to_string(changed.dropped) + " tokens of an earlier account named " +
                                            printable(account.name) + ", or from before its home moved, were dropped");
        if (changed.result == TokenResult::Done) log_change(*asked, account, expires);
        auto said = result(changed.result);
        said.token = std::move(changed.token);
        said.created = created;
        said.expires = expires;
        said.most = static_cast<std::uint32_t>(config_.tokens.max_per_account);
        answer(std::move(said));
    };
    try {
        change_(std::move(change), done);
    } catch (const std::system_error&) {
        changing_.erase(account.name);
        throw;
    }
}

}  // namespace clamscanner
