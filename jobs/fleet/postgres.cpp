#include "jobs/fleet/postgres.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <exception>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

// A server that is gone must not hold us, and we must not hold a lock there when we are gone ourselves.
constexpr const char* session_options =
    "-c statement_timeout=60s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s "
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";

std::string without_newline(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    std::ranges::replace(text, '\n', ' ');
    return text;
}

[[noreturn]] void fail(PGconn* connection, const PGresult* result) {
    const char* state = result == nullptr ? nullptr : ::PQresultErrorField(result, PG_DIAG_SQLSTATE);
    throw PostgresError(printable(without_newline("PostgreSQL: " + std::string(::PQerrorMessage(connection)))),
                        state == nullptr ? "" : state);
}

void ignore_notice(void*, const PGresult*) noexcept {}

}  // namespace

void Rows::Clear::operator()(pg_result* result) const noexcept {
    ::PQclear(result);
}

int Rows::size() const noexcept {
    return ::PQntuples(result_.get());
}

std::int64_t Rows::changed() const noexcept {
    const std::string_view text(::PQcmdTuples(result_.get()));
    std::int64_t rows = 0;
    std::from_chars(text.data(), text.data() + text.size(), rows);
    return rows;
}

bool Rows::is_null(int row, int column) const noexcept {
    return ::PQgetisnull(result_.get(), row, column) == 1;
}

std::string Rows::text(int row, int column) const {
    return {::PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(::PQgetlength(result_.get(), row, column))};
}

std::string Rows::bytes(int row, int column) const {
    std::size_t size = 0;
    const std::unique_ptr<unsigned char, void (*)(void*)> decoded(
        ::PQunescapeBytea(reinterpret_cast<const unsigned char*>(::PQgetvalue(result_.get(), row, column)), &size),
        &::PQfreemem);
    if (!decoded) throw PostgresError("PostgreSQL: no memory", "");
    return {reinterpret_cast<const char*>(decoded.get()), size};
}

std::int64_t Rows::integer(int row, int column) const {
    const auto value = text(row, column);
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (value.empty() || fault != std::errc() || end != value.data() + value.size())
        throw PostgresError("PostgreSQL: " + printable(value) + " is no number", "");
    return number;
}

std::string sql_array(const std::vector<std::string>& values) {
    std::string text = "{";
    for (const auto& value : values) {
        text += text.size() > 1 ? ",\"" : "\"";
        for (const char c : value) text.append(c == '"' || c == '\\' ? 1 : 0, '\\').push_back(c);
        text += '"';
    }
    return text + "}";
}

std::string sql_bytes(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text = "\\x";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text.append({digits[byte >> 4], digits[byte & 15]});
    }
    return text;
}

void Postgres::Finish::operator()(pg_conn* connection) const noexcept {
    ::PQfinish(connection);
}

Postgres::Postgres(const std::string& database) {
    // A later word counts, so what is essential comes behind what the administrator says.
    const char* const names[] = {"connect_timeout",  "target_session_attrs", "dbname",  "application_name",
                                 "tcp_user_timeout", "client_encoding",      "options", nullptr};
    const char* const values[] = {"5",     "read-write", database.c_str(), "clamscanner-fleet",
                                  "10000", "UTF8",       session_options,  nullptr};
    connection_.reset(::PQconnectdbParams(names, values, 1));
    if (!connection_ || ::PQstatus(connection_.get()) != CONNECTION_OK) fail(connection_.get(), nullptr);
    ::PQsetNoticeReceiver(connection_.get(), &ignore_notice, nullptr);
}

bool Postgres::is_alive() const noexcept {
    return ::PQstatus(connection_.get()) == CONNECTION_OK;
}

Rows Postgres::execute(const char* sql, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    for (const auto& value : values) pointers.push_back(value.c_str());
    Rows rows(nullptr);
    auto* const result = ::PQexecParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                                        pointers.data(), nullptr, nullptr, 0);
    rows = Rows(result);
    const auto status = ::PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(connection_.get(), result);
    return rows;
}

void Postgres::run_script(const char* sql) {
    auto* const result = ::PQexec(connection_.get(), sql);
    const Rows rows(result);
    const auto status = ::PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(connection_.get(), result);
}

Transaction::~Transaction() {
    if (!is_open_) return;
    try {
        postgres_.run_script("ROLLBACK");
    } catch (const PostgresError&) {
        // The connection is gone, and the transaction with it.
    }
}

void Transaction::commit() {
    is_open_ = false;
    postgres_.run_script("COMMIT");
}

}  // namespace clamscanner
