// Has a child look at files, since they may be on a file system that does not answer: whoever looks there waits in the
// kernel, where no signal reaches it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace clamscanner {

// What `look` returns, in a child, of at most `longest` bytes; empty when it has not come after three seconds. Then the
// child is left there: one for each name of `what` it looks at, and two in all; what needs more is empty at once.
// `lifeline`: a descriptor that the child keeps open, or -1. Throws std::system_error, and std::runtime_error with what
// `look` threw.
[[nodiscard]] std::optional<std::string> look_patiently(const std::string& what, std::size_t longest, int lifeline,
                                                        const std::function<std::string()>& look);

}  // namespace clamscanner
