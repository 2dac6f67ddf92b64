// Replay protection for signed requests: a nonce is accepted once. Nonces are remembered as long as a signature can be
// fresh (before and after now), in memory and in one file, so that they survive a restart. Their number per key is
// limited.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "auth/base/unique_fd.h"

namespace clamscanner {

class Nonces {
 public:
    static constexpr std::int64_t remembered_seconds = 30 * 60;

    // Throws std::system_error.
    Nonces(std::string file, std::size_t most_per_key);

    enum class Use { First, Again, TooMany };
    // Call only after the signature was verified. `now`: seconds since the epoch. When this returns, the nonce is in
    // the file: a crash cannot lose it, a power failure can. Throws std::system_error; the nonce then counts as used.
    [[nodiscard]] Use use(const std::string& key_id, const std::string& nonce, std::int64_t now);

 private:
    struct Entry {
        std::int64_t until = 0;
        std::string key_id;
        std::string digest;
        [[nodiscard]] std::string line() const;
    };
    void add(Entry entry);
    void append(const std::string& line);
    void forget_old(std::int64_t now);
    void rewrite();

    const std::string file_;
    const std::size_t most_per_key_;
    UniqueFd log_;
    std::size_t lines_ = 0;  // in the file, including expired ones
    std::deque<Entry> entries_;
    std::unordered_set<std::string> digests_;
    std::unordered_map<std::string, std::size_t> count_by_key_;
};

}  // namespace clamscanner
