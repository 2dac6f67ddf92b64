#include "handlers/functions/arguments.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "handlers/functions/json_arguments.h"
#include "handlers/functions/multipart.h"
#include "handlers/shared/media_type.h"
#include "handlers/shared/percent_encoding.h"
#include "jobs/shared/json_text.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

struct BodyReader {
    std::string_view media_type;
    void (*read)(const MediaType& type, std::string_view body, Arguments& arguments);
};

constexpr BodyReader body_readers[] = {
    {"application/json",
     [](const MediaType&, std::string_view body, Arguments& arguments) { read_json(body, arguments); }},
    {"application/x-www-form-urlencoded",
     [](const MediaType&, std::string_view body, Arguments& arguments) { read_form(body, arguments); }},
    {"multipart/form-data", read_multipart},
};

constexpr std::size_t longest_in_pieces = longest_body;  // as JSON, in which a byte may take six

bool is_place(std::string_view key) {
    return key.empty() || std::ranges::all_of(key, [](char c) { return c >= '0' && c <= '9'; });
}

// All between the first bracket and the last: a path may have brackets of its own.
std::string_view key_of_piece(std::string_view name, const CompoundArgument& whole) {
    const bool is_array = whole.kind == CompoundArgument::Kind::Array;
    const auto key = name.substr(whole.name.size() + 1, name.size() - whole.name.size() - 2);
    if (name.ends_with(']') && (!is_array || is_place(key))) return key;
    const std::string whole_name(whole.name);
    throw wrong_argument(name, "is no part of " + quoted(whole_name),
                         whole_name + (is_array ? "[]" : "[PATH]") + ", or " + whole_name + " as JSON text");
}

Refusal given_twice(std::string_view name) {
    return {200, "The argument " + quoted(name) + " was given more than once, with different values."};
}

}  // namespace

void Arguments::add(std::string name, Argument argument) {
    if (name.empty()) throw Refusal(200, "An argument without a name was given.");
    if (is_piece(name)) return add_piece(name, argument.text);
    if (name.size() > longest_argument_name)
        throw Refusal(200, "The argument name " + quoted(name) + " is longer than " +
                               std::to_string(longest_argument_name) + " bytes.");
    if (const auto given = arguments_.find(name); given != arguments_.end()) {
        if (given->second.text == argument.text) return;
        throw given_twice(name);
    }
    if (arguments_.size() == most_arguments)
        throw Refusal(200, "More than " + std::to_string(most_arguments) + " arguments were given.");
    arguments_.emplace(std::move(name), std::move(argument));
}

bool Arguments::is_piece(std::string_view name) const noexcept {
    return compound_ != nullptr && name.starts_with(compound_->name) &&
           name.substr(compound_->name.size()).starts_with('[');
}

// All pieces so far are one JSON text, always complete.
void Arguments::add_piece(std::string_view name, std::string_view value) {
    const bool is_array = compound_->kind == CompoundArgument::Kind::Array;
    const auto key = key_of_piece(name, *compound_);
    if (!in_pieces_ && find(compound_->name) != nullptr) throw given_twice(compound_->name);
    auto& [form, json] = arguments_[std::string(compound_->name)];
    form = ArgumentForm::Compound;
    json.resize(std::max<std::size_t>(json.size(), 1) - 1);
    json += in_pieces_ ? ',' : is_array ? '[' : '{';
    if (!is_array) json.append(json_text(key)) += ':';
    json.append(json_text(value)) += is_array ? ']' : '}';
    in_pieces_ = true;
    if (json.size() > longest_in_pieces) throw wrong_argument(compound_->name, "is too long", "less at a time");
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

void read_json(std::string_view json, Arguments& arguments) {
    const auto* const compound = arguments.compound();
    if (compound == nullptr || compound->is_whole_body == nullptr || !compound->is_whole_body(json))
        return read_json_object(json, arguments);
    arguments.add(std::string(compound->name), {ArgumentForm::Compound, std::string(json)});
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

Arguments arguments_of(const Request& request, const CompoundArgument* compound) {
    Arguments arguments(compound);
    read_form(request.query, arguments);
    read_body(request.content_type, request.body, arguments);
    return arguments;
}

}  // namespace clamscanner
