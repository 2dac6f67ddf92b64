// multipart/form-data (RFC 7578). The body is foreign; a part that is not a plain field is refused, not guessed at.
#pragma once

#include <string_view>

#include "handlers/functions/arguments.h"
#include "handlers/shared/media_type.h"

namespace clamscanner {

void read_multipart(const MediaType& type, std::string_view body, Arguments& arguments);

}  // namespace clamscanner
