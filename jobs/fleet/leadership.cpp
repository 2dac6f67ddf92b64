#include "jobs/fleet/leadership.h"

#include "jobs/fleet/fleet_database.h"

namespace clamscanner {

Leadership::State Leadership::take(Postgres& postgres) {
    if (connection_ == thread_.connection()) return State::Mine;
    require_schema(postgres);
    if (!try_to_lead(postgres)) return State::Other;
    connection_ = thread_.connection();
    return State::New;
}

void Leadership::require() const {
    if (connection_ != thread_.connection())
        throw PostgresError("the connection to the database was lost: the machines are looked at anew", "");
}

}  // namespace clamscanner
