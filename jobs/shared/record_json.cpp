#include "jobs/shared/record_json.h"

#include "jobs/shared/json_writer.h"

namespace clamscanner {

std::string record_line(const Record& record) {
    return json_object([&](JsonWriter& json) {
        if (record.type == RecordType::Step) json.member("file", record.file);
        json.member("id", record.id);
        json.member("message", record.message);
        json.member("state", name_of(record.state));
        // The API's documents describe the last line in two ways: by its type and by its status. This satisfies both.
        if (record.type == RecordType::Done) json.member("status", "done");
        json.member("type", name_of(record.type));
    });
}

}  // namespace clamscanner
