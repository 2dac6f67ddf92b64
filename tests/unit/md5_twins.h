// Two texts of one MD5 (X. Wang, D. Feng, X. Lai and H. Yu, "Collisions for Hash Functions MD4, MD5, HAVAL-128 and
// RIPEMD", 2004): a program that identifies contents by MD5 takes them for the same. Appending the same bytes to both
// keeps it so.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace clamscanner {

inline std::string bytes_of_hex(const std::string& digits) {
    std::string bytes;
    for (std::size_t at = 0; at < digits.size(); at += 2)
        bytes += static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16));
    return bytes;
}

inline std::string clean_twin() {
    return bytes_of_hex(
        "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
        "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
        "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70");
}

inline std::string infected_twin() {
    return bytes_of_hex(
        "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a"
        "085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0"
        "e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70");
}

// Matches the bytes around the first difference at their offset in the text, so in an archive, compressed or not, only
// a scanner that unpacks it finds them.
inline void write_twin_signature(const std::string& directory) {
    std::ofstream(directory + "/twin.ndb") << "Infected-Twin:0:16:2fcab50712467eab4004583eb8fb7f89\n";
}

}  // namespace clamscanner
