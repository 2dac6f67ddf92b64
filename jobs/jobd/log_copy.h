// Brings a log in the home to what the database holds: begun anew, fed line by line as the runner takes them, asked at
// the end whether it is whole. Holds no lines of its own, so a long log costs no memory.
#pragma once

#include <functional>
#include <vector>

#include "jobs/jobd/packet_queue.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class LogCopy {
 public:
    // The lines with an id above `after`, at most `limit` of them, committed ones only.
    using Source = std::function<std::vector<Record>(std::uint64_t after, std::size_t limit)>;
    LogCopy(LogFile log, Source source) : log_(log), source_(std::move(source)) {}

    // From the first line again, in a new file.
    void begin(PacketQueue& runner);
    // Hands over what is new; call when the queue is empty. Asks for the verdict once all is sent and it was wanted.
    void feed(PacketQueue& runner);
    void ask_whether_whole() { asking_ = Asking::Wanted; }
    // The runner's answer came.
    void answered() { asking_ = Asking::No; }

 private:
    enum class Asking { No, Wanted, Asked };
    LogFile log_;
    Source source_;
    std::uint64_t sent_ = 0;
    bool begun_ = false;
    Asking asking_ = Asking::No;
};

}  // namespace clamscanner
