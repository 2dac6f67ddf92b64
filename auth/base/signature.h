// Signatures of the statistics interface: parses the text that a client signed, and verifies its signature. The
// responder reconstructs that text from the request; authd relies on nothing that is not in it.
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

// A field is empty when the text does not have it.
struct SignedFields {
    std::string time;
    std::string nonce;
    std::string action;
    std::string version;
};
[[nodiscard]] SignedFields signed_fields(SignatureForm form, std::string_view text);

// Seconds since the epoch of "2024-02-20T08:30:00Z"; empty for any other form.
[[nodiscard]] std::optional<std::int64_t> signed_time(const std::string& text);

// What a client signs `text` with. Throws std::system_error when libcrypto fails.
[[nodiscard]] std::string signature_of(SignatureForm form, std::string_view text, const Secret& secret);

// Compares the signature in constant time. Throws std::system_error when libcrypto fails.
[[nodiscard]] bool is_signed(SignatureForm form, std::string_view text, const Secret& secret,
                             std::string_view signature);

}  // namespace clamscanner
