#include "jobs/signature_directory.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

namespace clamscanner {

bool holds_signatures(const std::string& directory) {
    // The forms that libclamav loads and finds something with (its documentation, "Creating signatures").
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
