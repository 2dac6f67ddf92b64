#include "jobs/runner/early_files.h"

#include <system_error>
#include <utility>

namespace clamscanner {
namespace {

// Waking the thread costs as much as opening a file does.
constexpr std::size_t woken_for = 64;
constexpr std::size_t most_bytes = 1024 * 1024;
constexpr std::size_t bytes_beside_path = 80;

}  // namespace

EarlyFiles::EarlyFiles(std::function<void(const std::string&)> hand_over, std::function<void()> interrupt)
    : hand_over_(std::move(hand_over)), interrupt_(std::move(interrupt)) {
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
        leaves_out_ = true;
    }
}

EarlyFiles::~EarlyFiles() {
    if (!thread_.joinable()) return;
    tell(true);
    interrupt_();
    thread_.join();
}

void EarlyFiles::add(const std::string& relative) {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = relative.size() + bytes_beside_path;
    leaves_out_ = leaves_out_ || waiting_bytes_ + bytes > most_bytes;
    if (leaves_out_) return;
    waiting_.push_back(relative);
    waiting_bytes_ += bytes;
    ++added_;
    if (waiting_.size() == woken_for) changed_.notify_one();
}

std::uint64_t EarlyFiles::finish() {
    tell(false);
    if (thread_.joinable()) thread_.join();
    if (fault_) std::rethrow_exception(fault_);
    return added_;
}

// That nothing more is added.
void EarlyFiles::tell(bool at_once) {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    stopped_ = at_once;
    changed_.notify_one();
}

// In the thread.
void EarlyFiles::run() {
    try {
        for (auto files = next(); !files.empty(); files = next())
            for (const auto& relative : files) {
                {
                    const std::lock_guard lock(mutex_);
                    if (stopped_) return;
                }
                hand_over_(relative);
            }
    } catch (...) {
        const std::lock_guard lock(mutex_);
        fault_ = std::current_exception();
        leaves_out_ = true;
    }
}

// Empty at the end.
std::vector<std::string> EarlyFiles::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || waiting_.size() >= woken_for; });
    waiting_bytes_ = 0;
    return std::exchange(waiting_, {});
}

}  // namespace clamscanner
