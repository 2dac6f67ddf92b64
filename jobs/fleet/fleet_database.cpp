#include "jobs/fleet/fleet_database.h"

#include <chrono>
#include <cstdio>

#include "auth/base/log.h"
#include "auth/base/random.h"
#include "jobs/fleet/schema.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/uuid.h"

namespace clamscanner {
namespace {

// Two numbers of our own, for pg_advisory_lock(): who leads, and who changes the schema.
#define LOCK_TO_LEAD "1668047213, 1"
#define LOCK_TO_MIGRATE "1668047213, 2"

// Under way in the thread of one clamscanner-fleetd: others see the number grow, and load again.
void note_change(Postgres& postgres) {
    postgres.run("UPDATE fleet SET changes = changes + 1");
}

int version_of_schema(Postgres& postgres) {
    if (postgres.run("SELECT to_regclass('fleet')").is_null(0, 0)) return 0;
    return postgres.run("SELECT version FROM fleet").number<int>(0, 0);
}

int known_version() {
    return static_cast<int>(schema_versions().size());
}

OpenPart part_in(const Rows& rows, int row, int column) {
    OpenPart part;
    part.id = rows.number(row, column);
    part.created_ms = rows.number(row, column + 1);
    if (!rows.is_null(row, column + 2)) part.before = rows.text(row, column + 2);
    part.remote_task = rows.text(row, column + 3);
    part.status = rows.number<int>(row, column + 4);
    part.percent = rows.number<int>(row, column + 5);
    part.infected = rows.number<std::uint64_t>(row, column + 6);
    part.risk = rows.number<RiskLevel>(row, column + 7);
    part.completed = rows.truth(row, column + 8);
    part.safe = rows.truth(row, column + 9);
    part.findings = rows.number<std::uint64_t>(row, column + 10);
    part.collected = rows.truth(row, column + 11);
    part.finding_bytes = rows.number<std::uint64_t>(row, column + 12);
    return part;
}

// One statement for all, however many they are.
void save_parts(Postgres& postgres, const std::vector<OpenPart>& parts) {
    if (parts.empty()) return;
    std::vector<std::vector<std::string>> columns(9);
    for (const auto& part : parts) {
        std::size_t column = 0;
        const auto add = [&](const std::string& value) { columns[column++].push_back(value); };
        add(std::to_string(part.id));
        add(std::to_string(part.status));
        add(std::to_string(part.percent));
        add(std::to_string(part.infected));
        add(std::to_string(static_cast<int>(part.risk)));
        add(part.completed ? "t" : "f");
        add(part.safe ? "t" : "f");
        add(part.collected ? "t" : "f");
        add(part.remote_task);
    }
    postgres.run(
        "UPDATE subtask s SET remote_status = r.status, percent = r.percent, infected = r.infected, risk = r.risk, "
        "completed = r.completed, safe = r.safe, collected = r.collected, updated = now(), "
        "state = CASE WHEN r.status = 100 AND r.collected THEN 100 WHEN r.status >= 10 THEN 50 "
        "ELSE greatest(s.state, 20) END, "
        "result = CASE WHEN r.status = 100 AND r.collected THEN CASE WHEN r.completed THEN 'ok' ELSE 'failed' END END "
        "FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::smallint[], $6::boolean[], "
        "$7::boolean[], $8::boolean[], $9::text[]) "
        "AS r(id, status, percent, infected, risk, completed, safe, collected, remote_task) "
        "WHERE s.id = r.id AND s.state < 100 AND s.remote_task = r.remote_task",
        sql_array(columns[0]), sql_array(columns[1]), sql_array(columns[2]), sql_array(columns[3]),
        sql_array(columns[4]), sql_array(columns[5]), sql_array(columns[6]), sql_array(columns[7]),
        sql_array(columns[8]));
}

void save_notes(Postgres& postgres, const std::vector<MachineNote>& notes) {
    if (notes.empty()) return;
    std::vector<std::string> machines;
    std::vector<std::string> problems;
    for (const auto& note : notes) {
        machines.push_back(std::to_string(note.machine));
        problems.push_back(note.problem);
    }
    postgres.run(
        "UPDATE machine m SET problem = n.problem, seen = CASE WHEN n.problem = '' THEN now() ELSE seen END, "
        "problem_since = CASE WHEN n.problem = '' THEN NULL ELSE coalesce(m.problem_since, now()) END "
        "FROM unnest($1::integer[], $2::text[]) AS n(id, problem) WHERE m.id = n.id",
        sql_array(machines), sql_array(problems));
}

// What has not answered by the deadline is not scanned, and the task ends with its last part.
void end_what_is_over(Postgres& postgres) {
    postgres.run(
        "UPDATE subtask s SET state = 100, result = CASE WHEN remark <> '' AND remote_task IS NULL "
        "THEN 'refused' ELSE 'offline' END, updated = now() FROM task t WHERE t.id = s.task AND t.ended IS NULL AND "
        "s.state < 100 AND t.deadline <= now()");
    const auto ended = postgres.run(
        "UPDATE task t SET ended = now(), "
        "whole = NOT EXISTS (SELECT 1 FROM subtask s WHERE s.task = t.id AND s.result <> 'ok') "
        "WHERE t.ended IS NULL AND NOT EXISTS (SELECT 1 FROM subtask s WHERE s.task = t.id AND s.state < 100)");
    if (ended.changed() > 0) note_change(postgres);
}

bool was_lately_reinstalled(Postgres& postgres, int machine) {
    return !postgres
                .run("SELECT 1 FROM machine WHERE id = $1 AND reinstalled > now() - make_interval(mins => $2::integer)",
                     machine, believed_each.count())
                .empty();
}

void forget_old_installations(Postgres& postgres, int machine) {
    postgres.run(
        "DELETE FROM installation WHERE machine = $1 AND id NOT IN "
        "(SELECT id FROM installation WHERE machine = $1 ORDER BY id DESC LIMIT $2)",
        machine, most_installations);
}

std::int64_t now_in_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// The time of its creation, and what makes it unique; the end is left for the machines' parts (fleet_answers.h).
std::string fresh_task_id() {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(now_in_ms()));
    return text + random_hex(4) + "00000000";
}

}  // namespace

int migrate(Postgres& postgres) {
    // Another one lacks characters, and refuses all that is written together with one of these.
    if (const auto encoding = postgres.run("SHOW server_encoding").text(0, 0); encoding != "UTF8")
        throw PostgresError("the fleet's database has the encoding " + printable(encoding) +
                                "; accepted: UTF8 (createdb -E UTF8 -T template0)",
                            "");
    Transaction transaction(postgres);
    postgres.run("SELECT pg_advisory_xact_lock(" LOCK_TO_MIGRATE ")");
    const int before = version_of_schema(postgres);
    for (int version = before; version < known_version(); ++version)
        postgres.run_script(schema_versions()[static_cast<std::size_t>(version)]);
    postgres.run("UPDATE fleet SET version = $1 WHERE version < $1::integer", known_version());
    transaction.commit();
    require_schema(postgres);
    return before;
}

void require_schema(Postgres& postgres) {
    const int version = version_of_schema(postgres);
    if (version == known_version()) return;
    throw PostgresError(version == 0 ? "the fleet's database is empty: clamscanner-fleet init"
                        : version < known_version()
                            ? "the fleet's database is of an older version: clamscanner-fleet init"
                            : "the fleet's database is of a newer version than this program: upgrade it",
                        "");
}

bool try_to_lead(Postgres& postgres) {
    return postgres.run("SELECT pg_try_advisory_lock(" LOCK_TO_LEAD ")").truth(0, 0);
}

std::int64_t changes_of(Postgres& postgres) {
    return postgres.run("SELECT changes FROM fleet").number(0, 0);
}

FleetMembers load_members(Postgres& postgres) {
    Transaction transaction(postgres);
    FleetMembers loaded;
    loaded.changes = changes_of(postgres);
    const auto rows = postgres.run(
        "SELECT m.id, m.name, m.url, "
        "coalesce((SELECT uuid::text FROM installation i WHERE i.machine = m.id ORDER BY i.id DESC LIMIT 1), ''), "
        "s.id, (extract(epoch FROM t.created) * 1000)::bigint, s.before, s.remote_task, s.remote_status, s.percent, "
        "s.infected, s.risk, s.completed, s.safe, s.findings, s.collected, s.finding_bytes "
        "FROM machine m LEFT JOIN subtask s ON s.machine = m.id AND s.state < 100 LEFT JOIN task t ON t.id = s.task "
        "WHERE m.removed IS NULL ORDER BY m.id");
    for (int row = 0; row < rows.size(); ++row) {
        FleetMember member{rows.number<int>(row, 0), rows.text(row, 1), rows.text(row, 2), rows.text(row, 3), {}};
        if (!rows.is_null(row, 4)) member.part = part_in(rows, row, 4);
        loaded.members.push_back(std::move(member));
    }
    transaction.commit();
    return loaded;
}

Introduction introduce(Postgres& postgres, int machine, const MachineIdentity& identity) {
    Transaction transaction(postgres);
    const auto known =
        postgres.run("SELECT uuid::text FROM installation WHERE machine = $1 ORDER BY id DESC LIMIT 1", machine);
    const bool is_known = !known.empty() && known.text(0, 0) == identity.installation;
    const bool is_another = !is_known && !known.empty();
    if (is_another && was_lately_reinstalled(postgres, machine)) return {Introduced::TooSoon, ""};
    if (!is_known) {
        // A machine that was removed and added again is another one to us, with the same installation.
        const auto taken = postgres.run(
            "INSERT INTO installation AS i (uuid, machine) VALUES ($2::uuid, $1) ON CONFLICT (uuid) DO UPDATE "
            "SET machine = EXCLUDED.machine, id = DEFAULT, seen = now() WHERE i.machine = EXCLUDED.machine "
            "OR EXISTS (SELECT 1 FROM machine WHERE id = i.machine AND removed IS NOT NULL) RETURNING 1",
            machine, identity.installation);
        if (taken.empty())
            return {Introduced::AsAnother, postgres
                                               .run("SELECT name FROM machine JOIN installation i ON i.machine = "
                                                    "machine.id WHERE i.uuid = $1::uuid",
                                                    identity.installation)
                                               .text(0, 0)};
    }
    postgres.run("UPDATE machine SET internet = $2, intranet = $3 WHERE id = $1 AND (internet <> $2 OR intranet <> $3)",
                 machine, identity.internet, identity.intranet);
    if (is_another) {
        postgres.run("UPDATE machine SET reinstalled = now() WHERE id = $1", machine);
        forget_old_installations(postgres, machine);
        postgres.run(
            "UPDATE subtask SET state = 100, result = 'failed', updated = now() "
            "WHERE machine = $1 AND state < 100 AND installation <> $2::uuid",
            machine, identity.installation);
        note_change(postgres);
    }
    transaction.commit();
    return {is_another ? Introduced::Reinstalled : Introduced::AsKnown, ""};
}

bool set_before(Postgres& postgres, std::int64_t part, const std::string& before) {
    return postgres
               .run("UPDATE subtask SET before = $2, updated = now() WHERE id = $1 AND state < 100 AND before IS NULL",
                    part, before)
               .changed() == 1;
}

Begun begin_part(Postgres& postgres, std::int64_t part, const std::string& installation,
                 const std::string& remote_task) {
    Transaction transaction(postgres);
    const auto row = postgres.run("SELECT begun FROM subtask WHERE id = $1 AND state < 100 FOR UPDATE", part);
    if (row.empty()) return Begun::PartHasEnded;
    const bool is_too_often = row.number(0, 0) >= most_begun;
    if (is_too_often) {
        postgres.run("UPDATE subtask SET state = 100, result = 'failed', remark = $2, updated = now() WHERE id = $1",
                     part,
                     "it began " + std::to_string(most_begun) +
                         " scans since the order, and another one before we had the last");
        end_what_is_over(postgres);
    } else {
        postgres.run("DELETE FROM finding WHERE subtask = $1", part);
        postgres.run(
            "UPDATE subtask SET installation = $2::uuid, remote_task = $3, state = greatest(state, 20), remark = '', "
            "remote_status = 0, percent = 0, infected = 0, risk = 0, completed = false, safe = false, findings = 0, "
            "finding_bytes = 0, collected = false, begun = begun + 1, updated = now() WHERE id = $1",
            part, installation, remote_task);
    }
    transaction.commit();
    return is_too_often ? Begun::TooOften : Begun::Yes;
}

bool set_remark(Postgres& postgres, std::int64_t part, const std::string& remark) {
    return postgres.run("UPDATE subtask SET remark = $2 WHERE id = $1 AND state < 100 AND remark <> $2", part, remark)
               .changed() == 1;
}

std::optional<Added> add_findings(Postgres& postgres, std::int64_t part, const std::vector<MachineFinding>& findings) {
    Transaction transaction(postgres);
    std::vector<std::string> events;
    std::vector<std::string> times;
    std::vector<std::string> viruses;
    std::vector<std::string> paths;
    for (const auto& finding : findings) {
        events.push_back(std::to_string(finding.event));
        times.push_back(std::to_string(finding.found_ms));
        viruses.push_back(finding.virus);
        paths.push_back(sql_bytes(finding.path));
    }
    if (postgres.run("SELECT 1 FROM subtask WHERE id = $1 AND state < 100 FOR UPDATE", part).empty())
        return std::nullopt;
    const auto added = postgres.run(
        "INSERT INTO finding(subtask, event, found_ms, signature, path) "
        "SELECT $1::bigint, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING "
        "RETURNING octet_length(path) + octet_length(signature)",
        part, sql_array(events), sql_array(times), sql_array(viruses), sql_array(paths));
    Added sum;
    for (int row = 0; row < added.size(); ++row) sum.bytes += added.number<std::uint64_t>(row, 0);
    sum.findings = static_cast<std::uint64_t>(added.size());
    postgres.run(
        "UPDATE subtask SET findings = findings + $2, finding_bytes = finding_bytes + $3, updated = now() WHERE id = "
        "$1",
        part, sum.findings, sum.bytes);
    transaction.commit();
    return sum;
}

void save(Postgres& postgres, const std::vector<OpenPart>& parts, const std::vector<MachineNote>& notes) {
    Transaction transaction(postgres);
    save_parts(postgres, parts);
    save_notes(postgres, notes);
    end_what_is_over(postgres);
    transaction.commit();
}

std::string start_task(Postgres& postgres, const std::string& asked_by, std::uint64_t deadline_minutes) try {
    Transaction transaction(postgres);
    const auto id = fresh_task_id();
    postgres.run("INSERT INTO task(id, asked_by, deadline) VALUES ($1, $2, now() + make_interval(mins => $3::integer))",
                 id, asked_by, deadline_minutes);
    const auto parts =
        postgres.run("INSERT INTO subtask(task, machine) SELECT $1, id FROM machine WHERE removed IS NULL", id);
    if (parts.changed() == 0)
        throw Refusal(200, "There is no machine in the fleet. The administrator adds them with clamscanner-fleet.");
    note_change(postgres);
    transaction.commit();
    return id;
} catch (const PostgresError& error) {
    constexpr const char* unique_violation = "23505";
    if (error.state() != unique_violation) throw;
    throw Refusal(200, "A scan of all machines is under way already. Wait until it has ended.");
}

bool add_machine(Postgres& postgres, const std::string& name, const std::string& url) {
    Transaction transaction(postgres);
    postgres.run("INSERT INTO machine(uuid, name, url) VALUES ($1::uuid, $2, $3) ON CONFLICT DO NOTHING", random_uuid(),
                 name, url);
    const bool is_there =
        !postgres.run("SELECT 1 FROM machine WHERE name = $1 AND url = $2 AND removed IS NULL", name, url).empty();
    if (!is_there) return false;
    note_change(postgres);
    transaction.commit();
    return true;
}

bool remove_machine(Postgres& postgres, const std::string& name) {
    Transaction transaction(postgres);
    const auto removed =
        postgres.run("UPDATE machine SET removed = now() WHERE name = $1 AND removed IS NULL RETURNING id", name);
    if (removed.empty()) return false;
    postgres.run(
        "UPDATE subtask SET state = 100, result = 'offline', updated = now() WHERE machine = $1 AND state < 100",
        removed.number(0, 0));
    end_what_is_over(postgres);
    note_change(postgres);
    transaction.commit();
    return true;
}

bool forget_old_tasks(Postgres& postgres, std::uint64_t days) {
    return postgres
               .run(
                   "DELETE FROM task WHERE id IN (SELECT id FROM task WHERE ended < now() - make_interval(days => "
                   "$1::integer) AND number < (SELECT max(number) FROM task) ORDER BY number LIMIT 1)",
                   days)
               .changed() > 0;
}

}  // namespace clamscanner
