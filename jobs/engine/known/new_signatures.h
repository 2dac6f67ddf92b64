// What is new in the signatures since contents were judged with earlier ones. A content that those called clean needs
// to be judged with the new ones alone: a signature that was there before did not match it, and still does not.
//
// That holds for signatures that stand for themselves, line by line: of the whole content or of a part of it (hash,
// body, logical and container signatures). Everything else that changes what the library sees or says is taken as it is
// into every judgement, and if any of it differs from before, nothing judged before counts: bytecode, file types,
// trusted certificates, YARA rules and the order in which the library comes to their files, phishing lists, passwords,
// lists of signatures to ignore, the configuration of the signatures, logical signatures that change a file's type or
// refer to others, very long ones and those for the end of a text (signature_reader.h), whether there are any of
// imported functions (the library then looks at a program's imports, and at nothing after them if they are damaged),
// the options, and the library itself. Allow-lists may grow; if one of their lines is gone, what it kept from being
// found would be missing among the new signatures, so nothing counts either.
//
// A signature that is to be ignored is new each time: whether it is ignored depends on the order of loading, and that
// on the order of names in a directory. For the same reason nothing counts while a line of an allow-list is to be
// ignored. For judgements the new ones are loaded first, so that none of them is ignored: what they find is judged with
// all.
//
// Large files are read in pieces that overlap by the length of the longest pattern, and what lies in two of them may be
// counted twice: so some of a length that is seldom exceeded, which no content has, are among our own signatures.
//
// The record of what was there before is one file in engine.memory_directory: a hash of the rest, the lines of the
// allow-lists and the signatures that were there in all the earlier states that count, each line as 64 bits that depend
// on a random key of the record's. A new line is taken for an old one if its 64 bits are those of an old one by
// accident (nobody can bring that about): among 10 million lines, one new line in two million million.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/shared/settings.h"

namespace clamscanner {

// With more new lines, judging with them costs as much as with all, and all earlier judgements are given up.
inline constexpr std::size_t most_new_lines = 200'000;

inline constexpr const char* new_in = "/signatures";
inline constexpr const char* others_in = "/others";

struct NewSignatures {
    std::string fingerprint;         // of all signatures that are there now, as ClamEngine::fingerprint() says it
    std::vector<std::string> bases;  // fingerprints: what was clean with one of these and now without a find is clean
};

// Reads config.paths.signature_directory (twice), writes the new signatures as files into new_in of the empty
// `directory`, what else they need, our own included, into others_in (to be loaded after them), and updates
// the record. Empty if nothing that was judged before counts: the record then begins anew. Takes seconds, and some 30
// bytes of memory for each signature, with a full database. Throws std::exception if the signatures cannot be read or
// change meanwhile, or the files cannot be written.
[[nodiscard]] std::optional<NewSignatures> write_new_signatures(const Settings& config, const std::string& directory);

}  // namespace clamscanner
