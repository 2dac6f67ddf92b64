#include "handlers/agent/host_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>

#include "auth/base/checked.h"

namespace clamscanner {
namespace {

bool is_in(std::uint32_t address, std::uint32_t network, unsigned bits) {
    return (address ^ network) >> (32 - bits) == 0;
}

}  // namespace

HostAddresses host_addresses() {
    ifaddrs* first = nullptr;
    checked(::getifaddrs(&first), "ask for the host's addresses");
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, &::freeifaddrs);
    HostAddresses found;
    for (const auto* next = first; next != nullptr; next = next->ifa_next) {
        if (next->ifa_addr == nullptr || next->ifa_addr->sa_family != AF_INET || (next->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        const auto& address = reinterpret_cast<const sockaddr_in*>(next->ifa_addr)->sin_addr;
        const auto number = ntohl(address.s_addr);
        const bool link_local = is_in(number, 0xa9fe0000, 16);
        const bool is_private =
            is_in(number, 0x0a000000, 8) || is_in(number, 0xac100000, 12) || is_in(number, 0xc0a80000, 16);
        auto& place = is_private ? found.intranet : found.internet;
        char text[INET_ADDRSTRLEN] = {};
        if (!link_local && place.empty() && ::inet_ntop(AF_INET, &address, text, sizeof text) != nullptr) place = text;
    }
    return found;
}

}  // namespace clamscanner
