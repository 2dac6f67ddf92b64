#include "jobs/jobd/automatic_quarantine.h"

#include "jobs/jobd/answers.h"
#include "jobs/jobd/brake.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

// An account that is busy is tried again.
constexpr auto tick_interval = 1s;
constexpr std::size_t finds_at_once = 500;
constexpr std::size_t scans_at_once = 8;
constexpr const char* which = "automatically";

}  // namespace

bool covers(AutomaticQuarantinePolicy policy, const std::string& signature) {
    if (policy != AutomaticQuarantinePolicy::Certain) return policy == AutomaticQuarantinePolicy::All;
    return !signature.starts_with("PUA.") && signature.find("Heuristics.") == std::string::npos;
}

AutomaticQuarantine::AutomaticQuarantine(const JobContext& context, Dispatcher& dispatcher)
    : context_(context),
      dispatcher_(dispatcher),
      preparations_(context.loop, context.ledger, [this](uid_t uid) { dispatcher_.tell_free(uid); }) {
    tick();
}

void AutomaticQuarantine::tick() {
    if (!current_) take_next();
    next_tick_ = context_.loop.after(tick_interval, [this] { tick(); });
}

void AutomaticQuarantine::proceed() {
    if (!context_.ledger.automatic().take_news() || current_) return;
    // What has just ended comes first: its account is free.
    looked_at_ = 0;
    take_next();
}

void AutomaticQuarantine::take_next() {
    auto& ledger = context_.ledger;
    const auto scans = ledger.automatic().waiting(looked_at_, scans_at_once);
    if (scans.empty()) looked_at_ = 0;
    for (const TaskId scan : scans) {
        looked_at_ = scan;
        auto ended = ledger.tasks().with_account(scan);
        const auto last = ledger.tasks().last(ended.task.account, TaskKind::Scan);
        if (ledger.tasks().active(ended.task.account)) continue;
        if (!last || context_.config.automatic_quarantine == AutomaticQuarantinePolicy::Never) {
            ledger.automatic().settle(scan, std::nullopt);
            continue;
        }
        current_ = Current{scan, {*last, std::move(ended.account)}, 0, 0, {}};
        return take_piece();
    }
}

bool AutomaticQuarantine::wants(AccountId account, const std::string& signature) {
    const auto [known, fresh] = current_->wanted.try_emplace(signature);
    if (fresh)
        known->second = covers(context_.config.automatic_quarantine, signature) &&
                        Brake(context_.ledger, context_.config).why_held(account, signature).empty();
    return known->second;
}

void AutomaticQuarantine::take_piece() {
    auto& ledger = context_.ledger;
    auto& current = *current_;
    const AccountId account = current.last.task.account;
    const auto& facts = current.last.account;
    const auto paths = ledger.finds().paths_of(
        account, [&](const std::string& signature) { return wants(account, signature); }, current.after, finds_at_once);
    if (!paths.empty()) {
        const auto preparation = preparations_.take(account, current.preparation);
        if (!preparation) return give_up_for_now();
        current.preparation = *preparation;
        std::vector<FileAction> actions;
        for (const auto& path : paths) actions.push_back({path, Action::Quarantine});
        ledger.records().add_actions(*preparation, plan(ledger, facts, std::move(actions)));
    }
    if (current.after != 0) {
        next_piece_ = context_.loop.after(0ms, [this] {
            if (current_) take_piece();
        });
        return;
    }
    std::optional<TaskId> disinfection;
    if (current.preparation != 0) {
        disinfection = current.preparation;
        preparations_.finish(*disinfection, TaskKind::Disinfection);
        const auto asked = ledger.history().of_task(current.scan);
        ledger.note_asked(*disinfection, {asked ? asked->asker.by : AskedBy::Schedule, which});
        dispatcher_.add({ledger.tasks().get(*disinfection), facts});
    }
    ledger.automatic().settle(current.scan, disinfection);
    current_.reset();
}

// The account is busy, or the preparation came to nothing.
void AutomaticQuarantine::give_up_for_now() {
    if (current_->preparation != 0) preparations_.abandon(current_->preparation);
    current_.reset();
}

}  // namespace clamscanner
