#include "jobs/shared/sqlite.h"

#include <sqlite3.h>

namespace clamscanner {
namespace {

constexpr int patience_milliseconds = 5000;  // with another process that has the database locked

// What the administrator can do about it.
const char* advice(int result) {
    switch (result & 0xff) {  // without what an extended code adds
        case SQLITE_FULL:
            return ". Make room on its file system: nothing that was acknowledged is lost";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return ". The file is damaged: restore it from a backup, or move it away to begin with an empty one";
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_READONLY:
            return ". Its directory must be there and belong to the user that this program runs as";
        case SQLITE_IOERR:
            return ". The disk or its file system fails: look at the kernel's log";
        default:
            return "";
    }
}

bool is_of_the_file(int result) {
    switch (result & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_CANTOPEN:
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_PERM:
        case SQLITE_READONLY:
            return false;
        default:
            return true;
    }
}

void expect(int result, int wanted, sqlite3* database, const char* attempted) {
    if (result == wanted) return;
    if (database == nullptr)
        throw DatabaseError(std::string(attempted) + ": " + ::sqlite3_errstr(result), is_of_the_file(result));
    const char* file = ::sqlite3_db_filename(database, "main");
    throw DatabaseError((file != nullptr ? std::string(file) + ": " : "") + ::sqlite3_errmsg(database) +
                            advice(result) + " (" + attempted + ")",
                        is_of_the_file(result));
}

}  // namespace

std::int64_t Row::integer(int column) const {
    return ::sqlite3_column_int64(statement_, column);
}

std::string Row::bytes(int column) const {
    // The blob first, then its size: the other order is undefined (sqlite3_column_blob).
    const auto* data = static_cast<const char*>(::sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(statement_, column));
    return data == nullptr ? std::string() : std::string(data, size);
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    ::sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* database, const char* sql) : database_(database) {
    sqlite3_stmt* statement = nullptr;
    expect(::sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr), SQLITE_OK, database,
           sql);
    statement_.reset(statement);
}

std::int64_t Statement::work() noexcept {
    constexpr int from_now_on = 1;
    const int runs = ::sqlite3_stmt_status(statement_.get(), SQLITE_STMTSTATUS_RUN, from_now_on);
    const int steps = ::sqlite3_stmt_status(statement_.get(), SQLITE_STMTSTATUS_VM_STEP, from_now_on);
    return runs == 0 ? 0 : steps / runs;
}

void Statement::bind_integer(int position, std::int64_t value) {
    expect(::sqlite3_bind_int64(statement_.get(), position, value), SQLITE_OK, database_, "bind a number");
}

void Statement::bind_bytes(int position, std::string_view value) {
    // A null pointer would bind NULL, which is not an empty text.
    const char* bytes = value.empty() ? "" : value.data();
    expect(::sqlite3_bind_blob64(statement_.get(), position, bytes, value.size(), SQLITE_STATIC), SQLITE_OK, database_,
           "bind bytes");
}

bool Statement::step() {
    const int result = ::sqlite3_step(statement_.get());
    if (result == SQLITE_ROW) return true;
    expect(result, SQLITE_DONE, database_, "run a statement");
    return false;
}

void Statement::reset() noexcept {
    ::sqlite3_reset(statement_.get());
    ::sqlite3_clear_bindings(statement_.get());
}

void Database::Close::operator()(sqlite3* database) const noexcept {
    ::sqlite3_close_v2(database);
}

Database::Database(const std::string& file, Access access) {
    sqlite3* database = nullptr;
    const int how = access == Access::Read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int result = ::sqlite3_open_v2(file.c_str(), &database, how | SQLITE_OPEN_NOMUTEX, nullptr);
    database_.reset(database);
    expect(result, SQLITE_OK, database, "open the database");
    ::sqlite3_busy_timeout(database, patience_milliseconds);
    ::sqlite3_extended_result_codes(database, 1);
}

void Database::execute(const char* sql) {
    expect(::sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr), SQLITE_OK, database_.get(), sql);
}

std::int64_t Database::last_row() const noexcept {
    return ::sqlite3_last_insert_rowid(database_.get());
}

std::int64_t Database::changed_rows() const noexcept {
    return ::sqlite3_changes64(database_.get());
}

}  // namespace clamscanner
