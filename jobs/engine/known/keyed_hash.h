// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012): 64 bits of a text that nobody can choose
// texts for who does not know the key. Signatures may hold what an attacker wrote, such as the address of a site.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace clamscanner {

class KeyedHash {
 public:
    struct Key {
        std::uint64_t first = 0;
        std::uint64_t second = 0;
    };
    explicit KeyedHash(const Key& key) noexcept : key_(key) {}

    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept {
        State state{key_.first ^ 0x736f6d6570736575, key_.second ^ 0x646f72616e646f6d, key_.first ^ 0x6c7967656e657261,
                    key_.second ^ 0x7465646279746573};
        const auto size = static_cast<std::uint64_t>(text.size());
        for (; text.size() >= word_size; text.remove_prefix(word_size)) state.take(word_of(text));
        state.take(word_of(text) | size << 56);
        return state.end();
    }

 private:
    static constexpr std::size_t word_size = 8;

    struct State {
        std::uint64_t a, b, c, d;
        void round() noexcept {
            a += b;
            b = std::rotl(b, 13) ^ a;
            a = std::rotl(a, 32);
            c += d;
            d = std::rotl(d, 16) ^ c;
            a += d;
            d = std::rotl(d, 21) ^ a;
            c += b;
            b = std::rotl(b, 17) ^ c;
            c = std::rotl(c, 32);
        }
        void take(std::uint64_t word) noexcept {
            d ^= word;
            round();
            round();
            a ^= word;
        }
        std::uint64_t end() noexcept {
            c ^= 0xff;
            for (int i = 0; i < 4; ++i) round();
            return a ^ b ^ c ^ d;
        }
    };

    // Of its first bytes, the first one lowest; zeros for those that are missing.
    static std::uint64_t word_of(std::string_view text) noexcept {
        std::uint64_t word = 0;
        if (!text.empty()) std::memcpy(&word, text.data(), text.size() < word_size ? text.size() : word_size);
        return std::endian::native == std::endian::little ? word : reversed(word);
    }
    static std::uint64_t reversed(std::uint64_t word) noexcept {
        std::uint64_t result = 0;
        for (std::size_t i = 0; i < word_size; ++i, word >>= 8) result = result << 8 | (word & 0xff);
        return result;
    }

    const Key key_;
};

}  // namespace clamscanner
