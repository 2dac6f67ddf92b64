// Looks at homes, of which any may hang: it may be on a server that is gone, or on a file system whose program (FUSE)
// never answers. Whoever asks about such a one waits in the kernel, where no signal reaches it. So a child looks at
// each home, and is left behind if it has not answered in time: never more than one for each home.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"
#include "auth/base/home_identity.h"

namespace clamscanner {

// For whoever may wait so long; leaves the child behind if there is no answer in time. Throws std::system_error.
[[nodiscard]] std::optional<HomeIdentity> home_identity_in_time(const std::string& home);

class HomeLookup {
 public:
    // Empty: the home does not answer.
    using Take = std::function<void(const std::optional<HomeIdentity>& home)>;
    // How to look, in the child. Between fork() and its end it calls only what is async-signal-safe.
    using Look = HomeIdentity (*)(const std::string& home) noexcept;

    explicit HomeLookup(EventLoop& loop, Look look = home_identity) : loop_(loop), look_(look) {}
    ~HomeLookup();
    HomeLookup(const HomeLookup&) = delete;
    HomeLookup& operator=(const HomeLookup&) = delete;

    // Calls `take`, now or later. Now, with what was found before, if the home took long or did not answer: for ten
    // times as long. So whoever asks about a slow home again and again has others wait for a tenth of the time at most.
    // Throws std::system_error, and does not call it, if no child can be started.
    void ask(const std::string& home, Take take);

    // Children that have not answered in time and have not ended.
    [[nodiscard]] std::size_t stuck() const noexcept;

 private:
    struct Looking {
        ChildProcess child;
        UniqueFd report;
        EventLoop::Watch watch;  // of the report; then of the child's end
        EventLoop::Timer limit;
        std::vector<Take> waiting;
        bool is_late = false;
    };
    struct Found {
        std::optional<HomeIdentity> identity;
        Deadline until;
        std::int64_t passwd = 0;
    };
    void begin(const std::string& home, Take take);
    void take_report(const std::string& home);
    void give_up(const std::string& home);
    void end(const std::string& home, const std::optional<HomeIdentity>& identity);
    [[nodiscard]] const Found* found_before(const std::string& home);
    void remember(const std::string& home, const std::optional<HomeIdentity>& identity, std::chrono::nanoseconds took);

    EventLoop& loop_;
    const Look look_;
    std::map<std::string, Looking> looking_;
    std::map<std::string, Found> slow_;
};

}  // namespace clamscanner
