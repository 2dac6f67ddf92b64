// JSON that clients send: a body of arguments, and an argument that is an object. Foreign, and limited in depth; the
// parser keeps its stack on the heap. A raw byte outside UTF-8 is refused, and a key given twice.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/functions/arguments.h"

namespace clamscanner {

inline constexpr std::size_t deepest_json = 16;

// Adds the members of the object that `json` is.
void read_json_object(std::string_view json, Arguments& arguments);

using TextPairs = std::vector<std::pair<std::string, std::string>>;

// The members of an argument that is an object of texts, given as JSON or as a text that holds JSON. `accepted` says
// what the argument should be.
[[nodiscard]] TextPairs object_of_texts(std::string_view name, const Argument& argument, std::string_view accepted,
                                        std::size_t most_members);

// The same of an array of texts.
[[nodiscard]] std::vector<std::string> array_of_texts(std::string_view name, const Argument& argument,
                                                      std::string_view accepted, std::size_t most);

}  // namespace clamscanner
