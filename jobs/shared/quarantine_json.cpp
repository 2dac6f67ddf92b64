#include "jobs/shared/quarantine_json.h"

#include <cstdio>

#include "auth/base/random.h"
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

}  // namespace

std::string quarantine_json(const QuarantineRecord& record) {
    std::string text;
    JsonWriter json(text);
    json.begin_object();
    json.key("accessed");
    json.text(seconds(record.metadata.atime_ns));
    json.key("extended_attributes");
    json.begin_object();
    for (const auto& [name, value] : record.metadata.attributes) {
        json.key(name);
        json.text(hex(value.data(), value.size()));
    }
    json.end_object();
    json.key("file");
    json.text(record.path);
    json.key("group");
    json.number(record.metadata.group);
    json.key("mode");
    json.text(octal(record.metadata.mode));
    json.key("modified");
    json.text(seconds(record.identity.mtime_ns));
    json.key("owner");
    json.number(record.metadata.owner);
    json.key("quarantined");
    json.text(std::to_string(record.quarantined_at));
    json.key("sha256");
    json.text(record.sha256);
    json.key("size");
    json.number(record.identity.size);
    json.key("virus_type");
    json.text(record.virus);
    json.end_object();
    return text + "\n";
}

}  // namespace clamscanner
