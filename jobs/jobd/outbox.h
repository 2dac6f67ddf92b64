// The outbox: what owners and the administrator are to be told, written in the transaction of what it tells, until
// clamscanner-notifyd has delivered it (jobs/notify). jobd itself sends nothing and waits for nobody.
//
// It is bounded, and no find is lost. Of an account there is one mail at a time that collects finds: the first of them
// with their paths, the others counted. Events for the hook are at most most_events, and of one account at most
// most_events_of_account, so that none takes all the room; what comes beyond is counted, and told as one event. A find
// is new if none of the same account, path, signature and content was told since it was last seen gone. Used by jobd
// alone; throws DatabaseError.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/ignore_list.h"
#include "jobs/jobd/messages.h"
#include "jobs/jobd/task.h"

namespace clamscanner {

// For the hook, that are in the outbox.
struct EventCount {
    std::int64_t all = 0;
    std::map<AccountId, std::int64_t> of_account;
};

class Outbox {
 public:
    using NoticeId = std::int64_t;
    static constexpr std::int64_t most_events = 10'000;
    static constexpr std::int64_t most_events_of_account = 1000;
    static constexpr std::int64_t most_told = 100'000;  // of an account; finds beyond are told at each scan

    explicit Outbox(LedgerDatabase& database) : database_(database) {}
    // Nothing is recorded before. They must outlive this, and may change.
    void use(const Settings& settings) { settings_ = &settings; }

    // ---- What is recorded
    void note_find(AccountId account, TaskId scan, const FoundContent& found, std::int64_t found_ms = now_ms());
    // When this find was noted first; empty: it was not, or was seen gone since, or was ignored meanwhile, or its
    // content is unknown; 0: by an earlier version, which did not record when.
    [[nodiscard]] std::optional<std::int64_t> first_noted(AccountId account, const FoundContent& found);
    // Something was done about a file, which may be one that a mail is about to tell.
    void note_step(AccountId account, const std::string& path, RecordState state);
    void note_ended(const AccountTask& ended, const HistoryEntry& entry);
    void note_system_scan_ended(const SystemScanProgress& scan);
    void note_brake(const std::string& signature, const std::string& why);
    enum class Problem : std::uint8_t { Broken = 0, Old = 1 };
    // Of the signatures, "" if there is none. Told when it begins.
    void note_signatures(Problem problem, const std::string& text);

    // ---- What is delivered
    struct Due {
        NoticeId id = 0;
        AccountId account = 0;  // 0: the host
        bool sealed = false;    // it was fetched before, and stays as it is
        NoticeKind kind = NoticeKind::Finds;
        std::int64_t due_ms = 0;
    };
    // The digest is due once its hour has struck since it began.
    void end_digest(std::int64_t now);
    [[nodiscard]] std::optional<Due> first_due(NoticeChannel channel, std::int64_t now);
    void postpone(NoticeId id, std::int64_t until_ms);
    // Whether its owner gets mails about finds.
    [[nodiscard]] bool has_mails(AccountId account);
    // When the account may get its next mail: `now` or before, if at once.
    [[nodiscard]] std::int64_t next_mail_at(AccountId account, std::int64_t now);
    // From here on it stays as it is. Finds that are noted later go into the next one.
    void seal(const Due& due, std::int64_t now);
    [[nodiscard]] Notice get(NoticeId id);
    void settle(NoticeId id, Delivered delivered, std::int64_t now);
    void remove(NoticeId id);
    // The account is gone, or another one: nothing is told of it any more.
    void forget(AccountId account);

    // ---- Where an owner's mails go
    [[nodiscard]] Notifications settings_of(AccountId account);
    // False: the account changed these too often today.
    [[nodiscard]] bool set_address(AccountId account, const std::string& address, std::int64_t now);
    [[nodiscard]] bool set_enabled(AccountId account, bool enabled, std::int64_t now);
    // False: no address waits for this code, or it is too old.
    [[nodiscard]] bool confirm(AccountId account, const std::string& code, std::int64_t now);

    // Forgets some of what was told and is gone: true while there may be more.
    [[nodiscard]] bool prune();

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    [[nodiscard]] bool is_new(AccountId account, TaskId scan, const FoundContent& found, std::int64_t found_ms);
    [[nodiscard]] NoticeId add(NoticeKind kind, AccountId account, TaskId task = 0, const std::string& text = {},
                               const std::string& detail = {});
    [[nodiscard]] NoticeId collecting(NoticeKind kind, AccountId account);
    // 0: there is no hook, or no room, and then it is counted.
    [[nodiscard]] NoticeId add_event(NoticeKind kind, AccountId account = 0, TaskId task = 0,
                                     const std::string& text = {}, const std::string& detail = {});
    void add_find(NoticeId id, std::uint64_t number, const FoundContent& found, std::int64_t found_ms);
    void add_figure(NoticeId id, const std::string& name, std::uint64_t number);
    void add_to_digest(const std::string& name, std::uint64_t number = 1);
    [[nodiscard]] bool has_room_for_event(AccountId account);
    void count_event(AccountId account, std::int64_t change);
    // What failed for one event of an account may fail for its others: those of other accounts come first.
    void let_others_pass(NoticeId id, std::int64_t now);
    void mail_to(AccountId account, NoticeKind kind, const std::string& address, const std::string& text);
    [[nodiscard]] bool may_change(AccountId account, std::int64_t now);

    LedgerDatabase& database_;
    const Settings* settings_ = nullptr;
    std::optional<EventCount> events_;  // once they were counted
};

}  // namespace clamscanner
