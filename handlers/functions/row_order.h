// The order of the rows: api.sort_column, api.sort_method and api.sort_reverse, and what UAPI's methods compare.
#pragma once

#include <string>
#include <vector>

#include "handlers/functions/arguments.h"
#include "handlers/functions/rows.h"

namespace clamscanner {

struct SortMethod;

struct RowOrder {
    std::size_t column;
    const SortMethod* method;
    bool reverse;
};

// The first counts most.
[[nodiscard]] std::vector<RowOrder> orders_of(const Arguments& arguments, const std::vector<std::string>& columns);

// Rows between which no order tells a difference stay as they are.
void sort_rows(std::vector<Row>& rows, const std::vector<RowOrder>& orders);

// The object that the metadata has for one of them.
void write_order(ObjectWriter& json, const RowOrder& order, const std::vector<std::string>& columns);

}  // namespace clamscanner
