// One file's part of a disinfection or a restoration, as the ledger has it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/runner/messages.h"

namespace clamscanner {

// What was moved is something else than was judged: it is judged where it lies, and put back if it is not infected.
enum class Moved : std::uint8_t { AsJudged = 0, AsAnother = 1, BackSinceClean = 2, BackSinceUnscanned = 3 };

struct PlannedAction {
    std::uint64_t number = 0;  // its place in the request, from 1
    std::string path;
    Action action = Action::Ignore;
    bool listed = false;    // a scan called it infected
    bool intended = false;  // the intent is recorded: it may have been carried out in part
    std::string opaque;
    FileIdentity identity;
    std::string sha256;  // of what was judged; empty: nobody knows
    std::string virus;
    FileMetadata metadata;
    Moved moved = Moved::AsJudged;
    std::string remark;            // for its step: why something else is done than was asked for
    std::vector<CutMessage> cuts;  // of a mailbox, once intended: the messages to be taken out
};

// Metadata lies in the database as it crosses between processes. Throws Malformed for bytes that are no metadata;
// none at all are those of a file of which nothing is known.
[[nodiscard]] std::string packed(FileMetadata metadata);
[[nodiscard]] FileMetadata unpacked(const std::string& bytes);

}  // namespace clamscanner
