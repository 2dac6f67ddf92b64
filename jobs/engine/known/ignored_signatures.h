// The signatures of a directory that are to be ignored, by its lists of those (.ign and .ign2). Which of them the
// library loads nevertheless depends on what it comes to first.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace clamscanner {

class IgnoredSignatures {
 public:
    // Reads all of it. Throws std::runtime_error, as read_signatures() does.
    explicit IgnoredSignatures(const std::string& directory);

    // Whether one of the lists names it. `ending`: of the file that the line is from, as in SignatureSink. Says so,
    // too, of a signature that only another one of this name is to be ignored for: the lists may give a hash beside the
    // name.
    [[nodiscard]] bool contain(std::string_view ending, std::string_view line) const;

    // By which it would be ignored. Empty: it has no name.
    [[nodiscard]] static std::string_view name_in(std::string_view ending, std::string_view line);

 private:
    void take_list(std::string_view text);
    std::set<std::string, std::less<>> names_;
};

}  // namespace clamscanner
