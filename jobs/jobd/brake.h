// Limits the damage of a bad signature: when a signature hits more than a given share of an account's files, or of the
// host's accounts within an hour, it is held: no file is deleted for it until the administrator allows it.
// Quarantining, which can be undone, goes on.
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
    // Both must outlive this. Held signatures are stored in the ledger's database.
    Brake(Ledger& ledger, const Settings& settings)
        : ledger_(ledger), database_(ledger.database()), settings_(settings) {}

    // Why no file may be deleted for this signature, as a sentence for the account's owner; empty if files may be
    // deleted. A signature stays held after the hour is over.
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
    [[nodiscard]] Hits accounts_hit(const std::string& signature, std::int64_t since_running_ms);
    [[nodiscard]] std::optional<HeldSignature> find(const std::string& signature);

    Ledger& ledger_;
    LedgerDatabase& database_;
    const Settings& settings_;
};

}  // namespace clamscanner
