// UAPI's generic arguments for functions that return an array: filter, then sort, then a page of it, then some columns.
//
//   api.filter_column[_N], api.filter_type[_N], api.filter_term[_N]    N: 0, 1, …; without one stands before all others
//   api.sort_column[_N], api.sort_method[_N], api.sort_reverse[_N]     the first is the one that counts most
//   api.paginate_start (1-based), api.paginate_page, api.paginate_size
//   api.columns[_N] = name
//
// api.filter, api.sort, api.paginate and api.columns = 0 switch each off; nobody needs them to switch one on, as client
// libraries do not agree in that. Types and methods are those of UAPI's reference (sections Filters, Sorting,
// Pagination). Arguments are foreign: what is wrong with one is a Refusal that names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "handlers/functions/arguments.h"
#include "handlers/functions/pattern.h"
#include "handlers/functions/rows.h"

namespace clamscanner {

class RowShaping {
 public:
    // `columns`: those that the rows have.
    RowShaping(const Arguments& arguments, const std::vector<std::string>& columns);

    // False when no argument asks for anything.
    [[nodiscard]] bool asks_for_something() const noexcept;

    // Filters, sorts and cuts; returns the metadata, a JSON object.
    [[nodiscard]] std::string apply(Rows& rows) const;

 private:
    using Row = std::vector<std::string>;
    enum class FilterType;
    enum class SortMethod;
    struct FilterName;
    struct SortName;
    static const FilterName filter_names[];
    static const SortName sort_names[];

    struct Filter {
        std::optional<std::size_t> column;  // empty: any of them
        FilterType type;
        std::string term;
        std::optional<Pattern> pattern;
    };
    struct Sort {
        std::size_t column;
        SortMethod method;
        bool reverse;
    };
    struct Page {
        std::uint64_t start = 1;  // the number of its first row
        std::uint64_t size = 0;   // 0: all the rest
    };

    void read_filters(const Arguments& arguments, const std::vector<std::string>& columns);
    void read_sorts(const Arguments& arguments, const std::vector<std::string>& columns);
    void read_page(const Arguments& arguments);
    void read_columns(const Arguments& arguments, const std::vector<std::string>& columns);
    void filter(std::vector<Row>& rows) const;
    void sort(std::vector<Row>& rows) const;
    void cut(std::vector<Row>& rows) const;
    void keep_columns(Rows& rows) const;
    [[nodiscard]] std::string metadata(const std::vector<std::string>& columns, std::size_t before,
                                       std::size_t after) const;
    [[nodiscard]] static bool passes(const Filter& filter, const std::string& value);

    std::vector<Filter> filters_;
    std::vector<Sort> sorts_;
    std::optional<Page> page_;
    std::vector<std::size_t> kept_;  // empty: all columns
};

}  // namespace clamscanner
