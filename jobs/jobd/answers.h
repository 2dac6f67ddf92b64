// What all answers of jobd's to questions have in common. Used by jobd alone.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "auth/base/dispatch.h"
#include "jobs/jobd/ledger_tables.h"
#include "jobs/jobd/messages.h"

namespace clamscanner {

// What a method throws to decline a question is the answer to it.
template <class Answer>
[[nodiscard]] Encoded answer_or_decline(Answer answer) {
    try {
        return answer();
    } catch (const Declined& declined) {
        return encode(declined);
    }
}

// Where an account's log of disinfections lies.
[[nodiscard]] std::string log_path(const AccountFacts& facts);

// What is to be done with each file, by the lists of the last scan. Throws Declined if two actions name the same file.
[[nodiscard]] std::vector<PlannedAction> plan(LedgerTables& ledger, const AccountFacts& facts,
                                              std::vector<FileAction> asked);

}  // namespace clamscanner
