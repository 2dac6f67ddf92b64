#include "auth/authd/login_desk.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_pam_answer = 511;  // PAM_MAX_RESP_SIZE with its NUL
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

// How long a remembered login goes without PAM being asked whether the account is open.
constexpr std::chrono::seconds open_for(60);

Fingerprint fingerprint_of(const CredentialCache::Mac& mac, const std::optional<LocalAccounts::Lines>& lines) {
    Fingerprint fingerprint = 0;
    std::memcpy(&fingerprint, mac.data(), sizeof fingerprint);
    return lines ? fingerprint ^ lines->passwd ^ lines->shadow << 1 : fingerprint;
}

}  // namespace

LoginDesk::LoginDesk(EventLoop& loop, CheckPassword check_password, LocalAccounts accounts, const Config& config,
                     CheckPassword check_account)
    : loop_(loop),
      check_password_(std::move(check_password)),
      check_account_(std::move(check_account)),
      accounts_(std::move(accounts)),
      config_(config),
      cache_(accounts_),
      penalties_(config),
      slots_(slots_of(config)),
      known_{{config.login.max_waiting, check_allowance / static_cast<int>(slots_)}, 0, {}},
      strangers_{{config.login.max_waiting, check_allowance / static_cast<int>(slots_)}, 0, {}} {}

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
    const auto state = accounts_.state_of(login.user);
    Question question{std::move(login.user),           std::move(origin), known, now, std::move(answer),
                      fingerprint_of(mac, state.lines)};

    const auto seconds = std::max(penalties_.on_account(question.user, question.origin, known, now),
                                  penalties_.on_origin(question.origin, now));
    const auto remembered = plausible ? look_up(question, mac, seconds != 0) : CredentialCache::Answer{};
    if (remembered.account != nullptr && was_open_lately(question, *remembered.account))
        return answer_welcome(question, *remembered.account);
    question.was_right = known && remembered.was_right;
    if (seconds != 0 && !question.was_right) return question.answer({LoginVerdict::Penalised, seconds}, nullptr);
    if (!plausible) return answer_implausible(question);
    const CheckKey key{mac, state, question.origin};
    check(key, std::move(login.password), std::move(question), remembered.account ? remembered.account->name : "");
}

bool LoginDesk::was_open_lately(const Question& question, const Account& account) const {
    return !check_account_ || recent_successes_.was_open_within(open_for, account.name, question.origin, question.asked,
                                                                accounts_.rules());
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
    if (!has_place(question)) return;
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
    auto& all = class_of(question);
    const auto sender = question.sender();
    all.logins.take_place(sender);
    const auto place = all.delayed.emplace(all.delayed.end());
    *place = loop_.after(wait, [&all, place, sender, answer = question.answer] {
        all.logins.give_place_back(sender);
        all.delayed.erase(place);
        answer({LoginVerdict::Wrong, 0}, nullptr);
    });
}

// A password that was right here is not refused because of others that wait.
bool LoginDesk::has_place(const Question& question) {
    const auto seconds = class_of(question).logins.until_place(question.sender(), question.asked);
    if (seconds == 0 || question.was_right) return true;
    question.answer({LoginVerdict::Saturated, seconds}, nullptr);
    return false;
}

bool LoginDesk::may_wait(const Question& question) {
    auto& logins = class_of(question).logins;
    std::optional<CheckKey> instead;
    if (question.was_right || logins.may_wait(question.sender(), instead)) return true;
    if (instead)
        refuse_waiting(*instead);
    else
        question.answer({LoginVerdict::Saturated, logins.until_checked()}, nullptr);
    return instead.has_value();
}

void LoginDesk::refuse_waiting(const CheckKey& key) {
    const auto check = std::move(checks_.extract(key).mapped());
    const auto& first = check.questions.front();
    auto& logins = class_of(first).logins;
    logins.take_away(first.sender());
    logins.give_place_back(first.sender());
    penalties_.end(first.user, first.origin, false, loop_.now());
    for (const auto& question : check.questions)
        question.answer({LoginVerdict::Saturated, logins.until_checked()}, nullptr);
}

void LoginDesk::check(const CheckKey& key, Secret password, Question question, const std::string& account) {
    const std::chrono::seconds moment(config_.login.remote_cache_seconds);
    if (!checks_.contains(key)) {
        if (!has_place(question)) return;
        if (penalties_.failed_within(moment, question.user, question.origin, question.password, question.asked))
            return answer_wrong(question, failure_due(question, question.asked));
        if (!may_wait(question)) return;
        wait_for_check(key, std::move(password), question, account);
    }
    checks_[key].questions.push_back(std::move(question));
    begin_checks();
}

void LoginDesk::wait_for_check(const CheckKey& key, Secret password, const Question& question,
                               const std::string& account) {
    UninheritedSecret kept(account.empty() ? password.reveal() : std::string());
    auto& check = checks_[key];
    check.password = std::move(kept);
    check.account = account;
    auto& logins = class_of(question).logins;
    logins.take_place(question.sender());
    check.failure_due = failure_due(question, logins.done_by(question.sender(), question.asked));
    logins.wait(question.sender(), key, question.was_right);
    penalties_.begin(question.user, question.origin);
}

void LoginDesk::begin_checks() {
    for (;;) {
        const auto under_way = known_.under_way + strangers_.under_way;
        const bool known_may = under_way < slots_ || known_.under_way < slots_ / 2;
        if (known_.logins.has_next() && known_may)
            begin_check(known_.logins.take_next());
        else if (strangers_.logins.has_next() && under_way < slots_)
            begin_check(strangers_.logins.take_next());
        else
            return;
    }
}

void LoginDesk::begin_check(const CheckKey& key) {
    auto& check = checks_.at(key);
    const auto& first = check.questions.front();
    ++class_of(first).under_way;
    const Secret own(std::exchange(check.password, {}).reveal());  // of all that wait, the only one that its child gets
    const bool is_known_right = !check.account.empty();
    try {
        (is_known_right ? check_account_ : check_password_)(
            is_known_right ? check.account : first.user, own, first.origin,
            [this, key](const LoginChecked& checked) { end_check(key, checked); });
    } catch (const std::system_error& fault) {
        log_line(Severity::Error, std::string("cannot check a password: ") + fault.what());
        check.later = loop_.after(std::chrono::milliseconds(0), [this, key] { end_check(key, {}); });
    }
}

void LoginDesk::end_check(const CheckKey& key, const LoginChecked& checked) {
    auto& check = checks_.at(key);
    const auto& first = check.questions.front();
    --class_of(first).under_way;
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
    class_of(first).logins.give_place_back(first.sender());
    penalties_.end(first.user, first.origin, checked.verdict == LoginVerdict::Wrong, loop_.now(), first.password);
    if (checked.verdict == LoginVerdict::Wrong) return settle_wrong(key, check);
    if (checked.verdict == LoginVerdict::Welcome) settle_welcome(key, check, checked);
    for (const auto& question : check.questions) question.answer({checked.verdict, 0}, &checked.account);
}

void LoginDesk::settle_welcome(const CheckKey& key, const Check& check, const LoginChecked& checked) {
    const auto& account = checked.account;
    recent_successes_.note_open(account.name, check.questions.front().origin, loop_.now(), account.generation,
                                std::get<LocalAccounts::State>(key).rules);
    if (check.account.empty()) remember(key, check, checked);
}

void LoginDesk::settle_wrong(const CheckKey& key, const Check& check) {
    const auto& first = check.questions.front();
    if (first.was_right) cache_.forget(first.user, std::get<CredentialCache::Mac>(key));
    // Log no name that does not exist: it may be a password typed into the wrong field.
    log_line(Severity::Info,
             "wrong name or password from " + first.origin +
                 (std::get<LocalAccounts::State>(key).lines ? " for " + printable(first.user) : std::string()));
    for (const auto& question : check.questions) answer_wrong(question, failure_due(question, check.failure_due));
}

// A local password is bound to the account's line, which we watch; every other may be changed elsewhere.
std::chrono::seconds LoginDesk::lifetime_of(const LoginChecked& checked, bool has_lines) const {
    const std::chrono::seconds local(config_.login.cache_seconds);
    if (!check_account_ && has_lines) return std::min(local, open_for);
    return has_lines && checked.is_local ? local : std::chrono::seconds(config_.login.remote_cache_seconds);
}

void LoginDesk::remember(const CheckKey& key, const Check& check, const LoginChecked& checked) {
    accounts_.refresh();
    const auto& user = check.questions.front().user;
    const auto state = accounts_.state_of(checked.account.name);
    // Lines and rules must be those from before PAM was asked. If PAM mapped the typed name to another account, that
    // account's earlier lines are unknown; it is remembered only if it has none.
    if (!checked.one_prompt || state != std::get<LocalAccounts::State>(key) || accounts_.logins_are_closed()) return;
    cache_.remember(user, std::get<CredentialCache::Mac>(key), checked.account, state, loop_.now(),
                    lifetime_of(checked, state.lines.has_value()));
}

}  // namespace clamscanner
