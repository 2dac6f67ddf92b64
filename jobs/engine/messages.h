// Packets between jobd or a runner and the engine, where a coordinator handles each job.
//
//   jobd ── NewJob (+ the coordinator's end of a socket to the runner) ──► engine
//   coordinator ── ScannerReady, ScanProgress, Found…, ScanResult, ScanCompleted ──► jobd ── Listed, EndTurn ──►
//   runner ── HandOver, HandOverFiles (+ the files, opened for reading), NotHandedOver, HandOverEnd ──► coordinator
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "auth/base/limits.h"
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
    ScanResult,
    ScanCompleted,
    HandOver,
    NotHandedOver,
    HandOverEnd,
    HandOverFiles,
    Listed,
};

// ---- jobd and a coordinator ----------------------------------------------------------------------------------------

// With one descriptor: the coordinator's end of its socket to the runner. The connection that carries it becomes the
// one between jobd and the coordinator; the job ends when either side closes it.
struct NewJob {
    static constexpr auto type = EngineMessage::NewJob;
    std::string account;       // hex digits: whose scan cache to use and fill; empty: none
    bool full = false;         // fill the cache without using it
    std::uint32_t uid = 0;     // whose files these are: an account may leave only so many processes hanging
    bool awaits_list = false;  // files may come before jobd has the list of all: see Listed
    void fields(auto& wire) {
        wire.text(account, 64);
        wire.number(full);
        wire.number(uid);
        wire.number(awaits_list);
    }
};

// The coordinator's first packet: the signatures are loaded. No worker is started or tested yet.
struct ScannerReady {
    static constexpr auto type = EngineMessage::ScannerReady;
    std::uint32_t signatures = 0;
    bool embedded_only = false;      // no signature database was loaded, only the few test signatures that we ship
    std::string problem;             // why what the signature directory holds is not what is loaded; empty when it is
    bool may_find_too_much = false;  // signatures that were withdrawn may be loaded, or an allow-list is not
    void fields(auto& wire) {
        wire.number(signatures);
        wire.number(embedded_only);
        wire.number(may_find_too_much);
        wire.text(problem, longest_message);
    }
};

// The scanner does not work; the job cannot be done now.
struct ScannerFailed {
    static constexpr auto type = EngineMessage::ScannerFailed;
    std::string why;
    bool files_hang = false;  // processes that scan the account's files were killed, and wait for these in the kernel
    void fields(auto& wire) {
        wire.text(why, longest_message);
        wire.number(files_hang);
    }
};

// How far a scan has got in its list: the first `files` files have final verdicts that were sent. (Some later files may
// have one as well.) An interrupted scan resumes from here.
struct Settled {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t clean_files = 0;
    std::uint64_t known_files = 0;  // the clean ones that were not read, because an earlier scan had read them
    void fields(auto& wire) {
        wire.number(files);
        wire.number(bytes);
        wire.number(clean_files);
        wire.number(known_files);
    }
    bool operator==(const Settled&) const = default;
};

// Totals of this start so far. `clean_files` counts only verdicts confirmed by a later self-test.
struct ScanProgress {
    static constexpr auto type = EngineMessage::ScanProgress;
    std::uint64_t scanned_files = 0;  // with any verdict, unconfirmed clean ones included
    std::uint64_t scanned_bytes = 0;
    std::uint64_t clean_files = 0;
    Settled settled;
    std::uint64_t worker_ms = 0;    // the working time of all workers together
    bool waits_for_runner = false;  // nothing to scan at the moment
    std::uint64_t replaced_workers = 0;
    std::string current_file;
    void fields(auto& wire) {
        wire.number(replaced_workers);
        wire.number(scanned_files);
        wire.number(scanned_bytes);
        wire.number(clean_files);
        settled.fields(wire);
        wire.number(worker_ms);
        wire.number(waits_for_runner);
        wire.text(current_file, longest_path);
    }
};

// jobd to the coordinator of a job that awaits it: the list of all files is complete and on the disk. Until then it
// says nothing of the files in it: how many there are is known before any of them counts, and a verdict's place is one
// in a list that an interrupted scan can go on with.
struct Listed {
    static constexpr auto type = EngineMessage::Listed;
    void fields(auto&) {}
};

// jobd to the coordinator: begin no further file. Answered with TurnEnded when the files already begun are done.
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
    std::string sha256;       // of the content; empty if it changed meanwhile, so that it is unknown
    bool known = false;       // it was not read: an earlier scan found it infected, and it has not changed since
    std::uint64_t place = 0;  // among the files of this start, from 0
    // What the coordinator asked the kernel about the open file when it got it: the runner says nothing of it.
    std::uint64_t size = 0;       // bytes
    std::int64_t changed_ms = 0;  // since the epoch; its change time, which the account cannot set
    void fields(auto& wire) {
        wire.text(path, longest_path);
        wire.text(virus, longest_virus_name);
        wire.text(sha256, 64);
        wire.number(known);
        wire.number(place);
        wire.number(size);
        wire.number(changed_ms);
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

// The result for one file that was handed over with `wants_result` set.
struct ScanResult {
    static constexpr auto type = EngineMessage::ScanResult;
    std::uint64_t token = 0;
    Verdict verdict = Verdict::Unscanned;
    UnscannedReason reason = UnscannedReason::ScannerFailed;
    std::string virus;
    FileIdentity identity;
    std::string sha256;  // of the content; empty if that changed meanwhile or cannot be read
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(verdict, Verdict::Unscanned);
        wire.choice(reason, last_unscanned_reason);
        wire.text(virus, longest_virus_name);
        identity.fields(wire);
        wire.text(sha256, 64);
    }
};

// Sent after HandOverEnd, once every file handed over has its verdict and every clean verdict is confirmed.
struct ScanCompleted {
    static constexpr auto type = EngineMessage::ScanCompleted;
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

// With one descriptor: an individual file, not part of the scan's list. Answered with ScanResult.
struct HandOver {
    static constexpr auto type = EngineMessage::HandOver;
    std::uint64_t token = 0;  // jobd's
    std::string path;         // absolute, for the records; the engine never opens it
    void fields(auto& wire) {
        wire.number(token);
        wire.text(path, longest_path);
    }
};

// The next files of the scan's list, with a descriptor for each, in the same order.
struct HandOverFiles {
    static constexpr auto type = EngineMessage::HandOverFiles;
    std::vector<std::string> paths;  // as HandOver's
    void fields(auto& wire) { wire.texts(paths, most_descriptors, longest_path); }
};

// Sent for a file of the scan's list that could not be opened.
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
    std::uint64_t files = 0;  // how many of the scan's list were handed over, or not
    void fields(auto& wire) { wire.number(files); }
};

}  // namespace clamscanner
