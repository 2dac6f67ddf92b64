// What clamscanner-fleetd and the administrator's command write into the fleet's database. Each function waits for the
// server, and throws PostgresError. Where not said otherwise it is one transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/fleet/machine_answer.h"
#include "jobs/fleet/postgres.h"

namespace clamscanner {

// ---- The schema ----------------------------------------------------------------------------------------------------

// Makes it, or brings it up to date. Returns its version before, 0 for none.
int migrate(Postgres& postgres);
// Throws unless it is the one that this build knows.
void require_schema(Postgres& postgres);

// ---- Who asks the machines -----------------------------------------------------------------------------------------

// Of several clamscanner-fleetd one at a time: the one whose connection holds the lock. The lock goes with the
// connection, and so does the right to write; so one that was cut off writes nothing any more.
[[nodiscard]] bool try_to_lead(Postgres& postgres);

// ---- What is known of the machines ---------------------------------------------------------------------------------

// A machine's part of the open task, with what it has said so far.
struct OpenPart {
    std::int64_t id = 0;
    std::int64_t created_ms = 0;
    std::optional<std::string> before;  // the machine's latest scan when it was first ordered; empty: not ordered yet
    std::string remote_task;            // "": its scan is not known to have begun
    int status = 0;
    int percent = 0;
    std::uint64_t infected = 0;
    RiskLevel risk = RiskLevel::None;
    bool completed = false;
    bool safe = false;
    std::uint64_t findings = 0;
    std::uint64_t finding_bytes = 0;
    bool collected = false;
    bool operator==(const OpenPart&) const = default;
    // Nothing more is to be asked.
    [[nodiscard]] bool is_done() const noexcept { return status == 100 && collected; }
};

struct FleetMember {
    int id = 0;
    std::string name;
    std::string url;
    std::string installation;  // "": it has not said yet
    std::optional<OpenPart> part;
};

struct FleetMembers {
    std::int64_t changes = 0;  // of the table fleet: when it grows, they are to be loaded again
    std::vector<FleetMember> members;
};
[[nodiscard]] std::int64_t changes_of(Postgres& postgres);
[[nodiscard]] FleetMembers load_members(Postgres& postgres);

// ---- What a look at a machine brings -------------------------------------------------------------------------------

// TooSoon: as another installation again, before believed_each was over.
enum class Introduced : std::uint8_t { AsKnown, Reinstalled, AsAnother, TooSoon };
struct Introduction {
    Introduced how = Introduced::AsKnown;
    std::string other;  // the machine that it claims to be
};
// A machine may say at each look that it was installed anew: it is believed so often, and of its installations the
// latest are kept.
inline constexpr std::chrono::minutes believed_each{60};
inline constexpr int most_installations = 8;
// The machine says which installation it is. A part that another installation had begun ends as failed.
[[nodiscard]] Introduction introduce(Postgres& postgres, int machine, const MachineIdentity& identity);

// Before a scan is ordered, so that it is known again afterwards, whatever happens to the answer. The first call
// counts.
bool set_before(Postgres& postgres, std::int64_t part, const std::string& before);
// So many scans of a machine's may be taken for the ordered one, each in place of the one before it. Then the part ends
// as failed.
inline constexpr int most_begun = 8;
enum class Begun : std::uint8_t { Yes, TooOften, PartHasEnded };
// That scan of the machine's is the part's from now on; what was found in another one is not.
[[nodiscard]] Begun begin_part(Postgres& postgres, std::int64_t part, const std::string& installation,
                               const std::string& remote_task);
// Why it did not begin, or what of its finds is not here.
bool set_remark(Postgres& postgres, std::int64_t part, const std::string& remark);
struct Added {
    std::uint64_t findings = 0;  // that were new
    std::uint64_t bytes = 0;
};
// Nothing if the part has ended.
[[nodiscard]] std::optional<Added> add_findings(Postgres& postgres, std::int64_t part,
                                                const std::vector<MachineFinding>& findings);

struct MachineNote {
    int machine = 0;
    std::string problem;  // "": it answered as it should
};
// All of this together, once a second; ends what is over, the deadline's too.
void save(Postgres& postgres, const std::vector<OpenPart>& parts, const std::vector<MachineNote>& notes);

// ---- Orders --------------------------------------------------------------------------------------------------------

// Returns the task's id. Throws Refusal when another one is open, and when there is no machine.
[[nodiscard]] std::string start_task(Postgres& postgres, const std::string& asked_by, std::uint64_t deadline_minutes);
// False if one of that name is there with another URL.
[[nodiscard]] bool add_machine(Postgres& postgres, const std::string& name, const std::string& url);
// False if there is none. Its part of the open task ends.
[[nodiscard]] bool remove_machine(Postgres& postgres, const std::string& name);
// Deletes tasks that ended so many days ago, but never the latest; a few at a time.
bool forget_old_tasks(Postgres& postgres, std::uint64_t days);

}  // namespace clamscanner
