#include "handlers/shared/envelope.h"

#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_name = 128;  // characters of a module's or function's name that are given back

void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
    json.key(key);
    if (texts.empty()) {
        json.null();
    } else {
        json.texts(texts);
    }
}

void write_result(JsonWriter& json, const Answer& answer, const std::vector<std::string>& errors) {
    json.begin_object();
    json.key("data");
    answer.data.empty() ? json.null() : json.json(answer.data);
    write_texts(json, "errors", errors);
    write_texts(json, "messages", answer.messages);
    json.key("metadata");
    json.json(answer.metadata);
    json.key("status");
    json.number(errors.empty() ? 1 : 0);
    write_texts(json, "warnings", answer.warnings);
    json.end_object();
}

std::string enveloped(const Address& address, const Answer& answer, const std::vector<std::string>& errors) {
    std::string text;
    text.reserve(answer.data.size() + 512);
    JsonWriter json(text);
    if (address.form == EnvelopeForm::Live) {
        write_result(json, answer, errors);
        return text;
    }
    json.begin_object();
    json.key("apiversion");
    json.number(3);
    json.key("func");
    json.text(first_characters(address.function, longest_name));
    json.key("module");
    json.text(first_characters(address.module, longest_name));
    json.key("result");
    write_result(json, answer, errors);
    json.end_object();
    return text;
}

}  // namespace

std::string envelope(const Address& address, const Answer& answer) {
    return enveloped(address, answer, {});
}

std::string failure_envelope(const Address& address, std::string_view error) {
    return enveloped(address, {}, {std::string(error)});
}

}  // namespace clamscanner
