#include "auth/authd/login_desk.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_pam_answer = 511;  // PAM_MAX_RESP_SIZE with its NUL
constexpr std::uint32_t saturated_seconds = 2;
// Of one slot, for each check: a few times what one takes, so that the time of an answer seldom depends on the check.
constexpr std::chrono::milliseconds check_allowance(280);

// Whether PAM may be given it. No account has a name with other characters, and a module may build a file name from it.
bool is_possible_name(const std::string& user) {
    return !user.empty() && std::none_of(user.begin(), user.end(),
                                         [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/' || c == ':'; });
}

bool is_possible_password(const Secret& password) {
    const auto& text = password.reveal();
    return !text.empty() && text.size() <= longest_pam_answer && text.find('\0') == std::string::npos;
}

std::size_t slots_of(const Config& config) {
    const std::size_t wanted = config.login.pam_processes;
    return std::max<std::size_t>(2,
                                 wanted != 0 ? wanted : std::thread::hardware_concurrency());  // one cannot be halved
}

Fingerprint fingerprint_of(const CredentialCache::Mac& mac, const std::optional<LocalAccounts::Lines>& lines) {
    Fingerprint fingerprint = 0;
    std::memcpy(&fingerprint, mac.data(), sizeof fingerprint);
    return lines ? fingerprint ^ lines->passwd ^ lines->shadow << 1 : fingerprint;
}

}  // namespace

LoginDesk::LoginDesk(EventLoop& loop, CheckPassword check_password, LocalAccounts accounts, const Config& config)
    : loop_(loop),
      check_password_(std::move(check_password)),
      accounts_(std::move(accounts)),
      config_(config),
      cache_(accounts_),
      penalties_(config),
      slots_(slots_of(config)) {
    known_.slots = slots_ / 2;
    strangers_.slots = slots_ - known_.slots;
}

void LoginDesk::refresh_accounts() {
    if (std::exchange(refreshed_in_round_, loop_.round()) != loop_.round()) accounts_.refresh();
}

void LoginDesk::answer_login(Login login, Answer answer) {
    const auto now = loop_.now();
    refresh_accounts();
    const auto mac = cache_.mac_of(login.user, login.password);
    // Count all invalid names as one account.
    if (!is_possible_name(login.user)) login.user.clear();
    auto origin = origin_of(login.address);
    const bool known = recent_successes_.includes(login.user, origin, now);
    const bool plausible = !login.user.empty() && is_possible_password(login.password);
    const auto lines = accounts_.lines_of(login.user);
    Question question{std::move(login.user), std::move(origin),         known, now,
                      std::move(answer),     fingerprint_of(mac, lines)};

    const auto seconds = std::max(penalties_.on_account(question.user, question.origin, known, now),
                                  penalties_.on_origin(question.origin, now));
    const auto remembered = plausible ? look_up(question, mac, seconds != 0) : CredentialCache::Answer{};
    if (remembered.account != nullptr) return answer_welcome(question, *remembered.account);
    question.was_right = known && remembered.was_right;
    if (seconds != 0 && !question.was_right) return question.answer({LoginVerdict::Penalised, seconds}, nullptr);
    if (!plausible) return answer_implausible(question);
    const CheckKey key{mac, lines, question.origin};
    check(key, std::move(login.password), std::move(question));
}

// During a penalty, the memory would tell anybody quickly whether a guess was right. So only accounts that succeeded
// from there may use it, and each miss counts.
CredentialCache::Answer LoginDesk::look_up(const Question& question, const CredentialCache::Mac& mac,
                                           bool is_penalised) {
    if (accounts_.logins_are_closed()) return {};
    if (is_penalised && !(question.known && penalties_.may_compare(question.user, question.origin, question.asked)))
        return {};
    const auto answer = cache_.find(question.user, mac, question.asked);
    if (is_penalised && answer.has_another_password)
        penalties_.miss(question.user, question.origin, question.password, question.asked);
    return answer;
}

void LoginDesk::answer_welcome(const Question& question, const Account& account) {
    recent_successes_.note(account.name, question.origin, question.asked, account.generation);
    question.answer({LoginVerdict::Welcome, 0}, &account);
}

void LoginDesk::answer_implausible(const Question& question) {
    if (is_full(question)) return question.answer({LoginVerdict::Saturated, saturated_seconds}, nullptr);
    penalties_.begin(question.user, question.origin);
    penalties_.end(question.user, question.origin, true, question.asked, question.password);
    answer_wrong(question, failure_due(question, question.asked));
}

Deadline LoginDesk::failure_due(const Question& question, Deadline not_before) const {
    const std::chrono::milliseconds period(config_.login.failure_milliseconds);
    if (period.count() == 0) return question.asked;
    const auto times = (not_before - question.asked + period - Deadline::duration(1)) / period;
    return question.asked + period * std::max<std::int64_t>(times, 1);
}

void LoginDesk::answer_wrong(const Question& question, Deadline due) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - loop_.now());
    if (wait.count() <= 0) return question.answer({LoginVerdict::Wrong, 0}, nullptr);
    auto& delayed = waiting(question.known).delayed;
    const auto place = delayed.emplace(delayed.end());
    *place = loop_.after(wait, [&delayed, place, answer = question.answer] {
        delayed.erase(place);
        answer({LoginVerdict::Wrong, 0}, nullptr);
    });
}

// A password that was right here is not refused because of others that wait.
bool LoginDesk::is_full(const Question& question) {
    const auto& all = waiting(question.known);
    return !question.was_right && all.places() >= config_.login.max_waiting + all.slots;
}

void LoginDesk::check(const CheckKey& key, Secret password, Question question) {
    const std::chrono::seconds moment(config_.login.remote_cache_seconds);
    auto found = checks_.find(key);
    if (found == checks_.end() && is_full(question))
        return question.answer({LoginVerdict::Saturated, saturated_seconds}, nullptr);
    if (found == checks_.end() &&
        penalties_.failed_within(moment, question.user, question.origin, question.password, question.asked))
        return answer_wrong(question, failure_due(question, question.asked));
    if (found == checks_.end()) wait_for_check(key, std::move(password), question);
    checks_[key].questions.push_back(std::move(question));
    begin_checks();
}

void LoginDesk::wait_for_check(const CheckKey& key, Secret password, const Question& question) {
    UninheritedSecret kept(password.reveal());
    auto& check = checks_[key];
    check.password = std::move(kept);
    auto& all = waiting(question.known);
    ++all.checks;
    all.checked_by = std::max(all.checked_by, question.asked) + check_allowance / static_cast<int>(slots_);
    check.failure_due = failure_due(question, all.checked_by);
    all.queue.insert(question.was_right ? all.queue.begin() : all.queue.end(), key);
    penalties_.begin(question.user, question.origin);
}

void LoginDesk::begin_checks() {
    while (under_way_ < slots_) {
        const bool known = !known_.queue.empty();
        auto& queue = waiting(known).queue;
        if (!known && (queue.empty() || strangers_under_way_ >= strangers_.slots)) return;
        const auto key = queue.front();
        queue.pop_front();
        begin_check(key);
    }
}

void LoginDesk::begin_check(const CheckKey& key) {
    auto& check = checks_.at(key);
    const auto& first = check.questions.front();
    ++under_way_;
    if (!first.known) ++strangers_under_way_;
    const Secret own(std::exchange(check.password, {}).reveal());  // of all that wait, the only one that its child gets
    try {
        check_password_(first.user, own, first.origin,
                        [this, key](const LoginChecked& checked) { end_check(key, checked); });
    } catch (const std::system_error& fault) {
        log_line(Severity::Error, std::string("cannot check a password: ") + fault.what());
        check.later = loop_.after(std::chrono::milliseconds(0), [this, key] { end_check(key, {}); });
    }
}

void LoginDesk::end_check(const CheckKey& key, const LoginChecked& checked) {
    auto& check = checks_.at(key);
    const auto& first = check.questions.front();
    --under_way_;
    if (!first.known) --strangers_under_way_;
    if (checked.verdict != LoginVerdict::Wrong) {
        settle(key, checked);
    } else {
        check.failure_due = failure_due(first, std::max(check.failure_due, loop_.now()));
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(check.failure_due - loop_.now());
        check.later = loop_.after(wait, [this, key, checked] { settle(key, checked); });
    }
    begin_checks();
}

void LoginDesk::settle(const CheckKey& key, const LoginChecked& checked) {
    const auto check = std::move(checks_.extract(key).mapped());
    const auto& first = check.questions.front();
    --waiting(first.known).checks;
    penalties_.end(first.user, first.origin, checked.verdict == LoginVerdict::Wrong, loop_.now(), first.password);
    if (checked.verdict == LoginVerdict::Wrong) return settle_wrong(key, check);
    if (checked.verdict == LoginVerdict::Welcome) {
        recent_successes_.note(checked.account.name, first.origin, loop_.now(), checked.account.generation);
        remember(key, check, checked);
    }
    for (const auto& question : check.questions) question.answer({checked.verdict, 0}, &checked.account);
}

void LoginDesk::settle_wrong(const CheckKey& key, const Check& check) {
    const auto& first = check.questions.front();
    if (first.was_right) cache_.forget(first.user, std::get<CredentialCache::Mac>(key));
    // Log no name that does not exist: it may be a password typed into the wrong field.
    log_line(Severity::Info, "wrong name or password from " + first.origin +
                                 (std::get<1>(key) ? " for " + printable(first.user) : std::string()));
    for (const auto& question : check.questions) answer_wrong(question, failure_due(question, check.failure_due));
}

void LoginDesk::remember(const CheckKey& key, const Check& check, const LoginChecked& checked) {
    accounts_.refresh();
    const auto& user = check.questions.front().user;
    const auto lines = accounts_.lines_of(checked.account.name);
    // The lines must be those from before PAM was asked. If PAM mapped the typed name to another account, that
    // account's earlier lines are unknown; it is remembered only if it has none.
    if (!checked.one_prompt || lines != std::get<1>(key) || accounts_.logins_are_closed()) return;
    const std::chrono::seconds lifetime(lines ? config_.login.cache_seconds : config_.login.remote_cache_seconds);
    cache_.remember(user, std::get<CredentialCache::Mac>(key), checked.account, lines, loop_.now(), lifetime);
}

}  // namespace clamscanner
