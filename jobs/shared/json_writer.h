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

// RapidJSON's writer, which gives out single characters, and takes longer pieces where they need no escaping.
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

// Appends one JSON value to a string. Keys must be given in the order in which they are to stand.
class JsonWriter {
 public:
    explicit JsonWriter(std::string& json) : output_{json}, writer_(output_) {}

    void begin_object() { writer_.StartObject(); }
    void end_object() { writer_.EndObject(); }
    void begin_array() { writer_.StartArray(); }
    void end_array() { writer_.EndArray(); }
    void key(std::string_view name) { text(name); }
    void number(std::uint64_t value) { writer_.Uint64(value); }
    void null() { writer_.Null(); }
    // Any bytes, by the rule of json_text.h.
    void text(std::string_view bytes);
    // A value that is JSON already.
    void json(std::string_view value) { writer_.raw(value, rapidjson::kObjectType); }

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
    StringWriter writer_;
};

}  // namespace clamscanner
