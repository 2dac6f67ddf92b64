// The contents of the accounts' quarantines, as the ledger stores them; the records in a home are not trusted, because
// their owner can change them. Used by jobd alone; throws DatabaseError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/ledger_database.h"
#include "jobs/jobd/messages.h"
#include "jobs/jobd/planned_action.h"
#include "jobs/jobd/running_time.h"

namespace clamscanner {

class QuarantineList {
 public:
    // Both must outlive this.
    QuarantineList(LedgerDatabase& database, const RunningTime& running_time)
        : database_(database), running_time_(running_time) {}

    // `device`, `inode`: of the file in the quarantine.
    void add(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
             bool may_hold_mail = false);
    // By its owner's record (jobs/runner/adoption.h): nothing of what it says is known to be true. Kept from now on.
    void adopt(AccountId account, const PlannedAction& action, std::uint64_t device, std::uint64_t inode,
               bool may_hold_mail);
    // A scan found this adopted file infected, and it lies there as a quarantined file does: from now on it is one.
    // False if there is no adopted file of that name and content.
    [[nodiscard]] bool confirm(AccountId account, const std::string& opaque, const PlannedAction& found);
    // Nothing if it is not an adopted one.
    [[nodiscard]] std::optional<PlannedAction> find_adopted(AccountId account, const std::string& opaque);
    // The adopted file is not there any more.
    void forget_adopted(AccountId account, const std::string& opaque);
    [[nodiscard]] std::optional<PlannedAction> find(AccountId account, const std::string& opaque);
    struct Stored {
        std::int64_t id = 0;
        std::string opaque;
        std::uint64_t inode = 0;
        std::uint64_t size = 0;
        std::string sha256;
        bool adopted = false;
    };
    // At most `limit` files with an id above `id`, in order.
    [[nodiscard]] std::vector<Stored> after(AccountId account, std::int64_t id, std::size_t limit);
    // The opaque name of the file with this id.
    [[nodiscard]] std::optional<std::string> name_of(AccountId account, std::int64_t id);
    struct Listed {
        std::vector<QuarantinedFile> files;
        std::int64_t next = 0;  // pass it as `after` to get the rest; 0: there is none
    };
    // `budget`: the most bytes that the answer may take.
    [[nodiscard]] Listed listed(AccountId account, std::int64_t after, std::size_t budget);
    // At most `limit` files quarantined before that time of day and that running time of the host, except those that
    // may hold mail, are clean by now, or were found by a signature that is held (brake.h); the oldest first, from
    // behind `after` on.
    struct Expired {
        PlannedAction file;  // its number is its id
        std::int64_t time_ms = 0;
    };
    [[nodiscard]] std::vector<Expired> expired(AccountId account, std::int64_t before_ms,
                                               std::int64_t before_running_ms, const Expired& after, std::size_t limit);
    // By the latest signatures.
    void set_clean(AccountId account, const std::string& opaque, bool clean);
    // Of all accounts.
    struct Sums {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] Sums sums();
    [[nodiscard]] std::uint64_t count_clean(AccountId account);
    // The file is no longer in the quarantine.
    void forget(AccountId account, const std::string& opaque);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }

    void adjust_clean_count(AccountId account, int change);

    LedgerDatabase& database_;
    const RunningTime& running_time_;
};

}  // namespace clamscanner
