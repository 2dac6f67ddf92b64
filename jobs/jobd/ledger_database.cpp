#include "jobs/jobd/ledger_database.h"

#include <chrono>

#include "jobs/jobd/scan_sql.h"

namespace clamscanner {
namespace {

// Raise it when a table or a trigger changes, and say below how the version before becomes this one; a database
// that an older or a newer one wrote is refused.
constexpr int schema_version = 7;
constexpr int oldest_version = 6;

constexpr int longest_kept_log = 16 << 20;  // bytes of the write-ahead log that stay when it is empty

// Pages of 4 KiB. As many are kept as jobs of the usual size fill again.
constexpr std::int64_t kept_free_pages = 2048;
#define PAGES_AT_ONCE "64"

// The database itself allows only one job per account, by a unique index. No number that clients may keep (of a task, a
// find, a quarantined file) is used again once its row was deleted: AUTOINCREMENT.
constexpr const char* schema = R"(
CREATE TABLE account(
    id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER, name BLOB, home BLOB, file_system INTEGER, inode INTEGER,
    born_ns INTEGER,
    scans INTEGER NOT NULL DEFAULT 0, -- how many there were ever
    clean_in_quarantine INTEGER NOT NULL DEFAULT 0,
    ignored INTEGER NOT NULL DEFAULT 0, -- how many rows of that table are its own
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
    last_record INTEGER NOT NULL DEFAULT 0,
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
    known_infected INTEGER NOT NULL DEFAULT 0, ignored_files INTEGER NOT NULL DEFAULT 0,
    number INTEGER NOT NULL DEFAULT 0); -- of a scan, among its account's, from 1; of a change (history_table.h) likewise
CREATE UNIQUE INDEX one_job_an_account ON task(account) WHERE state < 2;
CREATE TABLE find(
    id INTEGER PRIMARY KEY AUTOINCREMENT, task INTEGER NOT NULL, path BLOB NOT NULL,
    verdict INTEGER NOT NULL, -- 1: infected; 2: unscanned; 3: infected, and ignored
    virus BLOB NOT NULL, reason INTEGER NOT NULL, start INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0,
    found_ms INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0, -- infected by an earlier scan: it was not read
    place INTEGER, -- in the list of files
    sha256 BLOB NOT NULL DEFAULT x'', -- of what was found
    number INTEGER NOT NULL DEFAULT 0, -- of an infected file, among its task's, from 1 without gaps, in the order found
    ignored_by INTEGER, -- the row of that table; it may be gone
    size INTEGER, changed_ms INTEGER, first_ms INTEGER, -- see FindFacts; NULL: unknown
    UNIQUE(task, path));
-- What owners say is fine although it is found (their account's number), and the administrator (0). What is empty binds
-- to nothing: an owner's row has a content and a signature, a pattern of paths has a signature.
CREATE TABLE ignored(
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, virus BLOB NOT NULL, sha256 BLOB NOT NULL,
    pattern BLOB NOT NULL, path BLOB NOT NULL, -- the file that its owner named
    reason BLOB NOT NULL, asked_by INTEGER NOT NULL, which BLOB NOT NULL, address BLOB NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, -- 0: never
    state INTEGER NOT NULL, -- 1: copies that were found before may not be marked yet; 2: it has ended, and finds that
                            -- it marked may have to be returned
    UNIQUE(account, virus, sha256, pattern));
CREATE TABLE unscanned_count(
    task INTEGER, reason INTEGER, files INTEGER NOT NULL, PRIMARY KEY(task, reason)) WITHOUT ROWID;
-- In how many files a task found a signature.
CREATE TABLE hit(task INTEGER, virus BLOB, files INTEGER NOT NULL, PRIMARY KEY(task, virus)) WITHOUT ROWID;
CREATE TABLE action(
    task INTEGER, number INTEGER, path BLOB NOT NULL, action INTEGER NOT NULL, listed INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, opaque BLOB, device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER,
    sha256 BLOB, virus BLOB, metadata BLOB,
    remark BLOB NOT NULL DEFAULT x'', -- for its step
    moved INTEGER NOT NULL DEFAULT 0, -- whether it differs from the scanned file
    PRIMARY KEY(task, number)) WITHOUT ROWID;
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
    ended_ms INTEGER, accounts INTEGER NOT NULL DEFAULT 0, left_out INTEGER NOT NULL DEFAULT 0,
    -- Of its jobs that have ended:
    jobs INTEGER NOT NULL DEFAULT 0, incomplete INTEGER NOT NULL DEFAULT 0, total_files INTEGER NOT NULL DEFAULT 0,
    scanned_files INTEGER NOT NULL DEFAULT 0, unscanned_files INTEGER NOT NULL DEFAULT 0,
    infected_files INTEGER NOT NULL DEFAULT 0, ignored_files INTEGER NOT NULL DEFAULT 0,
    risk INTEGER NOT NULL DEFAULT 0,
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

-- How many scans there are, by blocks of 1024 numbers: of an account by their number among its scans; of the host,
-- account 0, by their id. So a page deep in a long history is found without passing all that comes before. Times are
-- the least and the greatest of all scans that were ever counted there.
CREATE TABLE scan_count(
    account INTEGER, block INTEGER, origin INTEGER, phase INTEGER, scans INTEGER NOT NULL DEFAULT 0,
    first_created_ms INTEGER NOT NULL, last_created_ms INTEGER NOT NULL,
    first_ended_ms INTEGER NOT NULL, last_ended_ms INTEGER NOT NULL, -- 0 if the phase is none of an end
    PRIMARY KEY(account, block, origin, phase)) WITHOUT ROWID;
CREATE TABLE total(id INTEGER PRIMARY KEY CHECK(id = 1), scanned_accounts INTEGER NOT NULL); -- one row
INSERT INTO total VALUES(1, 0);
)";

#define COUNT_OF(whose, block_number, row) \
    " WHERE account = " whose " AND block = " block_number " AND origin = " row ".origin AND phase = " PHASE_OF(row)
#define COUNT_IN(whose, block_number, row)                                                                \
    "INSERT OR IGNORE INTO scan_count(account, block, origin, phase, first_created_ms, last_created_ms, " \
    "first_ended_ms, last_ended_ms) VALUES(" whose ", " block_number ", " row                             \
    ".origin, " PHASE_OF(row) ", " row ".created_ms, " row ".created_ms, coalesce(" row                   \
                              ".ended_ms, 0), 0); "                                                       \
                              "UPDATE scan_count SET scans = scans + 1, "                                 \
                              "first_created_ms = min(first_created_ms, " row                             \
                              ".created_ms), "                                                            \
                              "last_created_ms = max(last_created_ms, " row                               \
                              ".created_ms), "                                                            \
                              "first_ended_ms = min(first_ended_ms, coalesce(" row                        \
                              ".ended_ms, 0)), "                                                          \
                              "last_ended_ms = max(last_ended_ms, coalesce(" row                          \
                              ".ended_ms, 0))" COUNT_OF(whose, block_number, row) "; "
#define COUNT_OUT(whose, block_number, row) \
    "UPDATE scan_count SET scans = scans - 1" COUNT_OF(whose, block_number, row) "; "          \
    "DELETE FROM scan_count" COUNT_OF(whose, block_number, row) " AND scans = 0; "

// Counts are kept by the database itself, whoever changes a task.
constexpr const char* triggers =
    "CREATE TRIGGER scan_added AFTER INSERT ON task WHEN new.kind = 0 BEGIN "
    "UPDATE account SET scans = scans + 1 WHERE id = new.account; "
    "UPDATE total SET scanned_accounts = scanned_accounts + 1 "
    "WHERE id = 1 AND (SELECT scans FROM account WHERE id = new.account) = 1; "
    "UPDATE task SET number = (SELECT scans FROM account WHERE id = new.account) WHERE id = new.id; "
    COUNT_IN("0", "new.id >> 10", "new")
    COUNT_IN("new.account", "(SELECT scans FROM account WHERE id = new.account) >> 10", "new")
    "END; "
    "CREATE TRIGGER scan_changed AFTER UPDATE OF state, outcome, starts, origin ON task "
    "WHEN new.kind = 0 AND (" PHASE_OF("old") " <> " PHASE_OF("new") " OR old.origin <> new.origin) BEGIN "
    COUNT_OUT("0", "old.id >> 10", "old") COUNT_OUT("old.account", "old.number >> 10", "old")
    COUNT_IN("0", "new.id >> 10", "new") COUNT_IN("new.account", "new.number >> 10", "new")
    "END; "
    "CREATE TRIGGER scan_removed AFTER DELETE ON task WHEN old.kind = 0 BEGIN "
    COUNT_OUT("0", "old.id >> 10", "old") COUNT_OUT("old.account", "old.number >> 10", "old")
    "END; "
    "CREATE TRIGGER job_ended AFTER UPDATE OF state ON task "
    "WHEN new.state = 2 AND old.state < 2 AND new.system_scan IS NOT NULL BEGIN "
    "UPDATE system_scan SET jobs = jobs + 1, incomplete = incomplete + (new.outcome <> 1), "
    "infected_files = infected_files + new.infected_files, ignored_files = ignored_files + new.ignored_files, "
    "risk = max(risk, new.risk), "
    "total_files = total_files + new.total_files, scanned_files = scanned_files + new.scanned_files, "
    "unscanned_files = unscanned_files + " UNSCANNED_FILES("new") ", "
    "proves_nothing = max(proves_nothing, " PROVES_NOTHING("new") ") WHERE id = new.system_scan; "
    "END; "
    // Its owner has files ignored, or no longer.
    "CREATE TRIGGER job_reviewed AFTER UPDATE OF infected_files, ignored_files ON task "
    "WHEN new.state = 2 AND old.state = 2 AND new.system_scan IS NOT NULL BEGIN "
    "UPDATE system_scan SET infected_files = infected_files + new.infected_files - old.infected_files, "
    "ignored_files = ignored_files + new.ignored_files - old.ignored_files, risk = max(risk, new.risk), "
    "proves_nothing = max(proves_nothing, new.ignored_files > 0) WHERE id = new.system_scan; "
    "END; "
    "CREATE TRIGGER ignored_added AFTER INSERT ON ignored BEGIN "
    "UPDATE account SET ignored = ignored + 1 WHERE id = new.account; END; "
    "CREATE TRIGGER ignored_removed AFTER DELETE ON ignored BEGIN "
    "UPDATE account SET ignored = ignored - 1 WHERE id = old.account; END; ";

// From version 6, in which told_find may not be there yet. Adding columns reads no row, however many there are.
constexpr const char* from_version_6 = R"(
ALTER TABLE find ADD COLUMN size INTEGER;
ALTER TABLE find ADD COLUMN changed_ms INTEGER;
ALTER TABLE find ADD COLUMN first_ms INTEGER;
CREATE TABLE IF NOT EXISTS told_find(
    account INTEGER, find BLOB, scan INTEGER NOT NULL, PRIMARY KEY(account, find)) WITHOUT ROWID;
ALTER TABLE told_find ADD COLUMN first_ms INTEGER;
)";

// What came with later versions, without a change of what was there: so these need no other version of the schema.
constexpr const char* later_schema = R"(
CREATE TABLE IF NOT EXISTS asker(
    task INTEGER PRIMARY KEY, asked_by INTEGER NOT NULL, which BLOB NOT NULL, address BLOB NOT NULL);
-- Of the jobs of a scan of all accounts that have ended.
CREATE TABLE IF NOT EXISTS system_scan_unscanned(
    scan INTEGER, reason INTEGER, files INTEGER NOT NULL, PRIMARY KEY(scan, reason)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cancelled_system_scan(scan INTEGER PRIMARY KEY);
-- Of all quarantines, kept by the triggers: one row.
CREATE TABLE IF NOT EXISTS quarantine_sum(
    id INTEGER PRIMARY KEY CHECK(id = 1), files INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO quarantine_sum SELECT 1, count(*), coalesce(sum(size), 0) FROM quarantine
    WHERE NOT EXISTS (SELECT 1 FROM quarantine_sum) HAVING NOT EXISTS (SELECT 1 FROM quarantine_sum);
CREATE TRIGGER IF NOT EXISTS quarantine_added AFTER INSERT ON quarantine BEGIN
    UPDATE quarantine_sum SET files = files + 1, bytes = bytes + coalesce(new.size, 0) WHERE id = 1; END;
CREATE TRIGGER IF NOT EXISTS quarantine_changed AFTER UPDATE OF size ON quarantine BEGIN
    UPDATE quarantine_sum SET bytes = bytes + coalesce(new.size, 0) - coalesce(old.size, 0) WHERE id = 1; END;
CREATE TRIGGER IF NOT EXISTS quarantine_removed AFTER DELETE ON quarantine BEGIN
    UPDATE quarantine_sum SET files = files - 1, bytes = bytes - coalesce(old.size, 0) WHERE id = 1; END;
-- Of which rows of the administrator's an account's history says that they ignore files of the account, or (ended) that
-- they do so no longer.
CREATE TABLE IF NOT EXISTS ignoring_told(
    row INTEGER, account INTEGER, ended INTEGER NOT NULL, PRIMARY KEY(row, account)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS system_scan_asker(scan INTEGER PRIMARY KEY, asked_by INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS schedule( -- of accounts that have one
    account INTEGER PRIMARY KEY, scan_type INTEGER NOT NULL, day INTEGER NOT NULL, hour INTEGER NOT NULL,
    spread INTEGER NOT NULL, done_day INTEGER NOT NULL, done_running_ms INTEGER NOT NULL, -- see schedule_times.h
    due_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS scheduled_scan(task INTEGER PRIMARY KEY); -- scans that a schedule began
-- Whose finds are quarantined by themselves. 0: that is yet to be queued; -1: there was nothing to be done.
CREATE TABLE IF NOT EXISTS automatic_quarantine(scan INTEGER PRIMARY KEY, disinfection INTEGER NOT NULL);
-- See outbox.h.
CREATE TABLE IF NOT EXISTS notice(
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL, kind INTEGER NOT NULL,
    account INTEGER NOT NULL, -- 0: the host
    task INTEGER NOT NULL, address BLOB NOT NULL DEFAULT x'', text BLOB NOT NULL, detail BLOB NOT NULL,
    created_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,
    finds INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL, -- 0: it collects; 1: it is due; 2: it was fetched, and stays as it is
    refusals INTEGER NOT NULL DEFAULT 0, not_before_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS notice_find(
    notice INTEGER, number INTEGER, path BLOB NOT NULL, virus BLOB NOT NULL, found_ms INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 2,
    PRIMARY KEY(notice, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice_figure(
    notice INTEGER, name BLOB, number INTEGER NOT NULL, PRIMARY KEY(notice, name)) WITHOUT ROWID;
-- Finds that were noted in the outbox: a hash of path, signature and content, the scan that met it last, and when it
-- was found first (NULL: unknown).
CREATE TABLE IF NOT EXISTS told_find(
    account INTEGER, find BLOB, scan INTEGER NOT NULL, first_ms INTEGER, PRIMARY KEY(account, find)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told_problem(problem INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notified_account(
    account INTEGER PRIMARY KEY, enabled INTEGER NOT NULL DEFAULT 1, address BLOB NOT NULL DEFAULT x'',
    unconfirmed BLOB NOT NULL DEFAULT x'', code BLOB NOT NULL DEFAULT x'', code_ms INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 0, -- rows of told_find
    gone_before INTEGER NOT NULL DEFAULT 0, -- finds that no scan from this one on has met are to be forgotten
    day_began_ms INTEGER NOT NULL DEFAULT 0, mails INTEGER NOT NULL DEFAULT 0, -- since then
    changes_began_ms INTEGER NOT NULL DEFAULT 0, changes INTEGER NOT NULL DEFAULT 0); -- the same
)";

// These make the statements that run for each step, find or poll cost the same in a long list as in a short one. They
// are apart from the schema, because indexes can be added and dropped without raising its version.
constexpr const char* index_schema = R"(
CREATE INDEX IF NOT EXISTS tasks_of_account ON task(account, kind, id);
DROP INDEX IF EXISTS history_of_account; -- of earlier versions
CREATE INDEX IF NOT EXISTS trail_of_account ON task(account, id) WHERE kind <> 3;
CREATE INDEX IF NOT EXISTS changes_of_account ON task(account, number) WHERE kind > 3;
CREATE INDEX IF NOT EXISTS scans_of_account ON task(account, number) WHERE kind = 0;
CREATE INDEX IF NOT EXISTS open_tasks ON task(id) WHERE state < 2;
CREATE INDEX IF NOT EXISTS pending_logs ON task(ended_running_ms) WHERE log_pending = 1 AND state = 2;
CREATE INDEX IF NOT EXISTS unfinished_scans ON task(id) WHERE kind = 0 AND pruned = 0 AND outcome > 1;
CREATE INDEX IF NOT EXISTS to_prune ON task(id) WHERE pruned = 1;
CREATE INDEX IF NOT EXISTS old_tasks ON task(ended_ms) WHERE pruned = 2;
CREATE INDEX IF NOT EXISTS unpruned_tasks ON task(account, kind, id) WHERE pruned = 0;
CREATE INDEX IF NOT EXISTS unpruned_jobs ON task(id) WHERE system_scan IS NOT NULL AND pruned = 0;
CREATE INDEX IF NOT EXISTS open_jobs ON task(system_scan, begun_running_ms) WHERE system_scan IS NOT NULL AND state < 2;
CREATE INDEX IF NOT EXISTS infected_jobs ON task(system_scan, id)
    WHERE system_scan IS NOT NULL AND infected_files > 0;
CREATE INDEX IF NOT EXISTS waiting_accounts ON system_scan_account(scan, uid) WHERE dealt_with = 0;
CREATE INDEX IF NOT EXISTS finds_in_order ON find(task, verdict, id);
CREATE INDEX IF NOT EXISTS infected_in_order ON find(task, number) WHERE verdict = 1;
CREATE INDEX IF NOT EXISTS listed_finds ON find(task) WHERE verdict = 1 AND gone = 0;
CREATE INDEX IF NOT EXISTS all_listed_finds ON find(id) WHERE verdict = 1 AND gone = 0;
CREATE INDEX IF NOT EXISTS infected_by_place ON find(task, place) WHERE verdict = 1 AND place IS NOT NULL;
CREATE INDEX IF NOT EXISTS infected_by_start ON find(task, start) WHERE verdict = 1 AND place IS NOT NULL;
CREATE INDEX IF NOT EXISTS infected_by_content ON find(task, sha256, virus) WHERE verdict = 1 AND gone = 0;
CREATE INDEX IF NOT EXISTS ignored_by_place ON find(task, place) WHERE verdict = 3 AND place IS NOT NULL;
CREATE INDEX IF NOT EXISTS ignored_by_start ON find(task, start) WHERE verdict = 3 AND place IS NOT NULL;
CREATE INDEX IF NOT EXISTS ignored_by_row ON find(ignored_by, task) WHERE verdict = 3;
CREATE INDEX IF NOT EXISTS ignored_of_account ON ignored(account);
CREATE INDEX IF NOT EXISTS ignored_to_settle ON ignored(id) WHERE state > 0;
CREATE INDEX IF NOT EXISTS ignored_for_a_time ON ignored(expires_ms) WHERE expires_ms > 0 AND state < 2;
CREATE INDEX IF NOT EXISTS unscanned_by_place ON find(task, place) WHERE verdict = 2 AND place IS NOT NULL;
CREATE INDEX IF NOT EXISTS unscanned_by_start ON find(task, start) WHERE verdict = 2;
CREATE INDEX IF NOT EXISTS hits_of_signature ON signature_hit(signature, running_ms);
CREATE INDEX IF NOT EXISTS hits_by_age ON signature_hit(running_ms);
CREATE INDEX IF NOT EXISTS open_actions ON action(task, number) WHERE state < 2;
CREATE INDEX IF NOT EXISTS waiting_quarantines ON automatic_quarantine(scan) WHERE disinfection = 0;
CREATE INDEX IF NOT EXISTS automatic_disinfections ON automatic_quarantine(disinfection) WHERE disinfection > 0;
CREATE INDEX IF NOT EXISTS due_schedules ON schedule(due_ms);
CREATE INDEX IF NOT EXISTS quarantine_in_order ON quarantine(account);
CREATE INDEX IF NOT EXISTS notices_of_account ON notice(account, kind, state);
CREATE INDEX IF NOT EXISTS due_notices ON notice(channel, not_before_ms) WHERE state > 0;
CREATE INDEX IF NOT EXISTS told_by_scan ON told_find(account, scan);
CREATE INDEX IF NOT EXISTS accounts_to_prune ON notified_account(gone_before) WHERE gone_before > 0;
CREATE INDEX IF NOT EXISTS quarantine_by_age ON quarantine(account, time_ms) WHERE clean = 0 AND may_hold_mail = 0;
)";

std::vector<const char*>& statements() {
    static std::vector<const char*> all;
    return all;
}

}  // namespace

LedgerDatabase::LedgerDatabase(const std::string& file) : database_(file) {
    database_.execute("PRAGMA auto_vacuum = INCREMENTAL");  // of a new file: see shrink()
    database_.execute("PRAGMA journal_mode = WAL");
    database_.execute(("PRAGMA journal_size_limit = " + std::to_string(longest_kept_log)).c_str());
    database_.execute("PRAGMA synchronous = FULL");
    database_.execute("PRAGMA cache_size = -16384");
    const auto version = Statement(database_.handle(), "PRAGMA user_version").number().value_or(0);
    if (version != 0 && (version < oldest_version || version > schema_version))
        throw DatabaseError("the database was written by another version of this program");
    write();
    if (version == 0) {
        database_.execute(schema);
        database_.execute(triggers);
    }
    if (version == 6) database_.execute(from_version_6);
    database_.execute(("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
    // Tasks that were running when jobd last ended are queued again. Their attempts do not count, because we cannot
    // tell whose fault it was.
    database_.execute(later_schema);
    database_.execute(index_schema);
    statement<"UPDATE task INDEXED BY open_tasks SET state = 0 WHERE state = 1 AND state < 2">().run();
    // Whoever sent the actions of a preparation was not told that they are all there.
    statement<
        "UPDATE task INDEXED BY open_tasks SET state = 2, outcome = 2, pruned = 1, ended_ms = created_ms, "
        "ended_running_ms = 0 WHERE state < 2 AND kind = 3">()
        .run();
    commit();
}

LedgerDatabase::LedgerDatabase(const std::string& file, ForReading)
    : database_(file, Database::Access::Read), reads_only_(true) {}

const std::vector<const char*>& all_statements() {
    return statements();
}

bool LedgerDatabase::register_statement(const char* sql) {
    statements().push_back(sql);
    return true;
}

Statement& LedgerDatabase::prepared(const char* sql) {
    auto& prepared = statements_[sql];
    if (!prepared) prepared = std::make_unique<Statement>(database_.handle(), sql);
    return *prepared;
}

std::map<std::string, std::int64_t> LedgerDatabase::work() {
    std::map<std::string, std::int64_t> work;
    for (const auto& [sql, prepared] : statements_) work[sql] += prepared->work();
    return work;
}

std::uint64_t LedgerDatabase::size() {
    const auto of = [&](const char* sql) { return Statement(database_.handle(), sql).number().value_or(0); };
    return static_cast<std::uint64_t>(of("PRAGMA page_count") * of("PRAGMA page_size"));
}

void LedgerDatabase::write() {
    if (in_transaction_) return;
    if (reads_only_) throw NeedsWriting{};
    database_.execute("BEGIN IMMEDIATE");
    in_transaction_ = true;
}

void LedgerDatabase::commit() {
    if (!in_transaction_) return;
    database_.execute("COMMIT");
    in_transaction_ = false;
}

bool LedgerDatabase::shrink() {
    if (statement<"PRAGMA freelist_count">().number().value_or(0) <= kept_free_pages) return false;
    write();
    statement<"PRAGMA incremental_vacuum(" PAGES_AT_ONCE ")">().run();
    return true;
}

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace clamscanner
