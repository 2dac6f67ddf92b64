// The record beside a quarantined file, for its owner to read. Only jobd's copy of it counts; where jobd has none, the
// file is adopted by its record (jobs/runner/adoption.h).
#pragma once

#include <cstdint>
#include <string>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

// Below the home; the account's own, mode 0700.
inline constexpr const char* quarantine_directory = "quarantine_clamavconnector";
// The mode of a quarantined file, so that nothing serves, runs or changes it by accident.
inline constexpr std::uint32_t quarantined_mode = 0400;

struct QuarantineRecord {
    std::string path;  // absolute, before the quarantine
    std::string virus;
    std::string sha256;
    FileIdentity identity;
    FileMetadata metadata;
    std::int64_t quarantined_at = 0;  // epoch seconds
    std::string home = {};            // the home that the path is below
};

}  // namespace clamscanner
