// How the service is: what clamscanner-status shows, as far as jobd's user can see it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/client/jobs.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {

enum class Severeness { Fine = 0, Warning = 1, Critical = 2, Unknown = 3 };  // as monitoring wants exit statuses

struct Problem {
    Severeness severeness = Severeness::Warning;
    std::string what;
    std::string advice;
};

struct DaemonState {
    std::string program;
    bool listens = false;  // at its socket
};

struct Health {
    std::vector<DaemonState> daemons;
    std::optional<ServiceReport> jobd;             // empty: it does not answer
    std::optional<DatabaseVersion> signatures;     // empty: there is no database of ClamAV's
    std::map<std::string, std::uint64_t> figures;  // of all daemons, by sample
    std::uint64_t free_bytes = 0;                  // where jobd's database is
    std::vector<Problem> problems;                 // the worst first

    [[nodiscard]] Severeness worst() const;
    [[nodiscard]] std::uint64_t figure(const std::string& sample) const;
};

// `check`: look at the installation, too (checks.h). May take seconds.
[[nodiscard]] Health look_at(const Settings& settings, Jobs& jobs, bool check);

// Sockets of this host at which somebody listens, by path, as /proc/net/unix has them.
[[nodiscard]] bool somebody_listens(const std::string& path);

[[nodiscard]] std::string health_text(const Health& health, const Settings& settings);
[[nodiscard]] std::string health_json(const Health& health);
// OpenMetrics, from what all daemons count and from what is seen here.
[[nodiscard]] std::string metrics(const Health& health);

}  // namespace clamscanner
