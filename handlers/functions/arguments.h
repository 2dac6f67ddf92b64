// The arguments of a request from its query, form, JSON body or multipart form, merged by one rule. All of it is
// untrusted. Anything wrong is a Refusal that names the argument.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/shared/messages.h"

namespace clamscanner {

inline constexpr std::size_t most_arguments = 1000;
inline constexpr std::size_t longest_argument_name = 256;

enum class ArgumentForm {
    Text,      // from a query or a form, or a JSON text; any bytes
    Number,    // from JSON, as written: no digit is lost to floating point
    Literal,   // true, false or null
    Compound,  // an object or array, as JSON
};

struct Argument {
    ArgumentForm form = ArgumentForm::Text;
    std::string text;
};

// An argument that is an object or an array. It comes as JSON, or, as forms have them, in pieces: NAME[KEY]=VALUE for
// each member of an object, NAME[]=VALUE or NAME[0]=VALUE for each of an array.
struct CompoundArgument {
    enum class Kind { Object, Array };
    std::string_view name;
    Kind kind = Kind::Object;
    // Whether a JSON body is the argument's value, without its name around it. Null: no body is.
    bool (*is_whole_body)(std::string_view json) = nullptr;
};

class Arguments {
 public:
    Arguments() = default;
    // `compound`: the one that the function takes; null: none. It must outlive this.
    explicit Arguments(const CompoundArgument* compound) noexcept : compound_(compound) {}

    // Refuses a name that was given another value before; the same value again does no harm. Pieces of the compound
    // argument are put together, and a value for it beside them is refused.
    void add(std::string name, Argument argument);

    // Null when it was not given.
    [[nodiscard]] const Argument* find(std::string_view name) const;

    // A mandatory text: refuses anything else, and its absence, and says what is `accepted`.
    [[nodiscard]] const std::string& text(std::string_view name, std::string_view accepted) const;

    // 0 or 1, in any form; absent: false. Refuses anything else.
    [[nodiscard]] bool flag(std::string_view name) const;

    [[nodiscard]] std::vector<std::string> names_beginning_with(std::string_view start) const;

    [[nodiscard]] bool empty() const noexcept { return arguments_.empty(); }

    [[nodiscard]] const CompoundArgument* compound() const noexcept { return compound_; }

 private:
    [[nodiscard]] bool is_piece(std::string_view name) const noexcept;
    void add_piece(std::string_view name, std::string_view value);

    const CompoundArgument* compound_ = nullptr;
    bool in_pieces_ = false;
    std::map<std::string, Argument, std::less<>> arguments_;
};

// A whole number in decimal; empty when the text is anything else, or the number out of range.
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text);

// Adds what a query or an application/x-www-form-urlencoded body holds.
void read_form(std::string_view encoded, Arguments& arguments);

// Adds the members of a JSON object, or the whole of it as the compound argument.
void read_json(std::string_view json, Arguments& arguments);

// Adds what the body holds, by its type. Refuses a type it does not understand with 415.
void read_body(std::string_view content_type, std::string_view body, Arguments& arguments);

[[nodiscard]] Arguments arguments_of(const Request& request, const CompoundArgument* compound = nullptr);

}  // namespace clamscanner
