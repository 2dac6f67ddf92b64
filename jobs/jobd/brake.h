// What keeps a bad signature from doing to all files what it should do to few: when one hits more than a share of an
// account's files, or is found in more than a share of the host's accounts within an hour, nothing is deleted for it
// until the administrator allows it. Quarantining, which can be undone, goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobd/ledger.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Brake {
 public:
    // Both must outlive this. What is held stands in the ledger's database.
    Brake(Ledger& ledger, const Settings& settings)
        : ledger_(ledger), database_(ledger.database()), settings_(settings) {}

    // Why no file may be deleted for this signature, for the owner of the account; empty: it may. Remembers what it
    // holds, also when the hour is over.
    [[nodiscard]] std::string why_held(AccountId account, const std::string& signature);

    [[nodiscard]] std::vector<HeldSignature> held();
    // False when it is not held.
    [[nodiscard]] bool allow(const std::string& signature);

 private:
    [[nodiscard]] Statement& statement(const char* sql) { return database_.statement(sql); }
    struct Hits {
        std::uint64_t hit = 0;
        std::uint64_t of = 0;
    };
    [[nodiscard]] std::string reason(AccountId account, const std::string& signature);
    [[nodiscard]] Hits files_hit(AccountId account, const std::string& signature);  // in its last scan
    [[nodiscard]] Hits accounts_hit(const std::string& signature, std::int64_t since_ms);
    [[nodiscard]] std::optional<HeldSignature> find(const std::string& signature);

    Ledger& ledger_;
    LedgerDatabase& database_;
    const Settings& settings_;
};

}  // namespace clamscanner
