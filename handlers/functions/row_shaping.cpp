#include "handlers/functions/row_shaping.h"

#include <algorithm>
#include <set>

#include "handlers/functions/generic_arguments.h"
#include "jobs/shared/json_writer.h"

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

// Empty when no page was asked for.
std::optional<RowPage> page_of(const Arguments& arguments) {
    if (!boolean_of(arguments, "api.paginate", true)) return std::nullopt;
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

// The argument without a number is a switch too, as filters, sorts and pages have one.
enum class ColumnsSwitch { Off, On, NameOfColumn };

ColumnsSwitch columns_switch_of(const std::optional<std::string>& value) {
    if (value == "0") return ColumnsSwitch::Off;
    return value == "1" || value == "" ? ColumnsSwitch::On : ColumnsSwitch::NameOfColumn;
}

// In the order in which the rows have them.
std::vector<std::size_t> kept_columns_of(const Arguments& arguments, const std::vector<std::string>& columns) {
    const std::string name = "api.columns";
    const auto state = columns_switch_of(scalar_of(arguments, name, listed(columns)));
    if (state == ColumnsSwitch::Off) return {};
    std::set<std::size_t> kept;
    for (const auto& ending : endings_of(arguments, name))
        if (!ending.empty() || state == ColumnsSwitch::NameOfColumn)
            kept.insert(column_of(arguments, name + ending, columns));
    return {kept.begin(), kept.end()};
}

}  // namespace

RowShaping::RowShaping(const Arguments& arguments, const std::vector<std::string>& columns)
    : filters_(filters_of(arguments, columns)),
      orders_(orders_of(arguments, columns)),
      page_(page_of(arguments)),
      kept_(kept_columns_of(arguments, columns)) {}

bool RowShaping::asks_for_something() const noexcept {
    return !filters_.empty() || !orders_.empty() || page_ || !kept_.empty();
}

std::string RowShaping::apply(Rows& rows) const {
    const auto before = rows.rows.size();
    filter_rows(rows.rows, filters_);
    const auto total = rows.rows.size();
    sort_rows(rows.rows, orders_);
    if (page_) cut_rows(rows.rows, *page_);
    auto result = metadata(rows.columns, before, total);
    keep_columns(rows);
    return result;
}

std::string RowShaping::metadata(const std::vector<std::string>& columns, std::size_t before, std::size_t total) const {
    return json_object([&](JsonWriter& json) {
        const auto write_one = [&](const RowOrder& order) { write_order(json, order, columns); };
        if (!filters_.empty()) json.object("filter", [&] { json.member("records_before_filter", before); });
        if (page_) json.object("paginate", [&] { write_page(json, *page_, total); });
        if (!orders_.empty()) json.objects("sort", orders_, write_one);
    });
}

void RowShaping::keep_columns(Rows& rows) const {
    if (kept_.empty()) return;
    const auto keep = [&](Row& row) {
        Row some;
        for (const auto column : kept_) some.push_back(std::move(row[column]));
        row = std::move(some);
    };
    keep(rows.columns);
    std::ranges::for_each(rows.rows, keep);
}

}  // namespace clamscanner
