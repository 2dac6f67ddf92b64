// An event as the administrator's hook gets it.
#pragma once

#include <string>

#include "jobs/jobd/messages.h"

namespace clamscanner {

// A JSON object in one line. Bytes that are no UTF-8 are escaped as in the API. Its "id" is another one for each event,
// and the same whenever it is told again.
[[nodiscard]] std::string event_json(const Notice& notice);

}  // namespace clamscanner
