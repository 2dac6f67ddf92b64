// The API function that shows what an infected file begins with, to its owner and as text or digits alone.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"
#include "handlers/functions/patient_look.h"
#include "handlers/functions/routes.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/mounts.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_shown = 64 * 1024;
constexpr std::size_t longest_utf8_character = 4;
constexpr std::string_view accepted_path = "the path of a file that list_infected_files gives";
constexpr const char* hangs = "does not answer: the file system that it is on hangs";

// As list_infected_files gives it.
std::string listed_path(const Caller& caller, const Arguments& arguments) {
    const auto& path = arguments.text("path", accepted_path);
    if (path.empty()) throw wrong_argument("path", "is empty", accepted_path);
    if (path.find('\0') != std::string::npos)
        throw wrong_argument("path", "has a NUL byte, " + quoted(path), accepted_path);
    if (path.size() > longest_path)
        throw wrong_argument("path", "has more than " + std::to_string(longest_path) + " bytes, " + quoted(path),
                             accepted_path);
    auto steps = caller.jobs.ask(AskDryRun{{{path, Action::Ignore}}}).steps;
    if (steps.size() != 1 || steps.front().state != RecordState::NoAction)
        throw wrong_argument("path", "is " + quoted(path) + ", which is not in the list of infected files",
                             accepted_path);
    return std::move(steps.front().file);
}

std::string problem_of_error(int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return "is not there any more";
        case ELOOP:
        case EXDEV:
            return "is a symbolic link or lies behind one, and links are not followed";
        case EACCES:
        case EPERM:
            return "may not be read by its owner";
        case EAGAIN:
            return "is held by a program (a lease) at the moment";
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            throw_errno("open an infected file", error);  // our fault, not the file's
        default:
            return "cannot be read (" + std::generic_category().message(error) + ")";
    }
}

// What a file begins with, or why that cannot be seen: "is …".
struct Beginning {
    std::string problem;
    std::uint64_t size = 0;
    std::string bytes;
};

Beginning read_beginning(const UniqueFd& file) {
    struct stat status {};
    checked(::fstat(file.get(), &status), "examine an infected file");
    if (!S_ISREG(status.st_mode)) return {"is not a regular file", 0, ""};
    if (is_mounted_by_user(file.get(), ::geteuid()))
        return {"is on a file system that the account has mounted by itself (FUSE), which is not read", 0, ""};
    Beginning beginning{"", static_cast<std::uint64_t>(status.st_size), std::string(most_shown, '\0')};
    std::size_t got = 0;
    while (got < most_shown) {
        const auto size = uninterrupted([&] {
            return ::pread(file.get(), beginning.bytes.data() + got, most_shown - got, static_cast<off_t>(got));
        });
        if (size < 0) return {problem_of_error(errno), 0, ""};
        if (size == 0) break;
        got += static_cast<std::size_t>(size);
    }
    beginning.bytes.resize(got);
    return beginning;
}

Beginning look_at(const std::string& home, const std::string& path) {
    if (!is_below(path, home)) return {"is not below the home directory", 0, ""};
    const UniqueFd home_fd(::open(home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!home_fd) return {problem_of_error(errno), 0, ""};
    const auto relative = path.substr(home.ends_with('/') ? home.size() : home.size() + 1);
    // Without waiting for whoever might write to a FIFO, or holds a lease.
    const auto file =
        open_beneath(home_fd.get(), relative, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, Crossing::Allowed);
    return file ? read_beginning(file) : Beginning{problem_of_error(errno), 0, ""};
}

// Between the child that looks and us: the problem, or nothing; a line's end, the size, a line's end, the bytes.
std::string packed(const Beginning& beginning) {
    return beginning.problem + '\n' + std::to_string(beginning.size) + '\n' + beginning.bytes;
}

Beginning unpacked(const std::string& text) {
    const auto first = text.find('\n');
    const auto second = text.find('\n', first + 1);
    return {text.substr(0, first), std::stoull(text.substr(first + 1, second - first - 1)), text.substr(second + 1)};
}

// A character that the cut went through is left out.
std::string_view without_cut_character(std::string_view text) {
    for (std::size_t cut = 0; cut < longest_utf8_character && cut < text.size(); ++cut)
        if (is_utf8(text.substr(0, text.size() - cut))) return text.substr(0, text.size() - cut);
    return text;
}

std::string hex_of(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(2 * bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4];
        hex += digits[byte & 0xf];
    }
    return hex;
}

std::string json_of(const std::string& path, const Beginning& beginning) {
    const bool is_cut = beginning.size > beginning.bytes.size();
    std::string_view bytes = beginning.bytes;
    if (is_cut) bytes = without_cut_character(bytes);
    const bool is_text = bytes.find('\0') == std::string_view::npos && is_utf8(bytes);
    return json_object([&](JsonWriter& json) {
        json.member("content", is_text ? std::string(bytes) : hex_of(beginning.bytes));
        json.member("cut", is_cut ? 1 : 0);
        json.member("encoding", is_text ? "text" : "hex");
        json.member("file", path);
        json.member("size", beginning.size);
    });
}

}  // namespace

Answer view_infected_file(const Caller& caller, const Arguments& arguments) {
    const auto path = listed_path(caller, arguments);
    constexpr std::size_t longest_report = most_shown + 4096;
    const auto report =
        look_patiently(path, longest_report, caller.lifeline, [&] { return packed(look_at(caller.home, path)); });
    const auto beginning = report ? unpacked(*report) : Beginning{hangs, 0, ""};
    if (!beginning.problem.empty()) throw Refusal(200, "The file " + quoted(path) + " " + beginning.problem + ".");
    Answer answer;
    answer.data = json_of(path, beginning);
    return answer;
}

}  // namespace clamscanner
