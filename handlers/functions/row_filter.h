// Which rows are left: api.filter_column, api.filter_type and api.filter_term, and what UAPI's types of filters mean.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "handlers/functions/arguments.h"
#include "handlers/functions/pattern.h"
#include "handlers/functions/rows.h"

namespace clamscanner {

struct FilterType;

struct RowFilter {
    const FilterType* type;
    std::string term;                     // in lower case where the type takes it in either
    std::optional<std::size_t> column{};  // empty: any of them
    std::optional<Pattern> expression{};  // where the type takes the term for one
};

[[nodiscard]] std::vector<RowFilter> filters_of(const Arguments& arguments, const std::vector<std::string>& columns);

// Leaves the rows that pass all filters. Throws Refusal when matching an expression costs too much.
void filter_rows(std::vector<Row>& rows, const std::vector<RowFilter>& filters);

}  // namespace clamscanner
