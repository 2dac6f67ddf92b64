// Reads the files of a signature directory, also those inside ClamAV's own databases (CVD: a header of 512 bytes, then
// a tar archive, mostly compressed), line by line where a line is a signature, without judging what the lines say.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace clamscanner {

struct SignatureSink {
    // A signature that stands for itself, or a line of a list that keeps files from being called infected. `ending`: of
    // the file that it is from, in lower case with its dot.
    std::function<void(std::string_view ending, std::string_view line)> signature;
    std::function<void(std::string_view ending, std::string_view line)> allowed;
    // A line of a file of signatures that says something about others, or about the types of files.
    std::function<void(std::string_view ending, std::string_view line)> rule;
    // A piece of a file that is not a list of lines; `name` is unlike that of any other.
    std::function<void(const std::string& name, std::string_view piece)> other;
};

// Throws std::runtime_error when a file cannot be read, or is damaged.
void read_signatures(const std::string& directory, const SignatureSink& sink);

}  // namespace clamscanner
