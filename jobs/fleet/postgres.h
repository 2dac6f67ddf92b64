// PostgreSQL as the fleet uses it: RAII over libpq, values by position, one connection. Its calls wait for the server:
// never use it in an event loop (database_thread.h).
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

struct pg_conn;
struct pg_result;

namespace clamscanner {

class PostgresError : public std::runtime_error {
 public:
    PostgresError(const std::string& what, std::string state) : std::runtime_error(what), state_(std::move(state)) {}
    // SQLSTATE, "23505" for a value that must be unique; "" when there is no connection.
    [[nodiscard]] const std::string& state() const noexcept { return state_; }

 private:
    std::string state_;
};

// What a statement returned.
class Rows {
 public:
    explicit Rows(pg_result* result) noexcept : result_(result) {}
    [[nodiscard]] int size() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    // How many rows were changed.
    [[nodiscard]] std::int64_t changed() const noexcept;
    [[nodiscard]] bool is_null(int row, int column) const noexcept;
    [[nodiscard]] std::string text(int row, int column) const;   // "" of a null
    [[nodiscard]] std::string bytes(int row, int column) const;  // of a bytea
    template <class Number = std::int64_t>
    [[nodiscard]] Number number(int row, int column) const {
        return static_cast<Number>(integer(row, column));
    }
    [[nodiscard]] bool truth(int row, int column) const { return text(row, column) == "t"; }

 private:
    [[nodiscard]] std::int64_t integer(int row, int column) const;
    struct Clear {
        void operator()(pg_result* result) const noexcept;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

// A list of values as one, for unnest() and ANY().
[[nodiscard]] std::string sql_array(const std::vector<std::string>& values);
// As the text of a bytea.
[[nodiscard]] std::string sql_bytes(std::string_view bytes);

class Postgres {
 public:
    // `database`: as libpq takes it. Of several hosts the one that takes writes is used, also after a failover.
    explicit Postgres(const std::string& database);

    // One statement. Throws PostgresError.
    template <class... Values>
    Rows run(const char* sql, const Values&... values) {
        return execute(sql, {text_of(values)...});
    }
    // Several, without values.
    void run_script(const char* sql);
    // False when the connection is gone.
    [[nodiscard]] bool is_alive() const noexcept;

 private:
    [[nodiscard]] Rows execute(const char* sql, const std::vector<std::string>& values);
    [[nodiscard]] static std::string text_of(bool value) { return value ? "t" : "f"; }
    [[nodiscard]] static std::string text_of(std::integral auto value) { return std::to_string(value); }
    [[nodiscard]] static std::string text_of(std::string_view value) { return std::string(value); }

    struct Finish {
        void operator()(pg_conn* connection) const noexcept;
    };
    std::unique_ptr<pg_conn, Finish> connection_;
};

// Ends with commit(), or is undone.
class Transaction {
 public:
    explicit Transaction(Postgres& postgres) : postgres_(postgres) { postgres_.run_script("BEGIN"); }
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

 private:
    Postgres& postgres_;
    bool is_open_ = true;
};

}  // namespace clamscanner
