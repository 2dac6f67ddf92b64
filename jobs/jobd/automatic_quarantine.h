// Quarantines by itself what the scans of schedules and of all accounts found, by the administrator's policy
// (quarantine.automatic): as each owner could, in a disinfection of the account's own, which scans each file again and
// can be undone. Nothing for which deleting is held (brake.h). What else it leaves alone: disinfection_job.h.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/preparations.h"

namespace clamscanner {

// Whether the policy covers finds of this signature: "certain" leaves out what only says that something may be wrong
// (heuristics), and what is merely not wanted (PUA).
[[nodiscard]] bool covers(AutomaticQuarantinePolicy policy, const std::string& signature);

class AutomaticQuarantine {
 public:
    AutomaticQuarantine(const JobContext& context, Dispatcher& dispatcher);

    // Call it in each round, before the commit: a scan that ends in this round has its finds queued in the same commit,
    // unless they are many.
    void proceed();

 private:
    void tick();
    void take_next();
    void take_piece();
    [[nodiscard]] bool wants(AccountId account, const std::string& signature);
    void give_up_for_now();

    // Of the scan whose finds are being queued.
    struct Current {
        TaskId scan = 0;
        AccountTask last;                    // its account's last scan, which has the list
        std::uint64_t after = 0;             // this find
        TaskId preparation = 0;              // 0: none of the finds yet
        std::map<std::string, bool> wanted;  // by signature
    };
    JobContext context_;
    Dispatcher& dispatcher_;
    Preparations preparations_;
    std::optional<Current> current_;
    TaskId looked_at_ = 0;  // scans up to this one wait for their accounts to be free, and for the next round of them
    EventLoop::Timer next_tick_;
    EventLoop::Timer next_piece_;
};

}  // namespace clamscanner
