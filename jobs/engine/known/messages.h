// Packets of the registry of known contents (registry.h), which only processes of the engine can speak to.
//
//   engine ── OpenMeetings (+ a coordinator's end), OpenJudge (+ a judge's end) ──► registry
//   coordinator ── BeginMeetings, MeetContents, ContentToJudge (+ the sealed copy) ──► registry ── ContentsMet,
//                  ContentJudged ──►
//   judge ── JudgeReady, Judgement ──► registry ── JudgeContent (+ the sealed copy) ──►
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clamscanner {

enum class RegistryMessage : std::uint16_t {
    OpenMeetings = 180,
    OpenJudge,
    BeginMeetings,
    MeetContents,
    ContentsMet,
    ContentToJudge,
    ContentJudged,
    JudgeReady,
    JudgeContent,
    Judgement,
};

inline constexpr std::size_t sha256_digits = 64;
inline constexpr std::size_t longest_fingerprint = 64;
inline constexpr std::size_t most_contents_together = 64;

// ---- Engine → registry ---------------------------------------------------------------------------------------------

// With one descriptor: the other end of a job's coordinator.
struct OpenMeetings {
    static constexpr auto type = RegistryMessage::OpenMeetings;
    std::string account;  // hex digits, as in NewJob
    void fields(auto& wire) { wire.text(account, 64); }
};

// With one descriptor: the other end of a signature host's judge.
struct OpenJudge {
    static constexpr auto type = RegistryMessage::OpenJudge;
    void fields(auto&) {}
};

// ---- A coordinator and the registry --------------------------------------------------------------------------------

// First, and once.
struct BeginMeetings {
    static constexpr auto type = RegistryMessage::BeginMeetings;
    std::string fingerprint;  // of the signatures and options that its job scans with
    void fields(auto& wire) { wire.text(fingerprint, longest_fingerprint); }
};

struct MetContent {
    std::uint64_t token = 0;  // the coordinator's, for the answer
    std::uint64_t size = 0;
    std::string sha256;
    void fields(auto& wire) {
        wire.number(token);
        wire.number(size);
        wire.text(sha256, sha256_digits);
    }
};

struct MeetContents {
    static constexpr auto type = RegistryMessage::MeetContents;
    std::vector<MetContent> contents;
    void fields(auto& wire) { wire.list(contents, most_contents_together); }
};

enum class Meeting : std::uint8_t {
    Unknown = 0,
    Known = 1,  // clean, by a judgement of its own under this fingerprint
    Send = 2,   // it is to be judged: send ContentToJudge; ContentJudged follows
    Wait = 3,   // it is being judged: ContentJudged follows
    Later = 4,  // it is to be judged, but first others that this coordinator sends: ask again
};

struct MeetingAnswer {
    std::uint64_t token = 0;
    Meeting meeting = Meeting::Unknown;
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(meeting, Meeting::Later);
    }
};

struct ContentsMet {
    static constexpr auto type = RegistryMessage::ContentsMet;
    std::vector<MeetingAnswer> answers;
    void fields(auto& wire) { wire.list(answers, most_contents_together); }
};

// With one descriptor, the sealed copy (sealed_copy.h); or without, if the content could not be copied.
struct ContentToJudge {
    static constexpr auto type = RegistryMessage::ContentToJudge;
    std::uint64_t token = 0;
    void fields(auto& wire) { wire.number(token); }
};

struct ContentJudged {
    static constexpr auto type = RegistryMessage::ContentJudged;
    std::uint64_t token = 0;
    bool known = false;  // to be clean; else nothing is known of it
    void fields(auto& wire) {
        wire.number(token);
        wire.number(known);
    }
};

// ---- A judge and the registry --------------------------------------------------------------------------------------

// It has found its test virus. Sent again by a judge that takes the place of one that ended: that one answers no more.
struct JudgeReady {
    static constexpr auto type = RegistryMessage::JudgeReady;
    std::string fingerprint;
    void fields(auto& wire) { wire.text(fingerprint, longest_fingerprint); }
};

// With one descriptor: the sealed copy.
struct JudgeContent {
    static constexpr auto type = RegistryMessage::JudgeContent;
    std::uint64_t token = 0;  // the registry's
    void fields(auto& wire) { wire.number(token); }
};

enum class JudgedAs : std::uint8_t {
    Clean = 0,
    NotClean = 1,  // infected, not scannable, or the end of the process that scanned it
    Unjudged = 2,  // no process could be started for it, or it could not be trusted before it saw the content
};

struct Judgement {
    static constexpr auto type = RegistryMessage::Judgement;
    std::uint64_t token = 0;
    JudgedAs judged_as = JudgedAs::Unjudged;
    void fields(auto& wire) {
        wire.number(token);
        wire.choice(judged_as, JudgedAs::Unjudged);
    }
};

}  // namespace clamscanner
