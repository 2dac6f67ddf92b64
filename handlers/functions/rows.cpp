#include "handlers/functions/rows.h"

#include "handlers/functions/row_shaping.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

Answer answer_rows(Rows& rows, const RowShaping& shaping) {
    auto metadata = shaping.apply(rows);
    auto answer = answer_array(rows.rows, [&](const std::vector<std::string>& row) {
        std::string object;
        JsonWriter fields(object);
        fields.begin_object();
        for (std::size_t i = 0; i < rows.columns.size(); ++i) {
            fields.key(rows.columns[i]);
            fields.text(row[i]);
        }
        fields.end_object();
        return object;
    });
    answer.metadata = std::move(metadata);
    return answer;
}

std::string left_out(std::size_t total, std::size_t written) {
    return "The answer would be too long: only the first " + std::to_string(written) + " of " + std::to_string(total) +
           " entries are in it. api.paginate_start and api.paginate_size reach the others.";
}

}  // namespace clamscanner
