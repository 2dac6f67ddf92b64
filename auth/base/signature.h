// The signatures of the statistics interface: what a client signed, what that says, and whether a key made it. The
// responder puts the signed text together as the client must have; all that authd goes by stands in the text itself.
//
//   V1   METHOD&%2F&…: the sorted parameters, percent-encoded twice; HMAC-SHA1 under the secret and "&", base64
//   V3   the canonical request, a line each; "ACS3-HMAC-SHA256\n" and its SHA-256 in hex: HMAC-SHA256, hex
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/base/secret.h"

namespace clamscanner {

enum class SignatureForm : std::uint8_t { V1 = 0, V3 = 1 };

// Empty where the text does not say it.
struct SignedFields {
    std::string time;
    std::string nonce;
    std::string action;
    std::string version;
};
[[nodiscard]] SignedFields signed_fields(SignatureForm form, std::string_view text);

// Seconds since the epoch of "2024-02-20T08:30:00Z"; empty for any other form.
[[nodiscard]] std::optional<std::int64_t> signed_time(const std::string& text);

// In constant time, as far as the signature goes. Throws std::system_error when libcrypto fails.
[[nodiscard]] bool is_signed(SignatureForm form, std::string_view text, const Secret& secret,
                             std::string_view signature);

}  // namespace clamscanner
