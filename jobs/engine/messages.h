// What jobd and a runner say to the engine, of which a coordinator takes each job, and what it says to jobd: packets.
//
//   jobd ── NewJob (+ the coordinator's end of a socket to the runner) ──► engine
//   coordinator ── ScannerReady, ScanProgress, Found…, Judged, ScannedAll ──► jobd ── EndTurn ──►    (same socket)
//   runner ── HandOver (+ the file, opened for reading), NotHandedOver, HandOverEnd ──► coordinator
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class EngineMessage : std::uint16_t {
    NewJob = 100,
    ScannerReady,
    ScannerFailed,
    ScanProgress,
    EndTurn,
    TurnEnded,
    FoundInfected,
    FoundUnscanned,
    Judged,
    ScannedAll,
    HandOver,
    NotHandedOver,
    HandOverEnd,
};

// ---- jobd and a coordinator ----------------------------------------------------------------------------------------

// With one descriptor, the coordinator's end of its socket to the runner. The connection it is said on becomes jobd's
// conversation with the coordinator; the job ends when either closes it.
struct NewJob {
    static constexpr auto type = EngineMessage::NewJob;
    std::string account;  // hex digits: whose memory of clean files it is to use and to fill; empty: none
    bool full = false;    // fills it without using it
    void fields(auto& wire) {
        wire.text(account, 64);
        wire.number(full);
    }
};

// The coordinator's first word, once signatures are loaded and every worker found its test virus.
struct ScannerReady {
    static constexpr auto type = EngineMessage::ScannerReady;
    std::uint32_t signatures = 0;
    bool embedded_only = false;  // no signature database was found; only the few test signatures we ship
    std::string problem;         // why these are not the newest signatures; empty when they are
    void fields(auto& wire) {
        wire.number(signatures);
        wire.number(embedded_only);
        wire.text(problem, longest_message);
    }
};

// The scanner does not work; the job cannot be done now.
struct ScannerFailed {
    static constexpr auto type = EngineMessage::ScannerFailed;
    std::string why;
    void fields(auto& wire) { wire.text(why, longest_message); }
};

// How far down its list a scan has come: the first so many files have their verdict for good, and were told. (Some
// after them may have one, too.) From there an interrupted scan goes on.
struct Settled {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t known_files = 0;  // of the clean ones, those that were not read: an earlier scan had
    void fields(auto& wire) {
        wire.number(files);
        wire.number(bytes);
        wire.number(clean_files);
        wire.number(known_files);
    }
    bool operator==(const Settled&) const = default;
};

// Totals of this start so far. `clean` counts only what a later self-test confirmed.
struct ScanProgress {
    static constexpr auto type = EngineMessage::ScanProgress;
    std::uint64_t scanned_files = 0;  // with any verdict, unconfirmed clean ones included
    std::uint64_t scanned_bytes = 0;
    std::uint64_t clean_files = 0;
    Settled settled;
    std::uint64_t worker_ms = 0;    // how long workers worked, all of them together
    bool waits_for_runner = false;  // nothing to scan at the moment
    std::string current_file;
    void fields(auto& wire) {
        wire.number(scanned_files);
        wire.number(scanned_bytes);
        wire.number(clean_files);
        settled.fields(wire);
        wire.number(worker_ms);
        wire.number(waits_for_runner);
        wire.text(current_file, longest_path);
    }
};

// jobd to the coordinator: begin no further file. What comes back when those begun are done is TurnEnded.
struct EndTurn {
    static constexpr auto type = EngineMessage::EndTurn;
    void fields(auto&) {}
};

struct TurnEnded {
    static constexpr auto type = EngineMessage::TurnEnded;
    void fields(auto&) {}
};

struct FoundInfected {
    static constexpr auto type = EngineMessage::FoundInfected;
    std::string path;
    std::string virus;
    std::string sha256;       // of the content; empty when it was changed meanwhile, so that nobody knows
    bool known = false;       // it was not read: an earlier scan had found it, and it has not changed
    std::uint64_t place = 0;  // among the files of this start, from 0
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        wire.number(known);
        wire.number(place);
    }
};

struct FoundUnscanned {
    static constexpr auto type = EngineMessage::FoundUnscanned;
    std::string path;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::uint64_t place = 0;  // among the files of this start, from 0
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
        wire.number(place);
    }
};

// One file judged anew for a disinfection.
struct Judged {
    static constexpr auto type = EngineMessage::Judged;
    std::uint64_t token = 0;
    Verdict verdict = Verdict::Unscanned;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::string virus;
    FileIdentity identity;
    std::string sha256;  // of the content; empty when that was changed meanwhile, or cannot be read
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(verdict, Verdict::Unscanned);
        wire.choice(reason, last_unscanned_reason);
        wire.text(virus, longest_virus_name);
        identity.fields(wire);
        wire.text(sha256, 64);
    }
};

// After HandOverEnd: every file handed over has its verdict, and every clean one was confirmed.
struct ScannedAll {
    static constexpr auto type = EngineMessage::ScannedAll;
    std::uint64_t files = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t known_files = 0;
    void fields(auto& wire) {
        wire.number(files);
        wire.number(clean_files);
        wire.number(known_files);
    }
};

// ---- A runner hands files to a coordinator -------------------------------------------------------------------------

struct HandOver {
    static constexpr auto type = EngineMessage::HandOver;
    std::uint64_t token = 0;  // of Judge; a scan counts by itself
    bool judge = false;       // for a disinfection: answer with Judged
    std::string path;         // absolute, for the records; never opened by the engine
    void fields(auto& wire) {
        wire.number(token);
        wire.number(judge);
        wire.text(path, longest_path);
    }
};

// In the place of a file that could not be opened.
struct NotHandedOver {
    static constexpr auto type = EngineMessage::NotHandedOver;
    std::string path;
    UnscannedReason reason = UnscannedReason::Unreadable;
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.choice(reason, last_unscanned_reason);
    }
};

struct HandOverEnd {
    static constexpr auto type = EngineMessage::HandOverEnd;
    std::uint64_t files = 0;  // how many were handed over, or could not be
    void fields(auto& wire) { wire.number(files); }
};

}  // namespace clamscanner
