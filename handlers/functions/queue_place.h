// What an answer says of a job that waits for its turn.
#pragma once

#include "handlers/shared/envelope.h"
#include "jobs/jobd/messages.h"

namespace clamscanner {

// Adds a sentence, and jobs_before to the metadata; nothing if it does not wait. `what`: "The scan".
void add_queue_place(Answer& answer, const QueuePlace& place, const char* what);

}  // namespace clamscanner
