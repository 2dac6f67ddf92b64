#include "jobs/shared/quarantine_json.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "auth/base/nanoseconds.h"
#include "auth/base/random.h"
#include "auth/base/wire.h"
#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

std::string seconds(std::int64_t nanoseconds) {
    constexpr std::int64_t second = 1'000'000'000;
    std::int64_t whole = nanoseconds / second;
    std::int64_t rest = nanoseconds % second;
    if (rest < 0) {
        --whole;
        rest += second;
    }
    char text[48];
    std::snprintf(text, sizeof text, "%lld.%09lld", static_cast<long long>(whole), static_cast<long long>(rest));
    return text;
}

std::string octal(std::uint32_t mode) {
    char text[16];
    std::snprintf(text, sizeof text, "%04o", mode);
    return text;
}

// A member of the object; its presence and form are checked.
class Members {
 public:
    explicit Members(const rapidjson::Value& object) : object_(object) {
        if (!object.IsObject()) throw Malformed("a quarantine record is not an object");
    }

    [[nodiscard]] bool has(const char* name) const { return object_.HasMember(name); }
    [[nodiscard]] const rapidjson::Value& at(const char* name) const {
        const auto found = object_.FindMember(name);
        if (found == object_.MemberEnd()) throw Malformed("a quarantine record lacks a member");
        return found->value;
    }
    [[nodiscard]] std::string text(const char* name, std::size_t longest) const { return text_of(at(name), longest); }
    [[nodiscard]] std::uint64_t number(const char* name) const {
        if (!at(name).IsUint64()) throw Malformed("a quarantine record has another number");
        return at(name).GetUint64();
    }
    [[nodiscard]] std::uint32_t number32(const char* name) const {
        if (!at(name).IsUint()) throw Malformed("a quarantine record has another number");
        return at(name).GetUint();
    }

    [[nodiscard]] static std::string text_of(const rapidjson::Value& value, std::size_t longest) {
        if (!value.IsString()) throw Malformed("a quarantine record has another form");
        auto bytes = bytes_of_json_text({value.GetString(), value.GetStringLength()});
        if (!bytes || bytes->size() > longest || bytes->find('\0') != std::string::npos)
            throw Malformed("a text in a quarantine record is too long or holds what it may not");
        return *std::move(bytes);
    }

 private:
    const rapidjson::Value& object_;
};

// The whole text as a number.
template <class Number>
Number number_of(std::string_view text, int base = 10) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size())
        throw Malformed("a number in a quarantine record is wrong");
    return number;
}

// The reverse of seconds(); fewer decimal places, or none, are accepted.
std::int64_t nanoseconds_of_text(const std::string& text) {
    const auto point = std::min(text.find('.'), text.size());
    auto places = text.substr(std::min(point + 1, text.size()));
    constexpr std::size_t most_places = 9;
    if (places.size() > most_places) throw Malformed("a time in a quarantine record is wrong");
    places.resize(most_places, '0');
    std::int64_t time = 0;
    if (__builtin_mul_overflow(number_of<std::int64_t>(text.substr(0, point)), nanoseconds_of_a_second, &time) ||
        __builtin_add_overflow(time, std::int64_t{number_of<std::uint32_t>(places)}, &time))
        throw Malformed("a time in a quarantine record is wrong");
    return time;
}

std::string bytes_of_hex(const std::string& digits) {
    std::string bytes;
    if (digits.size() % 2 != 0) throw Malformed("an attribute in a quarantine record is wrong");
    for (std::size_t at = 0; at < digits.size(); at += 2)
        bytes += static_cast<char>(number_of<std::uint8_t>(std::string_view(digits).substr(at, 2), 16));
    return bytes;
}

std::vector<ExtendedAttribute> attributes_of(const rapidjson::Value& object) {
    std::vector<ExtendedAttribute> attributes;
    std::size_t total = 0;
    if (!object.IsObject() || object.MemberCount() > most_attributes)
        throw Malformed("the attributes in a quarantine record are too many");
    for (const auto& [name, value] : object.GetObject()) {
        attributes.push_back({Members::text_of(name, longest_attribute_name),
                              bytes_of_hex(Members::text_of(value, 2 * most_attribute_bytes))});
        total += attributes.back().name.size() + attributes.back().value.size();
    }
    if (total > most_attribute_bytes) throw Malformed("the attributes in a quarantine record are too long");
    return attributes;
}

std::uint32_t mode_of(const std::string& octal) {
    const auto mode = number_of<std::uint32_t>(octal, 8);
    if (mode > 07777) throw Malformed("the mode in a quarantine record is wrong");
    return mode;
}

std::string sha256_of(std::string hex) {
    constexpr std::size_t length = 64;
    if (hex.size() != length || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
        throw Malformed("the SHA-256 in a quarantine record is wrong");
    return hex;
}

}  // namespace

std::string quarantine_json(const QuarantineRecord& record) {
    return json_object([&](JsonWriter& json) {
               json.member("accessed", seconds(record.metadata.atime_ns));
               json.object("extended_attributes", [&] {
                   for (const auto& [name, value] : record.metadata.attributes)
                       json.member(name, hex(value.data(), value.size()));
               });
               json.member("file", record.path);
               json.member("group", record.metadata.group);
               json.member("home", record.home);
               json.member("mode", octal(record.metadata.mode));
               json.member("modified", seconds(record.identity.mtime_ns));
               json.member("owner", record.metadata.owner);
               json.member("quarantined", std::to_string(record.quarantined_at));
               json.member("sha256", record.sha256);
               json.member("size", record.identity.size);
               json.member("virus_type", record.virus);
           }) +
           "\n";
}

QuarantineRecord read_quarantine_json(std::string_view json) {
    if (json.size() > longest_quarantine_json || !is_utf8(json)) throw Malformed("a quarantine record is no JSON text");
    rapidjson::Document document;
    // Iterative: deep nesting must not exhaust the stack.
    document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    if (document.HasParseError()) throw Malformed("a quarantine record is not well-formed JSON");
    const Members members(document);
    QuarantineRecord record;
    record.path = members.text("file", longest_path);
    record.virus = members.text("virus_type", longest_virus_name);
    record.sha256 = sha256_of(members.text("sha256", 64));
    record.identity.size = members.number("size");
    record.identity.mtime_ns = nanoseconds_of_text(members.text("modified", 32));
    record.metadata.owner = members.number32("owner");
    record.metadata.group = members.number32("group");
    record.metadata.mode = mode_of(members.text("mode", 16));
    record.metadata.atime_ns = nanoseconds_of_text(members.text("accessed", 32));
    record.metadata.attributes = attributes_of(members.at("extended_attributes"));
    record.quarantined_at = number_of<std::int64_t>(members.text("quarantined", 32));
    if (members.has("home")) record.home = members.text("home", longest_path);
    return record;
}

}  // namespace clamscanner
