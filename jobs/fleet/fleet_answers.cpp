#include "jobs/fleet/fleet_answers.h"

#include <algorithm>

namespace clamscanner {
namespace {

// A page of longer paths is shorter than was asked for.
constexpr std::size_t most_page_bytes = 2 * 1024 * 1024;

// The id of a machine's part is that of its task, with the machine's number in place of the zeros at its end.
#define PART_ID "(left(s.task, 24) || lpad(to_hex(s.machine), 8, '0'))"
#define MACHINE_COLUMNS "m.name, m.uuid::text, m.internet, m.intranet"
#define MS_OF(time) "(extract(epoch FROM " time ") * 1000)::bigint"
#define LATEST_TASK "(SELECT id FROM task ORDER BY number DESC LIMIT 1)"
// A MachineFilter as $1 to $5.
#define MACHINE_MATCHES                                                                                 \
    "($1 = '' OR m.uuid::text = $1) AND ($2 = '' OR m.name = $2) AND ($3 = '' OR m.internet = $3) AND " \
    "($4 = '' OR m.intranet = $4) AND ($5 = '' OR position($5 IN m.name) > 0 OR m.internet = $5 OR m.intranet = $5)"
// By ScanPhase.
#define PHASE_OF_PART "CASE WHEN s.state < 50 THEN 0 WHEN s.state < 100 THEN 1 WHEN s.result = 'ok' THEN 2 ELSE 3 END"
#define PHASE_OF_TASK                                           \
    "CASE WHEN t.whole THEN 2 WHEN t.ended IS NOT NULL THEN 3 " \
    "WHEN EXISTS (SELECT 1 FROM subtask s WHERE s.task = t.id AND s.state >= 50) THEN 1 ELSE 0 END"
// Of an open one at most 99. How many files each machine has is not known: each counts alike.
#define PERCENT_OF_TASK                                                                                   \
    "CASE WHEN t.ended IS NOT NULL THEN 100 ELSE (SELECT least(99, coalesce(sum(CASE WHEN s.state = 100 " \
    "THEN 100 ELSE least(s.percent, 99) END) / greatest(count(*), 1), 0)) FROM subtask s WHERE s.task = t.id) END"

FleetMachine machine_in(const Rows& rows, int row, int column) {
    return {rows.text(row, column), rows.text(row, column + 1), rows.text(row, column + 2), rows.text(row, column + 3),
            0};
}

FleetTask task_in(const Rows& rows, int row) {
    FleetTask task;
    task.id = rows.text(row, 1);
    task.created_ms = rows.number(row, 2);
    task.ended_ms = rows.is_null(row, 3) ? 0 : rows.number(row, 3);
    task.phase = rows.number<ScanPhase>(row, 4);
    task.percent = rows.number<std::uint8_t>(row, 5);
    return task;
}

// `rows`: the number of all in the first column, then a task's columns.
template <class Machine>
FleetTasks tasks_in(const Rows& rows, Machine machine) {
    FleetTasks tasks;
    for (int row = 0; row < rows.size(); ++row) {
        tasks.total = rows.number<std::uint64_t>(row, 0);
        if (rows.is_null(row, 1)) continue;  // a page beyond the last
        tasks.tasks.push_back(task_in(rows, row));
        tasks.tasks.back().machine = machine(row);
    }
    return tasks;
}

// PostgreSQL has no larger ones.
std::int64_t offset_of(std::uint64_t offset) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(offset, INT64_MAX));
}

FleetTasks whole_tasks(Postgres& postgres, const AskFleetTasks& asked) {
    const auto& filter = asked.filter;
    const auto rows = postgres.run(
        "WITH wanted AS (SELECT t.id, t.number, " MS_OF("t.created") " AS created, " MS_OF("t.ended") " AS ended, "
        PHASE_OF_TASK " AS phase, t.whole FROM task t "
        "WHERE ($1 = '' OR t.id = $1) AND " MS_OF("t.created") " >= $2::bigint AND "
        "coalesce(" MS_OF("t.ended") ", 0) <= $3::bigint), "
        "fitting AS (SELECT * FROM wanted WHERE ($4::integer >> phase) & 1 = 1), "
        "page AS (SELECT * FROM fitting ORDER BY number DESC LIMIT $5::bigint OFFSET $6::bigint) "
        "SELECT (SELECT count(*) FROM fitting), page.id, page.created, page.ended, page.phase, "
        "(SELECT " PERCENT_OF_TASK " FROM task t WHERE t.id = page.id) "
        "FROM (SELECT 1) one LEFT JOIN page ON true ORDER BY page.number DESC",
        filter.task_id, filter.created_from_ms, filter.ended_until_ms, unsigned{filter.phases}, asked.limit,
        offset_of(asked.offset));
    return tasks_in(rows, [](int) { return FleetMachine(); });
}

FleetTasks parts_of_task(Postgres& postgres, const AskFleetTasks& asked) {
    const auto& filter = asked.filter;
    const auto& machines = asked.machines;
    const auto root = asked.root.empty() ? filter.task_id.substr(0, 24) + "00000000" : asked.root;
    const auto rows = postgres.run(
        "WITH wanted AS (SELECT " PART_ID " AS id, " MS_OF("t.created") " AS created, "
        "CASE WHEN s.state = 100 THEN " MS_OF("s.updated") " END AS ended, " PHASE_OF_PART " AS phase, "
        "CASE WHEN s.state = 100 THEN 100 ELSE least(s.percent, 99) END AS percent, " MACHINE_COLUMNS ", s.machine "
        "FROM subtask s JOIN task t ON t.id = s.task JOIN machine m ON m.id = s.machine "
        "WHERE s.task = $6 AND " MACHINE_MATCHES "), "
        "fitting AS (SELECT * FROM wanted WHERE ($7 = '' OR id = $7) AND created >= $8::bigint AND "
        "coalesce(ended, 0) <= $9::bigint AND ($10::integer >> phase) & 1 = 1), "
        "page AS (SELECT * FROM fitting ORDER BY machine LIMIT $11::bigint OFFSET $12::bigint) "
        "SELECT (SELECT count(*) FROM fitting), page.* FROM (SELECT 1) one LEFT JOIN page ON true ORDER BY machine",
        machines.uuid, machines.name, machines.internet, machines.intranet, machines.remark, root, filter.task_id,
        filter.created_from_ms, filter.ended_until_ms, unsigned{filter.phases}, asked.limit, offset_of(asked.offset));
    return tasks_in(rows, [&](int row) { return machine_in(rows, row, 6); });
}

}  // namespace

FleetStatistics fleet_statistics(Postgres& postgres) {
    FleetStatistics answer;
    const auto rows = postgres.run("SELECT t.id, " MS_OF(
        "t.created") ", " PHASE_OF_TASK ", " PERCENT_OF_TASK
                     ", n.machines, n.completed, n.safe, "
                     "n.suspicious, n.infected, n.risk, "
                     "CASE WHEN n.machines = 1 THEN (SELECT m.name FROM machine m JOIN subtask s ON s.machine = m.id "
                     "WHERE s.task = t.id) END "
                     "FROM task t, LATERAL (SELECT count(*) AS machines, count(*) FILTER (WHERE result = 'ok') AS "
                     "completed, "
                     "count(*) FILTER (WHERE result = 'ok' AND safe AND infected = 0) AS safe, "
                     "count(*) FILTER (WHERE infected > 0) AS suspicious, coalesce(sum(infected), 0)::bigint AS "
                     "infected, "
                     "coalesce(max(risk), 0) AS risk FROM subtask WHERE task = t.id) n WHERE t.id = " LATEST_TASK);
    answer.ever = !rows.empty();
    if (!answer.ever) return answer;
    static constexpr std::uint8_t status[] = {0, 10, 100, 100};  // by ScanPhase
    answer.task = rows.text(0, 0);
    answer.created_ms = rows.number(0, 1);
    answer.status = status[rows.number<std::size_t>(0, 2)];
    answer.percent = rows.number<std::uint8_t>(0, 3);
    answer.machines = rows.number<std::uint64_t>(0, 4);
    answer.completed = rows.number<std::uint64_t>(0, 5);
    answer.safe = rows.number<std::uint64_t>(0, 6);
    answer.suspicious = rows.number<std::uint64_t>(0, 7);
    answer.infected = rows.number<std::uint64_t>(0, 8);
    answer.risk = rows.number<RiskLevel>(0, 9);
    answer.only_machine = rows.text(0, 10);
    return answer;
}

FleetTasks fleet_tasks(Postgres& postgres, const AskFleetTasks& asked) {
    if (asked.filter.system == 0) return {};  // there are none of an owner's
    const bool is_of_part = !asked.filter.task_id.empty() && !asked.filter.task_id.ends_with("00000000");
    return asked.root.empty() && !is_of_part ? whole_tasks(postgres, asked) : parts_of_task(postgres, asked);
}

FleetMachines fleet_machines(Postgres& postgres, const AskFleetMachines& asked) {
    const auto& machines = asked.machines;
    const auto rows = postgres.run(
        "WITH wanted AS (SELECT m.id, " MACHINE_COLUMNS
        ", s.infected FROM subtask s JOIN machine m ON m.id = s.machine "
        "WHERE s.task = " LATEST_TASK " AND s.infected > 0 AND " MACHINE_MATCHES
        "), "
        "page AS (SELECT * FROM wanted ORDER BY id LIMIT $6::bigint OFFSET $7::bigint) "
        "SELECT (SELECT count(*) FROM wanted), page.* FROM (SELECT 1) one LEFT JOIN page ON true ORDER BY id",
        machines.uuid, machines.name, machines.internet, machines.intranet, machines.remark, asked.limit,
        offset_of(asked.offset));
    FleetMachines answer;
    for (int row = 0; row < rows.size(); ++row) {
        answer.total = rows.number<std::uint64_t>(row, 0);
        if (rows.is_null(row, 1)) continue;
        answer.machines.push_back(machine_in(rows, row, 2));
        answer.machines.back().findings = rows.number<std::uint64_t>(row, 6);
    }
    return answer;
}

// First which machines' finds the page has, by their counts; then these.
FleetFindings fleet_findings(Postgres& postgres, const AskFleetFindings& asked) {
    const auto& machines = asked.machines;
    Transaction transaction(postgres);
    postgres.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    const auto parts = postgres.run(
        "WITH part AS (SELECT s.id, s.findings, sum(s.findings) OVER (ORDER BY s.machine) - s.findings AS before, "
        "sum(s.findings) OVER () AS total, s.machine, " MACHINE_COLUMNS
        " FROM subtask s JOIN machine m ON m.id = s.machine "
        "WHERE s.task = " LATEST_TASK " AND s.findings > 0 AND " MACHINE_MATCHES
        ") "
        "SELECT total::bigint, id, before::bigint, name, uuid, internet, intranet, "
        "before + findings > $6::bigint AND before < $6::bigint + $7::bigint FROM part "
        "WHERE before + findings > $6::bigint AND before < $6::bigint + $7::bigint OR before = 0 ORDER BY machine",
        machines.uuid, machines.name, machines.internet, machines.intranet, machines.remark,
        std::min<std::int64_t>(offset_of(asked.offset), INT64_MAX / 2), asked.limit);
    FleetFindings answer;
    std::size_t bytes = 0;
    for (int part = 0; part < parts.size(); ++part) {
        answer.total = parts.number<std::uint64_t>(part, 0);
        if (!parts.truth(part, 7)) continue;
        const auto before = parts.number<std::uint64_t>(part, 2);
        const auto rows = postgres.run(
            "SELECT id, path, signature, found_ms FROM finding WHERE subtask = $1 ORDER BY event "
            "OFFSET $2::bigint LIMIT $3::bigint",
            parts.number(part, 1), asked.offset > before ? asked.offset - before : 0,
            asked.limit - answer.findings.size());
        for (int row = 0; row < rows.size() && bytes < most_page_bytes; ++row) {
            answer.findings.push_back({rows.number<std::uint64_t>(row, 0), rows.bytes(row, 1), rows.text(row, 2),
                                       rows.number(row, 3), machine_in(parts, part, 3)});
            bytes += answer.findings.back().path.size();
        }
        if (answer.findings.size() >= asked.limit || bytes >= most_page_bytes) break;
    }
    transaction.commit();
    return answer;
}

}  // namespace clamscanner
