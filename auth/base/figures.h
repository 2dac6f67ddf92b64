// What a daemon counts for the administrator, since its start: in a file of OpenMetrics samples, RUN/NAME/figures,
// which anybody may read and which is written anew at most every ten seconds, while something changes. No label ever
// has an account's name. clamscanner-status puts the files of all daemons together.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "auth/base/event_loop.h"

namespace clamscanner {

class Figures {
 public:
    // `measure` is called before each writing, to set what is not counted; it may be null. `loop` must outlive this.
    Figures(EventLoop& loop, std::string file, std::function<void(Figures&)> measure);

    // `sample`: the name with its labels, `clamscanner_logins_total{result="wrong"}`.
    void add(const std::string& sample, std::uint64_t count = 1) { samples_[sample] += count; }
    void set(const std::string& sample, std::uint64_t value) { samples_[sample] = value; }

    void write();

 private:
    void tick();

    EventLoop& loop_;
    const std::string file_;
    const std::function<void(Figures&)> measure_;
    std::map<std::string, std::uint64_t> samples_;
    std::string written_;
    bool failed_ = false;
    EventLoop::Timer next_;
};

// The daemon's own, which others in it add to; null in every other process.
[[nodiscard]] Figures* figures() noexcept;
void count(const std::string& sample, std::uint64_t number = 1);

}  // namespace clamscanner
