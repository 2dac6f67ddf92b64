#include "handlers/functions/arguments.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "handlers/functions/json_arguments.h"
#include "handlers/functions/multipart.h"
#include "handlers/shared/media_type.h"
#include "handlers/shared/percent_encoding.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

struct BodyReader {
    std::string_view media_type;
    void (*read)(const MediaType& type, std::string_view body, Arguments& arguments);
};

constexpr BodyReader body_readers[] = {
    {"application/json",
     [](const MediaType&, std::string_view body, Arguments& arguments) { read_json_object(body, arguments); }},
    {"application/x-www-form-urlencoded",
     [](const MediaType&, std::string_view body, Arguments& arguments) { read_form(body, arguments); }},
    {"multipart/form-data", read_multipart},
};

}  // namespace

void Arguments::add(std::string name, Argument argument) {
    if (name.empty()) throw Refusal(200, "An argument without a name was given.");
    if (name.size() > longest_argument_name)
        throw Refusal(200, "The argument name " + quoted(name) + " is longer than " +
                               std::to_string(longest_argument_name) + " bytes.");
    if (const auto given = arguments_.find(name); given != arguments_.end()) {
        if (given->second.text == argument.text) return;
        throw Refusal(200, "The argument " + quoted(name) + " was given more than once, with different values.");
    }
    if (arguments_.size() == most_arguments)
        throw Refusal(200, "More than " + std::to_string(most_arguments) + " arguments were given.");
    arguments_.emplace(std::move(name), std::move(argument));
}

const Argument* Arguments::find(std::string_view name) const {
    const auto found = arguments_.find(name);
    return found == arguments_.end() ? nullptr : &found->second;
}

std::vector<std::string> Arguments::names_beginning_with(std::string_view start) const {
    std::vector<std::string> names;
    for (auto next = arguments_.lower_bound(start); next != arguments_.end() && next->first.starts_with(start); ++next)
        names.push_back(next->first);
    return names;
}

const std::string& Arguments::text(std::string_view name, std::string_view accepted) const {
    const auto* argument = find(name);
    if (argument == nullptr) throw wrong_argument(name, "is missing", accepted);
    if (argument->form != ArgumentForm::Text) throw wrong_argument(name, "is not a text", accepted);
    return argument->text;
}

bool Arguments::flag(std::string_view name) const {
    const auto* argument = find(name);
    if (argument == nullptr) return false;
    const auto& text = argument->text;
    const bool literal = argument->form == ArgumentForm::Literal;
    if (argument->form != ArgumentForm::Compound) {
        if (text == "1" || (literal && text == "true")) return true;
        if (text == "0" || (literal && text == "false")) return false;
    }
    throw wrong_argument(name, "is " + quoted(text), "0 or 1");
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

void read_form(std::string_view encoded, Arguments& arguments) {
    read_pairs(encoded, [&](std::string name, std::string value) {
        arguments.add(std::move(name), {ArgumentForm::Text, std::move(value)});
    });
}

void read_body(std::string_view content_type, std::string_view body, Arguments& arguments) {
    if (body.empty()) return;  // some clients name a type without sending anything
    const auto type = media_type_of(content_type);
    const auto* const reader = std::ranges::find(body_readers, type.name, &BodyReader::media_type);
    if (reader == std::end(body_readers) || !type.is_utf8())
        throw Refusal(415,
                      "The type of the body is not understood. Accepted: application/json, "
                      "application/x-www-form-urlencoded and multipart/form-data, in UTF-8.");
    reader->read(type, body, arguments);
}

Arguments arguments_of(const Request& request) {
    Arguments arguments;
    read_form(request.query, arguments);
    read_body(request.content_type, request.body, arguments);
    return arguments;
}

}  // namespace clamscanner
