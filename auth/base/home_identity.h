// Which directory a home is. A path says little over time: who gets the name of an account that was removed gets its
// uid and its path, too, but never its directory.
#pragma once

#include <cstdint>
#include <string>

namespace clamscanner {

struct HomeIdentity {
    bool is_missing = false;  // there is no such directory
    // All 0 where there is none, or we may not look.
    std::uint64_t file_system = 0;  // statfs(2)'s f_fsid
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;  // 0 where the file system keeps no birth times
    bool operator==(const HomeIdentity&) const = default;
    void fields(auto& wire) {  // of one that is there
        wire.number(file_system);
        wire.number(inode);
        wire.number(born_ns);
    }
};

// Looks from outside, and opens nothing. It takes as long as the file system likes, which may be a user's own (FUSE) or
// a server that is gone: never in a daemon's loop.
[[nodiscard]] HomeIdentity home_identity(const std::string& home) noexcept;

}  // namespace clamscanner
