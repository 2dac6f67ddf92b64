// The one way in which JSON is written. Internal to handlers/: nothing outside it sees RapidJSON.
#pragma once

#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

// RapidJSON's concept of an output stream.
struct StringOutput {
    using Ch = char;
    std::string& text;
    void Put(char c) { text.push_back(c); }
    void Flush() {}
};

// Appends one JSON value to a string. Keys must be given in the order in which they are to stand.
class JsonWriter {
 public:
    explicit JsonWriter(std::string& json) : output_{json}, writer_(output_) {}

    void begin_object() { writer_.StartObject(); }
    void end_object() { writer_.EndObject(); }
    void begin_array() { writer_.StartArray(); }
    void end_array() { writer_.EndArray(); }
    void key(std::string_view name) { writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
    void number(std::uint64_t value) { writer_.Uint64(value); }
    void null() { writer_.Null(); }
    // Any bytes, by the rule of json_text.h.
    void text(std::string_view bytes);
    // A value that is JSON already.
    void json(std::string_view value) { writer_.RawValue(value.data(), value.size(), rapidjson::kObjectType); }

    void texts(const std::vector<std::string>& items) {
        begin_array();
        for (const auto& item : items) text(item);
        end_array();
    }

    // An array of what `to_json` makes of each item, up to the first that would bring the whole text above `budget`
    // bytes. Returns how many it holds.
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
    rapidjson::Writer<StringOutput> writer_;
};

}  // namespace clamscanner
