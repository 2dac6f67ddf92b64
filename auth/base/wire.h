// The encoding of messages between our processes: little-endian numbers, and strings and lists preceded by their
// length, each with a limit that the message states. One fields() in a message serves writing and reading:
//
//     void fields(auto& wire) { wire.text(user, 32); wire.secret(password, 512); }
//
// A reader trusts nothing: a message that is too long, truncated, followed by further bytes, of another version or of
// an unknown type is Malformed, and its session ends. Descriptors are not encoded here; see socket.h.
#pragma once

#include <string.h>

#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "auth/base/secret.h"

namespace clamscanner {

// Raise it whenever a message changes: programs of different builds must not misread each other. tests/wire_version.py
// checks that.
inline constexpr std::uint8_t wire_version = 13;

struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void wipe(std::vector<char>& bytes) noexcept {
    if (!bytes.empty()) ::explicit_bzero(bytes.data(), bytes.size());
}

// The bytes of one message. They may hold a password, so they are wiped.
class Encoded {
 public:
    Encoded() = default;
    Encoded(Encoded&&) noexcept = default;
    Encoded& operator=(Encoded&&) noexcept = default;
    Encoded(const Encoded&) = delete;
    Encoded& operator=(const Encoded&) = delete;
    ~Encoded() { wipe(storage_); }

    [[nodiscard]] std::string_view bytes() const noexcept { return {storage_.data(), storage_.size()}; }

 private:
    friend class Writer;
    // Not a std::string: a moved short one would leave its bytes in the old place, unwiped.
    std::vector<char> storage_;
};

class Writer {
 public:
    static constexpr bool reading = false;

    template <class Number>
    requires std::integral<Number> || std::is_enum_v<Number>
    void number(const Number& value) {
        auto bits = static_cast<std::uint64_t>(value);
        char bytes[sizeof(Number)];
        for (std::size_t i = 0; i < sizeof(Number); ++i) bytes[i] = static_cast<char>((bits >> (8 * i)) & 0xff);
        append({bytes, sizeof bytes});
    }
    // An enum whose last value is `last`; a reader refuses anything beyond it.
    template <class Enum>
    void choice(const Enum& value, Enum /*last*/) {
        number(value);
    }
    void text(const std::string& value, std::size_t limit) { counted(value, limit); }
    void secret(const Secret& value, std::size_t limit) { counted(value.reveal(), limit); }
    template <class Item>
    void list(std::vector<Item>& items, std::size_t limit) {
        if (items.size() > limit) throw Malformed("a list is longer than its message allows");
        number(static_cast<std::uint32_t>(items.size()));
        for (auto& item : items) item.fields(*this);
    }
    void texts(const std::vector<std::string>& items, std::size_t limit, std::size_t text_limit) {
        if (items.size() > limit) throw Malformed("a list is longer than its message allows");
        number(static_cast<std::uint32_t>(items.size()));
        for (const auto& item : items) counted(item, text_limit);
    }

    [[nodiscard]] Encoded take() {
        Encoded encoded;
        encoded.storage_ = std::move(storage_);
        storage_ = {};
        return encoded;
    }
    ~Writer() { wipe(storage_); }
    Writer() { storage_.reserve(256); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

 private:
    void append(std::string_view bytes) {
        grow(bytes.size());
        storage_.insert(storage_.end(), bytes.begin(), bytes.end());
    }
    void counted(std::string_view value, std::size_t limit) {
        if (value.size() > limit) throw Malformed("a text is longer than its message allows");
        number(static_cast<std::uint32_t>(value.size()));
        append(value);
    }
    // Growing by hand, so that the bytes left behind in the old block are wiped.
    void grow(std::size_t more) {
        if (storage_.capacity() - storage_.size() >= more) return;
        std::vector<char> larger;
        larger.reserve((storage_.size() + more) * 2);
        larger.assign(storage_.begin(), storage_.end());
        wipe(storage_);
        storage_ = std::move(larger);
    }
    std::vector<char> storage_;
};

class Reader {
 public:
    static constexpr bool reading = true;
    explicit Reader(std::string_view bytes) noexcept : rest_(bytes) {}

    template <class Number>
    requires std::integral<Number> || std::is_enum_v<Number>
    void number(Number& value) {
        const auto raw = take(sizeof(Number));
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < raw.size(); ++i)
            bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
        if constexpr (std::is_same_v<Number, bool>) {
            if (bits > 1) throw Malformed("a boolean is neither 0 nor 1");
            value = bits == 1;
        } else {
            value = static_cast<Number>(bits);
        }
    }
    template <class Enum>
    void choice(Enum& value, Enum last) {
        std::underlying_type_t<Enum> raw{};
        number(raw);
        if (raw > static_cast<std::underlying_type_t<Enum>>(last)) throw Malformed("an enum value is out of range");
        value = static_cast<Enum>(raw);
    }
    void text(std::string& value, std::size_t limit) { value = counted(limit); }
    void secret(Secret& value, std::size_t limit) { value.assign(counted(limit)); }
    template <class Item>
    void list(std::vector<Item>& items, std::size_t limit) {
        items.resize(count(limit));
        for (auto& item : items) item.fields(*this);
    }
    void texts(std::vector<std::string>& items, std::size_t limit, std::size_t text_limit) {
        items.resize(count(limit));
        for (auto& item : items) item = counted(text_limit);
    }
    void expect_end() const {
        if (!rest_.empty()) throw Malformed("bytes are left over after a message");
    }

 private:
    std::string_view take(std::size_t size) {
        if (rest_.size() < size) throw Malformed("a message ends too early");
        const auto taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    std::string_view counted(std::size_t limit) {
        std::uint32_t size = 0;
        number(size);
        if (size > limit) throw Malformed("a text is longer than its message allows");
        return take(size);
    }
    // An item takes at least one byte, so a count beyond the remaining bytes is refused before memory is allocated.
    std::uint32_t count(std::size_t limit) {
        std::uint32_t items = 0;
        number(items);
        if (items > limit || items > rest_.size()) throw Malformed("a list is longer than its message allows");
        return items;
    }
    std::string_view rest_;
};

// A message is a struct with `static constexpr SomeEnum type` and fields(). The enum's values are unique for all
// conversations, so that a message sent on the wrong socket is unknown there.
template <class Message>
[[nodiscard]] Encoded encode(Message&& message) {
    Writer wire;
    wire.number(wire_version);
    wire.number(static_cast<std::uint16_t>(std::remove_cvref_t<Message>::type));
    const_cast<std::remove_cvref_t<Message>&>(message).fields(wire);  // a Writer only reads them
    return wire.take();
}

[[nodiscard]] inline std::uint16_t type_of(std::string_view bytes) {
    Reader wire(bytes);
    std::uint8_t version = 0;
    std::uint16_t type = 0;
    wire.number(version);
    wire.number(type);
    if (version != wire_version) throw Malformed("a message is of another version");
    return type;
}

template <class Message>
[[nodiscard]] bool is(std::string_view bytes) {
    return type_of(bytes) == static_cast<std::uint16_t>(Message::type);
}

// Throws Malformed unless `bytes` is exactly one Message.
template <class Message>
[[nodiscard]] Message decode(std::string_view bytes) {
    if (!is<Message>(bytes)) throw Malformed("a message is not of the expected type");
    Reader wire(bytes.substr(3));
    Message message;
    message.fields(wire);
    wire.expect_end();
    return message;
}

}  // namespace clamscanner
