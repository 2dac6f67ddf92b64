#include "jobs/jobd/planned_action.h"

#include "auth/base/wire.h"

namespace clamscanner {

std::string packed(FileMetadata metadata) {
    Writer wire;
    metadata.fields(wire);
    return std::string(wire.take().bytes());
}

FileMetadata unpacked(const std::string& bytes) {
    FileMetadata metadata;
    if (bytes.empty()) return metadata;
    Reader wire(bytes);
    metadata.fields(wire);
    wire.expect_end();
    return metadata;
}

}  // namespace clamscanner
