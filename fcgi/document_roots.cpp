#include "fcgi/document_roots.h"

#include <pwd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

constexpr auto lifetime = std::chrono::minutes(1);
constexpr std::size_t most_answers = 1000;  // a site has one document root
constexpr std::size_t longest_line = 64 * 1024;
constexpr uid_t nobody = 65534;

std::string normal(std::string_view path) {
    auto text = std::filesystem::path(path).lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

bool DocumentRoots::is_an_accounts(const std::string& directory) {
    if (!directory.starts_with('/')) return false;
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    if (const auto found = answers_.find(directory); found != answers_.end() && now < found->second.expires)
        return found->second.is_an_accounts;
    if (answers_.size() >= most_answers) answers_.clear();
    const bool answer = look_up(normal(directory));
    answers_[directory] = {answer, now + lifetime};
    return answer;
}

bool DocumentRoots::look_up(const std::string& directory) const {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(passwd_.c_str(), "re"), &std::fclose);
    if (!file) throw_errno("open the list of users");
    std::vector<char> line(longest_line);
    passwd user{};
    passwd* found = nullptr;
    while (::fgetpwent_r(file.get(), &user, line.data(), line.size(), &found) == 0) {
        const auto home = normal(user.pw_dir);
        if (user.pw_uid >= uid_floor_ && user.pw_uid != nobody && home.size() > 1 && is_at_or_below(directory, home))
            return true;
    }
    return false;
}

}  // namespace clamscanner
