#include "jobs/engine/clam_engine.h"

#include <clamav.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "auth/base/log.h"
#include "auth/base/random.h"
#include "auth/base/sha256.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"
#include "jobs/engine/library_build.h"
#include "jobs/engine/library_messages.h"
#include "jobs/engine/worker/unpacking.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

// Set from the library's error messages, because its results do not show failures: if it cannot create or fill a
// temporary file, or finds an archive damaged, it reports "clean".
bool library_failed = false;
bool input_is_damaged = false;

void log_from_library(enum cl_msg severity, const char* full, const char* message, void* /*context*/) noexcept {
    if (severity == CL_MSG_INFO_VERBOSE) return;
    const char* const text = message != nullptr ? message : full;
    const bool about_input = severity == CL_MSG_ERROR && is_about_the_input(text);
    if (about_input) input_is_damaged = true;
    if (severity == CL_MSG_ERROR && !about_input) library_failed = true;
    const auto line = loggable(text);
    if (!line.empty())
        log_line(severity == CL_MSG_ERROR && !about_input ? Severity::Error : Severity::Warning, "libclamav: " + line);
}

void initialise_library() {
    static const bool once = [] {
        ::cl_set_clcb_msg(&log_from_library);
        if (const cl_error_t result = ::cl_init(CL_INIT_DEFAULT); result != CL_SUCCESS)
            throw SignatureError(std::string("libclamav does not start: ") + ::cl_strerror(result));
        return true;
    }();
    static_cast<void>(once);
}

// ---- The library's callbacks, each with the Unpacking of its scan ---------------------------------------------------

cl_error_t begin_layer(int /*fd*/, const char* type, const char** /*ancestors*/, std::size_t /*parent_size*/,
                       const char* /*name*/, std::size_t size, const char* content, std::uint32_t level,
                       std::uint32_t attributes, void* unpacking) noexcept {
    if (unpacking == nullptr || content == nullptr) return CL_CLEAN;
    try {
        static_cast<Unpacking*>(unpacking)->begin_layer(
            level, type, {content, size},
            {(attributes & LAYER_ATTRIBUTES_NORMALIZED) != 0, (attributes & LAYER_ATTRIBUTES_DECRYPTED) != 0});
    } catch (const std::exception&) {  // no memory
        library_failed = true;
    }
    return CL_CLEAN;
}

cl_error_t announce_member(const char* container_type, unsigned long /*packed*/, const char* /*name*/,
                           unsigned long size, int encrypted, unsigned /*place*/, void* unpacking) noexcept {
    if (unpacking == nullptr) return CL_CLEAN;
    try {
        static_cast<Unpacking*>(unpacking)->announce(container_type, size, encrypted != 0);
    } catch (const std::exception&) {
        library_failed = true;
    }
    return CL_CLEAN;
}

UnscannedReason reason_of(cl_error_t error) noexcept {
    switch (error) {
        case CL_EOPEN:
        case CL_EREAD:
        case CL_ESTAT:
        case CL_ESEEK:
        case CL_EMAP:
        case CL_EACCES:
            return UnscannedReason::Unreadable;
        case CL_ETIMEOUT:
            return UnscannedReason::TimeLimit;
        case CL_EMAXSIZE:
        case CL_EMAXREC:
        case CL_EMAXFILES:
            return UnscannedReason::LimitExceeded;
        case CL_EFORMAT:
        case CL_EPARSE:
        case CL_EUNPACK:
            return UnscannedReason::Damaged;
        default:
            return UnscannedReason::ScannerFailed;
    }
}

// Debian's clamd options, plus alerts for limits that were hit and for encrypted files: without these alerts the
// library calls such files clean.
cl_scan_options scan_options() noexcept {
    cl_scan_options options{};
    options.general = CL_SCAN_GENERAL_HEURISTICS;
    options.parse = ~0U;
    options.heuristic =
        CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC;
    return options;
}

}  // namespace

std::string scan_conditions(const Settings& config) {
    initialise_library();  // it loads the parts that are named here
    const auto& limits = config.engine;
    const auto options = scan_options();
    std::string text = std::string("libclamav without its cache ") + ::cl_retver() + "\n" + mapped_library_builds();
    text += " unpacking " + std::to_string(unpacking_rules);
    for (const std::uint64_t number :
         {limits.max_scan_bytes, limits.max_file_bytes, limits.max_recursion, limits.max_files, limits.max_scan_seconds,
          limits.pcre_match_limit, limits.pcre_recursion_limit, std::uint64_t{options.general},
          std::uint64_t{options.parse}, std::uint64_t{options.heuristic}})
        text += " " + std::to_string(number);
    return text;
}

std::string fingerprint_of(const Settings& config, const SignatureListing& listing, const std::string& problem) {
    return sha256_hex(listing.files + listing_of(config.paths.embedded_signature_directory).files +
                      scan_conditions(config) + problem);
}

std::optional<UnscannedReason> reason_in(const char* name) noexcept {
    if (name == nullptr) return UnscannedReason::TooLarge;
    const std::string_view detection(name);
    if (detection.starts_with("Heuristics.Limits.Exceeded")) {
        // A file that is too large itself gets no name.
        if (detection.ends_with("MaxFileSize")) return UnscannedReason::TooLargeInside;
        return detection.ends_with("MaxScanTime") ? UnscannedReason::TimeLimit : UnscannedReason::LimitExceeded;
    }
    if (detection.starts_with("Heuristics.Encrypted")) return UnscannedReason::Encrypted;
    return std::nullopt;
}

void ClamEngine::FreeEngine::operator()(cl_engine* engine) const noexcept {
    ::cl_engine_free(engine);
}

void ClamEngine::FreeStat::operator()(cl_stat* stat) const noexcept {
    ::cl_statfree(stat);
    delete stat;
}

ClamEngine::ClamEngine(const Settings& config, const std::string& directory, Trial trial)
    : config_(config),
      test_virus_(random_test_virus()),
      signature_directory_(config.paths.signature_directory),
      temporary_directory_(directory) {
    initialise_library();
    listing_ = listing_of(signature_directory_);
    stat_.reset(new cl_stat{});
    if (::cl_statinidir(signature_directory_.c_str(), stat_.get()) != CL_SUCCESS) stat_.reset();
    load_directory(trial);
    if (listing_of(signature_directory_) == listing_) fingerprint_ = fingerprint_of(config, listing_, problem());
}

void ClamEngine::begin() {
    engine_.reset(::cl_engine_new());
    signatures_ = 0;
    if (!engine_) throw SignatureError("libclamav has no memory for an engine");
    const auto& limits = config_.engine;
    most_member_bytes_ = limits.max_file_bytes;
    most_scan_bytes_ = limits.max_scan_bytes;
    set_number(CL_ENGINE_MAX_SCANSIZE, limits.max_scan_bytes, "max_scan_bytes");
    set_number(CL_ENGINE_MAX_FILESIZE, limits.max_file_bytes, "max_file_bytes");
    set_number(CL_ENGINE_MAX_RECURSION, limits.max_recursion, "max_recursion");
    set_number(CL_ENGINE_MAX_FILES, limits.max_files, "max_files");
    set_number(CL_ENGINE_MAX_SCANTIME, limits.max_scan_seconds * 1000, "max_scan_seconds");
    set_number(CL_ENGINE_PCRE_MATCH_LIMIT, limits.pcre_match_limit, "pcre_match_limit");
    set_number(CL_ENGINE_PCRE_RECMATCH_LIMIT, limits.pcre_recursion_limit, "pcre_recursion_limit");
    // Before anything is loaded, because loading creates the cache. It stores clean contents, those of files inside
    // archives too, by MD5: of two files with the same MD5, the infected one would be called clean after the clean one.
    if (::cl_engine_set_num(engine_.get(), CL_ENGINE_DISABLE_CACHE, 1) != CL_SUCCESS)
        throw SignatureError("libclamav's cache of clean contents cannot be switched off");
    ::cl_engine_set_clcb_file_inspection(engine_.get(), &begin_layer);
    ::cl_engine_set_clcb_meta(engine_.get(), &announce_member);
}

// Signed databases are written by ClamAV's own programs and take long to try out, so they are suspected last.
void ClamEngine::load_directory(Trial trial) {
    left_out_ = entries_that_are_no_files(signature_directory_);
    std::vector<TriedFiles> untried = {TriedFiles::SignedDatabases, TriedFiles::AllButSignedDatabases};
    if (trial == Trial::First) {
        static_cast<void>(leave_out(untried.back()));
        untried.pop_back();
    }
    for (;;) {
        try {
            return load_all();
        } catch (const SignatureError&) {
            engine_.reset();  // its memory is needed for the trial
            bool found = false;
            for (; !found && !untried.empty(); untried.pop_back()) found = leave_out(untried.back());
            if (!found) throw;
        }
    }
}

// False when none of them is bad.
bool ClamEngine::leave_out(TriedFiles which) {
    const auto bad = files_that_do_not_load(signature_directory_, which);
    left_out_.insert(left_out_.end(), bad.begin(), bad.end());
    return !bad.empty();
}

void ClamEngine::load_all() {
    begin();
    const auto files = signature_files(signature_directory_);
    const auto is_loaded = [&](const std::string& name) {
        return holds_signatures_by_name(name) &&
               std::none_of(left_out_.begin(), left_out_.end(), [&](const auto& file) { return file.name == name; });
    };
    embedded_only_ = !listing_.problem.empty() || std::none_of(files.begin(), files.end(), is_loaded);
    if (!embedded_only_ && left_out_.empty()) load(signature_directory_);
    if (!embedded_only_ && !left_out_.empty())
        load(DirectoryOfTheRest(temporary_directory_ + "/" + random_hex(8), signature_directory_, left_out_).path());
    load(config_.paths.embedded_signature_directory);
    load_test_virus();
    if (const cl_error_t result = ::cl_engine_compile(engine_.get()); result != CL_SUCCESS)
        throw SignatureError(std::string("the signatures do not compile: ") + ::cl_strerror(result));
}

std::string ClamEngine::problem() const {
    if (left_out_.empty()) return listing_.problem;
    constexpr std::size_t most_named = 5;
    std::string text = "left out of those in " + signature_directory_ + ":";
    for (std::size_t i = 0; i < std::min(left_out_.size(), most_named); ++i)
        text += (i == 0 ? " " : ", ") + left_out_[i].name.substr(0, 80) + " (" + left_out_[i].why + ")";
    if (left_out_.size() > most_named) text += " and " + std::to_string(left_out_.size() - most_named) + " more";
    return text;
}

bool ClamEngine::may_lack_allow_list() const {
    const auto is_one = [](const LeftOutFile& file) { return is_allow_list(file.name); };
    return !listing_.problem.empty() || std::any_of(left_out_.begin(), left_out_.end(), is_one);
}

ClamEngine::~ClamEngine() = default;

void ClamEngine::set_number(int field, std::uint64_t value, const char* what) {
    const cl_error_t result =
        ::cl_engine_set_num(engine_.get(), static_cast<cl_engine_field>(field), static_cast<long long>(value));
    if (result != CL_SUCCESS) throw SignatureError(std::string("libclamav rejects engine.") + what);
}

void ClamEngine::load(const std::string& path) {
    const cl_error_t result = ::cl_load(path.c_str(), engine_.get(), &signatures_, CL_DB_STDOPT);
    if (result != CL_SUCCESS)
        throw SignatureError(
            "the signatures in " + path + " do not load: " + ::cl_strerror(result) +
            (result == CL_EMEM ? ". The host, or the engine's MemoryMax=, has too little memory" : ""));
}

// The library reads signatures only from files, whose names say what they hold.
void ClamEngine::load_test_virus() {
    const std::string path = temporary_directory_ + "/" + random_hex(8) + ".ndb";
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const bool written = file && write_all(file.get(), signature_of(test_virus_));
    const cl_error_t result = written ? ::cl_load(path.c_str(), engine_.get(), &signatures_, CL_DB_STDOPT) : CL_EWRITE;
    ::unlink(path.c_str());
    if (result != CL_SUCCESS)
        throw SignatureError(std::string("the signature of the test virus does not load: ") + ::cl_strerror(result));
}

bool ClamEngine::outdated() const {
    // The library does not notice that a file was removed.
    if (fingerprint_.empty() || listing_of(signature_directory_) != listing_) return true;
    return stat_ && ::cl_statchkdir(stat_.get()) == 1;
}

void ClamEngine::use_temporary_directory(const std::string& directory) {
    if (::cl_engine_set_str(engine_.get(), CL_ENGINE_TMPDIR, directory.c_str()) != CL_SUCCESS)
        throw SignatureError("libclamav rejects the temporary directory");
}

bool ClamEngine::is_tainted() const noexcept {
    return library_failed;
}

ScanAnswer ClamEngine::scan(int fd) const {
    cl_scan_options options = scan_options();
    const char* name = nullptr;
    unsigned long scanned = 0;
    library_failed = false;
    input_is_damaged = false;
    Unpacking unpacking(most_member_bytes_, most_scan_bytes_);
    const cl_error_t result = ::cl_scandesc_callback(fd, nullptr, &name, &scanned, engine_.get(), &options, &unpacking);
    ScanAnswer answer;
    if (result == CL_CLEAN && library_failed) {
        answer.reason = UnscannedReason::ScannerFailed;
    } else if (result == CL_CLEAN && input_is_damaged) {
        answer.reason = UnscannedReason::Damaged;
    } else if (const auto unseen = result == CL_CLEAN ? unpacking.reason() : std::nullopt) {
        answer.reason = *unseen;
    } else if (result == CL_CLEAN) {
        answer.verdict = Verdict::Clean;
    } else if (result != CL_VIRUS) {
        answer.reason = reason_of(result);
    } else if (const auto no_infection = reason_in(name)) {
        answer.reason = *no_infection;
    } else {
        answer.verdict = Verdict::Infected;
        answer.virus = printable(name).substr(0, longest_virus_name);
    }
    return answer;
}

}  // namespace clamscanner
