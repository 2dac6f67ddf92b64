#include "jobs/jobd/connection_closer.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "auth/base/checked.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::chrono::milliseconds interval{100};  // one child for all of that time
// A child that meets a file of a FUSE program stays until that answers. Then the next connections wait.
constexpr std::size_t most_children = 8;

bool is_read(int connection) {
    int unread = 0;
    return ::ioctl(connection, FIONREAD, &unread) == 0 && unread == 0;
}

// It may stay for long, so it keeps nothing else open: no listener, no database. It must end after us, or we would be
// the last to have them open.
[[noreturn]] void end_after_parent(const std::vector<UniqueFd>& connections, int parents_end) noexcept {
    if (::dup2(parents_end, 0) != 0) ::_exit(1);
    unsigned next = 1;
    for (const auto& connection : connections) {
        const auto kept = static_cast<unsigned>(connection.get());
        if (next < kept) ::syscall(SYS_close_range, next, kept - 1, 0);
        next = kept + 1;
    }
    ::syscall(SYS_close_range, next, ~0U, 0);
    char nothing = 0;
    static_cast<void>(uninterrupted([&] { return ::read(0, &nothing, 1); }));
    ::_exit(0);
}

}  // namespace

ConnectionCloser::~ConnectionCloser() {
    for (auto& child : children_) {
        child.watch = {};
        child.process.leave();
    }
}

void ConnectionCloser::prepare(int connection) {
    // Otherwise a read may skip a byte that was sent "out of band", and drop what was passed along with it.
    const int on = 1;
    checked(::setsockopt(connection, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), "take urgent bytes like others");
}

void ConnectionCloser::close(UniqueFd connection) {
    ::shutdown(connection.get(), SHUT_RDWR);  // from here on nothing comes
    if (is_read(connection.get())) return;
    unread_.push_back(std::move(connection));
    if (!next_.is_set()) next_ = loop_.after(interval, [this] { leave_to_a_child(); });
}

void ConnectionCloser::leave_to_a_child() try {
    if (children_.size() < most_children) start_child();
    if (!unread_.empty()) next_ = loop_.after(interval, [this] { leave_to_a_child(); });
} catch (const std::system_error& fault) {
    log_line(Severity::Error, std::string("connections are closed later: ") + fault.what());
    next_ = loop_.after(std::chrono::seconds(1), [this] { leave_to_a_child(); });
}

void ConnectionCloser::start_child() {
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC), "make a pipe");
    const UniqueFd childs(ends[0]);
    UniqueFd ours(ends[1]);
    std::ranges::sort(unread_, [](const UniqueFd& one, const UniqueFd& other) { return one.get() < other.get(); });
    const pid_t pid = checked(::fork(), "fork a child that closes connections");
    if (pid == 0) end_after_parent(unread_, childs.get());
    const auto child = children_.emplace(children_.end());
    child->process = ChildProcess(pid);
    child->watch =
        loop_.watch(child->process.pidfd(), EPOLLIN, [this, child](std::uint32_t) { children_.erase(child); });
    unread_.clear();
}

}  // namespace clamscanner
