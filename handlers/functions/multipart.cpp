#include "handlers/functions/multipart.h"

#include <algorithm>

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

std::string field_name_in(std::string_view value) {
    auto disposition = media_type_of(value);
    const auto name = disposition.parameters.find("name");
    if (disposition.name != "form-data" || name == disposition.parameters.end())
        refuse("has a part that is not a named field");
    if (disposition.parameters.contains("filename") || disposition.parameters.contains("filename*"))
        throw Refusal(200, "The argument " + quoted(name->second) + " is an uploaded file. Accepted: a plain field.");
    return name->second;
}

// The headers of a part, up to the empty line; gives the field's name.
std::string take_headers(std::string_view& part) {
    std::string field_name;
    for (std::size_t count = 0; count < most_part_headers; ++count) {
        const auto line = take_line(part);
        if (line.empty()) {
            if (field_name.empty()) refuse("has a part without a Content-Disposition header");
            return field_name;
        }
        const auto colon = std::min(line.find(':'), line.size());
        const auto value = line.substr(std::min(colon + 1, line.size()));
        const auto header = lower_case(line.substr(0, colon));
        if (header == "content-transfer-encoding") check_encoding(value);
        if (header == "content-disposition") {
            if (!field_name.empty()) refuse("has a part with two Content-Disposition headers");
            field_name = field_name_in(value);
        }
    }
    refuse("has a part with too many headers");
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
        auto part = rest.substr(0, end);
        rest.remove_prefix(end + delimiter.size());
        auto name = take_headers(part);
        arguments.add(std::move(name), {ArgumentForm::Text, std::string(part)});
    }
}

}  // namespace clamscanner
