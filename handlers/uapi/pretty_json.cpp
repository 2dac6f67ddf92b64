#include "handlers/uapi/pretty_json.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>

#include <stdexcept>

#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

// RapidJSON would write \udc80 as three bytes, so texts are written in our own form.
class PrettyJsonWriter : public rapidjson::PrettyWriter<StringOutput> {
 public:
    using PrettyWriter::PrettyWriter;
    bool String(const char* text, rapidjson::SizeType size, bool) {
        const auto bytes = bytes_of_json_text({text, size});
        if (!bytes) return false;
        const auto value = json_text(*bytes);
        return RawValue(value.data(), value.size(), rapidjson::kStringType);
    }
    bool Key(const char* text, rapidjson::SizeType size, bool copy) { return String(text, size, copy); }
    bool RawNumber(const char* digits, rapidjson::SizeType size, bool) {
        return RawValue(digits, size, rapidjson::kNumberType);
    }
};

}  // namespace

std::string pretty_printed(std::string_view json) {
    std::string text;
    StringOutput output{text};
    PrettyJsonWriter writer(output);
    writer.SetIndent(' ', 2);
    rapidjson::MemoryStream stream(json.data(), json.size());
    rapidjson::Reader reader;
    if (!reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag>(stream, writer))
        throw std::logic_error("an answer of our own is not JSON");
    return text;
}

}  // namespace clamscanner
