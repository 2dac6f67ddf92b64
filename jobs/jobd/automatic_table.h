// Which scans' finds are to be quarantined by themselves, and which disinfection does it. Recorded in the same commit
// as the scan's end, and settled in the same commit in which the disinfection is queued: so it is done once, whenever
// jobd is killed. Used by jobd alone; throws DatabaseError.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "jobs/jobd/ledger_database.h"

namespace clamscanner {

class AutomaticTable {
 public:
    explicit AutomaticTable(LedgerDatabase& database) : database_(database) {}

    void intend(TaskId scan);
    // Scans behind `after` for which no disinfection is queued yet, in order.
    [[nodiscard]] std::vector<TaskId> waiting(TaskId after, std::size_t limit);
    // Whether intend() was called since this was last called. In memory: for every round of the loop.
    [[nodiscard]] bool take_news() noexcept { return std::exchange(news_, false); }
    // Empty: there was nothing to be done.
    void settle(TaskId scan, std::optional<TaskId> disinfection);

    struct Of {
        bool waits = false;
        std::optional<TaskId> disinfection;
    };
    // Empty unless the scan's finds were to be quarantined.
    [[nodiscard]] std::optional<Of> of_scan(TaskId scan);
    [[nodiscard]] bool is_automatic(TaskId disinfection);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }

    LedgerDatabase& database_;
    bool news_ = false;
};

}  // namespace clamscanner
