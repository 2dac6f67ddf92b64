// The mailbox that a disinfection is cleansing: which of its messages the scanner has found infected, and which of
// these the runner has taken out and kept. A value beside the job, which knows the ledger and the packets. What comes
// from the runner and the coordinator is checked here: Malformed is thrown for what was not asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/base/wire.h"
#include "jobs/engine/messages.h"
#include "jobs/jobd/planned_action.h"
#include "jobs/jobd/quarantine_list.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class MailboxCleansing {
 public:
    // Its messages are about to be scanned, for the first time or once more.
    void begin_scan();
    // From the runner and the coordinator, in either order.
    void take_count(std::uint64_t messages) { messages_ = messages; }
    void take_result(ScanResult result);

    [[nodiscard]] bool knows_count() const noexcept { return messages_.has_value(); }
    // Whether every message has its result.
    [[nodiscard]] bool is_scanned() const;
    // The infected messages, at most most_mail_cut, each with the name that it gets in the quarantine.
    [[nodiscard]] std::vector<CutMail> take_cuts() { return std::move(cuts_); }

    // The runner is about to be told to take out `cuts`, perhaps again after a crash.
    void begin_cutting() { saved_.clear(); }
    void take_saved(Saved saved, const std::vector<CutMail>& cuts);
    [[nodiscard]] bool has_saved() const noexcept { return !saved_.empty(); }
    // Puts what was taken out of `mailbox` into the list of the account's quarantine.
    void list_saved(QuarantineList& quarantine, AccountId account, const PlannedAction& mailbox) const;
    // For the owner: what was done, and what `rest`, the scan of what is left, says.
    [[nodiscard]] std::string summary(const ScanResult& rest) const;

 private:
    std::optional<std::uint64_t> messages_;
    std::uint64_t results_ = 0;
    std::vector<CutMail> cuts_;
    std::vector<Saved> saved_;
};

}  // namespace clamscanner
