#include "auth/authd/account_generation.h"

#include "auth/base/sha256.h"

namespace clamscanner {

std::string account_generation(const Account& account, const HomeIdentity& home) {
    std::string all;
    // No part holds a NUL.
    for (const auto& part : {std::to_string(account.uid), account.name, account.home, std::to_string(home.file_system),
                             std::to_string(home.inode), std::to_string(home.born_ns)})
        all += part + '\0';
    return sha256_hex(all);
}

}  // namespace clamscanner
