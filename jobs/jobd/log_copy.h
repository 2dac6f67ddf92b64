// Copies a log from the database into the home: starts a new file, sends line by line as the runner takes them, and
// finally asks whether the copy is complete. It buffers no lines, so a long log takes no memory.
#pragma once

#include <functional>
#include <vector>

#include "auth/base/packet_queue.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class LogCopy {
 public:
    // Returns the lines with an id above `after`, at most `limit` of them, and only committed ones.
    using Source = std::function<std::vector<Record>(std::uint64_t after, std::size_t limit)>;
    LogCopy(LogFile log, Source source) : log_(log), source_(std::move(source)) {}

    // Starts from the first line, in a new file.
    void begin(PacketQueue& runner);
    // Queues further lines; call it when the queue is empty. Once all are sent, asks whether the copy is complete, if
    // that was requested.
    void feed(PacketQueue& runner);
    void ask_if_whole() { asking_ = Asking::Wanted; }
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
