// Wraps libclamav: loads and compiles the signatures once, scans one descriptor, and interprets the library's results.
// Used only by the engine's processes, which are all single-threaded: the library survives a fork, but not threads.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "jobs/engine/signature_trial.h"
#include "jobs/engine/test_virus.h"
#include "jobs/engine/worker/messages.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"

struct cl_engine;
struct cl_stat;

namespace clamscanner {

struct SignatureError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// When each signature file is tried out in a process of its own: when not all of them load together, or before.
enum class Trial { IfNeeded, First };

class ClamEngine {
 public:
    // Loads the administrator's signature directory, if it holds a database, the few test signatures that we ship, and
    // that of a test virus of this engine's own (so that every worker can be tested). Takes seconds and about a
    // gigabyte with a full database. Files that the library does not accept are left out. Throws SignatureError.
    // `config` must outlive this. `directory`: for temporary files.
    ClamEngine(const Settings& config, const std::string& directory, Trial trial = Trial::IfNeeded);
    ~ClamEngine();
    ClamEngine(const ClamEngine&) = delete;
    ClamEngine& operator=(const ClamEngine&) = delete;

    [[nodiscard]] unsigned signatures() const noexcept { return signatures_; }
    [[nodiscard]] bool embedded_only() const noexcept { return embedded_only_; }
    // Why what the signature directory holds is not loaded; empty: it is, or there is nothing.
    [[nodiscard]] std::string problem() const;
    [[nodiscard]] const std::vector<LeftOutFile>& left_out() const noexcept { return left_out_; }
    // Whether it may call files infected that the administrator allows: an allow-list is not loaded.
    [[nodiscard]] bool may_lack_allow_list() const;
    // What only this engine calls infected.
    [[nodiscard]] const TestVirus& test_virus() const noexcept { return test_virus_; }

    // Whether the signature directory has changed since it was loaded.
    [[nodiscard]] bool outdated() const;

    // A hash of the signatures, the options and the library's version. Empty when the directory changed while it was
    // being loaded, so that it is unknown what was loaded.
    [[nodiscard]] const std::string& fingerprint() const noexcept { return fingerprint_; }

    // Must be called in each worker after the fork: workers that share a temporary directory silently miss viruses.
    void use_temporary_directory(const std::string& directory);

    // `fd` must be a regular file opened for reading. The caller sets the token of the answer.
    [[nodiscard]] ScanAnswer scan(int fd) const;
    // Whether the library reported a failure in the last scan that was not the file's. Its state is then unknown: this
    // process must not scan again.
    [[nodiscard]] bool is_tainted() const noexcept;

 private:
    struct FreeEngine {
        void operator()(cl_engine* engine) const noexcept;
    };
    struct FreeStat {
        void operator()(cl_stat* stat) const noexcept;
    };
    void set_number(int field, std::uint64_t value, const char* what);
    void begin();
    void load_directory(Trial trial);
    [[nodiscard]] bool leave_out(TriedFiles which);
    void load_all();
    void load(const std::string& path);
    void load_test_virus();

    std::unique_ptr<cl_engine, FreeEngine> engine_;
    std::unique_ptr<cl_stat, FreeStat> stat_;
    const Settings& config_;
    TestVirus test_virus_;
    std::string signature_directory_;
    std::string temporary_directory_;
    std::vector<LeftOutFile> left_out_;
    SignatureListing listing_;
    std::string fingerprint_;
    std::uint64_t most_member_bytes_ = 0;
    std::uint64_t most_scan_bytes_ = 0;
    unsigned signatures_ = 0;
    bool embedded_only_ = false;
};

// Everything but the signatures that affects a verdict: the options, and the library and its parts.
[[nodiscard]] std::string scan_conditions(const Settings& config);
// As ClamEngine::fingerprint() says it of what `listing` lists. `problem`: why not all of it is loaded, as
// ClamEngine::problem() says it.
[[nodiscard]] std::string fingerprint_of(const Settings& config, const SignatureListing& listing,
                                         const std::string& problem = {});

// The reason, if a detection name means not an infection but a limit that was hit or an encrypted file; empty for a
// real detection. `name` may be null: libclamav gives none for a file over the size limit.
[[nodiscard]] std::optional<UnscannedReason> reason_in(const char* name) noexcept;

}  // namespace clamscanner
