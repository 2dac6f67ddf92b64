// What the agents of host users ask clamscanner-fleetd at the centre of many machines: a frame each way over a stream
// socket (frames.h), one question at a time. Declined (jobs/jobd/messages.h) may come instead of any answer. The kernel
// says which uid asks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/jobd/messages.h"

namespace clamscanner {

enum class FleetMessage : std::uint16_t {
    AskFleetStatistics = 400,
    FleetStatistics,
    AskFleetTasks,
    FleetTasks,
    AskFleetMachines,
    FleetMachines,
    AskFleetFindings,
    FleetFindings,
    StartFleetScan,
};

inline constexpr std::size_t longest_machine_name = 64;

// A machine as clients know it: the administrator's name for it, an id that the centre made, and the addresses that the
// machine itself says it has.
struct FleetMachine {
    std::string name;
    std::string uuid;
    std::string internet;
    std::string intranet;
    std::uint64_t findings = 0;  // of the latest task
    void fields(auto& wire) {
        wire.text(name, longest_machine_name);
        wire.text(uuid, 36);
        wire.text(internet, 15);
        wire.text(intranet, 15);
        wire.number(findings);
    }
};

// Which machines; "" asks for any.
struct MachineFilter {
    std::string uuid;
    std::string name;
    std::string internet;
    std::string intranet;
    std::string remark;  // part of the name, or an address
    void fields(auto& wire) {
        wire.text(uuid, longest_message);
        wire.text(name, longest_message);
        wire.text(internet, longest_message);
        wire.text(intranet, longest_message);
        wire.text(remark, longest_message);
    }
};

// ---- The latest scan of all machines -------------------------------------------------------------------------------

struct FleetStatistics {
    static constexpr auto type = FleetMessage::FleetStatistics;
    bool ever = false;  // there was one; the rest is of the latest
    std::string task;   // 32 lower-case hex digits
    std::int64_t created_ms = 0;
    std::uint8_t status = 0;   // 0 no machine has begun, 10 some have, 100 all have ended or the deadline is over
    std::uint8_t percent = 0;  // 100 only with status 100
    std::uint64_t machines = 0;
    std::uint64_t completed = 0;   // that completed the scan
    std::uint64_t safe = 0;        // of these: as they say themselves
    std::uint64_t suspicious = 0;  // on which something was found, so far
    std::uint64_t infected = 0;    // files, on all of them
    RiskLevel risk = RiskLevel::None;
    std::string only_machine;  // its name when there is one alone
    void fields(auto& wire) {
        wire.number(ever);
        wire.text(task, 32);
        wire.number(created_ms);
        wire.number(status);
        wire.number(percent);
        wire.number(machines);
        wire.number(completed);
        wire.number(safe);
        wire.number(suspicious);
        wire.number(infected);
        wire.choice(risk, RiskLevel::High);
        wire.text(only_machine, longest_machine_name);
    }
};

struct AskFleetStatistics {
    static constexpr auto type = FleetMessage::AskFleetStatistics;
    using Answer = FleetStatistics;
    static constexpr auto effect = Effect::Reads;
    void fields(auto&) {}
};

// ---- Lists: pages --------------------------------------------------------------------------------------------------

// A scan of all machines, or one machine's part of it.
struct FleetTask {
    std::string id;
    std::int64_t created_ms = 0;
    std::int64_t ended_ms = 0;  // 0: it has not ended
    ScanPhase phase = ScanPhase::Queued;
    std::uint8_t percent = 0;
    FleetMachine machine;  // empty of a whole one
    void fields(auto& wire) {
        wire.text(id, 32);
        wire.number(created_ms);
        wire.number(ended_ms);
        wire.choice(phase, ScanPhase::EndedEarly);
        wire.number(percent);
        machine.fields(wire);
    }
};

struct FleetTasks {
    static constexpr auto type = FleetMessage::FleetTasks;
    std::uint64_t total = 0;
    std::vector<FleetTask> tasks;
    void fields(auto& wire) {
        wire.number(total);
        wire.list(tasks, longest_page);
    }
};

// The latest first; of one of all machines (`root`) the parts, by machine.
struct AskFleetTasks {
    static constexpr auto type = FleetMessage::AskFleetTasks;
    using Answer = FleetTasks;
    static constexpr auto effect = Effect::Reads;
    std::string root;
    ScanFilter filter;
    MachineFilter machines;  // of parts
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        wire.text(root, 32);
        filter.fields(wire);
        machines.fields(wire);
        wire.number(offset);
        wire.number(limit);
    }
};

struct FleetMachines {
    static constexpr auto type = FleetMessage::FleetMachines;
    std::uint64_t total = 0;
    std::vector<FleetMachine> machines;
    void fields(auto& wire) {
        wire.number(total);
        wire.list(machines, longest_page);
    }
};

// Those on which the latest task found something.
struct AskFleetMachines {
    static constexpr auto type = FleetMessage::AskFleetMachines;
    using Answer = FleetMachines;
    static constexpr auto effect = Effect::Reads;
    MachineFilter machines;
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        machines.fields(wire);
        wire.number(offset);
        wire.number(limit);
    }
};

struct FleetFinding {
    std::uint64_t id = 0;  // never used again for another find
    std::string path;      // bytes
    std::string virus;
    std::int64_t found_ms = 0;
    FleetMachine machine;
    void fields(auto& wire) {
        wire.number(id);
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.number(found_ms);
        machine.fields(wire);
    }
};

struct FleetFindings {
    static constexpr auto type = FleetMessage::FleetFindings;
    std::uint64_t total = 0;
    std::vector<FleetFinding> findings;
    void fields(auto& wire) {
        wire.number(total);
        wire.list(findings, longest_page);
    }
};

// Of the latest task, by machine.
struct AskFleetFindings {
    static constexpr auto type = FleetMessage::AskFleetFindings;
    using Answer = FleetFindings;
    static constexpr auto effect = Effect::Reads;
    MachineFilter machines;
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;
    void fields(auto& wire) {
        machines.fields(wire);
        wire.number(offset);
        wire.number(limit);
    }
};

// ---- What the centre may order -------------------------------------------------------------------------------------

// A scan of every machine; one at a time.
struct StartFleetScan {
    static constexpr auto type = FleetMessage::StartFleetScan;
    using Answer = Accepted;
    static constexpr auto effect = Effect::Changes;
    void fields(auto&) {}
};

}  // namespace clamscanner
