#include "jobs/engine/signature_trial.h"

#include <clamav.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "auth/base/checked.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

constexpr unsigned longest_trial_seconds = 120;

// In a child process. Nothing is freed: the process ends at once.
cl_error_t try_out(const std::string& file) noexcept {
    cl_engine* const engine = ::cl_engine_new();
    if (engine == nullptr) return CL_EMEM;
    unsigned count = 0;
    const cl_error_t result = ::cl_load(file.c_str(), engine, &count, CL_DB_STDOPT);
    return result == CL_SUCCESS ? ::cl_engine_compile(engine) : result;
}

// Empty: it loads.
std::string why_it_does_not_load(const std::string& file) {
    const pid_t pid = checked(::fork(), "fork a process that tries out a signature file");
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::signal(SIGALRM, SIG_DFL);
        ::alarm(longest_trial_seconds);
        ::_exit(try_out(file));
    }
    int status = 0;
    checked(uninterrupted([&] { return ::waitpid(pid, &status, 0); }), "wait for a signature file to be tried out");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return "the process that tried it out was killed (no memory?)";
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? "it takes too long" : "libclamav crashes on it";
    const auto result = static_cast<cl_error_t>(WEXITSTATUS(status));
    return result == CL_SUCCESS ? "" : ::cl_strerror(result);
}

}  // namespace

std::vector<LeftOutFile> entries_that_are_no_files(const std::string& directory) {
    std::vector<LeftOutFile> bad;
    std::error_code unreadable;
    for (const auto& name : signature_files(directory))
        if (const auto status = std::filesystem::status(directory + "/" + name, unreadable);
            std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
            bad.push_back({name, "it is not a file"});
    return bad;
}

std::vector<LeftOutFile> files_that_do_not_load(const std::string& directory, TriedFiles which) {
    std::vector<LeftOutFile> bad;
    for (const auto& name : signature_files(directory)) {
        if (is_signed_database(name) != (which == TriedFiles::SignedDatabases)) continue;
        if (!std::filesystem::is_regular_file(directory + "/" + name)) continue;
        auto why = why_it_does_not_load(directory + "/" + name);
        if (!why.empty()) bad.push_back({name, std::move(why)});
    }
    return bad;
}

DirectoryOfTheRest::DirectoryOfTheRest(std::string path, const std::string& directory,
                                       const std::vector<LeftOutFile>& left_out)
    : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    for (const auto& name : signature_files(directory)) {
        const auto is_it = [&](const LeftOutFile& file) { return file.name == name; };
        if (std::none_of(left_out.begin(), left_out.end(), is_it))
            std::filesystem::create_symlink(std::filesystem::absolute(directory) / name, path_ + "/" + name);
    }
}

DirectoryOfTheRest::~DirectoryOfTheRest() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace clamscanner
