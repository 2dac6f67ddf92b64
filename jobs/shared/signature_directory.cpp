#include "jobs/shared/signature_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

namespace clamscanner {

std::string listing_of(const std::string& directory) {
    std::set<std::string> lines;
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(directory, unreadable)) {
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
    // The file types that hold signatures for libclamav (its documentation, "Creating signatures").
    static constexpr std::string_view endings[] = {".cvd", ".cld", ".cud", ".hdb", ".hsb", ".ndb", ".ldb", ".mdb",
                                                   ".msb", ".hdu", ".ndu", ".ldu", ".mdu", ".cdb", ".yar", ".yara"};
    std::error_code unreadable;
    const std::filesystem::directory_iterator entries(directory, unreadable);
    if (unreadable) return false;
    return std::any_of(begin(entries), end(entries), [](const auto& entry) {
        const auto ending = entry.path().extension().string();
        return std::find(std::begin(endings), std::end(endings), ending) != std::end(endings);
    });
}

}  // namespace clamscanner
