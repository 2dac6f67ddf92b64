// JSON texts and the bytes they represent. A file name is bytes, but JSON is Unicode: a byte that is not part of valid
// UTF-8 is written as an escape \udc80 … \udcff, and that escape is read back as the byte. Run by agents, and by
// runners for the logs in the home. Foreign texts may hold any bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace clamscanner {

// How many bytes the valid UTF-8 character at the start of `bytes` has; 0 if there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view bytes) noexcept;

[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

// At most `count` characters from the start; a byte outside UTF-8 counts as one.
[[nodiscard]] std::string_view first_characters(std::string_view bytes, std::size_t count) noexcept;

// `bytes` as a JSON text, quotes included; always valid UTF-8.
[[nodiscard]] std::string json_text(std::string_view bytes);

// Converts a JSON text, as the parser decoded it, back into bytes: RapidJSON decodes a lone low surrogate to three
// bytes (ED B2 80 … ED B3 BF for \udc80 … \udcff). Empty when the text holds any other surrogate.
[[nodiscard]] std::optional<std::string> bytes_of_json_text(std::string_view decoded);

}  // namespace clamscanner
