// The data of a function that returns an array of objects, before it becomes JSON: row_shaping.h filters, sorts and
// pages it for every such function alike.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "handlers/shared/envelope.h"
#include "jobs/jobd/messages.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {

using Row = std::vector<std::string>;

// The texts are moved into it; a list in braces would copy them.
template <class... Texts>
[[nodiscard]] Row row_with(Texts&&... texts) {
    Row row;
    row.reserve(sizeof...(texts));
    (row.push_back(std::forward<Texts>(texts)), ...);
    return row;
}

struct Rows {
    std::vector<std::string> columns;  // in alphabetical order
    std::vector<Row> rows;             // each with a text for each column
};

// A value taken for a number as Perl takes a text for one: what it begins with, else 0.
[[nodiscard]] double number_in(const std::string& value);

class RowShaping;

// The rows after filtering, sorting and paging, as many as fit into an answer; a warning says how many were left out.
[[nodiscard]] Answer answer_rows(Rows& rows, const RowShaping& shaping);

// The warning for an array that was cut.
[[nodiscard]] std::string truncation_warning(std::size_t total, std::size_t written);

// An array of what `to_json` makes of each item, as many as fit into an answer, and that warning.
template <class Items, class ToJson>
[[nodiscard]] Answer answer_array(const Items& items, ToJson to_json) {
    Answer answer;
    JsonWriter json(answer.data);
    const auto written = json.bounded_array(items, answer_budget, to_json);
    if (written < items.size()) answer.warnings.push_back(truncation_warning(items.size(), written));
    return answer;
}

}  // namespace clamscanner
