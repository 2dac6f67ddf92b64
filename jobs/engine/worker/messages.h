// Packets between a coordinator and its workers. What a worker sends is untrusted.
#pragma once

#include <cstdint>
#include <string>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class WorkerMessage : std::uint16_t {
    ScanRequest = 130,
    ScanAnswer,
};

struct ScanRequest {
    static constexpr auto type = WorkerMessage::ScanRequest;
    std::uint64_t token = 0;
    bool write_out = false;  // write changes in memory out first, so that a later store through a mapping is noticed
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
