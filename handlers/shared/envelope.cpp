#include "handlers/shared/envelope.h"

#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_name = 128;      // characters of a module's or function's name in the answer
constexpr std::size_t most_around_data = 512;  // bytes of an answer without messages or warnings

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
    json.key(name);
    texts.empty() ? json.null() : json.texts(texts);
}

void write_result(JsonWriter& json, const Answer& answer, const std::vector<std::string>& errors) {
    json.key("data");
    answer.data.empty() ? json.null() : json.json(answer.data);
    write_texts(json, "errors", errors);
    write_texts(json, "messages", answer.messages);
    json.key("metadata");
    json.json(answer.metadata);
    json.member("status", errors.empty());
    write_texts(json, "warnings", answer.warnings);
}

void write_documented(JsonWriter& json, const Address& address, const Answer& answer,
                      const std::vector<std::string>& errors) {
    json.member("apiversion", 3);
    json.member("func", first_characters(address.function, longest_name));
    json.member("module", first_characters(address.module, longest_name));
    json.object("result", [&] { write_result(json, answer, errors); });
}

std::string enveloped(const Address& address, const Answer& answer, const std::vector<std::string>& errors) {
    const auto write = [&](JsonWriter& json) {
        if (address.form == EnvelopeForm::Live) return write_result(json, answer, errors);
        write_documented(json, address, answer, errors);
    };
    return json_object(write, answer.data.size() + most_around_data);
}

}  // namespace

std::string envelope(const Address& address, const Answer& answer) {
    return enveloped(address, answer, {});
}

std::string failure_envelope(const Address& address, std::string_view error) {
    return enveloped(address, {}, {std::string(error)});
}

}  // namespace clamscanner
