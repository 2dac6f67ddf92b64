#include "auth/credential_cache.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <algorithm>

#include "auth/checked.h"

namespace clamscanner {
namespace {

constexpr std::size_t page_size = 4096;  // or what the kernel makes of it: it rounds up

CredentialCache::Mac hmac(const unsigned char* key, std::size_t key_size, const std::string& text) {
    CredentialCache::Mac mac{};
    unsigned size = 0;
    if (::HMAC(::EVP_sha256(), key, static_cast<int>(key_size), reinterpret_cast<const unsigned char*>(text.data()),
               text.size(), mac.data(), &size) == nullptr ||
        size != mac.size())
        throw_errno("compute a MAC", EIO);
    return mac;
}

}  // namespace

UninheritedKey::UninheritedKey() {
    // Root's process reads no configuration of libcrypto, which could name modules to load.
    ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    page_ = ::mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page_ == MAP_FAILED) throw_errno("get a page for a key");
    checked(::madvise(page_, page_size, MADV_WIPEONFORK), "keep the key from children");
    checked(::madvise(page_, page_size, MADV_DONTDUMP), "keep the key out of core files");
    ::mlock(page_, page_size);  // may be forbidden: then the key can be swapped out, as passwords can
    if (checked(::getrandom(page_, size, 0), "make a key") != static_cast<ssize_t>(size))
        throw_errno("make a key", EIO);
}

UninheritedKey::~UninheritedKey() {
    ::explicit_bzero(page_, size);
    ::munmap(page_, page_size);
}

CredentialCache::Mac CredentialCache::mac_of(const std::string& user, const Secret& password) const {
    // In two steps, so that the two texts need not be copied into one.
    auto of_user = hmac(key_.bytes(), UninheritedKey::size, user);
    const auto mac = hmac(of_user.data(), of_user.size(), password.reveal());
    ::explicit_bzero(of_user.data(), of_user.size());
    return mac;
}

CredentialCache::Answer CredentialCache::find(const std::string& user, const Mac& mac, Deadline now) const {
    Answer answer;
    const auto found = entries_.find(user);
    if (found == entries_.end()) return answer;
    for (const auto& entry : found->second) {
        if (!lives(entry, now)) continue;
        if (::CRYPTO_memcmp(entry.mac.data(), mac.data(), mac.size()) == 0)
            answer.account = &entry.account;
        else
            answer.knows_another = true;
    }
    return answer;
}

void CredentialCache::remember(const std::string& user, const Mac& mac, const Account& account,
                               const std::optional<LocalAccounts::Lines>& lines, Deadline now,
                               std::chrono::seconds lifetime) {
    if (!entries_.contains(user)) make_room(now);
    auto& entries = entries_[user];
    std::erase_if(entries, [&](const Entry& entry) { return entry.mac == mac || !lives(entry, now); });
    if (entries.size() >= most_passwords) entries.erase(entries.begin());
    entries.push_back({mac, account, lines, now + lifetime});
}

void CredentialCache::make_room(Deadline now) {
    if (entries_.size() < most_entries_) return;
    std::erase_if(entries_, [&](const auto& row) { return row.second.back().expires <= now; });
    if (entries_.size() < most_entries_) return;
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& one, const auto& other) {
        return one.second.back().expires < other.second.back().expires;
    }));
}

}  // namespace clamscanner
