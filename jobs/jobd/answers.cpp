#include "jobs/jobd/answers.h"

#include "auth/base/log.h"
#include "jobs/shared/paths.h"

namespace clamscanner {

std::string log_path(const AccountFacts& facts) {
    return path_in(facts.home, ".clamavconnector.disinfection.log");
}

std::vector<PlannedAction> plan(LedgerTables& ledger, const AccountFacts& facts, std::vector<FileAction> asked) {
    std::vector<PlannedAction> planned;
    const auto conflict =
        ledger.finds().resolve(ledger.tasks().account_of(facts), facts.home, std::move(asked), planned);
    if (!conflict) return planned;
    constexpr std::size_t shown = 400;
    throw Declined{"actions: " + printable(conflict->first.substr(0, shown)) + " and " +
                   printable(conflict->second.substr(0, shown)) +
                   " are the same file, but their actions differ. Give each file one action."};
}

}  // namespace clamscanner
