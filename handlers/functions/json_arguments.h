// Parses JSON from clients: a body of arguments, and arguments that are objects or arrays. Untrusted, and limited in
// depth; the parser keeps its stack on the heap. Invalid UTF-8 is refused.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/functions/arguments.h"

namespace clamscanner {

inline constexpr std::size_t deepest_json = 16;

// Adds the members of `json`, a JSON object.
void read_json_object(std::string_view json, Arguments& arguments);

// The argument that a JSON value of any kind is. Refuses anything else, and says that it is `name` that is wrong.
[[nodiscard]] Argument json_value(std::string_view name, std::string_view json);

// Whether `json` is an object that is not empty and whose members are texts only, each accepted.
[[nodiscard]] bool is_object_of_texts(std::string_view json,
                                      bool (*accepts)(std::string_view key, std::string_view text));

using TextPairs = std::vector<std::pair<std::string, std::string>>;

// The members of an argument that is an object of texts, given as JSON or as a text that contains JSON. A repeated key
// is refused. `accepted` says what the argument should be.
[[nodiscard]] TextPairs object_of_texts(std::string_view name, const Argument& argument, std::string_view accepted,
                                        std::size_t most_members);

// The same for an array of texts.
[[nodiscard]] std::vector<std::string> array_of_texts(std::string_view name, const Argument& argument,
                                                      std::string_view accepted, std::size_t most);

}  // namespace clamscanner
