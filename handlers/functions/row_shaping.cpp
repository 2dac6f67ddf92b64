#include "handlers/functions/row_shaping.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <compare>
#include <cstdlib>
#include <iterator>
#include <map>
#include <numeric>
#include <stdexcept>

#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {

enum class RowShaping::FilterType {
    Begins,
    Contains,
    Defined,
    Ends,
    Equal,
    Greater,
    GreaterOrUnlimited,
    Less,
    LessAndLimited,
    Matches,
    NotEqual,
    Undefined
};
enum class RowShaping::SortMethod { Ipv4, Lexicographic, Numeric, NumericZeroAsMax };

struct RowShaping::FilterName {
    std::string_view name;
    FilterType type;
    bool wants_term;
};
struct RowShaping::SortName {
    std::string_view name;
    SortMethod method;
};

const RowShaping::FilterName RowShaping::filter_names[] = {
    {"begins", FilterType::Begins, true},
    {"contains", FilterType::Contains, true},
    {"defined", FilterType::Defined, false},
    {"ends", FilterType::Ends, true},
    {"eq", FilterType::Equal, true},
    {"gt", FilterType::Greater, true},
    {"gt_handle_unlimited", FilterType::GreaterOrUnlimited, true},
    {"lt", FilterType::Less, true},
    {"lt_handle_unlimited", FilterType::LessAndLimited, true},
    {"matches", FilterType::Matches, true},
    {"ne", FilterType::NotEqual, true},
    {"undefined", FilterType::Undefined, false},
};

const RowShaping::SortName RowShaping::sort_names[] = {
    {"ipv4", SortMethod::Ipv4},
    {"lexicographic", SortMethod::Lexicographic},
    {"numeric", SortMethod::Numeric},
    {"numeric_zero_as_max", SortMethod::NumericZeroAsMax},
};

namespace {

constexpr auto patience = std::chrono::seconds(5);  // for all the matching of one request

// ---- Reading arguments ----------------------------------------------------------------------------------------------

// The text of a number or truth too, as JSON bodies have them.
std::optional<std::string> text_of(const Arguments& arguments, const std::string& name, std::string_view accepted) {
    const auto* argument = arguments.find(name);
    if (argument == nullptr) return std::nullopt;
    if (argument->form == ArgumentForm::Compound) throw wrong_argument(name, "is an object or array", accepted);
    if (argument->form != ArgumentForm::Literal) return argument->text;
    if (argument->text == "null") throw wrong_argument(name, "is null", accepted);
    return argument->text == "true" ? "1" : "0";
}

std::optional<bool> truth_of(const Arguments& arguments, const std::string& name) {
    const auto text = text_of(arguments, name, "1 or 0");
    if (!text) return std::nullopt;
    if (*text != "0" && *text != "1" && !text->empty()) throw wrong_argument(name, "is " + quoted(*text), "1 or 0");
    return *text == "1";
}

bool is_switched_off(const Arguments& arguments, const std::string& name) {
    return !truth_of(arguments, name).value_or(true);
}

std::optional<std::int64_t> number_of(const Arguments& arguments, const std::string& name, std::string_view accepted) {
    const auto text = text_of(arguments, name, accepted);
    if (!text) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size())
        throw wrong_argument(name, "is " + quoted(*text), accepted);
    return number;
}

// What stands after `name` in the arguments' names, "" or "_N", in the order of the numbers.
std::vector<std::string> suffixes_of(const Arguments& arguments, const std::string& name) {
    constexpr std::size_t most_digits = 9;
    std::map<std::uint64_t, std::string> by_number;
    for (const auto& given : arguments.names_beginning_with(name)) {
        const auto suffix = given.substr(name.size());
        if (suffix.empty()) {
            by_number[0] = suffix;
            continue;
        }
        if (!suffix.starts_with('_')) continue;
        const auto digits = suffix.substr(1);
        if (digits.empty() || digits.size() > most_digits ||
            !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
            throw Refusal(200, "The argument " + quoted(given) + " should end in a number, or without one in " +
                                   quoted(name) + ".");
        by_number[1 + std::stoull(digits)] = suffix;
    }
    std::vector<std::string> suffixes;
    for (auto& [number, suffix] : by_number) suffixes.push_back(std::move(suffix));
    return suffixes;
}

// Each of `followers` needs the `leader` with the same suffix.
void refuse_without_leader(const Arguments& arguments, const std::string& leader,
                           std::initializer_list<const char*> followers) {
    for (const std::string follower : followers)
        for (const auto& suffix : suffixes_of(arguments, follower))
            if (arguments.find(leader + suffix) == nullptr)
                throw Refusal(200, "The argument " + quoted(follower + suffix) + " means nothing without " +
                                       quoted(leader + suffix) + ".");
}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

template <class Table>
std::string names_of(const Table& table) {
    std::string text;
    for (const auto& row : table) text += (text.empty() ? "" : ", ") + std::string(row.name);
    return text;
}

template <class Table>
const auto& row_named(const Table& table, const std::string& argument, const std::string& name) {
    const auto* const found = std::ranges::find(table, name, [](const auto& row) { return row.name; });
    if (found == std::end(table)) throw wrong_argument(argument, "is " + quoted(name), names_of(table));
    return *found;
}

std::size_t column_named(const std::vector<std::string>& columns, const std::string& argument, const std::string& name,
                         const std::string& also = "") {
    const auto found = std::ranges::find(columns, name);
    if (found == columns.end())
        throw wrong_argument(argument, "is " + quoted(name) + ", which is no column", listed(columns) + also);
    return static_cast<std::size_t>(found - columns.begin());
}

// ---- Comparing ------------------------------------------------------------------------------------------------------

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string text) {
    std::ranges::transform(text, text.begin(), lower);
    return text;
}

// As Perl takes a text for a number: what it begins with, else 0.
double number_in(const std::string& text) {
    const double number = std::strtod(text.c_str(), nullptr);
    return number == number ? number : 0;  // "nan" is none
}

bool is_unlimited(const std::string& text) {
    return lowered(text) == "unlimited";
}

std::uint64_t address_in(const std::string& text) {
    std::uint64_t address = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int i = 0; i < 4; ++i) {
        std::uint8_t octet = 0;
        const auto [after, error] = std::from_chars(at, end, octet);
        if (error != std::errc()) return 0;
        address = address << 8 | octet;
        at = after != end && *after == '.' ? after + 1 : after;
    }
    return address;
}

}  // namespace

// ---- What was asked for
// ----------------------------------------------------------------------------------------------

RowShaping::RowShaping(const Arguments& arguments, const std::vector<std::string>& columns) {
    read_filters(arguments, columns);
    read_sorts(arguments, columns);
    read_page(arguments);
    read_columns(arguments, columns);
}

void RowShaping::read_filters(const Arguments& arguments, const std::vector<std::string>& columns) {
    if (is_switched_off(arguments, "api.filter")) return;
    const std::string column = "api.filter_column";
    refuse_without_leader(arguments, column, {"api.filter_type", "api.filter_term"});
    for (const auto& suffix : suffixes_of(arguments, column)) {
        const auto name = *text_of(arguments, column + suffix, listed(columns));
        const auto type_argument = "api.filter_type" + suffix;
        const auto type = text_of(arguments, type_argument, names_of(filter_names)).value_or("contains");
        const auto& row = row_named(filter_names, type_argument, type);
        const auto term_argument = "api.filter_term" + suffix;
        const auto term = text_of(arguments, term_argument, "a text or a number");
        if (!term && row.wants_term) throw wrong_argument(term_argument, "is missing", "a text or a number");
        Filter filter{std::nullopt, row.type, term.value_or(""), std::nullopt};
        if (name != "*") filter.column = column_named(columns, column + suffix, name, ", or * for any");
        const bool ignores_case =
            row.type == FilterType::Begins || row.type == FilterType::Contains || row.type == FilterType::Ends;
        // An empty text is part of every other.
        if (filter.term.empty() && (ignores_case || row.type == FilterType::Matches)) continue;
        if (ignores_case) filter.term = lowered(filter.term);
        try {
            if (row.type == FilterType::Matches) filter.pattern.emplace(filter.term);
        } catch (const std::invalid_argument& wrong) {
            throw wrong_argument(term_argument, std::string("is no regular expression (") + wrong.what() + ")",
                                 "a regular expression as Perl has them, of at most 4096 bytes");
        }
        filters_.push_back(std::move(filter));
    }
}

void RowShaping::read_sorts(const Arguments& arguments, const std::vector<std::string>& columns) {
    if (is_switched_off(arguments, "api.sort")) return;
    const std::string column = "api.sort_column";
    refuse_without_leader(arguments, column, {"api.sort_method", "api.sort_reverse"});
    for (const auto& suffix : suffixes_of(arguments, column)) {
        const auto name = *text_of(arguments, column + suffix, listed(columns));
        const auto method_argument = "api.sort_method" + suffix;
        const auto method = text_of(arguments, method_argument, names_of(sort_names)).value_or("lexicographic");
        sorts_.push_back({column_named(columns, column + suffix, name),
                          row_named(sort_names, method_argument, method).method,
                          truth_of(arguments, "api.sort_reverse" + suffix).value_or(false)});
    }
}

void RowShaping::read_page(const Arguments& arguments) {
    if (is_switched_off(arguments, "api.paginate")) return;
    constexpr std::string_view accepted = "a whole number, 1 or greater";
    const auto size = number_of(arguments, "api.paginate_size", accepted);
    if (size && *size < 1) throw wrong_argument("api.paginate_size", "is " + std::to_string(*size), accepted);
    const auto page = number_of(arguments, "api.paginate_page", accepted);
    if (page && *page < 1) throw wrong_argument("api.paginate_page", "is " + std::to_string(*page), accepted);
    const auto start = number_of(arguments, "api.paginate_start", accepted);
    // cPanel's JavaScript library asks for all pages by -1.
    if (start && *start < -1) throw wrong_argument("api.paginate_start", "is " + std::to_string(*start), accepted);
    if (page && !size && !start) throw wrong_argument("api.paginate_size", "is missing", accepted);
    if (!size && !start && !arguments.find("api.paginate")) return;
    Page asked;
    if (start != -1) {
        asked.size = static_cast<std::uint64_t>(size.value_or(0));
        if (start)
            asked.start = static_cast<std::uint64_t>(std::max<std::int64_t>(*start, 1));
        else if (page && *page - 1 <= (INT64_MAX - 1) / *size)
            asked.start = static_cast<std::uint64_t>((*page - 1) * *size + 1);
        else if (page)
            asked.start = INT64_MAX;  // beyond everything
    }
    page_ = asked;
}

void RowShaping::read_columns(const Arguments& arguments, const std::vector<std::string>& columns) {
    const std::string name = "api.columns";
    const auto first = text_of(arguments, name, listed(columns));
    if (first == "0") return;
    for (const auto& suffix : suffixes_of(arguments, name)) {
        if (suffix.empty() && (first == "1" || first == "")) continue;  // a switch, as the others have one
        const auto column = column_named(columns, name + suffix, *text_of(arguments, name + suffix, listed(columns)));
        if (std::ranges::find(kept_, column) == kept_.end()) kept_.push_back(column);
    }
    std::ranges::sort(kept_);
}

bool RowShaping::asks_for_something() const noexcept {
    return !filters_.empty() || !sorts_.empty() || page_ || !kept_.empty();
}

// ---- Doing it
// --------------------------------------------------------------------------------------------------------

std::string RowShaping::apply(Rows& rows) const {
    const auto before = rows.rows.size();
    filter(rows.rows);
    const auto after = rows.rows.size();
    sort(rows.rows);
    cut(rows.rows);
    auto told = metadata(rows.columns, before, after);
    keep_columns(rows);
    return told;
}

bool RowShaping::passes(const Filter& filter, const std::string& value) {
    switch (filter.type) {
        case FilterType::Begins:
            return lowered(value).starts_with(filter.term);
        case FilterType::Contains:
            return lowered(value).find(filter.term) != std::string::npos;
        case FilterType::Defined:
            return true;  // every row has a value in every column
        case FilterType::Undefined:
            return false;
        case FilterType::Ends:
            return lowered(value).ends_with(filter.term);
        case FilterType::Equal:
            return value == filter.term;
        case FilterType::NotEqual:
            return value != filter.term;
        case FilterType::Greater:
            return !is_unlimited(value) && number_in(value) > number_in(filter.term);
        case FilterType::GreaterOrUnlimited:
            return is_unlimited(value) || number_in(value) == 0 || number_in(value) > number_in(filter.term);
        case FilterType::Less:
            return is_unlimited(value) || number_in(value) < number_in(filter.term);
        case FilterType::LessAndLimited:
            return !is_unlimited(value) && number_in(value) != 0 && number_in(value) < number_in(filter.term);
        case FilterType::Matches:
            return filter.pattern->matches(value);
    }
    return false;
}

void RowShaping::filter(std::vector<Row>& rows) const {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const auto fails = [&](const Filter& filter, const Row& row) {
        if (filter.pattern && std::chrono::steady_clock::now() > deadline)
            throw Refusal(200, "api.filter_term: the regular expression takes too long. Give a simpler one.");
        if (filter.column) return !passes(filter, row[*filter.column]);
        return std::ranges::none_of(row, [&](const std::string& value) { return passes(filter, value); });
    };
    try {
        for (const auto& filter : filters_) std::erase_if(rows, [&](const Row& row) { return fails(filter, row); });
    } catch (const std::length_error&) {
        throw Refusal(200, "api.filter_term: the regular expression costs too much to match. Give a simpler one.");
    }
}

void RowShaping::sort(std::vector<Row>& rows) const {
    const auto order = [](const Sort& by, const std::string& one, const std::string& other) -> std::weak_ordering {
        const auto numbers = [](double a, double b) {
            return a < b ? std::weak_ordering::less
                         : (b < a ? std::weak_ordering::greater : std::weak_ordering::equivalent);
        };
        switch (by.method) {
            case SortMethod::Ipv4:
                return address_in(one) <=> address_in(other);
            case SortMethod::Lexicographic:
                return one <=> other;
            case SortMethod::Numeric:
                return numbers(number_in(one), number_in(other));
            case SortMethod::NumericZeroAsMax:
                break;
        }
        const double a = number_in(one);
        const double b = number_in(other);
        if ((a == 0) != (b == 0)) return a == 0 ? std::weak_ordering::greater : std::weak_ordering::less;
        return numbers(a, b);
    };
    if (sorts_.empty()) return;
    std::ranges::stable_sort(rows, [&](const Row& one, const Row& other) {
        for (const auto& by : sorts_) {
            const auto ordering = order(by, one[by.column], other[by.column]);
            if (ordering != 0) return by.reverse ? ordering > 0 : ordering < 0;
        }
        return false;
    });
}

void RowShaping::cut(std::vector<Row>& rows) const {
    if (!page_) return;
    const auto first = std::min<std::uint64_t>(page_->start - 1, rows.size());
    rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(first));
    if (page_->size != 0 && page_->size < rows.size()) rows.resize(page_->size);
}

void RowShaping::keep_columns(Rows& rows) const {
    if (kept_.empty()) return;
    const auto keep = [&](std::vector<std::string>& row) {
        std::vector<std::string> some;
        for (const auto column : kept_) some.push_back(std::move(row[column]));
        row = std::move(some);
    };
    keep(rows.columns);
    std::ranges::for_each(rows.rows, keep);
}

std::string RowShaping::metadata(const std::vector<std::string>& columns, std::size_t before, std::size_t after) const {
    std::string text;
    JsonWriter json(text);
    json.begin_object();
    if (!filters_.empty()) {
        json.key("filter");
        json.begin_object();
        json.key("records_before_filter");
        json.number(before);
        json.end_object();
    }
    if (page_) {
        const std::uint64_t size = page_->size != 0 ? page_->size : std::max<std::size_t>(after, 1);
        json.key("paginate");
        json.begin_object();
        json.key("current_page");
        json.number((page_->start - 1) / size + 1);
        json.key("results_per_page");
        json.number(size);
        json.key("start_result");
        json.number(page_->start);
        json.key("total_pages");
        json.number(std::max<std::uint64_t>(after / size + (after % size != 0 ? 1 : 0), 1));
        json.key("total_results");
        json.number(after);
        json.end_object();
    }
    if (!sorts_.empty()) {
        json.key("sort");
        json.begin_array();
        for (const auto& by : sorts_) {
            const auto* const method = std::ranges::find(sort_names, by.method, &SortName::method);
            json.begin_object();
            json.key("column");
            json.text(columns[by.column]);
            json.key("method");
            json.text(method->name);
            json.key("reverse");
            json.number(by.reverse ? 1 : 0);
            json.end_object();
        }
        json.end_array();
    }
    json.end_object();
    return text;
}

}  // namespace clamscanner
