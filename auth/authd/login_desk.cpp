#include "auth/authd/login_desk.h"

#include <algorithm>
#include <thread>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_pam_answer = 511;  // PAM_MAX_RESP_SIZE with its NUL
constexpr std::uint32_t saturated_seconds = 2;

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

}  // namespace

LoginDesk::LoginDesk(EventLoop& loop, CheckPassword check_password, LocalAccounts accounts, const Config& config)
    : loop_(loop),
      check_password_(std::move(check_password)),
      accounts_(std::move(accounts)),
      config_(config),
      cache_(accounts_),
      penalties_(config),
      slots_(slots_of(config)),
      strangers_slots_(slots_ - slots_ / 2) {}

void LoginDesk::refresh_accounts() {
    if (std::exchange(refreshed_in_round_, loop_.round()) != loop_.round()) accounts_.refresh();
}

void LoginDesk::answer_login(Login login, Answer answer) {
    const auto now = Clock::now();
    refresh_accounts();
    // Count all invalid names as one account.
    if (!is_possible_name(login.user)) login.user.clear();
    auto origin = origin_of(login.address);
    const bool known = recent_successes_.includes(login.user, origin, now);
    Question question{std::move(login.user), std::move(origin), known, now, std::move(answer)};

    if (const auto seconds = penalties_.on_account(question.user, question.origin, known, now); seconds != 0)
        return question.answer({LoginVerdict::Penalised, seconds}, nullptr);
    const auto origin_seconds = penalties_.on_origin(question.origin, now);
    const bool plausible = !question.user.empty() && is_possible_password(login.password);
    const auto mac = plausible ? cache_.mac_of(question.user, login.password) : CredentialCache::Mac{};
    if (plausible && answered_from_cache(question, mac, origin_seconds != 0)) return;
    if (origin_seconds != 0) return question.answer({LoginVerdict::Penalised, origin_seconds}, nullptr);
    if (!plausible) return answer_implausible(question);
    const CheckKey key{mac, accounts_.lines_of(question.user)};
    wait_for_check(key, std::move(login.password), std::move(question));
}

bool LoginDesk::answered_from_cache(const Question& question, const CredentialCache::Mac& mac,
                                    bool origin_is_penalised) {
    // From a penalised origin, only accounts that succeeded from there may use the cache: it would tell anybody else,
    // quickly, whether a guess was right.
    if (accounts_.logins_are_closed() || (origin_is_penalised && !question.known)) return false;
    const auto cached = cache_.find(question.user, mac, question.asked);
    if (cached.account != nullptr) {
        recent_successes_.note(cached.account->name, question.origin, question.asked, cached.account->generation);
        question.answer({LoginVerdict::Welcome, 0}, cached.account);
        return true;
    }
    if (origin_is_penalised && cached.has_another_password) {
        penalties_.begin(question.user, question.origin);
        penalties_.end(question.user, question.origin, true, question.asked);
    }
    return false;
}

void LoginDesk::answer_implausible(const Question& question) {
    if (is_full(question.known)) return question.answer({LoginVerdict::Saturated, saturated_seconds}, nullptr);
    penalties_.begin(question.user, question.origin);
    penalties_.end(question.user, question.origin, true, question.asked);
    answer_wrong(question);
}

void LoginDesk::answer_wrong(const Question& question) {
    const std::chrono::milliseconds period(config_.login.failure_milliseconds);
    if (period.count() == 0) return question.answer({LoginVerdict::Wrong, 0}, nullptr);
    const auto elapsed = Clock::now() - question.asked;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(period * (elapsed / period + 1) - elapsed);
    auto& delayed = waiting(question.known).delayed;
    const auto place = delayed.emplace(delayed.end());
    *place = loop_.after(wait, [&delayed, place, answer = question.answer] {
        delayed.erase(place);
        answer({LoginVerdict::Wrong, 0}, nullptr);
    });
}

bool LoginDesk::is_full(bool known) {
    return waiting(known).queue.size() + waiting(known).delayed.size() >= config_.login.max_waiting;
}

void LoginDesk::wait_for_check(const CheckKey& key, Secret password, Question question) {
    auto found = checks_.find(key);
    if (found == checks_.end()) {
        if (is_full(question.known)) return question.answer({LoginVerdict::Saturated, saturated_seconds}, nullptr);
        UninheritedSecret kept(password.reveal());
        found = checks_.try_emplace(key).first;
        found->second.password = std::move(kept);
        found->second.known = question.known;
        waiting(question.known).queue.push_back(key);
    }
    auto& check = found->second;
    if (std::find(check.origins.begin(), check.origins.end(), question.origin) == check.origins.end()) {
        check.origins.push_back(question.origin);
        penalties_.begin(question.user, question.origin);
    }
    check.questions.push_back(std::move(question));
    begin_checks();
}

void LoginDesk::begin_checks() {
    while (under_way_ < slots_) {
        const bool known = !known_.queue.empty();
        auto& queue = waiting(known).queue;
        if (!known && (queue.empty() || strangers_under_way_ >= strangers_slots_)) return;
        const auto key = queue.front();
        queue.pop_front();
        begin_check(key);
    }
}

void LoginDesk::begin_check(const CheckKey& key) {
    auto& check = checks_.at(key);
    ++under_way_;
    if (!check.known) ++strangers_under_way_;
    const auto& first = check.questions.front();
    const Secret own(std::exchange(check.password, {}).reveal());  // of all that wait, the only one that its child gets
    try {
        check_password_(first.user, own, first.origin,
                        [this, key](const LoginChecked& checked) { end_check(key, checked); });
    } catch (const std::system_error& fault) {
        log_line(Severity::Error, std::string("cannot check a password: ") + fault.what());
        check.failed = loop_.after(std::chrono::milliseconds(0), [this, key] { end_check(key, {}); });
    }
}

void LoginDesk::end_check(const CheckKey& key, const LoginChecked& checked) {
    const auto check = std::move(checks_.extract(key).mapped());
    --under_way_;
    if (!check.known) --strangers_under_way_;
    const auto now = Clock::now();
    const auto& user = check.questions.front().user;
    for (const auto& origin : check.origins) {
        penalties_.end(user, origin, checked.verdict == LoginVerdict::Wrong, now);
        if (checked.verdict == LoginVerdict::Welcome)
            recent_successes_.note(checked.account.name, origin, now, checked.account.generation);
        // Log no name that does not exist: it may be a password typed into the wrong field.
        if (checked.verdict == LoginVerdict::Wrong)
            log_line(Severity::Info, "wrong name or password from " + origin +
                                         (key.second ? " for " + printable(user) : std::string()));
    }
    if (checked.verdict == LoginVerdict::Welcome) remember(key, check, checked);
    for (const auto& question : check.questions) {
        if (checked.verdict == LoginVerdict::Wrong)
            answer_wrong(question);
        else
            question.answer({checked.verdict, 0}, &checked.account);
    }
    begin_checks();
}

void LoginDesk::remember(const CheckKey& key, const Check& check, const LoginChecked& checked) {
    accounts_.refresh();
    const auto& user = check.questions.front().user;
    const auto lines = accounts_.lines_of(checked.account.name);
    // The lines must be those from before PAM was asked. If PAM mapped the typed name to another account, that
    // account's earlier lines are unknown; it is remembered only if it has none.
    if (!checked.one_prompt || lines != key.second || accounts_.logins_are_closed()) return;
    const std::chrono::seconds lifetime(lines ? config_.login.cache_seconds : config_.login.remote_cache_seconds);
    cache_.remember(user, key.first, checked.account, lines, Clock::now(), lifetime);
}

}  // namespace clamscanner
