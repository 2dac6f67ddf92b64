// UAPI's generic arguments for functions that return an array: filter (row_filter.h), then sort (row_order.h), then a
// page of it, then some columns.
//
//   api.filter_column[_N], api.filter_type[_N], api.filter_term[_N]    N: 0, 1, …; without one stands before all others
//   api.sort_column[_N], api.sort_method[_N], api.sort_reverse[_N]     the first is the one that counts most
//   api.paginate_start (1-based), api.paginate_page, api.paginate_size
//   api.columns[_N] = name
//
// api.filter, api.sort, api.paginate and api.columns = 0 disable each. They are not needed to enable one, because
// client libraries differ in that. Types and methods are those of UAPI's reference (sections Filters, Sorting,
// Pagination). Arguments are untrusted: anything wrong is a Refusal that names the argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "handlers/functions/row_filter.h"
#include "handlers/functions/row_order.h"

namespace clamscanner {

struct RowPage {
    std::uint64_t start = 1;  // the number of its first row
    std::uint64_t size = 0;   // 0: all the rest
};

class RowShaping {
 public:
    // `columns`: those that the rows have.
    RowShaping(const Arguments& arguments, const std::vector<std::string>& columns);

    // False when no argument asks for anything.
    [[nodiscard]] bool asks_for_something() const noexcept;

    // Filters, sorts and cuts; returns the metadata, a JSON object.
    [[nodiscard]] std::string apply(Rows& rows) const;

 private:
    void keep_columns(Rows& rows) const;
    [[nodiscard]] std::string metadata(const std::vector<std::string>& columns, std::size_t before,
                                       std::size_t total) const;

    std::vector<RowFilter> filters_;
    std::vector<RowOrder> orders_;
    std::optional<RowPage> page_;
    std::vector<std::size_t> kept_;  // columns; empty: all
};

}  // namespace clamscanner
