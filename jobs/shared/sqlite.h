// SQLite as jobd and the engine use it: RAII over the C interface, statements prepared once, values bound by type.
// Single-threaded.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace clamscanner {

struct DatabaseError : std::runtime_error {
    explicit DatabaseError(const std::string& what, bool is_in_file = true)
        : std::runtime_error(what), is_in_file(is_in_file) {}
    // What is in the file is wrong. False: room, memory, the disk or a permission is lacking, or another process has
    // the file; without that fault, it may be as good as before.
    bool is_in_file;
};

// One row of a result, valid until the next step.
class Row {
 public:
    explicit Row(sqlite3_stmt* statement) noexcept : statement_(statement) {}
    [[nodiscard]] std::string bytes(int column) const;
    template <class Number = std::int64_t>
    [[nodiscard]] Number number(int column) const {
        return static_cast<Number>(integer(column));
    }

 private:
    [[nodiscard]] std::int64_t integer(int column) const;
    sqlite3_stmt* statement_;
};

// Reads the columns of a row one after another.
class Cursor {
 public:
    explicit Cursor(Row row, int column = 0) noexcept : row_(row), column_(column) {}
    template <class... Values>
    Cursor& into(Values&... values) {
        (take(values), ...);
        return *this;
    }
    template <class Value>
    [[nodiscard]] Value next() {
        Value value{};
        take(value);
        return value;
    }

 private:
    void take(std::string& value) { value = row_.bytes(column_++); }
    void take(bool& value) { value = row_.number(column_++) != 0; }
    template <class Number>
    requires std::integral<Number> || std::is_enum_v<Number>
    void take(Number& value) { value = row_.number<Number>(column_++); }

    Row row_;
    int column_;
};

class Statement {
 public:
    Statement(sqlite3* database, const char* sql);

    // Runs the statement to its end; for statements without rows.
    template <class... Values>
    void run(const Values&... values) {
        each([](Row) { return true; }, values...);
    }
    // Calls `take` for each row until it returns false. Returns the number of rows given.
    template <class Take, class... Values>
    std::size_t each(Take take, const Values&... values) {
        int position = 0;
        (bind(++position, values), ...);
        const Reset reset{*this};
        std::size_t rows = 0;
        while (step()) {
            ++rows;
            if (!take(Row(statement_.get()))) break;
        }
        return rows;
    }
    // What `read` returns for the first row; empty if there is no row.
    template <class Read, class... Values>
    [[nodiscard]] auto first(Read read, const Values&... values) {
        std::optional<std::invoke_result_t<Read, Row>> found;
        each(
            [&](Row row) {
                found = read(row);
                return false;
            },
            values...);
        return found;
    }
    // The first row's first column.
    template <class... Values>
    [[nodiscard]] std::optional<std::int64_t> number(const Values&... values) {
        return first([](Row row) { return row.number(0); }, values...);
    }
    // The average number of database instructions per run since the last call.
    [[nodiscard]] std::int64_t work() noexcept;

 private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    struct Reset {
        Statement& statement;
        ~Reset() { statement.reset(); }
    };
    template <class Value>
    void bind(int position, const Value& value) {
        if constexpr (std::is_enum_v<Value> || std::integral<Value>)
            bind_integer(position, static_cast<std::int64_t>(value));
        else
            bind_bytes(position, value);
    }
    void bind_integer(int position, std::int64_t value);
    // As a blob, because file names are bytes. The bytes must live until the statement has run, as they do here.
    void bind_bytes(int position, std::string_view value);
    [[nodiscard]] bool step();
    void reset() noexcept;

    sqlite3* database_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
    enum class Access { Change, Read };
    // To change it: made if it is not there.
    explicit Database(const std::string& file, Access access = Access::Change);
    void execute(const char* sql);
    [[nodiscard]] sqlite3* handle() const noexcept { return database_.get(); }
    [[nodiscard]] std::int64_t last_row() const noexcept;
    // How many rows the last statement changed.
    [[nodiscard]] std::int64_t changed_rows() const noexcept;

 private:
    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };
    std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace clamscanner
