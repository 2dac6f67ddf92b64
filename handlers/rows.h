// The data of a function that returns an array of objects, before it becomes JSON: here is where rows can be filtered,
// sorted and paged for every such function alike.
#pragma once

#include <string>
#include <vector>

#include "handlers/envelope.h"

namespace clamscanner {

struct Rows {
    std::vector<std::string> columns;            // in alphabetical order
    std::vector<std::vector<std::string>> rows;  // each with a text for each column
};

// As many rows as an answer may hold; a warning says how many were left out.
[[nodiscard]] Answer answer_rows(const Rows& rows);

// The warning for an array that was cut.
[[nodiscard]] std::string left_out(std::size_t total, std::size_t written);

}  // namespace clamscanner
