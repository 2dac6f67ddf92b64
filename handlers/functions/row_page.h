// Which piece of the rows is given: api.paginate_start (1-based), api.paginate_page and api.paginate_size.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "handlers/functions/arguments.h"
#include "handlers/functions/rows.h"

namespace clamscanner {

struct RowPage {
    std::uint64_t start = 1;  // the number of its first row
    std::uint64_t size = 0;   // 0: all the rest
};

// Empty when no page was asked for.
[[nodiscard]] std::optional<RowPage> page_of(const Arguments& arguments);

void cut_rows(std::vector<Row>& rows, const RowPage& page);

// The object that the metadata has for it; `total`: how many rows there were before the cut.
void write_page(ObjectWriter& json, const RowPage& page, std::uint64_t total);

}  // namespace clamscanner
