// By which addresses this host is reached, as far as its interfaces tell.
#pragma once

#include <string>

namespace clamscanner {

struct HostAddresses {
    std::string internet;  // the first public IPv4 address; "" where there is none, as behind a translating router
    std::string intranet;  // the first private one (RFC 1918)
};

// Throws std::system_error.
[[nodiscard]] HostAddresses host_addresses();

}  // namespace clamscanner
