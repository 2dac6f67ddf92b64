// The action on one file in a disinfection or a restoration, as the ledger stores it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/runner/messages.h"

namespace clamscanner {

// Whether the moved file is the scanned one. If it differs, it is scanned where it is now, and put back if it is not
// infected.
enum class Moved : std::uint8_t { AsScanned = 0, Changed = 1, PutBackClean = 2, PutBackUnscanned = 3 };

struct PlannedAction {
    std::uint64_t number = 0;  // its position in the request, or of what is asked in pieces in its piece, from 1
    std::string path;
    Action action = Action::Ignore;
    bool listed = false;    // it is in the list of infected files
    bool intended = false;  // the intent is recorded, and may have been carried out in part
    std::string opaque;
    FileIdentity identity;
    std::string sha256;  // of the scanned content; empty: unknown
    std::string virus;
    FileMetadata metadata;
    Moved moved = Moved::AsScanned;
    std::string remark;         // for its step: why the action differs from the requested one
    std::vector<CutMail> cuts;  // of a mailbox: the messages to take out
};

// The database stores metadata in its wire format. unpacked() throws Malformed for invalid bytes; no bytes give default
// metadata.
[[nodiscard]] std::string packed(FileMetadata metadata);
[[nodiscard]] FileMetadata unpacked(const std::string& bytes);

}  // namespace clamscanner
