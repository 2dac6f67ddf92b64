// An account's scan cache as its coordinator uses it: when the cache fails, that is logged, and the scan goes on
// without.
#pragma once

#include <optional>
#include <string>

#include "jobs/engine/scan_cache.h"
#include "jobs/engine/scanned_file.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class VerdictMemory {
 public:
    // There is none for an empty `account` or `fingerprint`, when no verdict shall be remembered, and without Landlock:
    // a worker that was taken over could then write into any account's cache.
    VerdictMemory(const Settings& config, const std::string& account, const std::string& fingerprint);

    [[nodiscard]] std::optional<ScanAnswer> find(const FileStamp& stamp);
    // Its answer, unless the file has no stamp or was not scanned.
    void store(const ScannedFile& file);
    // Brings everything to the disk. There is none from then on.
    void close() { cache_.reset(); }

 private:
    std::optional<ScanCache> cache_;
};

}  // namespace clamscanner
