// What proves to jobd that the account's password, a token that may do everything, or root stands behind a request that
// weakens the account's protection. The kernel tells jobd which uid asks, but malware that runs as the account has that
// uid, too, and can call uapi or jobd by itself. So authd, or root's uapi, seals a voucher for the account with a key
// that only root and jobd can read; an agent passes it on, and its own user can neither read nor trace the agent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "auth/base/limits.h"
#include "auth/base/secret.h"

namespace clamscanner {

enum class VouchedBy : std::uint8_t { Password = 0, Token = 1, Root = 2 };

struct Voucher {
    VouchedBy by = VouchedBy::Password;
    std::string token;         // its name; "" without one
    std::int64_t made_ms = 0;  // since the boot, time in which the host sleeps included
    std::string seal;          // 64 hex digits; empty: there is no voucher
    void fields(auto& wire) {
        wire.choice(by, VouchedBy::Root);
        wire.text(token, longest_token_name);
        wire.number(made_ms);
        wire.text(seal, 64);
    }
};

// A fresh key, for seal() and is_sealed().
[[nodiscard]] Secret new_voucher_key();

// For requests of that uid; good for two minutes. Throws std::system_error when libcrypto fails, as does is_sealed().
[[nodiscard]] Voucher seal(const Secret& key, uid_t uid, VouchedBy by, const std::string& token = {});
[[nodiscard]] bool is_sealed(const Secret& key, uid_t uid, const Voucher& voucher);

// Where root's uapi leaves a voucher for the program that becomes the account: in a file in memory, which nobody else
// can open, and whose seals tell it from whatever a user's shell has left open there.
inline constexpr int voucher_descriptor = 3;

// The key in its file, which authd makes anew at each start. Empty if there is none; throws std::system_error.
[[nodiscard]] Secret read_voucher_key(const std::string& file);

}  // namespace clamscanner
