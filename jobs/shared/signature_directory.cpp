#include "jobs/shared/signature_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <string_view>

namespace clamscanner {
namespace {

// The endings by which libclamav knows the files that it loads from a directory (CLI_DBEXT in its readdb.h).
constexpr std::string_view signature_endings[] = {".cvd", ".cld", ".cud", ".db",  ".hdb", ".hdu", ".hsb", ".hsu",
                                                  ".mdb", ".mdu", ".msb", ".msu", ".ndb", ".ndu", ".ldb", ".ldu",
                                                  ".sdb", ".zmd", ".rmd", ".cdb", ".cbc", ".ioc", ".yar", ".yara"};
// Allow-lists, and what else changes a verdict only beside signatures.
constexpr std::string_view other_endings[] = {".fp",  ".sfp", ".ign", ".ign2", ".wdb", ".pdb",  ".gdb", ".ftm",
                                              ".cfg", ".cat", ".crb", ".idb",  ".imp", ".pwdb", ".info"};

// The library does not tell upper case from lower case in them.
template <class Endings>
bool ends_with_one_of(const Endings& endings, std::string name) {
    for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return std::any_of(std::begin(endings), std::end(endings),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

bool is_loaded(const std::string& name) {
    return ends_with_one_of(signature_endings, name) || ends_with_one_of(other_endings, name);
}

}  // namespace

std::string listing_of(const std::string& directory) {
    std::set<std::string> lines;
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(directory, unreadable)) {
        if (!is_loaded(entry.path().filename().string())) continue;
        struct stat status {};
        if (::stat(entry.path().c_str(), &status) != 0) return {};
        lines.insert(entry.path().filename().string() + " " + std::to_string(status.st_ino) + " " +
                     std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                     std::to_string(status.st_mtim.tv_nsec) + "\n");
    }
    if (unreadable) return {};
    std::string listing = "signatures\n";
    for (const auto& line : lines) listing += line;
    return listing;
}

bool holds_signatures(const std::string& directory) {
    std::error_code unreadable;
    const std::filesystem::directory_iterator entries(directory, unreadable);
    if (unreadable) return false;
    return std::any_of(begin(entries), end(entries), [](const auto& entry) {
        return ends_with_one_of(signature_endings, entry.path().filename().string());
    });
}

}  // namespace clamscanner
