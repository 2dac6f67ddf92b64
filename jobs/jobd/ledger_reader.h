// The ledger as it was committed last, over a connection of its own that only reads: for answers while a commit is
// under way. Whatever is shown there is on the disk. A change throws LedgerDatabase::NeedsWriting.
#pragma once

#include <string>

#include "jobs/jobd/ledger_tables.h"

namespace clamscanner {

class LedgerReader : public LedgerTables {
 public:
    // `running_time`: of the ledger, which must have made the database and outlives this.
    LedgerReader(const std::string& file, const RunningTime& running_time) : LedgerTables(file, running_time) {}

    // While there is one, all that is read is of the same moment.
    class Snapshot {
     public:
        explicit Snapshot(LedgerReader& reader) : reader_(reader) {
            reader_.tasks().forget_cached();
            reader_.database().begin_reading();
        }
        ~Snapshot() { reader_.database().end_reading(); }
        Snapshot(const Snapshot&) = delete;
        Snapshot& operator=(const Snapshot&) = delete;

     private:
        LedgerReader& reader_;
    };
};

}  // namespace clamscanner
