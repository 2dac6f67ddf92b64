// Which signed requests came already: a nonce is good once. They are remembered for as long as a signature can be
// fresh, on both sides of now, in memory and in one file, so that a restart forgets none. Bounded by what each key may
// have.
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
    Nonces(std::string file, std::size_t most_of_a_key);

    enum class Use { First, Again, TooMany };
    // To be called only once the signature was right. `now`: seconds since the epoch. It is in the file when this
    // returns; a loss of power may forget it, a crash does not. Throws std::system_error: then it counts as used.
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
    const std::size_t most_of_a_key_;
    UniqueFd log_;
    std::size_t lines_ = 0;  // in the file, forgotten ones included
    std::deque<Entry> entries_;
    std::unordered_set<std::string> digests_;
    std::unordered_map<std::string, std::size_t> of_a_key_;
};

}  // namespace clamscanner
