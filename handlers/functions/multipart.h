// multipart/form-data (RFC 7578). The body is foreign. A part is a plain field, or a Blob as a page's script appends
// it: a JSON value where its type says so, else a text. Any other uploaded file is refused, not guessed at.
#pragma once

#include <string_view>

#include "handlers/functions/arguments.h"
#include "handlers/shared/media_type.h"

namespace clamscanner {

void read_multipart(const MediaType& type, std::string_view body, Arguments& arguments);

}  // namespace clamscanner
