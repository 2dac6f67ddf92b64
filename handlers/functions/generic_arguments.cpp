#include "handlers/functions/generic_arguments.h"

#include <map>

namespace clamscanner {
namespace {

constexpr std::size_t most_digits = 9;

bool is_number(std::string_view digits) {
    return !digits.empty() && digits.size() <= most_digits &&
           std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
}

// The place of an argument with this ending; empty when the argument is another, with a longer name.
std::optional<std::uint64_t> place_of(const std::string& name, const std::string& ending) {
    if (ending.empty()) return 0;
    if (ending[0] != '_') return std::nullopt;
    const auto digits = ending.substr(1);
    if (!is_number(digits))
        throw Refusal(200, "The argument " + quoted(name + ending) + " should end in a number, or without one in " +
                               quoted(name) + ".");
    return 1 + std::stoull(digits);
}

std::vector<std::string> all_endings(const Arguments& arguments, const std::string& name) {
    std::map<std::uint64_t, std::string> by_place;
    for (const auto& given : arguments.names_beginning_with(name)) {
        const auto ending = given.substr(name.size());
        if (const auto place = place_of(name, ending)) by_place[*place] = ending;
    }
    std::vector<std::string> endings;
    for (auto& [place, ending] : by_place) endings.push_back(std::move(ending));
    return endings;
}

void refuse_without(const std::string& leader, const Arguments& arguments, const std::string& follower) {
    for (const auto& ending : all_endings(arguments, follower))
        if (arguments.find(leader + ending) == nullptr)
            throw Refusal(200, "The argument " + quoted(follower + ending) + " means nothing without " +
                                   quoted(leader + ending) + ".");
}

}  // namespace

std::optional<std::string> scalar_of(const Arguments& arguments, const std::string& name, std::string_view accepted) {
    const auto* argument = arguments.find(name);
    if (argument == nullptr) return std::nullopt;
    if (argument->form == ArgumentForm::Compound) throw wrong_argument(name, "is an object or array", accepted);
    if (argument->form != ArgumentForm::Literal) return argument->text;
    if (argument->text == "null") throw wrong_argument(name, "is null", accepted);
    return argument->text == "true" ? "1" : "0";
}

bool boolean_of(const Arguments& arguments, const std::string& name, bool otherwise) {
    const auto text = scalar_of(arguments, name, "1 or 0");
    if (!text) return otherwise;
    if (*text != "0" && *text != "1" && !text->empty()) throw wrong_argument(name, "is " + quoted(*text), "1 or 0");
    return *text == "1";
}

std::optional<std::int64_t> number_of(const Arguments& arguments, const std::string& name, std::int64_t least,
                                      std::string_view accepted) {
    const auto text = scalar_of(arguments, name, accepted);
    if (!text) return std::nullopt;
    const auto number = whole_number(*text);
    if (!number) throw wrong_argument(name, "is " + quoted(*text), accepted);
    if (*number < least) throw wrong_argument(name, "is " + std::to_string(*number), accepted);
    return number;
}

std::vector<std::string> endings_of(const Arguments& arguments, const std::string& name,
                                    std::initializer_list<const char*> followers) {
    for (const char* follower : followers) refuse_without(name, arguments, follower);
    return all_endings(arguments, name);
}

std::size_t column_named(const std::string& name, const std::string& argument, const std::vector<std::string>& columns,
                         const std::string& also) {
    const auto found = std::ranges::find(columns, name);
    if (found == columns.end())
        throw wrong_argument(argument, "is " + quoted(name) + ", which is no column", listed(columns) + also);
    return static_cast<std::size_t>(found - columns.begin());
}

std::size_t column_of(const Arguments& arguments, const std::string& argument,
                      const std::vector<std::string>& columns) {
    return column_named(*scalar_of(arguments, argument, listed(columns)), argument, columns);
}

}  // namespace clamscanner
