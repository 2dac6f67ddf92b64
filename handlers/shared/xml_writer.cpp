#include "handlers/shared/xml_writer.h"

#include <algorithm>
#include <iterator>

#include "jobs/shared/json_text.h"

namespace clamscanner {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

struct Escape {
    std::string_view character;
    std::string_view written;
};
constexpr Escape escapes[] = {
    {"&", "&amp;"},
    {"<", "&lt;"},
    {">", "&gt;"},
    {"\r", "&#13;"},
    {"\xef\xbf\xbe", replacement},  // U+FFFE and U+FFFF are no characters of XML 1.0
    {"\xef\xbf\xbf", replacement},
};

bool is_forbidden_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

std::string_view written(std::string_view character) {
    const auto* const escape = std::ranges::find(escapes, character, &Escape::character);
    return escape == std::end(escapes) ? character : escape->written;
}

}  // namespace

void XmlWriter::begin_object() {
    tag("<");
    open_.push_back(name_);
}

// The next item of an array bears the same name again.
void XmlWriter::end_object() {
    name_ = std::move(open_.back());
    open_.pop_back();
    tag("</");
}

void XmlWriter::text(std::string_view bytes) {
    tag("<");
    while (!bytes.empty()) {
        const auto length = utf8_length(bytes);
        const bool allowed = length != 0 && !is_forbidden_control(bytes[0]);
        xml_ += allowed ? written(bytes.substr(0, length)) : replacement;
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    tag("</");
}

void XmlWriter::number(std::uint64_t value) {
    tag("<");
    xml_ += std::to_string(value);
    tag("</");
}

}  // namespace clamscanner
