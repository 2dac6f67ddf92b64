#include "handlers/functions/row_page.h"

#include <algorithm>

#include "handlers/functions/generic_arguments.h"

namespace clamscanner {
namespace {

constexpr std::string_view accepted_numbers = "a whole number, 1 or greater";
constexpr std::int64_t all_pages = -1;  // as a start: cPanel's JavaScript library asks so for all of them
constexpr std::int64_t last_row = INT64_MAX;

struct PageArguments {
    std::optional<std::int64_t> size, page, start;
};

PageArguments page_arguments_of(const Arguments& arguments) {
    PageArguments given;
    given.size = number_of(arguments, "api.paginate_size", 1, accepted_numbers);
    given.page = number_of(arguments, "api.paginate_page", 1, accepted_numbers);
    given.start = number_of(arguments, "api.paginate_start", all_pages, accepted_numbers);
    if (given.page && !given.size && !given.start)
        throw wrong_argument("api.paginate_size", "is missing", accepted_numbers);
    return given;
}

// Of a page beyond everything that can be counted, the last row that can be.
std::int64_t first_row_of(std::int64_t page, std::int64_t size) {
    return page - 1 <= (last_row - 1) / size ? (page - 1) * size + 1 : last_row;
}

std::int64_t first_row_of(const PageArguments& given) {
    if (given.start) return std::max<std::int64_t>(*given.start, 1);
    return given.page ? first_row_of(*given.page, *given.size) : 1;
}

}  // namespace

std::optional<RowPage> page_of(const Arguments& arguments) {
    if (!truth_of(arguments, "api.paginate", true)) return std::nullopt;
    const auto given = page_arguments_of(arguments);
    if (!given.size && !given.start && arguments.find("api.paginate") == nullptr) return std::nullopt;
    if (given.start == all_pages) return RowPage{};
    return RowPage{static_cast<std::uint64_t>(first_row_of(given)), static_cast<std::uint64_t>(given.size.value_or(0))};
}

void cut_rows(std::vector<Row>& rows, const RowPage& page) {
    const auto before = std::min<std::uint64_t>(page.start - 1, rows.size());
    rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(before));
    if (page.size != 0 && page.size < rows.size()) rows.resize(page.size);
}

void write_page(ObjectWriter& json, const RowPage& page, std::uint64_t total) {
    const auto size = page.size != 0 ? page.size : std::max<std::uint64_t>(total, 1);
    json.member("current_page", (page.start - 1) / size + 1);
    json.member("results_per_page", size);
    json.member("start_result", page.start);
    json.member("total_pages", std::max<std::uint64_t>(total / size + (total % size != 0 ? 1 : 0), 1));
    json.member("total_results", total);
}

}  // namespace clamscanner
