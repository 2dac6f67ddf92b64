#include "handlers/shared/media_type.h"

#include <algorithm>

namespace clamscanner {
namespace {

constexpr std::size_t most_parameters = 16;

void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

std::string_view take_until(std::string_view& text, std::string_view ends) {
    const auto end = std::min(text.find_first_of(ends), text.size());
    const auto taken = text.substr(0, end);
    text.remove_prefix(end);
    return taken;
}

// After the opening quote; false when there is no closing one.
bool take_quoted(std::string_view& text, std::string& value) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return true;
        }
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        value += text[i];
    }
    return false;
}

bool take_parameter(std::string_view& rest, MediaType& type) {
    skip_blanks(rest);
    const auto name = lower_case(take_until(rest, "=; \t"));
    if (name.empty() || !rest.starts_with('=')) return false;
    rest.remove_prefix(1);
    std::string value;
    if (rest.starts_with('"')) {
        rest.remove_prefix(1);
        if (!take_quoted(rest, value)) return false;
    } else {
        value = take_until(rest, "; \t");
    }
    skip_blanks(rest);
    // A parameter given twice could be read in two ways.
    return type.parameters.size() < most_parameters && type.parameters.emplace(name, std::move(value)).second;
}

}  // namespace

std::string lower_case(std::string_view ascii) {
    std::string lower(ascii);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

bool MediaType::is_utf8() const {
    const auto charset = parameters.find("charset");
    if (charset == parameters.end()) return true;
    const auto name = lower_case(charset->second);
    return name == "utf-8" || name == "utf8" || name == "us-ascii";
}

MediaType media_type_of(std::string_view header) {
    MediaType type;
    auto rest = header;
    skip_blanks(rest);
    type.name = lower_case(take_until(rest, "; \t"));
    skip_blanks(rest);
    while (!rest.empty()) {
        if (!rest.starts_with(';')) return {};
        rest.remove_prefix(1);
        skip_blanks(rest);
        if (rest.empty()) break;  // a semicolon at the end is often sent
        if (!take_parameter(rest, type)) return {};
    }
    return type;
}

}  // namespace clamscanner
