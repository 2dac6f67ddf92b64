// Between a coordinator and its workers: packets. A worker's word is untrusted.
#pragma once

#include <cstdint>
#include <string>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class WorkerMessage : std::uint16_t {
    ScanThis = 130,
    ScanAnswer,
};

struct ScanThis {
    static constexpr auto type = WorkerMessage::ScanThis;
    std::uint64_t token = 0;
    bool write_out = false;  // first whatever is changed in memory: a later store through a mapping is then noticed
    void fields(auto& wire) {
        wire.number(token);
        wire.number(write_out);
    }
};

struct ScanAnswer {
    static constexpr auto type = WorkerMessage::ScanAnswer;
    std::uint64_t token = 0;
    Verdict verdict = Verdict::Unscanned;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::string virus;
    bool written_out = false;
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(verdict, Verdict::Unscanned);
        wire.choice(reason, last_unscanned_reason);
        wire.text(virus, longest_virus_name);
        wire.number(written_out);
    }
};

}  // namespace clamscanner
