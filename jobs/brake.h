// What keeps a bad signature from doing to all files what it should do to few: when one hits more than a share of an
// account's files, or is found in more than a share of the host's accounts within an hour, nothing is deleted for it
// until the administrator allows it. Quarantining, which can be undone, goes on.
#pragma once

#include <string>
#include <vector>

#include "jobs/ledger.h"
#include "jobs/settings.h"

namespace clamscanner {

class Brake {
 public:
    Brake(Ledger& ledger, const Settings& settings) : ledger_(ledger), settings_(settings) {}

    // Why no file may be deleted for this signature, for the owner of the account; empty: it may. Remembers what it
    // holds, also when the hour is over.
    [[nodiscard]] std::string why_held(AccountId account, const std::string& signature);

    [[nodiscard]] std::vector<HeldSignature> held() { return ledger_.held_signatures(); }
    // False when it is not held.
    [[nodiscard]] bool allow(const std::string& signature) { return ledger_.allow_signature(signature); }

 private:
    [[nodiscard]] std::string reason(AccountId account, const std::string& signature);

    Ledger& ledger_;
    const Settings& settings_;
};

}  // namespace clamscanner
