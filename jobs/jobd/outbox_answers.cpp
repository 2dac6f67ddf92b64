#include "jobs/jobd/outbox_answers.h"

namespace clamscanner {
namespace {

// How many are looked at for one question.
constexpr int most_looked_at = 20;
constexpr std::int64_t while_looked_up_ms = 500;
constexpr std::int64_t look_good_for_ms = 2000;
constexpr std::int64_t while_unknown_ms = 10'000;
constexpr std::int64_t while_busy_ms = 2000;
// A disinfection that follows a scan at once is told in the same mail; a long one is not waited for.
constexpr std::int64_t longest_wait_for_job_ms = hour_ms;

}  // namespace

Encoded OutboxAnswers::answer(const std::string& question) {
    using Row = Handler<OutboxAnswers, Encoded>;
    static constexpr Row table[] = {handles<&OutboxAnswers::fetch>, handles<&OutboxAnswers::settle>};
    return answer_or_decline([&] { return dispatch(table, *this, question); });
}

Notice OutboxAnswers::fetch(const FetchNotice& asked) {
    auto& outbox = context_.ledger.outbox();
    const auto now = now_ms();
    if (asked.channel == NoticeChannel::Mails) outbox.end_digest(now);
    for (int i = 0; i < most_looked_at; ++i) {
        const auto due = outbox.first_due(asked.channel, now);
        if (!due) return {};
        const bool is_owners = due->account != 0 && asked.channel == NoticeChannel::Mails;
        if (const auto until = is_owners ? postponed_until(*due, now) : 0; until > 0) {
            outbox.postpone(due->id, until);
            continue;
        }
        if (!due->sealed) outbox.seal(*due, now);
        auto notice = outbox.get(due->id);
        if (notice.id != 0) return notice;  // else it was removed just now
    }
    return {};
}

const AccountLookup::Entry* OutboxAnswers::owner(uid_t uid, std::int64_t now) {
    if (const auto* entry = accounts_.fresh(uid)) return entry;
    std::erase_if(looks_, [&](const auto& look) { return now - look.second.at_ms > look_good_for_ms; });
    if (const auto look = looks_.find(uid); look != looks_.end()) return &look->second.entry;
    accounts_.ask(uid, [this, uid](const AccountLookup::Entry& entry) {
        looks_.insert_or_assign(uid, Look{entry, now_ms()});
    });
    return nullptr;
}

bool OutboxAnswers::is_owner_there(const Outbox::Due& due, std::int64_t now, std::int64_t& until) {
    const auto facts = context_.ledger.tasks().find_account(due.account);
    if (!facts) return false;
    const auto* entry = owner(facts->uid, now);
    if (entry == nullptr) {
        until = now + while_looked_up_ms;
        return true;
    }
    // A home that is not there may be on a disk that is not mounted, and is no reason to forget anything.
    const bool is_unseen = entry->facts && (entry->home == AccountLookup::Home::Missing || !entry->is_known());
    if (entry->failed || is_unseen) {
        until = now + while_unknown_ms;
        return true;
    }
    return !entry->is_another_than(*facts);
}

std::int64_t OutboxAnswers::postponed_until(const Outbox::Due& due, std::int64_t now) {
    auto& outbox = context_.ledger.outbox();
    std::int64_t until = 0;
    if (!is_owner_there(due, now, until)) {
        outbox.forget(due.account);
        return 0;
    }
    if (until > 0 || due.kind != NoticeKind::Finds) return until;
    if (!outbox.has_mails(due.account)) {
        outbox.remove(due.id);
        return 0;
    }
    if (due.sealed) return 0;
    const bool is_busy = context_.ledger.tasks().active(due.account).has_value();
    if (is_busy && now - due.due_ms < longest_wait_for_job_ms) return now + while_busy_ms;
    const auto next = outbox.next_mail_at(due.account, now);
    return next > now ? next : 0;
}

Accepted OutboxAnswers::settle(const SettleNotice& asked) {
    context_.ledger.outbox().settle(static_cast<Outbox::NoticeId>(asked.id & INT64_MAX), asked.delivered, now_ms());
    return {};
}

}  // namespace clamscanner
