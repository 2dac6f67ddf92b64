#include "handlers/functions/row_filter.h"

#include <chrono>
#include <stdexcept>

#include "handlers/functions/generic_arguments.h"
#include "handlers/shared/media_type.h"

namespace clamscanner {

// What a type takes the term for. A text in either case, and an expression, is part of every value when it is empty.
enum class Term { None, Text, TextInEitherCase, Number, Expression };

struct FilterType {
    std::string_view name;
    Term term;
    bool (*passes)(const RowFilter& filter, const std::string& value);
};

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto matching_timeout = std::chrono::seconds(5);  // for all the matching of one request

constexpr const char* accepted_terms = "a text or a number";

bool is_unlimited(const std::string& value) {
    return lower_case(value) == "unlimited";
}

// No limit is set where a value is "unlimited"; the types that handle that take 0 for it too.
bool has_no_limit(const std::string& value) {
    return is_unlimited(value) || number_in(value) == 0;
}

bool is_above(const RowFilter& filter, const std::string& value) {
    return number_in(value) > number_in(filter.term);
}

bool is_below(const RowFilter& filter, const std::string& value) {
    return number_in(value) < number_in(filter.term);
}

using Filter = const RowFilter&;
using Value = const std::string&;

constexpr FilterType filter_types[] = {
    {"begins", Term::TextInEitherCase, [](Filter f, Value v) { return lower_case(v).starts_with(f.term); }},
    {"contains", Term::TextInEitherCase, [](Filter f, Value v) { return lower_case(v).find(f.term) != v.npos; }},
    {"defined", Term::None, [](Filter, Value) { return true; }},  // every row has a value in every column
    {"ends", Term::TextInEitherCase, [](Filter f, Value v) { return lower_case(v).ends_with(f.term); }},
    {"eq", Term::Text, [](Filter f, Value v) { return v == f.term; }},
    {"gt", Term::Number, [](Filter f, Value v) { return !is_unlimited(v) && is_above(f, v); }},
    {"gt_handle_unlimited", Term::Number, [](Filter f, Value v) { return has_no_limit(v) || is_above(f, v); }},
    {"lt", Term::Number, [](Filter f, Value v) { return is_unlimited(v) || is_below(f, v); }},
    {"lt_handle_unlimited", Term::Number, [](Filter f, Value v) { return !has_no_limit(v) && is_below(f, v); }},
    {"matches", Term::Expression, [](Filter f, Value v) { return f.expression->matches(v); }},
    {"ne", Term::Text, [](Filter f, Value v) { return v != f.term; }},
    {"undefined", Term::None, [](Filter, Value) { return false; }},
};

// "" where the type takes none.
std::string term_of(const Arguments& arguments, const std::string& argument, const FilterType& type) {
    auto term = scalar_of(arguments, argument, accepted_terms);
    if (!term && type.term != Term::None) throw wrong_argument(argument, "is missing", accepted_terms);
    return type.term == Term::TextInEitherCase ? lower_case(*term) : std::move(term).value_or("");
}

// Empty for "*".
std::optional<std::size_t> filtered_column(const Arguments& arguments, const std::string& argument,
                                           const std::vector<std::string>& columns) {
    const auto name = *scalar_of(arguments, argument, listed(columns));
    if (name == "*") return std::nullopt;
    return column_named(name, argument, columns, ", or * for any");
}

Pattern expression_of(const std::string& argument, const std::string& term) try {
    return Pattern(term);
} catch (const std::invalid_argument& wrong) {
    throw wrong_argument(argument, std::string("is no regular expression (") + wrong.what() + ")",
                         "a regular expression as Perl has them, of at most 4096 bytes");
}

bool lets_everything_pass(const RowFilter& filter) {
    const auto term = filter.type->term;
    return filter.term.empty() && (term == Term::TextInEitherCase || term == Term::Expression);
}

void refuse_after(Clock::time_point deadline) {
    if (Clock::now() > deadline)
        throw Refusal(200, "api.filter_term: the regular expression takes too long. Give a simpler one.");
}

bool passes(const RowFilter& filter, const Row& row) {
    const auto value_passes = [&](const std::string& value) { return filter.type->passes(filter, value); };
    return filter.column ? value_passes(row[*filter.column]) : std::ranges::any_of(row, value_passes);
}

}  // namespace

std::vector<RowFilter> filters_of(const Arguments& arguments, const std::vector<std::string>& columns) {
    std::vector<RowFilter> filters;
    if (!boolean_of(arguments, "api.filter", true)) return filters;
    const std::string column = "api.filter_column", type = "api.filter_type", term = "api.filter_term";
    for (const auto& ending : endings_of(arguments, column, {"api.filter_type", "api.filter_term"})) {
        RowFilter filter{&row_of(filter_types, arguments, type + ending, "contains"), ""};
        filter.term = term_of(arguments, term + ending, *filter.type);
        filter.column = filtered_column(arguments, column + ending, columns);
        if (lets_everything_pass(filter)) continue;
        if (filter.type->term == Term::Expression) filter.expression = expression_of(term + ending, filter.term);
        filters.push_back(std::move(filter));
    }
    return filters;
}

void filter_rows(std::vector<Row>& rows, const std::vector<RowFilter>& filters) try {
    const auto deadline = Clock::now() + matching_timeout;
    for (const auto& filter : filters)
        std::erase_if(rows, [&](const Row& row) {
            if (filter.expression) refuse_after(deadline);
            return !passes(filter, row);
        });
} catch (const std::length_error&) {
    throw Refusal(200, "api.filter_term: the regular expression costs too much to match. Give a simpler one.");
}

}  // namespace clamscanner
