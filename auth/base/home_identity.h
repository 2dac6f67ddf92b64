// Identifies the directory that a home is. A path is not enough: an account that gets a removed account's name may get
// its uid and path too, but never its directory.
#pragma once

#include <cstdint>
#include <string>

namespace clamscanner {

struct HomeIdentity {
    bool is_missing = false;  // there is no such directory
    // All 0 when there is none, or we may not look.
    std::uint64_t file_system = 0;  // statfs(2)'s f_fsid
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;  // 0 where the file system keeps no birth times
    bool operator==(const HomeIdentity&) const = default;
    void fields(auto& wire) {  // only sent for one that exists
        wire.number(file_system);
        wire.number(inode);
        wire.number(born_ns);
    }
};

// Examines the path without opening anything. That may block: the file system may be a user's own (FUSE) or on a server
// that is gone. Never call it in a daemon's event loop.
[[nodiscard]] HomeIdentity home_identity(const std::string& home) noexcept;

}  // namespace clamscanner
