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
    return json_object([&](JsonWriter& json) {
               json.member("accessed", seconds(record.metadata.atime_ns));
               json.object("extended_attributes", [&] {
                   for (const auto& [name, value] : record.metadata.attributes)
                       json.member(name, hex(value.data(), value.size()));
               });
               json.member("file", record.path);
               json.member("group", record.metadata.group);
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

}  // namespace clamscanner
