#include "jobs/engine/scanned_file.h"

#include <sys/stat.h>

namespace clamscanner {

bool is_unchanged(const ScannedFile& file) {
    struct stat status {};
    if (!file.stamp || ::fstat(file.fd.get(), &status) < 0) return false;
    return stamp_of(file.fd.get(), status) == file.stamp && is_settled(*file.stamp, file.taken_ns);
}

ScanAnswer answer_of(const std::string& virus) {
    ScanAnswer answer;
    answer.verdict = virus.empty() ? Verdict::Clean : Verdict::Infected;
    answer.virus = virus;
    return answer;
}

}  // namespace clamscanner
