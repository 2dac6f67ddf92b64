// How an answer of the statistics interface is written, in JSON or XML alike. Internal to handlers/: nothing outside it
// sees RapidJSON.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>

#include "handlers/shared/rpc.h"

namespace clamscanner {

// An object of texts, whole numbers, objects and arrays, in its order. Texts may hold any bytes: JSON gets them by the
// rule of json_text.h; XML has no way to name a byte that is no character, so it becomes U+FFFD. An array is written as
// one element after the other, each under the array's name. `root`: the name of XML's outermost element.
[[nodiscard]] std::string rpc_body(RpcFormat format, std::string_view root, const rapidjson::Value& object);

}  // namespace clamscanner
