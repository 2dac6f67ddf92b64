#include "handlers/functions/multipart.h"

#include <algorithm>
#include <optional>

#include "handlers/functions/json_arguments.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_boundary = 70;  // RFC 2046
constexpr std::size_t most_part_headers = 16;
constexpr std::string_view line_end = "\r\n";

[[noreturn]] void refuse(const std::string& why) {
    throw Refusal(200, "The multipart/form-data body " + why + ".");
}

std::string_view take_line(std::string_view& text) {
    const auto end = text.find(line_end);
    if (end == std::string_view::npos) refuse("ends in the middle of a part's header");
    const auto line = text.substr(0, end);
    text.remove_prefix(end + line_end.size());
    return line;
}

void check_encoding(std::string_view value) {
    const auto encoding = media_type_of(value).name;
    if (encoding != "7bit" && encoding != "8bit" && encoding != "binary")
        refuse("has a part with a Content-Transfer-Encoding that is not accepted: 7bit, 8bit and binary are");
}

// What the headers of a part say.
struct Part {
    std::optional<MediaType> disposition;
    std::optional<MediaType> type;

    [[nodiscard]] const std::string& name() const { return disposition->parameters.at("name"); }
    [[nodiscard]] bool has_type(std::string_view name) const { return type && type->name == name && type->is_utf8(); }
    [[nodiscard]] bool has_file_name() const {
        return disposition->parameters.contains("filename") || disposition->parameters.contains("filename*");
    }
};

void set_once(std::optional<MediaType>& header, std::string_view value, const std::string& name) {
    if (header) refuse("has a part with two " + name + " headers");
    header = media_type_of(value);
}

void check_is_named(const Part& part) {
    if (!part.disposition) refuse("has a part without a Content-Disposition header");
    if (part.disposition->name != "form-data" || !part.disposition->parameters.contains("name"))
        refuse("has a part that is not a named field");
}

// Takes the headers of a part, up to the empty line.
Part take_headers(std::string_view& text) {
    Part part;
    for (std::size_t count = 0; count < most_part_headers; ++count) {
        const auto line = take_line(text);
        if (line.empty()) {
            check_is_named(part);
            return part;
        }
        const auto colon = std::min(line.find(':'), line.size());
        const auto value = line.substr(std::min(colon + 1, line.size()));
        const auto header = lower_case(line.substr(0, colon));
        if (header == "content-transfer-encoding") check_encoding(value);
        if (header == "content-disposition") set_once(part.disposition, value, "Content-Disposition");
        if (header == "content-type") set_once(part.type, value, "Content-Type");
    }
    refuse("has a part with too many headers");
}

// A page's Blob has a file name, too: "blob", and, when it was given no type, the type of any bytes. Python's requests
// gives each part that its caller calls a file the name of the field, and no type.
bool is_uploaded_file(const Part& part) {
    if (!part.has_file_name() || part.has_type("application/json") || part.has_type("text/plain")) return false;
    const auto name = part.disposition->parameters.find("filename");
    if (name == part.disposition->parameters.end()) return true;
    const bool is_blob = name->second == "blob" && part.has_type("application/octet-stream");
    const bool is_named_as_the_field = name->second == part.name() && !part.type;
    return !is_blob && !is_named_as_the_field;
}

Argument value_of(const Part& part, std::string_view content) {
    if (is_uploaded_file(part))
        throw Refusal(200, "The argument " + quoted(part.name()) +
                               " is an uploaded file. Accepted: a plain field, or a part of the type application/json "
                               "or text/plain, in UTF-8.");
    if (part.has_type("application/json")) return json_value(part.name(), content);
    return {ArgumentForm::Text, std::string(content)};
}

// What may stand after a delimiter: blanks (RFC 2046 allows them), then the end of the line.
void end_delimiter_line(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with(line_end)) refuse("has a broken boundary line");
    rest.remove_prefix(line_end.size());
}

}  // namespace

void read_multipart(const MediaType& type, std::string_view body, Arguments& arguments) {
    const auto boundary = type.parameters.find("boundary");
    if (boundary == type.parameters.end() || boundary->second.empty() || boundary->second.size() > longest_boundary)
        refuse("has no usable boundary in its Content-Type");
    const auto opening = "--" + boundary->second;
    const auto delimiter = std::string(line_end) + opening;

    // Anything before the first delimiter is ignored; browsers send nothing there.
    auto rest = body;
    if (rest.starts_with(opening)) {
        rest.remove_prefix(opening.size());
    } else {
        const auto first = rest.find(delimiter);
        if (first == std::string_view::npos) refuse("does not contain its boundary");
        rest.remove_prefix(first + delimiter.size());
    }
    while (!rest.starts_with("--")) {
        end_delimiter_line(rest);
        const auto end = rest.find(delimiter);
        if (end == std::string_view::npos) refuse("ends in the middle of a part");
        auto content = rest.substr(0, end);
        rest.remove_prefix(end + delimiter.size());
        const auto part = take_headers(content);
        arguments.add(part.name(), value_of(part, content));
    }
}

}  // namespace clamscanner
