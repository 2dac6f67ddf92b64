#include "handlers/agent/token_scope.h"

#include <algorithm>
#include <iterator>

#include "handlers/shared/address.h"
#include "handlers/shared/envelope.h"
#include "handlers/shared/functions.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

struct ScopeRow {
    TokenScope scope;
    std::string_view may;       // for the sentence
    std::string_view function;  // permitted beside those that only read; "": none
    std::string_view closed;    // not permitted, although it only reads: what files hold; "": none
};

constexpr ScopeRow rows[] = {
    {TokenScope::ReadOnly, "read", "", ""},
    {TokenScope::Limited, "start scans and read of them", "start_scan", "view_infected_file"},
};

}  // namespace

std::optional<Reply> refusal_beyond(TokenScope scope, const Request& request) {
    const auto* const row = std::ranges::find(rows, scope, &ScopeRow::scope);
    const auto address = address_of(request.path);
    const auto* const function = find_function(address.module, address.function);
    if (row == std::end(rows) || function == nullptr) return std::nullopt;
    const bool is_open = function->only_reads ? function->name != row->closed : function->name == row->function;
    if (is_open) return std::nullopt;
    return Reply{403, "",
                 failure_envelope(address, "This token may only " + std::string(row->may) + ". The function " +
                                               quoted(function->name) +
                                               " needs the password, or a token made with create_full_access.")};
}

}  // namespace clamscanner
