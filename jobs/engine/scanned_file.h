// A file that a coordinator was handed, from then until its verdict is final. Several names may stand for one file, and
// several files may wait for the verdict on one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"
#include "jobs/engine/scan_cache.h"
#include "jobs/engine/worker/messages.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// A file's content. A verdict depends on nothing else.
struct Content {
    std::uint64_t size = 0;
    std::string sha256;  // 64 lower-case hex digits
    auto operator<=>(const Content&) const = default;
};

struct ScannedFile {
    struct Name {
        std::string path;
        std::uint64_t place = 0;  // among all files that the runner reported, from 0
    };
    std::uint64_t token = 0;
    bool wants_result = false;
    std::vector<Name> names;
    UniqueFd fd;
    FileIdentity identity;
    std::int64_t changed_ns = 0;  // its change time when it was handed over
    std::string sha256;  // of an infected or individually scanned file, once its verdict is final; empty: unknown
    std::optional<FileStamp> stamp;  // at taken_ns; set if the verdict may be shared with other files
    std::int64_t taken_ns = 0;
    std::uint32_t links = 1;
    bool known = false;                // its verdict is from the cache: it was not read
    bool counted = false;              // in the scan's progress already, or not part of the scan
    bool has_failed_once = false;      // a worker failed on it once
    Deadline asked_at{};               // when the registry of known contents was asked about it last, if it was
    bool asked_again = false;          // because others may have met its content meanwhile; or is not to be
    bool waits_for_judgement = false;  // once it has to, of its content
    std::optional<ScanAnswer> answer;
    bool final = false;                                // the answer is accepted
    std::optional<Content> content;                    // when it was handed over, hashed by us
    bool shares_verdict = false;                       // with files of this content: it has not changed since
    std::vector<std::shared_ptr<ScannedFile>> copies;  // files with the same content that wait for its verdict
};
using FilePtr = std::shared_ptr<ScannedFile>;

// Whether the file is unchanged since it was handed over, and its last change old enough for another one to show in the
// stamp. Conclusive only after changes in memory were written out.
[[nodiscard]] bool is_unchanged(const ScannedFile& file);

// `virus`: what was found; empty if nothing was.
[[nodiscard]] ScanAnswer answer_of(const std::string& virus);

}  // namespace clamscanner
