// libclamav, held in one place: the signatures loaded and compiled once, a scan of one descriptor, and what its answers
// mean for us. Used by the engine's processes only, each single-threaded: the library may be forked with, not threaded.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "jobs/engine/worker/messages.h"
#include "jobs/shared/settings.h"

struct cl_engine;
struct cl_stat;

namespace clamscanner {

struct SignatureError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class ClamEngine {
 public:
    // Loads the administrator's signature directory, if it holds a database, and the few test signatures we ship (so
    // that every worker can be tested). Takes seconds and about a gigabyte with a full database. Throws SignatureError.
    explicit ClamEngine(const Settings& config);
    ~ClamEngine();
    ClamEngine(const ClamEngine&) = delete;
    ClamEngine& operator=(const ClamEngine&) = delete;

    [[nodiscard]] unsigned signatures() const noexcept { return signatures_; }
    [[nodiscard]] bool embedded_only() const noexcept { return embedded_only_; }

    // Whether the signature directory holds something else than what was loaded.
    [[nodiscard]] bool outdated() const;

    // Hex digits that tell signatures, options and library from all others. Empty when the directory changed while it
    // was read, so that nobody knows what was loaded.
    [[nodiscard]] const std::string& fingerprint() const noexcept { return fingerprint_; }

    // May be set after the fork, and must be: workers that share a temporary directory miss viruses in silence.
    void use_temporary_directory(const std::string& directory);

    // `fd` is a regular file opened for reading; the caller has checked. The token of the answer is left to the caller.
    [[nodiscard]] ScanAnswer scan(int fd) const;
    // Whether the library failed at something in the last scan. Nobody knows what else that spoiled: this process must
    // scan nothing more.
    [[nodiscard]] bool is_tainted() const noexcept;

 private:
    struct FreeEngine {
        void operator()(cl_engine* engine) const noexcept;
    };
    struct FreeStat {
        void operator()(cl_stat* stat) const noexcept;
    };
    void set_number(int field, std::uint64_t value, const char* what);

    std::unique_ptr<cl_engine, FreeEngine> engine_;
    std::unique_ptr<cl_stat, FreeStat> stat_;
    std::string signature_directory_;
    std::string listing_;
    std::string fingerprint_;
    unsigned signatures_ = 0;
    bool embedded_only_ = false;
};

// What a detection name says that is no infection: a limit hit or something encrypted. Empty for a real detection.
// `name` may be null: libclamav gave none for a file over the size limit.
[[nodiscard]] std::optional<UnscannedReason> reason_in(const char* name) noexcept;

}  // namespace clamscanner
