#include "handlers/functions/row_order.h"

#include <charconv>
#include <compare>

#include "handlers/functions/generic_arguments.h"

namespace clamscanner {

struct SortMethod {
    std::string_view name;
    std::weak_ordering (*compare)(const std::string& one, const std::string& other);
};

namespace {

// 0 for what does not begin with four octets.
std::uint64_t address_in(const std::string& text) {
    std::uint64_t address = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int i = 0; i < 4; ++i) {
        std::uint8_t octet = 0;
        const auto [after, error] = std::from_chars(at, end, octet);
        if (error != std::errc()) return 0;
        address = address << 8 | octet;
        at = after != end && *after == '.' ? after + 1 : after;
    }
    return address;
}

std::weak_ordering by_address(const std::string& one, const std::string& other) {
    return address_in(one) <=> address_in(other);
}

std::weak_ordering by_bytes(const std::string& one, const std::string& other) {
    return one <=> other;
}

std::weak_ordering by_number(const std::string& one, const std::string& other) {
    return std::weak_order(number_in(one), number_in(other));
}

std::weak_ordering by_number_with_zero_last(const std::string& one, const std::string& other) {
    const std::weak_ordering zeros = (number_in(one) == 0) <=> (number_in(other) == 0);
    return zeros != 0 ? zeros : by_number(one, other);
}

constexpr SortMethod sort_methods[] = {
    {"ipv4", by_address},
    {"lexicographic", by_bytes},
    {"numeric", by_number},
    {"numeric_zero_as_max", by_number_with_zero_last},
};

// "ipv_4" is how one client library spells the first.
const SortMethod& method_of(const Arguments& arguments, const std::string& argument) {
    const auto* const given = arguments.find(argument);
    if (given != nullptr && given->text == "ipv_4") return sort_methods[0];
    return row_of(sort_methods, arguments, argument, "lexicographic");
}

std::weak_ordering compare(const RowOrder& by, const Row& one, const Row& other) {
    const auto ordering = by.method->compare(one[by.column], other[by.column]);
    return by.reverse ? 0 <=> ordering : ordering;
}

}  // namespace

std::vector<RowOrder> orders_of(const Arguments& arguments, const std::vector<std::string>& columns) {
    std::vector<RowOrder> orders;
    if (!boolean_of(arguments, "api.sort", true)) return orders;
    const std::string column = "api.sort_column", method = "api.sort_method", reverse = "api.sort_reverse";
    for (const auto& ending : endings_of(arguments, column, {"api.sort_method", "api.sort_reverse"}))
        orders.push_back({column_of(arguments, column + ending, columns), &method_of(arguments, method + ending),
                          boolean_of(arguments, reverse + ending, false)});
    return orders;
}

void sort_rows(std::vector<Row>& rows, const std::vector<RowOrder>& orders) {
    if (orders.empty()) return;
    std::ranges::stable_sort(rows, [&](const Row& one, const Row& other) {
        for (const auto& by : orders)
            if (const auto ordering = compare(by, one, other); ordering != 0) return ordering < 0;
        return false;
    });
}

void write_order(ObjectWriter& json, const RowOrder& order, const std::vector<std::string>& columns) {
    json.member("column", columns[order.column]);
    json.member("method", order.method->name);
    json.member("reverse", order.reverse);
}

}  // namespace clamscanner
