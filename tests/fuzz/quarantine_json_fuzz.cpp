// Foreign bytes: the record beside a quarantined file, which its owner can write. What is read keeps its limits, and
// written again it reads the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "auth/base/wire.h"
#include "jobs/shared/quarantine_json.h"

using namespace clamscanner;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    try {
        const auto record = read_quarantine_json({reinterpret_cast<const char*>(bytes), size});
        if (record.path.size() > longest_path || record.home.size() > longest_path ||
            record.virus.size() > longest_virus_name || record.sha256.size() != 64)
            std::abort();
        // So that it can be sent and stored.
        Writer wire;
        auto metadata = record.metadata;
        metadata.fields(wire);
        const auto written = quarantine_json(record);
        if (written.size() <= longest_quarantine_json && quarantine_json(read_quarantine_json(written)) != written)
            std::abort();
    } catch (const Malformed&) {
    }
    return 0;
}
