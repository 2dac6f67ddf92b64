// Packets between the engine's main process and the signature host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/shared/vocabulary.h"

namespace clamscanner {

enum class HostMessage : std::uint16_t {
    JobEnded = 120,
    SignaturesLoaded,
    SignaturesChanged,
    SignaturesBroken,
    UseRegistry,
};

// That fit into a packet. What is bad beyond them counts as new.
inline constexpr std::size_t most_left_out = 200;
inline constexpr std::size_t longest_file_name = 255;

// Signature host → engine: one of its jobs ended.
struct JobEnded {
    static constexpr auto type = HostMessage::JobEnded;
    void fields(auto&) {}
};

// Signature host → engine: loading has ended.
struct SignaturesLoaded {
    static constexpr auto type = HostMessage::SignaturesLoaded;
    std::string problem;  // empty: what the signature directory holds is loaded
    bool failed = false;  // none are loaded
    bool embedded_only = false;
    std::vector<std::string> left_out;  // the names of files that do not load
    std::uint64_t signatures = 0;
    void fields(auto& wire) {
        wire.number(signatures);
        wire.text(problem, longest_message);
        wire.number(failed);
        wire.number(embedded_only);
        wire.texts(left_out, most_left_out, longest_file_name);
    }
};

// Signature host → engine: the signature directory has changed since it was loaded.
struct SignaturesChanged {
    static constexpr auto type = HostMessage::SignaturesChanged;
    void fields(auto&) {}
};

// Engine → signature host: the new database failed to load; keep the current one.
struct SignaturesBroken {
    static constexpr auto type = HostMessage::SignaturesBroken;
    std::string problem;
    void fields(auto& wire) { wire.text(problem, longest_message); }
};

// Engine → signature host, with one descriptor: the registry of known contents, for a judge (known/judge.h).
struct UseRegistry {
    static constexpr auto type = HostMessage::UseRegistry;
    void fields(auto&) {}
};

}  // namespace clamscanner
