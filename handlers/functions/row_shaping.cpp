#include "handlers/functions/row_shaping.h"

#include <algorithm>
#include <set>

#include "handlers/functions/generic_arguments.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

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
    auto metadata = json_object([&](JsonWriter& json) {
        const auto write_one = [&](const RowOrder& order) { write_order(json, order, rows.columns); };
        if (!filters_.empty()) json.object("filter", [&] { json.member("records_before_filter", before); });
        if (page_) json.object("paginate", [&] { write_page(json, *page_, total); });
        if (!orders_.empty()) json.objects("sort", orders_, write_one);
    });
    keep_columns(rows);
    return metadata;
}

void RowShaping::keep_columns(Rows& rows) const {
    if (kept_.empty()) return;
    const auto keep = [&](std::vector<std::string>& row) {
        std::vector<std::string> some;
        for (const auto column : kept_) some.push_back(std::move(row[column]));
        row = std::move(some);
    };
    keep(rows.columns);
    std::ranges::for_each(rows.rows, keep);
}

}  // namespace clamscanner
