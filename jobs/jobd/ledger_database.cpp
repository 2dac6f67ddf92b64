#include "jobs/jobd/ledger_database.h"

#include <chrono>

namespace clamscanner {
namespace {

// Raise it when a table changes; a database that another version wrote is refused.
constexpr int schema_version = 2;

// The database itself allows only one job per account, by a unique index. No number that clients may keep (of a task, a
// find, a quarantined file) is used again once its row was deleted: AUTOINCREMENT.
constexpr const char* schema = R"(
CREATE TABLE account(
    id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER, name BLOB, home BLOB, file_system INTEGER, inode INTEGER,
    born_ns INTEGER,
    UNIQUE(uid, name, home, file_system, inode, born_ns));
CREATE TABLE task(
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL,
    outcome INTEGER NOT NULL DEFAULT 0, scan_type INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,
    -- "running": the host's running time, which does not follow the clock; see running_time.h
    begun_running_ms INTEGER NOT NULL DEFAULT 0, ended_ms INTEGER, ended_running_ms INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    starts INTEGER NOT NULL DEFAULT 0, progress_at_start INTEGER NOT NULL DEFAULT 0,
    total_files INTEGER NOT NULL DEFAULT 0, total_bytes INTEGER NOT NULL DEFAULT 0,
    scanned_files INTEGER NOT NULL DEFAULT 0, scanned_bytes INTEGER NOT NULL DEFAULT 0,
    clean_files INTEGER NOT NULL DEFAULT 0, infected_files INTEGER NOT NULL DEFAULT 0,
    unscanned_files INTEGER NOT NULL DEFAULT 0, last_record INTEGER NOT NULL DEFAULT 0,
    embedded INTEGER NOT NULL DEFAULT 0, log_pending INTEGER NOT NULL DEFAULT 0, why BLOB NOT NULL DEFAULT x'',
    pruned INTEGER NOT NULL DEFAULT 0, -- 1: a newer task has superseded it; 2: its rows are deleted
    risk INTEGER NOT NULL DEFAULT 0,
    origin INTEGER NOT NULL DEFAULT 0, -- 1: "system" in the statistics
    walked INTEGER NOT NULL DEFAULT 0, -- the totals are final
    system_scan INTEGER, settled_files INTEGER NOT NULL DEFAULT 0, settled_bytes INTEGER NOT NULL DEFAULT 0,
    settled_clean INTEGER NOT NULL DEFAULT 0, settled_known INTEGER NOT NULL DEFAULT 0,
    known_files INTEGER NOT NULL DEFAULT 0, full_scan INTEGER NOT NULL DEFAULT 0,
    signature_problem BLOB NOT NULL DEFAULT x'', list_bytes INTEGER NOT NULL DEFAULT 0,
    walk_unreadable INTEGER NOT NULL DEFAULT 0, walk_start INTEGER NOT NULL DEFAULT 0,
    known_infected INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX one_job_an_account ON task(account) WHERE state < 2;
CREATE INDEX tasks_of_account ON task(account, kind, id);
CREATE INDEX pending_logs ON task(id) WHERE log_pending = 1 AND state = 2;
CREATE INDEX to_prune ON task(id) WHERE pruned = 1;
CREATE INDEX old_tasks ON task(ended_ms) WHERE pruned = 2;
CREATE INDEX jobs_of_system_scan ON task(system_scan) WHERE system_scan IS NOT NULL;
CREATE TABLE find(
    id INTEGER PRIMARY KEY AUTOINCREMENT, task INTEGER NOT NULL, path BLOB NOT NULL, verdict INTEGER NOT NULL,
    virus BLOB NOT NULL, reason INTEGER NOT NULL, start INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0,
    found_ms INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0, -- infected by an earlier scan: it was not read
    place INTEGER, -- in the list of files
    sha256 BLOB NOT NULL DEFAULT x'', -- of what was found
    UNIQUE(task, path));
CREATE INDEX finds_in_order ON find(task, verdict, id);
CREATE TABLE unscanned_count(
    task INTEGER, reason INTEGER, files INTEGER NOT NULL, PRIMARY KEY(task, reason)) WITHOUT ROWID;
CREATE TABLE action(
    task INTEGER, number INTEGER, path BLOB NOT NULL, action INTEGER NOT NULL, listed INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, opaque BLOB, device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER,
    sha256 BLOB, virus BLOB, metadata BLOB,
    remark BLOB NOT NULL DEFAULT x'', -- for its step
    moved INTEGER NOT NULL DEFAULT 0, -- whether it differs from the scanned file
    PRIMARY KEY(task, number)) WITHOUT ROWID;
CREATE INDEX open_actions ON action(task, number) WHERE state < 2;
CREATE TABLE cut_message(
    task INTEGER, number INTEGER, opaque BLOB, sha256 BLOB NOT NULL, virus BLOB NOT NULL,
    PRIMARY KEY(task, number, opaque)) WITHOUT ROWID;
CREATE TABLE record(
    task INTEGER, id INTEGER, type INTEGER NOT NULL, state INTEGER NOT NULL, file BLOB NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY(task, id)) WITHOUT ROWID;
CREATE TABLE step_count(
    task INTEGER, state INTEGER, steps INTEGER NOT NULL, PRIMARY KEY(task, state)) WITHOUT ROWID;
CREATE TABLE quarantine(
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, opaque BLOB NOT NULL, path BLOB NOT NULL,
    virus BLOB NOT NULL, sha256 BLOB NOT NULL, device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER,
    metadata BLOB NOT NULL,
    time_ms INTEGER NOT NULL,
    running_ms INTEGER NOT NULL, -- the host's running time when it was put there
    clean INTEGER NOT NULL DEFAULT 0, -- by newer signatures
    may_hold_mail INTEGER NOT NULL DEFAULT 0, -- so it never expires
    adopted INTEGER NOT NULL DEFAULT 0, -- known by its owner's record alone
    UNIQUE(account, opaque));
CREATE TABLE system_scan(
    id INTEGER PRIMARY KEY AUTOINCREMENT, created_ms INTEGER NOT NULL, created_running_ms INTEGER NOT NULL,
    accounts INTEGER NOT NULL, left_out INTEGER NOT NULL DEFAULT 0,
    ended_ms INTEGER, completed INTEGER NOT NULL DEFAULT 0, infected_files INTEGER NOT NULL DEFAULT 0, risk INTEGER NOT NULL DEFAULT 0,
    proves_nothing INTEGER NOT NULL DEFAULT 0); -- see ScanTask
CREATE UNIQUE INDEX one_system_scan ON system_scan(ended_ms IS NULL) WHERE ended_ms IS NULL;
CREATE TABLE system_scan_account(
    scan INTEGER, uid INTEGER, dealt_with INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(scan, uid)) WITHOUT ROWID;
CREATE TABLE host(uuid BLOB NOT NULL);
CREATE TABLE running_time(
    id INTEGER PRIMARY KEY CHECK(id = 1), total_ms INTEGER NOT NULL, since_boot_ms INTEGER NOT NULL); -- one row
INSERT INTO running_time VALUES(1, 0, 0);
CREATE TABLE held_signature(
    signature BLOB PRIMARY KEY, why BLOB NOT NULL, since_ms INTEGER NOT NULL, allowed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE signature_hit( -- of the last hour, one of each account
    signature BLOB, account INTEGER, running_ms INTEGER NOT NULL, PRIMARY KEY(signature, account)) WITHOUT ROWID;
CREATE INDEX hits_by_age ON signature_hit(running_ms);
CREATE INDEX hits_of_signature ON signature_hit(signature, running_ms);
)";

// These make the statements that run for each step, find or poll cost the same in a long list as in a short one. They
// are apart from the schema, because indexes can be added and dropped without raising its version.
constexpr const char* index_schema = R"(
CREATE INDEX IF NOT EXISTS unpruned_tasks ON task(account, kind, id) WHERE pruned = 0;
CREATE INDEX IF NOT EXISTS unpruned_jobs ON task(system_scan) WHERE system_scan IS NOT NULL AND pruned = 0;
CREATE INDEX IF NOT EXISTS open_jobs ON task(system_scan) WHERE system_scan IS NOT NULL AND state < 2;
CREATE INDEX IF NOT EXISTS waiting_accounts ON system_scan_account(scan, uid) WHERE dealt_with = 0;
CREATE INDEX IF NOT EXISTS listed_finds ON find(task) WHERE verdict = 1 AND gone = 0;
CREATE INDEX IF NOT EXISTS hits_of_task ON find(task, virus) WHERE verdict = 1;
CREATE INDEX IF NOT EXISTS finds_by_place ON find(task, place) WHERE place IS NOT NULL;
CREATE INDEX IF NOT EXISTS quarantine_in_order ON quarantine(account);
CREATE INDEX IF NOT EXISTS quarantine_by_age ON quarantine(account, time_ms);
CREATE INDEX IF NOT EXISTS quarantined_clean ON quarantine(account) WHERE clean = 1;
)";

}  // namespace

LedgerDatabase::LedgerDatabase(const std::string& file) : database_(file) {
    database_.execute("PRAGMA journal_mode = WAL");
    database_.execute("PRAGMA synchronous = FULL");
    database_.execute("PRAGMA cache_size = -16384");
    const auto version = Statement(database_.handle(), "PRAGMA user_version").number().value_or(0);
    if (version != 0 && version != schema_version)
        throw DatabaseError("the database was written by another version of this program");
    write();
    if (version == 0) database_.execute(schema);
    database_.execute(("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
    // Tasks that were running when jobd last ended are queued again. Their attempts do not count, because we cannot
    // tell whose fault it was.
    statement("UPDATE task SET state = 0 WHERE state = 1").run();
    database_.execute(index_schema);
    commit();
}

Statement& LedgerDatabase::statement(const char* sql) {
    auto& prepared = statements_[sql];
    if (!prepared) prepared = std::make_unique<Statement>(database_.handle(), sql);
    return *prepared;
}

std::map<std::string, std::int64_t> LedgerDatabase::work() {
    std::map<std::string, std::int64_t> work;
    for (const auto& [sql, prepared] : statements_) work[sql] += prepared->work();
    return work;
}

void LedgerDatabase::write() {
    if (in_transaction_) return;
    database_.execute("BEGIN IMMEDIATE");
    in_transaction_ = true;
}

void LedgerDatabase::commit() {
    if (!in_transaction_) return;
    database_.execute("COMMIT");
    in_transaction_ = false;
}

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace clamscanner
