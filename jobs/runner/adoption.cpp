#include "jobs/runner/adoption.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/wire.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/mail_store.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/mail_name.h"
#include "jobs/shared/paths.h"
#include "jobs/shared/quarantine_json.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

constexpr int reading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr auto sign_of_life = std::chrono::seconds(1);

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// The names of which there is a record, in the order of the directory.
std::vector<std::string> recorded_names(int quarantine, const std::set<std::string>& known) {
    std::vector<std::string> names;
    UniqueFd copy(::openat(quarantine, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, CloseDirectory> entries(copy ? ::fdopendir(copy.get()) : nullptr);
    if (!entries) return names;
    static_cast<void>(copy.release());
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string_view name(entry->d_name);
        const std::string opaque(name.substr(0, opaque_name_length));
        if (name == record_name(opaque) && is_opaque_name(opaque) && !known.contains(opaque)) names.push_back(opaque);
        if (names.size() == most_adopted) break;
    }
    return names;
}

// Empty unless it is a regular file of the account's.
UniqueFd open_own(int directory, const std::string& name, struct stat& status) {
    UniqueFd file(::openat(directory, name.c_str(), reading));
    if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid())
        return {};
    return file;
}

std::optional<QuarantineRecord> read_record(int quarantine, const std::string& opaque) try {
    struct stat status {};
    const UniqueFd file = open_own(quarantine, record_name(opaque), status);
    if (!file || status.st_size > static_cast<off_t>(longest_quarantine_json)) return std::nullopt;
    std::string json(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t at = 0;
    while (at < json.size()) {
        const auto got = uninterrupted([&] { return ::read(file.get(), &json[at], json.size() - at); });
        if (got <= 0) return std::nullopt;
        at += static_cast<std::size_t>(got);
    }
    return read_quarantine_json(json);
} catch (const Malformed&) {
    return std::nullopt;
}

// Where it was below the home: the home may have another path now. Nothing if that is no place to restore it to.
std::optional<std::string> place_below_home(const QuarantineRecord& record, const std::string& home_path) {
    const auto& home = record.home.empty() ? home_path : record.home;
    if (!is_below(record.path, home)) return std::nullopt;
    const auto relative = record.path.substr(home.ends_with('/') ? home.size() : home.size() + 1);
    if (relative.empty() || relative.ends_with('/')) return std::nullopt;
    std::istringstream parts(relative);
    for (std::string part; std::getline(parts, part, '/');)
        if (part.empty() || part == "." || part == "..") return std::nullopt;
    if (is_below(relative, quarantine_directory) || path_in(home_path, relative).size() > longest_path)
        return std::nullopt;
    return relative;
}

}  // namespace

void Adoption::adopt(const AdoptQuarantined& order, const std::set<std::string>& known) const {
    const UniqueFd quarantine = open_quarantine(home_, false);
    if (!quarantine) return;
    auto told = std::chrono::steady_clock::now();
    for (const auto& opaque : recorded_names(quarantine.get(), known)) {
        adopt_one(quarantine.get(), opaque, order);
        if (const auto now = std::chrono::steady_clock::now(); now - told >= sign_of_life) {
            told = now;
            callbacks_.still_waiting();
        }
    }
}

// Such a file is never deleted because of its age, so in doubt it holds mail.
bool Adoption::holds_mail(const std::string& opaque, const std::string& place, int file,
                          const AdoptQuarantined& order) const try {
    if (is_mail(opaque)) return count_mail(file, 2) > 1;
    const bool among_mail = !order.mail_directory.empty() && is_below(place, order.mail_directory);
    return may_hold_mail(home_, place, file, among_mail);
} catch (const Stopped&) {
    return true;
}

void Adoption::adopt_one(int quarantine, const std::string& opaque, const AdoptQuarantined& order) const {
    struct stat status {};
    const UniqueFd file = open_own(quarantine, opaque, status);
    if (!file || static_cast<std::uint64_t>(status.st_size) > order.most_bytes) return;
    auto record = read_record(quarantine, opaque);
    if (!record || record->identity.size != static_cast<std::uint64_t>(status.st_size)) return;
    const auto place = place_below_home(*record, home_path_);
    if (!place || content_hash(file.get(), record->identity.size) != record->sha256) return;
    Adopted adopted{opaque,
                    path_in(home_path_, *place),
                    record->virus,
                    record->sha256,
                    identity_of(status),
                    std::move(record->metadata),
                    holds_mail(opaque, *place, file.get(), order)};
    adopted.identity.mtime_ns = record->identity.mtime_ns;
    callbacks_.adopted(adopted);
}

}  // namespace clamscanner
