// Fuzzes arguments as a client sends them: query, type and body, separated by empty lines. A list shaped by them must
// never have more rows than before; and what comes in pieces must be an object of texts.
#include <algorithm>
#include <cstdlib>

#include "handlers/functions/arguments.h"
#include "handlers/functions/json_arguments.h"
#include "handlers/functions/row_shaping.h"
#include "jobs/shared/refusal.h"

namespace {

std::string take_paragraph(std::string_view& input) {
    const auto end = std::min(input.find("\n\n"), input.size());
    const std::string paragraph(input.substr(0, end));
    input.remove_prefix(std::min(end + 2, input.size()));
    return paragraph;
}

void shape_rows(const clamscanner::Request& request) {
    using namespace clamscanner;
    Rows rows{.columns = {"file", "size"}, .rows = {{"/home/a.php", "10"}, {"/home/\xff", "unlimited"}, {"", "0"}}};
    const RowShaping shaping(arguments_of(request), rows.columns);
    static_cast<void>(shaping.apply(rows));
    if (rows.rows.size() > 3 || rows.columns.size() > 2) std::abort();
}

bool is_object(std::string_view json) {
    return clamscanner::is_object_of_texts(json, [](std::string_view, std::string_view) { return true; });
}

void read_pieces(const clamscanner::Request& request) {
    using namespace clamscanner;
    static constexpr CompoundArgument actions{"actions", CompoundArgument::Kind::Object, is_object};
    static constexpr CompoundArgument ids{"ids", CompoundArgument::Kind::Array};
    const auto of_actions = arguments_of(request, &actions);
    if (const auto* given = of_actions.find("actions")) static_cast<void>(object_of_texts("actions", *given, "", 1000));
    const auto of_ids = arguments_of(request, &ids);
    if (const auto* given = of_ids.find("ids")) static_cast<void>(array_of_texts("ids", *given, "", 1000));
}

template <class Read>
void unless_refused(Read read, const clamscanner::Request& request) {
    try {
        read(request);
    } catch (const clamscanner::Refusal&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace clamscanner;
    std::string_view input(reinterpret_cast<const char*>(bytes), size);
    Request request;
    request.query = take_paragraph(input);
    request.content_type = take_paragraph(input);
    request.body = input;
    unless_refused(shape_rows, request);
    unless_refused(read_pieces, request);
    return 0;
}
