#include "auth/authd/credential_cache.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>

#include "auth/base/checked.h"

namespace clamscanner {
Hmac::Hmac() : context_(nullptr, &::EVP_MAC_CTX_free) {
    // A root process must not read libcrypto's configuration: it could name modules to load.
    ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    EVP_MAC* const algorithm = ::EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    context_.reset(::EVP_MAC_CTX_new(algorithm));
    ::EVP_MAC_free(algorithm);  // the context holds a reference
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     ::OSSL_PARAM_construct_end()};
    if (!context_ || ::EVP_MAC_CTX_set_params(context_.get(), parameters) != 1) throw_errno("prepare a MAC", EIO);
}

void Hmac::begin(std::string_view key) {
    if (::EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), nullptr) != 1)
        throw_errno("begin a MAC", EIO);
}

Hmac::Result Hmac::of(std::string_view key, std::initializer_list<std::string_view> parts) {
    begin(key);
    for (const auto part : parts)
        if (::EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(part.data()), part.size()) != 1)
            throw_errno("compute a MAC", EIO);
    Result result{};
    std::size_t length = 0;
    if (::EVP_MAC_final(context_.get(), result.data(), &length, size) != 1 || length != size)
        throw_errno("compute a MAC", EIO);
    // Children inherit the context, so overwrite the key in it.
    static constexpr char no_key[size]{};
    begin({no_key, size});
    return result;
}

CredentialCache::Mac CredentialCache::mac_of(const std::string& user, const Secret& password) {
    // Neither contains a NUL, so each pair gives different bytes.
    return hmac_.of(key_.reveal(), {user, std::string_view("\0", 1), password.reveal()});
}

CredentialCache::Answer CredentialCache::find(const std::string& user, const Mac& mac, Deadline now) const {
    Answer answer;
    const auto found = entries_.find(user);
    if (found == entries_.end()) return answer;
    for (const auto& entry : found->second) {
        if (!is_valid(entry, now)) continue;
        const bool same = ::CRYPTO_memcmp(entry.mac.data(), mac.data(), mac.size()) == 0;
        if (same && is_good(entry, now)) answer.account = &entry.account;
        answer.was_right = answer.was_right || same;
        answer.has_another_password = true;
    }
    answer.has_another_password = answer.has_another_password && !answer.was_right;
    return answer;
}

void CredentialCache::remember(const std::string& user, const Mac& mac, const Account& account,
                               const LocalAccounts::State& state, Deadline now, std::chrono::seconds lifetime) {
    if (!entries_.contains(user)) make_room(now);
    auto& entries = entries_[user];
    std::erase_if(entries, [&](const Entry& entry) { return entry.mac == mac || !is_valid(entry, now); });
    if (entries.size() >= most_passwords) entries.erase(entries.begin());
    entries.push_back({mac, account, state, now + lifetime, now + std::max<std::chrono::seconds>(lifetime, known_for)});
}

void CredentialCache::forget(const std::string& user, const Mac& mac) {
    const auto found = entries_.find(user);
    if (found == entries_.end()) return;
    std::erase_if(found->second, [&](const Entry& entry) { return entry.mac == mac; });
    if (found->second.empty()) entries_.erase(found);
}

void CredentialCache::make_room(Deadline now) {
    if (entries_.size() < most_entries_) return;
    std::erase_if(entries_, [&](const auto& row) { return row.second.back().forgotten <= now; });
    if (entries_.size() < most_entries_) return;
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& one, const auto& other) {
        return one.second.back().expires < other.second.back().expires;
    }));
}

}  // namespace clamscanner
