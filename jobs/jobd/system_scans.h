// Runs a system scan: queues a job for each account, a few at a time, so that the accounts' own scans get their turns
// in between. Progress is stored in the ledger, so after a restart the scan resumes.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/scan_history.h"

namespace clamscanner {

class SystemScans {
 public:
    SystemScans(const JobContext& context, ScanHistory& history, AccountLookup& accounts, Dispatcher& dispatcher);

    // Why it cannot begin, for the client; "" if it has begun.
    [[nodiscard]] std::string begin(const std::vector<uid_t>& accounts, AskedBy by);
    // False when none is under way.
    [[nodiscard]] bool cancel();

 private:
    void tick();
    void report_end();
    void proceed(ScanHistory::SystemScanId scan);
    void ask_for(ScanHistory::SystemScanId scan, uid_t uid);
    void leave_out(ScanHistory::SystemScanId scan, uid_t uid);
    void queue(ScanHistory::SystemScanId scan, uid_t uid, const AccountLookup::Entry& entry);

    JobContext context_;
    ScanHistory& history_;
    AccountLookup& accounts_;
    Dispatcher& dispatcher_;
    std::set<uid_t> asked_;  // whose facts are being looked up
    uid_t last_ = 0;         // the last uid tried; busy accounts are tried again in the next pass
    EventLoop::Timer next_tick_;
};

}  // namespace clamscanner
