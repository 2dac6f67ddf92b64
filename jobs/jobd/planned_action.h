// One file's part of a disinfection or a restoration, as the ledger has it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/runner/messages.h"

namespace clamscanner {

struct PlannedAction {
    std::uint64_t number = 0;  // its place in the request, from 1
    std::string path;
    Action action = Action::Ignore;
    bool listed = false;    // a scan called it infected
    bool intended = false;  // the intent is recorded: it may have been carried out in part
    std::string opaque;
    FileIdentity identity;
    std::string sha256;  // of what was judged; empty, where intended: what lies under the opaque name is not judged yet
    std::string virus;
    FileMetadata metadata;
    std::string remark;            // for its step: why something else is done than was asked for
    std::vector<CutMessage> cuts;  // of a mailbox, once intended: the messages to be taken out
};

// Metadata lies in the database as it crosses between processes. Throws Malformed for bytes that are no metadata;
// none at all are those of a file of which nothing is known.
[[nodiscard]] std::string packed(FileMetadata metadata);
[[nodiscard]] FileMetadata unpacked(const std::string& bytes);

}  // namespace clamscanner
