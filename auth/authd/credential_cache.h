// Remembers for a minute that a password was right, so that a client that polls costs no PAM run each time. Only
// successes, only as a MAC under a key of this process's own, and only as long as the account's lines in the local
// files are what they were. A password that does not match goes to PAM and changes nothing here.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/authd/local_accounts.h"
#include "auth/authd/uninherited_secret.h"
#include "auth/base/account.h"
#include "auth/base/secret.h"
#include "auth/base/socket.h"

namespace clamscanner {

// libcrypto's HMAC-SHA256, set up once: setting it up costs three times what it is for.
class Hmac {
 public:
    static constexpr std::size_t size = 32;
    using Result = std::array<unsigned char, size>;
    Hmac();
    // Over the parts one after the other, by a key of `size` bytes. Nothing of the key stays behind.
    [[nodiscard]] Result of(std::string_view key, std::initializer_list<std::string_view> parts);

 private:
    void begin(std::string_view key);
    std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context_;
};

class CredentialCache {
 public:
    using Mac = Hmac::Result;
    static constexpr std::size_t most_passwords = 4;  // of one name: some accounts have one for each application

    explicit CredentialCache(const LocalAccounts& accounts, std::size_t most_entries = 20'000)
        : accounts_(accounts), most_entries_(most_entries) {}

    // Stands for the name and the password together.
    [[nodiscard]] Mac mac_of(const std::string& user, const Secret& password);

    struct Answer {
        const Account* account = nullptr;  // until the cache changes; null: ask PAM
        bool knows_another = false;        // the name is known with another password
    };
    // By the local files as they were at their last refresh().
    [[nodiscard]] Answer find(const std::string& user, const Mac& mac, Deadline now) const;

    // `lines`: of the account itself, as they were before PAM began.
    void remember(const std::string& user, const Mac& mac, const Account& account,
                  const std::optional<LocalAccounts::Lines>& lines, Deadline now, std::chrono::seconds lifetime);

 private:
    struct Entry {
        Mac mac;
        Account account;
        std::optional<LocalAccounts::Lines> lines;
        Deadline expires;
    };
    [[nodiscard]] bool lives(const Entry& entry, Deadline now) const {
        return now < entry.expires && entry.lines == accounts_.lines_of(entry.account.name);
    }
    void make_room(Deadline now);

    const LocalAccounts& accounts_;
    std::size_t most_entries_;
    const UninheritedSecret key_ = UninheritedSecret::random(Hmac::size);
    Hmac hmac_;
    std::unordered_map<std::string, std::vector<Entry>> entries_;  // by the name as it was typed
};

}  // namespace clamscanner
