#include "jobs/engine/verdict_memory.h"

#include "auth/base/log.h"
#include "jobs/engine/worker/sandbox.h"

namespace clamscanner {

VerdictMemory::VerdictMemory(const Settings& config, const std::string& account, const std::string& fingerprint) {
    if (account.empty() || config.engine.rescan_days == 0 || fingerprint.empty() || landlock_version() == 0) return;
    try {
        cache_.emplace(config, account, fingerprint);
    } catch (const std::exception& problem) {
        log_line(Severity::Warning, std::string("scanning without the cache of earlier verdicts: ") + problem.what());
    }
}

std::optional<ScanAnswer> VerdictMemory::find(const FileStamp& stamp) {
    if (!cache_) return std::nullopt;
    try {
        const auto virus = cache_->find(stamp);
        if (!virus) return std::nullopt;
        return answer_of(*virus);
    } catch (const DatabaseError& damaged) {
        log_line(Severity::Warning,
                 std::string("the cache of earlier verdicts is damaged and no longer used: ") + damaged.what());
        cache_.reset();
        return std::nullopt;
    }
}

void VerdictMemory::store(const ScannedFile& file) {
    if (!cache_ || !file.stamp || file.answer->verdict == Verdict::Unscanned) return;
    try {
        cache_->store(*file.stamp, file.answer->virus);
    } catch (const DatabaseError& problem) {
        log_line(Severity::Warning, std::string("verdicts are no longer cached: ") + problem.what());
        cache_.reset();
    }
}

}  // namespace clamscanner
