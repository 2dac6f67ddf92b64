// Copies a content into a file in memory that nobody can change any more, and hashes it on the way. Used by the
// coordinator, which makes the copy, and by the registry, which takes its word for nothing: it hashes it again.
//
// The argument why no other bytes than the judged ones can come to stand under a hash, whatever an owner does to the
// file meanwhile: (1) each piece is read once, into memory of our own, and the copy is made of that piece, not of the
// file. The file may change between two pieces, so that the copy is a mixture that the file never held, but it is that
// mixture. (2) F_SEAL_WRITE is refused by the kernel while any writable mapping of the copy exists, and from then on no
// write, store or resize of it is possible, to nobody. (3) The registry checks the seals, which cannot be removed
// (F_SEAL_SEAL) and which only files in memory have, and only then computes the hash that the judgement is stored
// under. So a judge scans the bytes that were hashed. Whether the file still holds them is another question, which the
// verdict on a content does not depend on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

struct SealedCopy {
    UniqueFd file;
    std::uint64_t size = 0;
    std::string sha256;  // 64 lower-case hex digits
};

// Of what is read from `fd`, from its beginning. Empty if that cannot be read, is longer than `most_bytes`, or there is
// no memory for it. Does not move the descriptor's offset.
[[nodiscard]] std::optional<SealedCopy> sealed_copy(int fd, std::uint64_t most_bytes);

// Size and hash of a file that can be changed by nobody; empty for any other, and for one longer than `most_bytes`.
[[nodiscard]] std::optional<SealedCopy> examined_copy(UniqueFd file, std::uint64_t most_bytes);

}  // namespace clamscanner
