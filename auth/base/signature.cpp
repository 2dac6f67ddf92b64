#include "auth/base/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/sha256.h"

namespace clamscanner {
namespace {

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(const EVP_MD* digest, const std::string& key, std::string_view text) {
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (::HMAC(digest, key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(), result, &size) == nullptr)
        throw_errno("compute a signature", EIO);
    return {reinterpret_cast<const char*>(result), size};
}

std::string base64(const std::string& bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const auto size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(bytes),
                                        static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string between(std::string_view text, std::string_view before, std::string_view after) {
    const auto found = text.find(before);
    if (found == std::string_view::npos) return {};
    text.remove_prefix(found + before.size());
    return std::string(text.substr(0, text.find(after)));
}

// As the signed text has it: two upper-case hex digits. Anything else stays as it is.
std::string percent_decoded(std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool whole = text[i] == '%' && i + 2 < text.size();
        const auto high = whole ? digits.find(text[i + 1]) : digits.npos;
        const auto low = whole ? digits.find(text[i + 2]) : digits.npos;
        const bool encoded = high != digits.npos && low != digits.npos;
        decoded += encoded ? static_cast<char>(high << 4 | low) : text[i];
        if (encoded) i += 2;
    }
    return decoded;
}

}  // namespace

SignedFields signed_fields(SignatureForm form, std::string_view text) {
    if (form == SignatureForm::V3) {
        const auto header = [&](std::string_view name) { return between(text, "\n" + std::string(name) + ":", "\n"); };
        return {header("x-acs-date"), header("x-acs-signature-nonce"), header("x-acs-action"), header("x-acs-version")};
    }
    // After one decoding this is name=value&…; any & and = inside a value are still encoded.
    const auto pairs = "&" + percent_decoded(text.substr(text.rfind('&') + 1));
    const auto value = [&](std::string_view name) {
        return percent_decoded(between(pairs, "&" + std::string(name) + "=", "&"));
    };
    return {value("Timestamp"), value("SignatureNonce"), value("Action"), value("Version")};
}

std::optional<std::int64_t> signed_time(const std::string& text) {
    tm parts{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end != text.data() + text.size()) return std::nullopt;
    const time_t time = ::timegm(&parts);
    // strptime() accepts blanks as digits, and timegm() turns 31 February into a day in March.
    char again[32];
    if (::strftime(again, sizeof again, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0 || text != again) return std::nullopt;
    return time;
}

std::string signature_of(SignatureForm form, std::string_view text, const Secret& secret) {
    if (form == SignatureForm::V1) {
        const Secret key(secret.reveal() + "&");
        return base64(hmac(::EVP_sha1(), key.reveal(), text));
    }
    const auto code = hmac(::EVP_sha256(), secret.reveal(), "ACS3-HMAC-SHA256\n" + sha256_hex(text));
    return hex(code.data(), code.size());
}

bool is_signed(SignatureForm form, std::string_view text, const Secret& secret, std::string_view signature) {
    const auto right = signature_of(form, text, secret);
    return right.size() == signature.size() && ::CRYPTO_memcmp(right.data(), signature.data(), right.size()) == 0;
}

}  // namespace clamscanner
