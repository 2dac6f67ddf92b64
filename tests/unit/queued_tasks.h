// A disinfection or a restoration in the ledger, as the request server queues it once all of its actions have come.
#pragma once

#include "jobs/jobd/ledger.h"

namespace clamscanner {

// Both are empty if the account is busy.
inline std::optional<TaskId> queue_disinfection(Ledger& ledger, AccountId account,
                                                const std::vector<PlannedAction>& planned) {
    const auto id = ledger.tasks().queue(account, TaskKind::Preparation);
    if (!id) return std::nullopt;
    ledger.records().add_actions(*id, planned);
    ledger.tasks().turn_into(*id, TaskKind::Disinfection);
    return id;
}

inline std::optional<TaskId> queue_restoration(Ledger& ledger, AccountId account, const std::vector<std::string>& ids,
                                               Action action) {
    const auto id = ledger.tasks().queue(account, TaskKind::Preparation);
    if (!id) return std::nullopt;
    ledger.records().add_changes(*id, account, ids, action);
    ledger.tasks().turn_into(*id, TaskKind::Restoration);
    return id;
}

}  // namespace clamscanner
