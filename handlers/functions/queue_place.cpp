#include "handlers/functions/queue_place.h"

#include <string>

#include "jobs/shared/json_writer.h"

namespace clamscanner {

void add_queue_place(Answer& answer, const QueuePlace& place, const char* what) {
    if (!place.waits) return;
    const std::string waits = std::string(what) + " waits for its turn: at the moment ";
    if (place.before == 0)
        answer.messages.push_back(waits + "it is the next.");
    else
        answer.messages.push_back(waits + std::to_string(place.before) +
                                  (place.before == 1 ? " job comes before it." : " jobs come before it."));
    answer.metadata = json_object([&](JsonWriter& json) { json.member("jobs_before", place.before); });
}

}  // namespace clamscanner
