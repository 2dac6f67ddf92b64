// Carries a system scan through: queues a job for each account, a few at a time, so that the accounts' own scans find
// their turn between them. What is done and what is left stands in the ledger, so a restart goes on where it was.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "jobs/jobd/account_book.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/scan_history.h"

namespace clamscanner {

class SystemScans {
 public:
    SystemScans(const JobSurroundings& surroundings, ScanHistory& history, AccountBook& accounts,
                Dispatcher& dispatcher);

    // Why it cannot be begun, for the client; "" when it was.
    [[nodiscard]] std::string begin(const std::vector<uid_t>& accounts);

 private:
    void tick();
    void go_on(ScanHistory::SystemScanId scan);
    void ask_for(ScanHistory::SystemScanId scan, uid_t uid);
    void queue(ScanHistory::SystemScanId scan, uid_t uid, const AccountBook::Entry& entry);

    JobSurroundings surroundings_;
    ScanHistory& history_;
    AccountBook& accounts_;
    Dispatcher& dispatcher_;
    std::set<uid_t> asked_;  // whose facts are being looked up
    uid_t last_ = 0;         // tried; those that were busy come again in the next round
    EventLoop::Timer next_tick_;
};

}  // namespace clamscanner
