// Limits the damage of a bad signature: when a signature hits more than a given share of an account's files (and at
// least 25), or of the host's accounts within an hour (and at least 10), it is held: no file is deleted for it, and
// none in the quarantine expires, until the administrator allows it. Quarantining, which can be undone, goes on.
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

    // Call it for each find. It holds a signature that now has hit too many accounts within the hour, whether or not
    // somebody wants to delete anything then.
    void add_hit(AccountId account, const std::string& signature);

    // Why no file may be deleted for this signature: "deleting is held for …", part of a sentence for the account's
    // owner; empty if files may be deleted. Holds it if it hit too much in this account's last scan. A signature stays
    // held when that is over.
    [[nodiscard]] std::string why_held(AccountId account, const std::string& signature);
    // How the administrator allows it, the end of that sentence.
    [[nodiscard]] static std::string how_to_allow(const std::string& signature);

    [[nodiscard]] std::vector<HeldSignature> held();
    // False when it is not held.
    [[nodiscard]] bool allow(const std::string& signature);

 private:
    template <Sql sql>
    [[nodiscard]] Statement& statement() {
        return database_.statement<sql>();
    }
    struct Hits {
        std::uint64_t hit = 0;
        std::uint64_t of = 0;
    };
    [[nodiscard]] Hits files_hit(AccountId account, const std::string& signature);  // in its last scan
    [[nodiscard]] Hits accounts_hit(const std::string& signature, std::int64_t since_running_ms);
    void hold(const std::string& signature, const std::string& why);
    void forget_hits_before(std::int64_t running_ms);
    [[nodiscard]] std::optional<HeldSignature> find(const std::string& signature);

    Ledger& ledger_;
    LedgerDatabase& database_;
    const Settings& settings_;
};

}  // namespace clamscanner
