// Any bytes as text that is safe in a mail. File names and signature names are an attacker's choice: nothing that they
// hold may end a line, hide, turn the direction of the text, or be taken for a header.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace clamscanner {

// UTF-8 of which every character can be seen: others are written as \u202e, and bytes that are no UTF-8 as \xff; so is
// a space at either end or behind another one, as \x20: with many of them a name could make the look of a new line.
// What is longer than so many bytes is cut, and ends with "…".
[[nodiscard]] std::string visible(std::string_view bytes, std::size_t most_bytes);

// A paragraph of ours, in lines of 72 characters where it has spaces; "\n" in it stays. The first line begins with
// `bullet`, the others below what follows it.
[[nodiscard]] std::string wrapped(std::string_view paragraph, std::string_view bullet = {});

[[nodiscard]] bool is_ascii(std::string_view text) noexcept;

// RFC 2045's quoted-printable form of a text whose lines end with "\n"; so do the lines of what it returns.
[[nodiscard]] std::string quoted_printable(std::string_view text);

// With "\r\n" in place of "\n".
[[nodiscard]] std::string with_crlf(std::string_view text);

}  // namespace clamscanner
