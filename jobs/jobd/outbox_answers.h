// Answers clamscanner-notifyd, which delivers what is in the outbox: what is due, and what became of it. An owner's
// mail goes out only while the account is still the one that it is about. Used by jobd alone.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/answers.h"
#include "jobs/jobd/job.h"

namespace clamscanner {

class OutboxAnswers {
 public:
    // Both must outlive this.
    OutboxAnswers(const JobContext& context, AccountLookup& accounts) : context_(context), accounts_(accounts) {}
    // Throws Malformed if it is no question of notifyd's.
    [[nodiscard]] Encoded answer(const std::string& question);

 private:
    Notice fetch(const FetchNotice& asked);
    Accepted settle(const SettleNotice& asked);

    // Until when it must wait; 0: it is to be delivered now, or there is none any more.
    [[nodiscard]] std::int64_t postponed_until(const Outbox::Due& due, std::int64_t now);
    [[nodiscard]] bool is_owner_there(const Outbox::Due& due, std::int64_t now, std::int64_t& until);

    // Null while the account is looked up.
    [[nodiscard]] const AccountLookup::Entry* owner(uid_t uid, std::int64_t now);

    JobContext context_;
    AccountLookup& accounts_;
    // What came of our questions a moment ago. Where accounts are made and changed all the time, nothing that was
    // looked up is fresh when it is asked for next.
    struct Look {
        AccountLookup::Entry entry;
        std::int64_t at_ms;
    };
    std::map<uid_t, Look> looks_;
};

}  // namespace clamscanner
