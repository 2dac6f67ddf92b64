// The API function that shows what an infected file begins with, to its owner and as text or digits alone.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "auth/base/checked.h"
#include "auth/base/socket.h"
#include "auth/base/unique_fd.h"
#include "handlers/functions/patient_look.h"
#include "handlers/functions/routes.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/json_text.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/mounts.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_shown = 64 * 1024;
constexpr std::size_t longest_utf8_character = 4;
constexpr std::uint64_t most_compared = 64 * 1024 * 1024;
constexpr std::chrono::milliseconds time_to_compare{1000};
constexpr const char* changed_text =
    "The file has changed since it was found: this is not what the scan found, and ignore_files would ignore what the "
    "scan found. Have the file scanned again first.";
constexpr const char* not_compared_text =
    "The file is too large, or is read too slowly, to tell whether this is still what the scan found, and what "
    "ignore_files would ignore.";
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
    std::string warning = {};  // ours; "" for none
};

// Ignoring goes by the content that was found. So malware that shows its owner something harmless in its place, at the
// same path, must not pass for that.
std::string warning_of(int file, const std::string& shown, const std::string& found_sha256) {
    if (found_sha256.empty()) return "";
    std::string hashed;  // the beginning of it
    const auto until = Clock::now() + time_to_compare;
    const auto hash = content_hash(file, most_compared, [&](std::string_view piece) {
        hashed.append(piece.substr(0, most_shown - hashed.size()));
        return Clock::now() < until;
    });
    if (!hash) return not_compared_text;
    return *hash == found_sha256 && hashed == shown ? "" : changed_text;
}

Beginning read_beginning(const UniqueFd& file, const std::string& found_sha256) {
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
    beginning.warning = warning_of(file.get(), beginning.bytes, found_sha256);
    return beginning;
}

Beginning look_at(const std::string& home, const std::string& path, const std::string& found_sha256) {
    if (!is_below(path, home)) return {"is not below the home directory", 0, ""};
    const UniqueFd home_fd(::open(home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!home_fd) return {problem_of_error(errno), 0, ""};
    const auto relative = path.substr(home.ends_with('/') ? home.size() : home.size() + 1);
    // Without waiting for whoever might write to a FIFO, or holds a lease.
    const auto file =
        open_beneath(home_fd.get(), relative, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, Crossing::Allowed);
    return file ? read_beginning(file, found_sha256) : Beginning{problem_of_error(errno), 0, ""};
}

// Between the child that looks and us: a problem, or nothing; a warning, or nothing; the size; the bytes. Each but the
// last ends with a line's end.
std::string packed(const Beginning& beginning) {
    return beginning.problem + '\n' + beginning.warning + '\n' + std::to_string(beginning.size) + '\n' +
           beginning.bytes;
}

Beginning unpacked(const std::string& text) {
    const auto first = text.find('\n');
    const auto second = text.find('\n', first + 1);
    const auto third = text.find('\n', second + 1);
    return {text.substr(0, first), std::stoull(text.substr(second + 1, third - second - 1)), text.substr(third + 1),
            text.substr(first + 1, second - first - 1)};
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
    const auto found = caller.jobs.ask(AskFoundHash{path}).sha256;
    const auto report = look_patiently(path, longest_report, caller.lifeline,
                                       [&] { return packed(look_at(caller.home, path, found)); });
    const auto beginning = report ? unpacked(*report) : Beginning{hangs, 0, ""};
    if (!beginning.problem.empty()) throw Refusal(200, "The file " + quoted(path) + " " + beginning.problem + ".");
    Answer answer;
    answer.data = json_of(path, beginning);
    if (!beginning.warning.empty()) answer.warnings.push_back(beginning.warning);
    return answer;
}

}  // namespace clamscanner
