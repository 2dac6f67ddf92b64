#include "handlers/shared/address.h"

#include <algorithm>

#include "handlers/shared/percent_encoding.h"

namespace clamscanner {
namespace {

std::string_view take_segment(std::string_view& path) {
    const auto end = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    return segment;
}

bool is_session(std::string_view segment) {
    constexpr std::string_view prefix = "cpsess";
    return segment.size() > prefix.size() && segment.starts_with(prefix) &&
           std::ranges::all_of(segment.substr(prefix.size()), [](char c) { return c >= '0' && c <= '9'; });
}

// Unchanged if it is wrongly encoded: no function has such a name.
std::string decoded(std::string_view segment) {
    return percent_decoded(segment, Plus::IsPlus).value_or(std::string(segment));
}

}  // namespace

Address address_of(std::string_view path) {
    if (path.starts_with('/')) path.remove_prefix(1);
    Address address;
    auto rest = path;
    auto first = take_segment(rest);
    // A session's digits grant nothing and are ignored; they are recognised only before "execute".
    if (is_session(first) && (rest == "execute" || rest.starts_with("execute/"))) first = take_segment(rest);
    if (first == "execute") {
        address.form = EnvelopeForm::Live;
        first = take_segment(rest);
    }
    address.module = decoded(first);
    address.function = decoded(rest);
    return address;
}

}  // namespace clamscanner
