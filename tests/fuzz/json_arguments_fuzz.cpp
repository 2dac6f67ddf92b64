// Fuzzes a JSON body of arguments, and each argument as an object of texts. What was read must be the same after we
// write it and read it again.
#include <cstdlib>

#include "handlers/functions/json_arguments.h"
#include "jobs/shared/json_text.h"
#include "jobs/shared/refusal.h"

namespace {

using namespace clamscanner;

void check_round_trip(const TextPairs& pairs) {
    for (const auto& [key, value] : pairs) {
        const Argument argument{ArgumentForm::Compound, "{" + json_text(key) + ":" + json_text(value) + "}"};
        if (object_of_texts("again", argument, "", 1) != TextPairs{{key, value}}) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    try {
        Arguments arguments;
        read_json_object(input, arguments);
        if (const auto* actions = arguments.find("actions"); actions != nullptr)
            check_round_trip(object_of_texts("actions", *actions, "", 1000));
    } catch (const Refusal&) {
    }
    return 0;
}
