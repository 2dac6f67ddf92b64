#include "jobs/runner/maildir.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "auth/base/unique_fd.h"
#include "jobs/shared/beneath.h"

namespace clamscanner {
namespace {

std::string_view unique_part(std::string_view name) noexcept {
    return name.substr(0, name.find(':'));
}

std::string joined(std::string_view directory, std::string_view name) {
    return directory.empty() ? std::string(name) : std::string(directory) + "/" + std::string(name);
}

std::optional<std::string> find_message(int home, const std::string& directory, std::string_view unique) {
    UniqueFd opened = open_beneath(home, directory, O_RDONLY | O_DIRECTORY, Crossing::Allowed);
    if (!opened) return std::nullopt;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(opened.get()), &::closedir);
    if (!entries) return std::nullopt;
    static_cast<void>(opened.release());  // closedir() closes it
    while (const dirent* entry = ::readdir(entries.get()))
        if (unique_part(entry->d_name) == unique) return joined(directory, entry->d_name);
    return std::nullopt;
}

}  // namespace

std::vector<std::string> maildir_directories(int home, std::string_view path) {
    const auto [directory, name] = split_path(path);
    const auto [maildir, part] = split_path(directory);
    if (part != "cur" && part != "new") return {};
    for (const char* each : {"cur", "new", "tmp"})
        if (!open_beneath(home, joined(maildir, each), O_PATH | O_DIRECTORY, Crossing::Allowed)) return {};
    return {joined(maildir, "cur"), joined(maildir, "new")};
}

std::optional<std::string> moved_mail(int home, std::string_view path) {
    const auto unique = unique_part(split_path(path).second);
    if (unique.empty()) return std::nullopt;
    for (const auto& directory : maildir_directories(home, path))
        if (auto found = find_message(home, directory, unique)) return found;
    return std::nullopt;
}

}  // namespace clamscanner
