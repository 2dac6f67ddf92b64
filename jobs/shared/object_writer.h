// Writes an object of texts, whole numbers, objects and arrays in any form: as JSON (json_writer.h), or as XML where an
// interface uses it. The members are written in the order in which they are given.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

class ObjectWriter {
 public:
    ObjectWriter() = default;
    virtual ~ObjectWriter() = default;
    ObjectWriter(const ObjectWriter&) = delete;
    ObjectWriter& operator=(const ObjectWriter&) = delete;

    // Names the member whose value follows.
    virtual void key(std::string_view name) = 0;

    virtual void begin_object() = 0;
    virtual void end_object() = 0;
    virtual void begin_array() = 0;
    virtual void end_array() = 0;
    virtual void text(std::string_view bytes) = 0;
    virtual void number(std::uint64_t value) = 0;

    void texts(const std::vector<std::string>& items) {
        begin_array();
        for (const auto& item : items) text(item);
        end_array();
    }

    void member(std::string_view name, std::string_view bytes) {
        key(name);
        text(bytes);
    }
    void member(std::string_view name, const std::vector<std::string>& items) {
        key(name);
        texts(items);
    }
    void member(std::string_view name, std::integral auto value) {
        key(name);
        number(static_cast<std::uint64_t>(value));
    }

    // A member that is an object with the members that `write` adds.
    template <class Write>
    void object(std::string_view name, Write write) {
        key(name);
        begin_object();
        write();
        end_object();
    }
    // A member that is an array of objects, each with the members that `write` adds for one item.
    template <class Items, class Write>
    void objects(std::string_view name, const Items& items, Write write) {
        key(name);
        begin_array();
        for (const auto& item : items) {
            begin_object();
            write(item);
            end_object();
        }
        end_array();
    }
};

}  // namespace clamscanner
