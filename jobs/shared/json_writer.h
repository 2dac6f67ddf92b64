// Writes all our JSON.
#pragma once

#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "jobs/shared/object_writer.h"

namespace clamscanner {

// RapidJSON's concept of an output stream.
struct StringOutput {
    using Ch = char;
    std::string& text;
    void Put(char c) { text.push_back(c); }
    void Flush() {}
};

// RapidJSON's writer emits single characters; this one can also append longer pieces that need no escaping.
class StringWriter : public rapidjson::Writer<StringOutput> {
 public:
    using Writer::Writer;
    void raw(std::string_view value, rapidjson::Type type) {
        Prefix(type);
        os_->text += value;
        EndValue(true);
    }
    void plain_text(std::string_view text) {
        Prefix(rapidjson::kStringType);
        os_->text += '"';
        os_->text += text;
        os_->text += '"';
        EndValue(true);
    }
};

// Appends one JSON value to a string.
class JsonWriter final : public ObjectWriter {
 public:
    explicit JsonWriter(std::string& json) : output_{json}, writer_(output_) {}

    void begin_object() override { writer_.StartObject(); }
    void end_object() override { writer_.EndObject(); }
    void begin_array() override { writer_.StartArray(); }
    void end_array() override { writer_.EndArray(); }
    void key(std::string_view name) override { text(name); }
    void number(std::uint64_t value) override { writer_.Uint64(value); }
    // Any bytes, by the rule of json_text.h.
    void text(std::string_view bytes) override;
    void null() { writer_.Null(); }
    // Appends a value that is JSON already.
    void json(std::string_view value) { writer_.raw(value, rapidjson::kObjectType); }

    // Appends an array of `to_json(item)` for each item, up to the first that would make the whole text exceed `budget`
    // bytes. Returns the array's length.
    template <class Items, class ToJson>
    std::size_t bounded_array(const Items& items, std::size_t budget, ToJson to_json) {
        std::size_t written = 0;
        begin_array();
        for (const auto& item : items) {
            const std::string text = to_json(item);
            if (output_.text.size() + text.size() > budget) break;
            json(text);
            ++written;
        }
        end_array();
        return written;
    }

 private:
    StringOutput output_;
    StringWriter writer_;
};

// Returns one object with the members that `write` adds. `expected`: roughly how many bytes, if there are many.
template <class Write>
[[nodiscard]] std::string json_object(Write write, std::size_t expected = 0) {
    std::string text;
    text.reserve(expected);
    JsonWriter json(text);
    json.begin_object();
    write(json);
    json.end_object();
    return text;
}

}  // namespace clamscanner
