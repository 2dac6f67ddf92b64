// How UAPI's generic arguments are given: "api.sort_column", and where there are several "api.sort_column_0",
// "api.sort_column_1" …; one without a number stands before all others. Their values are foreign: what is wrong with
// one is a Refusal that names it and says what is accepted.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/functions/arguments.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {

// A text, or the text of a number or truth, as JSON bodies have them; empty when it was not given.
[[nodiscard]] std::optional<std::string> scalar_of(const Arguments& arguments, const std::string& name,
                                                   std::string_view accepted);

[[nodiscard]] bool boolean_of(const Arguments& arguments, const std::string& name, bool otherwise);

[[nodiscard]] std::optional<std::int64_t> number_of(const Arguments& arguments, const std::string& name,
                                                    std::int64_t least, std::string_view accepted);

// What stands after `name` where it is given, "" or "_N", in the order of the numbers. One of `followers` means nothing
// without `name` and the same ending, and is refused.
[[nodiscard]] std::vector<std::string> endings_of(const Arguments& arguments, const std::string& name,
                                                  std::initializer_list<const char*> followers = {});

// Which of the columns is called so. `also`: what else is accepted.
[[nodiscard]] std::size_t column_named(const std::string& name, const std::string& argument,
                                       const std::vector<std::string>& columns, const std::string& also = "");

// The argument's value, which must be a column's name.
[[nodiscard]] std::size_t column_of(const Arguments& arguments, const std::string& argument,
                                    const std::vector<std::string>& columns);

// The row of a table that the argument names, or the row named `otherwise`.
template <class Table>
[[nodiscard]] const auto& row_of(const Table& table, const Arguments& arguments, const std::string& argument,
                                 const char* otherwise) {
    const auto name_of = [](const auto& row) { return row.name; };
    const auto accepted = listed(table, name_of);
    const auto name = scalar_of(arguments, argument, accepted).value_or(otherwise);
    const auto* const row = std::ranges::find(table, name, name_of);
    if (row == std::end(table)) throw wrong_argument(argument, "is " + quoted(name), accepted);
    return *row;
}

}  // namespace clamscanner
