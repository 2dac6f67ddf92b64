#include "jobs/engine/known/ignored_signatures.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <map>

#include "jobs/engine/known/signature_reader.h"

namespace clamscanner {
namespace {

bool is_one_of(std::string_view ending, std::initializer_list<std::string_view> endings) {
    return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

std::string_view field_of(std::string_view line, char separator, int number) {
    for (; number > 0; --number) line.remove_prefix(std::min(line.find(separator), line.size() - 1) + 1);
    return line.substr(0, line.find(separator));
}

std::string_view without_line_end(std::string_view line) {
    while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
    return line;
}

// The library does not tell upper case from lower case in it.
bool is_a_list(std::string name) {
    for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return name.ends_with(".ign") || name.ends_with(".ign2");
}

}  // namespace

IgnoredSignatures::IgnoredSignatures(const std::string& directory) {
    std::map<std::string, std::string> lists;
    SignatureSink sink;
    sink.other = [&](const std::string& name, std::string_view piece) {
        if (is_a_list(name)) lists[name].append(piece);
    };
    read_signatures(directory, sink);
    for (const auto& [name, text] : lists) take_list(text);
}

bool IgnoredSignatures::contain(std::string_view ending, std::string_view line) const {
    return !names_.empty() && names_.contains(name_in(ending, line));
}

std::string_view IgnoredSignatures::name_in(std::string_view ending, std::string_view line) {
    line = without_line_end(line);
    if (line.empty() || ending == ".wdb") return {};
    std::string_view name;
    if (is_one_of(ending, {".ldb", ".ldu"}))
        name = field_of(line, ';', 0);
    else
        name = field_of(line, ':', is_one_of(ending, {".ndb", ".ndu", ".cdb"}) ? 0 : 2);
    constexpr std::string_view unofficial = ".UNOFFICIAL";
    if (name.ends_with('}'))
        name = name.substr(0, name.find(".{"));
    else if (name.ends_with(unofficial))
        name.remove_suffix(unofficial.size());
    return name;
}

// A line is a name, a name and a hash, or (formerly) a file, a line and a name.
void IgnoredSignatures::take_list(std::string_view text) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = without_line_end(text.substr(0, end));
        const auto colons = std::count(line.begin(), line.end(), ':');
        if (!line.empty()) names_.emplace(field_of(line, ':', colons >= 2 ? 2 : 0));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace clamscanner
