// One delivery: a child process that hands over a mail or is the administrator's hook, with a time limit. When it ends,
// or must end, everything that it has started ends with it: the daemon adopts whatever lost its parent
// (PR_SET_CHILD_SUBREAPER) and kills what is no delivery.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"

namespace clamscanner {

class Delivery {
 public:
    // What the child does: its exit status. Standard input is empty, and what it writes is the delivery's output.
    using Work = std::function<int()>;
    struct Result {
        std::optional<Ending> ending;  // empty: it took too long
        std::string output;            // the first of what it wrote; the rest is thrown away
    };
    using Done = std::function<void(const Result&)>;

    // `done` may destroy this. Throws std::system_error when there can be no child now.
    Delivery(EventLoop& loop, std::chrono::seconds limit, const Work& work, Done done);
    ~Delivery();
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

 private:
    void read_output();
    void finish(std::optional<Ending> ending);

    Done done_;
    ChildProcess child_;
    UniqueFd output_pipe_;
    std::string output_;
    EventLoop::Watch output_watch_;
    EventLoop::Watch end_watch_;
    EventLoop::Timer limit_;
};

// Call it once, at the start.
void adopt_orphans();

// In a child: becomes the program, with the text on standard input. Returns only if that cannot be done.
[[nodiscard]] int run_program(const std::string& path, const std::string& input);

}  // namespace clamscanner
