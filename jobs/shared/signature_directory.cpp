#include "jobs/shared/signature_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace clamscanner {
namespace {

// The endings by which libclamav knows the files that it loads from a directory (CLI_DBEXT in its readdb.h).
constexpr std::string_view signature_endings[] = {
    ".cvd", ".cld", ".cud", ".db",  ".hdb", ".hdu", ".hsb", ".hsu", ".mdb", ".mdu", ".msb", ".msu", ".imp",
    ".ndb", ".ndu", ".ldb", ".ldu", ".sdb", ".zmd", ".rmd", ".cdb", ".cbc", ".ioc", ".yar", ".yara"};
// Allow-lists, and what else changes a verdict only beside signatures.
constexpr std::string_view other_endings[] = {".fp",  ".sfp", ".ign", ".ign2", ".wdb", ".pdb", ".gdb",
                                              ".ftm", ".cfg", ".cat", ".crb",  ".idb", ".pwdb"};

// The library does not tell upper case from lower case in them.
template <class Endings>
bool ends_with_one_of(const Endings& endings, std::string name) {
    for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return std::any_of(std::begin(endings), std::end(endings),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

std::string version_in(const struct stat& status) {
    return std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
           std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

}  // namespace

bool is_signature_file(const std::string& name) {
    return ends_with_one_of(signature_endings, name) || ends_with_one_of(other_endings, name);
}

SignatureListing listing_of(const std::string& directory) {
    const auto unreadable = [&](const std::string& why) {
        return SignatureListing{{}, "the signature directory " + directory + " cannot be read: " + why};
    };
    std::set<std::string> lines;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (!is_signature_file(name)) continue;
        struct stat status {};
        if (::stat(entry.path().c_str(), &status) == 0)
            lines.insert(name + " " + version_in(status) + "\n");
        else if (errno != ENOENT)
            return unreadable(std::strerror(errno));
        else
            lines.insert(name + " leads nowhere\n");
    }
    if (error) return unreadable(error.message());
    SignatureListing listing{"signatures\n", {}};
    for (const auto& line : lines) listing.files += line;
    return listing;
}

std::vector<std::string> signature_files(const std::string& directory) {
    std::set<std::string> names;
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(directory, unreadable))
        if (is_signature_file(entry.path().filename().string())) names.insert(entry.path().filename().string());
    return {names.begin(), names.end()};
}

bool is_signed_database(const std::string& name) {
    static constexpr std::string_view endings[] = {".cvd", ".cld", ".cud"};
    return ends_with_one_of(endings, name);
}

bool is_allow_list(const std::string& name) {
    static constexpr std::string_view endings[] = {".fp", ".sfp", ".ign", ".ign2", ".wdb", ".cat", ".crb"};
    return ends_with_one_of(endings, name);
}

bool holds_signatures_by_name(const std::string& name) {
    return ends_with_one_of(signature_endings, name);
}

namespace {

// "ClamAV-VDB:", the time it was built as a text, the version, the number of signatures, four more, and the time in
// seconds; then spaces.
std::optional<DatabaseVersion> version_of_database(const std::string& directory, const std::string& name) {
    constexpr std::size_t header_size = 512;
    constexpr std::size_t version_field = 2;
    constexpr std::size_t built_field = 8;
    std::string header(header_size, '\0');
    std::ifstream(directory + "/" + name, std::ios::binary).read(header.data(), header_size);
    std::vector<std::string> fields;
    std::istringstream text(header);
    for (std::string field; fields.size() <= built_field && std::getline(text, field, ':');) fields.push_back(field);
    if (fields.size() <= built_field || fields[0] != "ClamAV-VDB") return std::nullopt;
    DatabaseVersion found{name, 0, 0};
    const auto take = [&](std::size_t field, auto& number) {
        const auto& digits = fields[field];
        return std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc();
    };
    if (!take(version_field, found.version) || !take(built_field, found.built)) return std::nullopt;
    return found;
}

}  // namespace

std::optional<DatabaseVersion> newest_database(const std::string& directory) {
    std::optional<DatabaseVersion> newest;
    for (const auto& name : signature_files(directory)) {
        if (!is_signed_database(name)) continue;
        const auto found = version_of_database(directory, name);
        if (found && (!newest || found->built > newest->built)) newest = found;
    }
    return newest;
}

std::string age_warning(const std::string& directory, std::int64_t now) {
    constexpr std::int64_t day = 86'400;
    constexpr std::int64_t old_after_days = 7;
    const auto newest = newest_database(directory);
    if (!newest || now - newest->built < old_after_days * day) return {};
    return "the newest signatures in " + directory + " (" + newest->name + ", version " +
           std::to_string(newest->version) + ") are " + std::to_string((now - newest->built) / day) +
           " days old: freshclam does not update them; see systemctl status clamav-freshclam, and its log";
}

bool holds_signatures(const std::string& directory) {
    const auto names = signature_files(directory);
    return std::any_of(names.begin(), names.end(), holds_signatures_by_name);
}

}  // namespace clamscanner
