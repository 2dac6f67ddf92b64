// Arguments as a client sends them: query, type and body, an empty line between each.
#include <algorithm>

#include "handlers/arguments.h"
#include "handlers/refusal.h"

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
        static_cast<void>(arguments_of(request));
    } catch (const Refusal&) {
    }
    return 0;
}
