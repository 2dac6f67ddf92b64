// What the bearer of an API token may have done. The agent refuses the rest with 403; a login by password has every
// right.
#pragma once

#include <optional>

#include "auth/authd/messages.h"
#include "handlers/shared/messages.h"

namespace clamscanner {

// Empty when the request is within the scope, or names no function.
[[nodiscard]] std::optional<Reply> refusal_beyond(TokenScope scope, const Request& request);

}  // namespace clamscanner
