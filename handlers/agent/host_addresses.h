// The addresses of this host, as far as its network interfaces show them.
#pragma once

#include <string>

namespace clamscanner {

struct HostAddresses {
    std::string internet;  // the first public IPv4 address; "" if there is none, as behind NAT
    std::string intranet;  // the first private one (RFC 1918)
};

// Throws std::system_error.
[[nodiscard]] HostAddresses host_addresses();

}  // namespace clamscanner
