#include "jobs/shared/vocabulary.h"

namespace clamscanner {

const char* name_of(Action action) noexcept {
    static constexpr const char* names[] = {"ignore", "delete", "quarantine", "restore", "discard", "cleanse_mailbox"};
    return names[static_cast<int>(action)];
}

const char* name_of(RecordType type) noexcept {
    static constexpr const char* names[] = {"step", "issue", "done"};
    return names[static_cast<int>(type)];
}

const char* name_of(RecordState state) noexcept {
    static constexpr const char* names[] = {"deleted", "quarantined", "no-action", "mailbox-cleansed", "error",
                                            "warning", "success",     "info",      "restored"};
    return names[static_cast<int>(state)];
}

const char* text_of(UnscannedReason reason) noexcept {
    static constexpr const char* texts[] = {
        "could not be read",
        "too large to be scanned",
        "exceeded a limit of the scanner, so not all of it was scanned",
        "took longer than the time limit",
        "encrypted",
        "vanished before it was scanned",
        "damaged, so not all of it could be scanned",
        "the scanner failed on it",
        "the scan was cancelled before it was reached",
        "on another file system",
        "holds something too large to be scanned",
        "an archive of a kind that the scanner cannot open, or holds one",
        "the scan ended before it was reached",
    };
    return texts[static_cast<int>(reason)];
}

const char* name_of(UnscannedReason reason) noexcept {
    static constexpr const char* words[] = {
        "unreadable",       "too large",           "limit exceeded", "time limit", "encrypted",
        "vanished",         "damaged archive",     "scanner failed", "cancelled",  "other file system",
        "too large inside", "unsupported archive", "ended early"};
    return words[static_cast<int>(reason)];
}

const char* name_of(AskedBy by) noexcept {
    static constexpr const char* names[] = {"owner", "token", "shell", "key", "administrator", "schedule", "time"};
    return names[static_cast<int>(by)];
}

RiskLevel risk_of(const std::string& virus) noexcept {
    if (virus.starts_with("PUA.")) return RiskLevel::Low;
    return virus.starts_with("Heuristics.") ? RiskLevel::Medium : RiskLevel::High;
}

}  // namespace clamscanner
