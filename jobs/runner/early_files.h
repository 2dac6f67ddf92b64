// Hands over the first files of a scan's list while the walk still looks for others, in a thread of its own: the walk
// does not wait for the coordinator, nor for a file that takes long to open (unless its file system serves nobody else
// meanwhile). The runner's, for one walk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace clamscanner {

class EarlyFiles {
 public:
    // `hand_over` is called for each file in turn, in the thread, and must change nothing that the walk uses. It may
    // throw; then it is not called again. `interrupt` is called by the destructor if finish() was not: it is to keep
    // `hand_over` from waiting any longer.
    EarlyFiles(std::function<void(const std::string& relative)> hand_over, std::function<void()> interrupt);
    EarlyFiles(const EarlyFiles&) = delete;
    EarlyFiles& operator=(const EarlyFiles&) = delete;
    // Waits for the file that is being handed over; the others are not.
    ~EarlyFiles();

    // The next file of the list. Once more of them wait than may, this one and all later ones are left out. The same
    // where the user may have no more threads.
    void add(const std::string& relative);
    // Waits until those that were not left out are handed over. Returns how many: the first ones of the list. Throws
    // what `hand_over` threw.
    [[nodiscard]] std::uint64_t finish();

 private:
    void run();
    void tell(bool at_once);
    [[nodiscard]] std::vector<std::string> next();

    std::function<void(const std::string&)> hand_over_;
    std::function<void()> interrupt_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    std::vector<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t added_ = 0;
    bool leaves_out_ = false;
    bool ended_ = false;
    bool stopped_ = false;
    std::exception_ptr fault_;
    std::thread thread_;
};

}  // namespace clamscanner
