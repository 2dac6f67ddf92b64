#include "jobs/shared/record_json.h"

#include "jobs/shared/json_writer.h"

namespace clamscanner {

void write_record(JsonWriter& json, const Record& record) {
    json.begin_object();
    if (record.type == RecordType::Step) {
        json.key("file");
        json.text(record.file);
    }
    json.key("id");
    json.number(record.id);
    json.key("message");
    json.text(record.message);
    json.key("state");
    json.text(name_of(record.state));
    if (record.type == RecordType::Done) {
        // The documents describe the last line in two ways: by its type and by its status. It satisfies both.
        json.key("status");
        json.text("done");
    }
    json.key("type");
    json.text(name_of(record.type));
    json.end_object();
}

std::string record_line(const Record& record) {
    std::string line;
    JsonWriter json(line);
    write_record(json, record);
    return line;
}

}  // namespace clamscanner
