// Fuzzes arguments as a client sends them: query, type and body, separated by empty lines. A list shaped by them must
// never have more rows than before.
#include <algorithm>
#include <cstdlib>

#include "handlers/functions/arguments.h"
#include "handlers/functions/row_shaping.h"
#include "jobs/shared/refusal.h"

namespace {

std::string take_paragraph(std::string_view& input) {
    const auto end = std::min(input.find("\n\n"), input.size());
    const std::string paragraph(input.substr(0, end));
    input.remove_prefix(std::min(end + 2, input.size()));
    return paragraph;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace clamscanner;
    std::string_view input(reinterpret_cast<const char*>(bytes), size);
    Request request;
    request.query = take_paragraph(input);
    request.content_type = take_paragraph(input);
    request.body = input;
    try {
        Rows rows{.columns = {"file", "size"}, .rows = {{"/home/a.php", "10"}, {"/home/\xff", "unlimited"}, {"", "0"}}};
        const RowShaping shaping(arguments_of(request), rows.columns);
        static_cast<void>(shaping.apply(rows));
        if (rows.rows.size() > 3 || rows.columns.size() > 2) std::abort();
    } catch (const Refusal&) {
    }
    return 0;
}
