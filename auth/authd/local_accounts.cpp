#include "auth/authd/local_accounts.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

// Calls `take` with the name and the hash of the whole line for each account of a passwd or shadow file.
template <class Take>
void for_each_line(const std::string& file, Take take) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> list(std::fopen(file.c_str(), "re"), &std::fclose);
    if (!list && errno == ENOENT) return;
    if (!list) throw_errno("open the list of local accounts");
    char* line = nullptr;
    std::size_t size = 0;
    for (ssize_t got = 0; (got = ::getline(&line, &size, list.get())) > 0;) {
        const std::string_view text(line, static_cast<std::size_t>(got));
        const auto colon = text.find(':');
        if (colon != 0 && colon != text.npos)
            take(std::string(text.substr(0, colon)), std::hash<std::string_view>()(text));
    }
    const bool whole = std::ferror(list.get()) == 0;
    std::free(line);
    if (!whole) throw_errno("read the list of local accounts", EIO);
}

}  // namespace

void LocalAccounts::refresh() {
    closed_ = std::any_of(files_.nologin.begin(), files_.nologin.end(),
                          [](const std::string& file) { return version_of(file) != FileVersion{}; });
    refresh_rules();
    refresh_accounts();
}

// A file that is made, removed or renamed changes its directory.
void LocalAccounts::refresh_rules() {
    const auto same = [](const Watched& one) { return version_of(one.file) == one.version; };
    if (!watched_.empty() && std::ranges::all_of(watched_, same)) return;
    ++rules_;
    watched_.clear();
    const auto watch = [this](const std::string& file) { watched_.push_back({file, version_of(file)}); };
    for (const auto& directory : files_.rules) {
        watch(directory);
        std::error_code none;  // what cannot be listed is watched as a directory only
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, none)) watch(entry.path());
    }
}

void LocalAccounts::refresh_accounts() {
    // Versions first: what is written while we read makes another version, and is read the next time.
    const auto passwd = version_of(files_.passwd);
    const auto shadow = version_of(files_.shadow);
    if (times_read_ != 0 && passwd == passwd_ && shadow == shadow_) return;
    ++times_read_;
    const std::size_t change = files_.any_change_affects_all ? times_read_ : 0;
    accounts_.clear();
    try {
        for_each_line(files_.passwd,
                      [&](std::string name, std::size_t hash) { accounts_[name].passwd = hash + change; });
        for_each_line(files_.shadow, [&](const std::string& name, std::size_t hash) {
            if (const auto account = accounts_.find(name); account != accounts_.end()) account->second.shadow = hash;
        });
        passwd_ = passwd;
        shadow_ = shadow;
    } catch (const std::system_error& fault) {
        // Now no account is known, so no remembered login is valid, and the next refresh tries again.
        log_line(Severity::Error, fault.what());
        accounts_.clear();
        passwd_ = {};
    }
}

}  // namespace clamscanner
