#include "auth/authd/login_trail.h"

#include <utility>

#include "auth/authd/penalties.h"
#include "auth/base/audit.h"
#include "auth/base/figures.h"

namespace clamscanner {
namespace {

constexpr std::chrono::hours said_for{1};
constexpr std::size_t most_said = 65'536;
constexpr unsigned most_refusals_in_second = 20;

const char* name_of(LoginVerdict verdict) {
    switch (verdict) {
        case LoginVerdict::Welcome:
            return "welcome";
        case LoginVerdict::Wrong:
        case LoginVerdict::WrongSignature:
            return "wrong";
        case LoginVerdict::Forbidden:
            return "forbidden";
        case LoginVerdict::Penalised:
            return "penalised";
        case LoginVerdict::Held:
            return "held";
        case LoginVerdict::NoKey:
            return "no such key";
        case LoginVerdict::KeyDisabled:
            return "key disabled";
        case LoginVerdict::TokenExpired:
            return "token expired";
        case LoginVerdict::TokenSuspended:
            return "token suspended";
        case LoginVerdict::TokenOfAnother:
            return "token of another account";
        case LoginVerdict::TokensOff:
            return "tokens switched off";
        case LoginVerdict::TimeMalformed:
        case LoginVerdict::TimeExpired:
        case LoginVerdict::NonceUsed:
        case LoginVerdict::NoAction:
        case LoginVerdict::Throttled:
            return "request refused";
        case LoginVerdict::Saturated:
        case LoginVerdict::Busy:
        case LoginVerdict::Unavailable:
        case LoginVerdict::FilesHang:
            break;
    }
    return "not now";
}

const char* name_of(TokenAction action) {
    static constexpr const char* names[] = {"create", "list", "rename", "revoke"};
    return names[static_cast<int>(action)];
}

}  // namespace

bool LoginTrail::is_news(const std::string& key) {
    const auto now = Clock::now();
    if (const auto known = written_.find(key); known != written_.end() && now - known->second < said_for) return false;
    // Then all of them are news again: better a line too many than one too few.
    if (written_.size() >= most_said) written_.clear();
    written_[key] = now;
    return true;
}

bool LoginTrail::may_write_refusal() {
    const auto now = Clock::now();
    if (now - second_began_ >= std::chrono::seconds(1)) {
        second_began_ = now;
        in_second_ = 0;
    }
    if (++in_second_ <= most_refusals_in_second) return true;
    ++left_out_;
    return false;
}

bool LoginTrail::is_account(const std::string& user) {
    return logins_.lines_of(user).has_value();
}

void LoginTrail::note(const std::string& user, const std::string& address, const Way& way, const LoginAnswer& answer,
                      const Account* account) {
    count(std::string("clamscanner_logins_total{by=\"") + std::string(way.by) + "\",result=\"" +
          name_of(answer.verdict) + "\"}");
    const bool is_right = answer.verdict == LoginVerdict::Welcome && account != nullptr;
    const auto origin = origin_of(address);
    const auto key = [&] { return account->name + '\0' + origin + '\0' + std::string(way.by) + '\0' + way.which; };
    if (is_right ? !is_news(key()) : !may_write_refusal()) return;
    AuditEvent event("login");
    event.text("result", name_of(answer.verdict));
    if (is_right)
        event.text("account", account->name).number("uid", account->uid);
    else if (is_account(user))
        event.text("account", user);
    event.text("from", origin).text("by", way.by);
    if (!way.which.empty()) event.text("which", way.which);
    if (!is_right && left_out_ > 0) event.number("refusals_left_out", std::exchange(left_out_, 0));
    event.write();
}

void LoginTrail::note_order(const TokenOrder& order, const TokenAnswer& answer) {
    const bool is_right = answer.verdict == LoginVerdict::Welcome;
    if (order.action == TokenAction::List || (!is_right && !may_write_refusal())) return;
    AuditEvent event("token");
    event.text("action", name_of(order.action))
        .text("result", !is_right                            ? name_of(answer.verdict)
                        : answer.result == TokenResult::Done ? "done"
                                                             : "refused");
    if (is_right || is_account(order.user)) event.text("account", order.user);
    event.text("from", origin_of(order.address)).text("by", order.is_token ? "token" : "password");
    event.text("token", order.name);
    if (order.action == TokenAction::Rename) event.text("new_name", order.new_name);
    event.write();
}

}  // namespace clamscanner
