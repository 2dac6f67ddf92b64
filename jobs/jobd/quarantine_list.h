// What lies in the accounts' quarantines, as the ledger has it: what a record in a home says is its owner's to change.
// Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/messages.h"
#include "jobs/jobd/planned_action.h"

namespace clamscanner {

class QuarantineList {
 public:
    // `database` must outlive this.
    explicit QuarantineList(LedgerDatabase& database) : database_(database) {}

    // `device`, `inode`: of the file in the quarantine.
    void add(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
             bool may_hold_mail = false);
    [[nodiscard]] std::optional<PlannedAction> find(AccountId account, const std::string& opaque);
    struct Stored {
        std::string opaque;
        std::uint64_t inode = 0;
        std::uint64_t size = 0;
        std::string sha256;
    };
    [[nodiscard]] std::vector<Stored> all(AccountId account);
    struct Listed {
        std::vector<QuarantinedFile> files;
        std::int64_t next = 0;  // to be given as `after` for the rest; 0: there is none
    };
    // `budget`: bytes of the answer.
    [[nodiscard]] Listed listed(AccountId account, std::int64_t after, std::size_t budget);
    // Of those quarantined before that time, some; none that may hold more than one letter, or is clean by now.
    [[nodiscard]] std::vector<PlannedAction> expired(AccountId account, std::int64_t before_ms, std::size_t limit);
    // What newer signatures say.
    void judge(AccountId account, const std::string& opaque, bool clean);
    [[nodiscard]] std::uint64_t count_clean(AccountId account);
    // It is in the quarantine no more.
    void forget(AccountId account, const std::string& opaque);

 private:
    [[nodiscard]] Statement& statement(const char* sql) { return database_.statement(sql); }

    void adjust_clean_count(AccountId account, int change);

    LedgerDatabase& database_;
    std::map<AccountId, std::int64_t> clean_;  // how many are; bounded; every poll asks
};

}  // namespace clamscanner
