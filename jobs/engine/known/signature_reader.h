// Reads the files of a signature directory, also those inside ClamAV's own databases (CVD: a header of 512 bytes, then
// a tar archive, mostly compressed), line by line where a line is a signature, without judging what the lines say.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace clamscanner {

struct SignatureSink {
    // A signature that stands for itself, or a line of a list that keeps files from being called infected. `ending`: of
    // the file that it is from, in lower case with its dot.
    std::function<void(std::string_view ending, std::string_view line)> signature;
    std::function<void(std::string_view ending, std::string_view line)> allowed;
    // A line of a file of signatures that says something about others, or about how files are looked at: their types,
    // how long the pieces are that the library reads, or what it does with texts (says_more_than_itself() in the .cpp).
    std::function<void(std::string_view ending, std::string_view line)> rule;
    // A piece of a file that is not a list of lines; `name` is unlike that of any other.
    std::function<void(const std::string& name, std::string_view piece)> other;
};

// Lines go nowhere if `sink` has no `signature`. Throws std::runtime_error when a file cannot be read, or is damaged,
// or if the library does not load all that is there: of daily.cvd and daily.cld it takes the newer one, and in its own
// databases it stops at a line that is too long for it.
void read_signatures(const std::string& directory, const SignatureSink& sink);

// In bytes. Longer ones change how much of a large file the library looks at twice, and so how often it counts what it
// finds there, whatever signature that is for. Two that long, for all files and for texts, are among our own signatures
// (jobs/engine/signatures/), so that it is the same whichever the others are.
inline constexpr std::size_t longest_plain_pattern = 512;

}  // namespace clamscanner
