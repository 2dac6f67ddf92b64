#include "handlers/functions/rows.h"

#include <cstdlib>

#include "handlers/functions/row_shaping.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

Answer answer_rows(Rows& rows, const RowShaping& shaping) {
    auto metadata = shaping.apply(rows);
    auto answer = answer_array(rows.rows, [&](const Row& row) {
        return json_object([&](JsonWriter& json) {
            for (std::size_t i = 0; i < rows.columns.size(); ++i) json.member(rows.columns[i], row[i]);
        });
    });
    answer.metadata = std::move(metadata);
    return answer;
}

double number_in(const std::string& value) {
    const double number = std::strtod(value.c_str(), nullptr);
    return number == number ? number : 0;  // "nan" is none
}

std::string truncation_warning(std::size_t total, std::size_t written) {
    return "The answer would be too long: only the first " + std::to_string(written) + " of " + std::to_string(total) +
           " entries are in it. api.paginate_start and api.paginate_size reach the others.";
}

}  // namespace clamscanner
