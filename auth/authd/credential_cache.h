// Remembers successful logins for some minutes, so that a polling client does not cost a PAM run per request. It stores
// successes only, as MACs under a key that only this process has, and only as long as the account's lines in the local
// files, and PAM's, are unchanged. A password that does not match goes to PAM and changes nothing here.
//
// For a day after that, unless the account's lines change, it still knows that a password was right. That lets nobody
// in, but PAM may then be asked where guesses would have to wait.
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

// libcrypto's HMAC-SHA256, set up once: the setup costs three times as much as a MAC.
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

    // Identifies the name and the password together.
    [[nodiscard]] Mac mac_of(const std::string& user, const Secret& password);

    struct Answer {
        const Account* account = nullptr;   // valid until the cache changes; null: ask PAM
        bool was_right = false;             // this password, within a day; now PAM must be asked
        bool has_another_password = false;  // the name is known, with other passwords only
    };
    // Uses the local files as of their last refresh().
    [[nodiscard]] Answer find(const std::string& user, const Mac& mac, Deadline now) const;

    // `state`: the account's own, from before PAM was asked.
    void remember(const std::string& user, const Mac& mac, const Account& account, const LocalAccounts::State& state,
                  Deadline now, std::chrono::seconds lifetime);
    // It was right, and is not any more.
    void forget(const std::string& user, const Mac& mac);

 private:
    static constexpr std::chrono::hours known_for{24};
    struct Entry {
        Mac mac;
        Account account;
        LocalAccounts::State state;
        Deadline expires;
        Deadline forgotten;  // not before it expires
    };
    [[nodiscard]] bool is_valid(const Entry& entry, Deadline now) const {
        return now < entry.forgotten && entry.state.lines == accounts_.lines_of(entry.account.name);
    }
    [[nodiscard]] bool is_good(const Entry& entry, Deadline now) const {
        return now < entry.expires && entry.state.rules == accounts_.rules() && is_valid(entry, now);
    }
    void make_room(Deadline now);

    const LocalAccounts& accounts_;
    std::size_t most_entries_;
    const UninheritedSecret key_ = UninheritedSecret::random(Hmac::size);
    Hmac hmac_;
    std::unordered_map<std::string, std::vector<Entry>> entries_;  // by the name as typed
};

}  // namespace clamscanner
