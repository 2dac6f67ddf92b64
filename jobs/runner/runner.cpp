// clamscanner-runner: what one job does in an account's home, as the account's own user. authd starts it with jobd's
// socket as descriptor 3; it walks, opens files for reading and passes them to the coordinator, moves and unlinks what
// jobd recorded as intended, and writes the logs in the home. It decides nothing: verdicts are made where its user
// cannot reach. Its user may stop or kill it, limit it and change the home under its feet; every fault is told, none is
// "clean".
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/priority.h"
#include "auth/base/service.h"
#include "auth/base/socket.h"
#include "jobs/engine/messages.h"
#include "jobs/runner/beneath.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/cleansing.h"
#include "jobs/runner/disposal.h"
#include "jobs/runner/home_log.h"
#include "jobs/runner/mail_store.h"
#include "jobs/runner/mailbox_bytes.h"
#include "jobs/runner/maildir.h"
#include "jobs/runner/messages.h"
#include "jobs/runner/quarantine_entry.h"
#include "jobs/runner/restoration.h"
#include "jobs/runner/walk.h"
#include "jobs/shared/quarantine_record.h"
#include "jobs/shared/record_json.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

constexpr int jobd_socket = 3;
constexpr const char* disinfection_log = ".clamavconnector.disinfection.log";
constexpr const char* scan_log = ".clamavconnector.scan.log";

// jobd or the coordinator closed its end: whatever was asked for is not wanted any more, or wanted of another runner.
struct JobIsOver : std::runtime_error {
    JobIsOver() : std::runtime_error("the job is over") {}
};

class Runner {
 public:
    Runner(UniqueFd jobd, std::string home_path)
        : jobd_(std::move(jobd)),
          home_path_(std::move(home_path)),
          home_(checked(::open(home_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open the home")),
          disposal_(home_.get(), home_path_),
          cleansing_(home_.get(), home_path_, [this] { tell_jobd(StillWaiting{}); }),
          restoration_(home_.get(), home_path_, [this] { tell_jobd(StillWaiting{}); }),
          disinfection_log_(home_.get(), disinfection_log),
          scan_log_(home_.get(), scan_log) {}

    void run() {
        Packet packet;
        while (!finished_) {
            if (receive_packet(jobd_.get(), packet) != Got::Packet) throw JobIsOver();
            answer(packet);
        }
    }

 private:
    void answer(Packet& packet) {
        static constexpr Handler<Runner, void, Packet&> table[] = {
            handles<&Runner::answer_leave_out>,       handles<&Runner::answer_run_scan>,
            handles<&Runner::answer_use_coordinator>, handles<&Runner::answer_judge>,
            handles<&Runner::answer_judge_moved>,     handles<&Runner::answer_judge_messages>,
            handles<&Runner::answer_cut_message>,     handles<&Runner::answer_act>,
            handles<&Runner::answer_copy_begin>,      handles<&Runner::answer_copy_line>,
            handles<&Runner::answer_copy_end>,        handles<&Runner::answer_finish>,
        };
        dispatch(table, *this, packet.bytes, packet);
    }

    template <class Message>
    void tell_jobd(Message&& message) {
        if (send_message(jobd_.get(), std::forward<Message>(message)) != Sent::Yes) throw JobIsOver();
    }

    [[nodiscard]] std::string absolute(const std::string& relative) const {
        return home_path_.ends_with('/') ? home_path_ + relative : home_path_ + "/" + relative;
    }

    // ---- A scan

    // Once more when the walk comes to it: it may be changed until then.
    void answer_leave_out(LeaveOut recorded) {
        const UniqueFd quarantine = open_quarantine(home_.get(), false);
        const UniqueFd file = quarantine ? open_recorded(quarantine.get(), recorded) : UniqueFd();
        if (!file)
            return tell_jobd(NotOpened{recorded.token, "it is not in the quarantine any more as it was put there"});
        hand_over_to_judge(recorded.token, path_in_quarantine(recorded.opaque), file, false);
        left_out_.push_back(std::move(recorded));
    }

    void answer_run_scan(const RunScan& order, Packet& packet) {
        PathList list(packet.only_descriptor());
        if (!order.listed) {
            try {
                walk(order.directory, list);
            } catch (const std::system_error& fault) {
                const std::string why = absolute(order.directory) + ": " + fault.what();
                tell_jobd(WalkFailed{why.substr(0, longest_message)});
                return;
            }
        }
        std::uint64_t files = 0;
        std::string relative;
        while (list.next(relative)) {
            if (files++ < order.after) continue;
            // To the coordinator too: in the place where the file would come, so that none is left out between the two.
            if (const auto reason = hand_over(relative))
                send_to_coordinator(NotHandedOver{absolute(relative), *reason}, {});
        }
        if (files < order.after) throw Malformed("the list of files is shorter than it was");
        send_to_coordinator(HandOverEnd{files - order.after}, {});
        tell_jobd(HandedOver{files - order.after});
    }

    void walk(const std::string& directory, PathList& list) {
        Walk walk(home_.get(), std::exchange(left_out_, {}),
                  {[this](const WalkProgress& progress) { tell_jobd(progress); },
                   [this](const std::string& relative, UnscannedReason reason) {
                       tell_jobd(Unreadable{absolute(relative), reason});
                   }});
        walk.list(directory, list);
    }

    [[nodiscard]] std::optional<UnscannedReason> hand_over(const std::string& relative) {
        const UniqueFd file =
            open_beneath(home_.get(), relative, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, Crossing::Allowed);
        if (!file)
            return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? UnscannedReason::Vanished
                                                                         : UnscannedReason::Unreadable;
        struct stat status {};
        if (::fstat(file.get(), &status) < 0) return UnscannedReason::Unreadable;
        if (!S_ISREG(status.st_mode)) return UnscannedReason::Vanished;  // replaced by something else since the walk
        send_to_coordinator(HandOver{0, false, absolute(relative)}, {file.get()});
        return std::nullopt;
    }

    [[nodiscard]] std::string path_in_quarantine(const std::string& opaque) const {
        return absolute(std::string(quarantine_directory) + "/" + opaque);
    }

    template <class Message>
    void send_to_coordinator(Message&& message, std::initializer_list<int> descriptors) {
        // It blocks while the coordinator has enough to do: that is how a runner stays only a little ahead.
        if (send_message(coordinator_.get(), std::forward<Message>(message), descriptors) != Sent::Yes)
            throw JobIsOver();
    }

    // ---- A disinfection

    void answer_use_coordinator(const UseCoordinator&, Packet& packet) { coordinator_ = packet.only_descriptor(); }

    // Throws Stopped.
    [[nodiscard]] UniqueFd open_to_judge(const std::string& path) const {
        constexpr int reading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        const std::string relative = below_home(path, home_path_);
        UniqueFd file = open_beneath(home_.get(), relative, reading, Crossing::Allowed);
        if (!file && errno == ENOENT) {
            const auto moved = moved_message(home_.get(), relative);
            if (moved) file = open_beneath(home_.get(), *moved, reading, Crossing::Allowed);
            if (!moved) errno = ENOENT;
        }
        struct stat status {};
        if (!file)
            throw Stopped(errno == ENOENT || errno == ENOTDIR
                              ? "the file has vanished"
                              : std::string("the file cannot be opened: ") + std::strerror(errno));
        if (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode))
            throw Stopped("it is not a regular file any more");
        if (status.st_uid != ::geteuid()) throw Stopped("the file belongs to another user");
        return file;
    }

    void answer_judge(const Judge& order) {
        try {
            const UniqueFd file = open_to_judge(order.path);
            const bool mailbox = is_mailbox(home_.get(), below_home(order.path, home_path_), file.get());
            hand_over_to_judge(order.token, order.path, file, mailbox);
        } catch (const Stopped& stopped) {
            tell_jobd(NotOpened{order.token, stopped.what()});
        }
    }

    void answer_judge_moved(const JudgeMoved& order) {
        try {
            hand_over_to_judge(order.token, order.path, disposal_.open_moved(order.path, order.opaque), false);
        } catch (const Stopped& stopped) {
            tell_jobd(NotOpened{order.token, stopped.what(), disposal_.is_moved(order.path, order.opaque)});
        }
    }

    void hand_over_to_judge(std::uint64_t token, const std::string& path, const UniqueFd& file, bool mailbox) {
        tell_jobd(Opened{token, metadata_of(file.get()), mailbox});
        send_to_coordinator(HandOver{token, true, path}, {file.get()});
    }

    void answer_judge_messages(const JudgeMessages& order) {
        cuts_.clear();
        UniqueFd file;
        std::vector<MessageRange> messages;
        try {
            file = open_to_judge(order.path);
            messages = messages_of(file.get());
        } catch (const Stopped& stopped) {
            return tell_jobd(NotOpened{order.token, stopped.what()});
        }
        std::uint64_t token = 0;
        for (const auto& range : messages) {
            UniqueFd message;
            try {
                message = message_file(file.get(), range);
            } catch (const std::system_error&) {
                // What is no regular file has no verdict, so this message stays.
                message.reset(checked(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open /dev/null"));
            }
            send_to_coordinator(HandOver{++token, true, order.path}, {message.get()});
        }
        tell_jobd(MessagesHandedOver{order.token, token});
    }

    // A file of its own, in memory. What a mailbox loses while it is read is missing from it, and its hash will tell.
    static UniqueFd message_file(int mailbox, const MessageRange& range) {
        const UniqueFd file(checked(::memfd_create("message", MFD_CLOEXEC), "make room for a message"));
        auto from = static_cast<off_t>(range.begin);
        while (static_cast<std::uint64_t>(from) < range.end) {
            const auto sent = ::sendfile(file.get(), mailbox, &from, range.end - static_cast<std::uint64_t>(from));
            if (sent < 0 && errno == EINTR) continue;
            if (checked(sent, "read a message") == 0) break;
        }
        // The coordinator takes only what is open for nothing but reading.
        return UniqueFd(checked(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC),
                                "open a message"));
    }

    void answer_cut_message(CutMessage cut) {
        if (cuts_.size() >= most_messages_cut) throw Malformed("jobd orders too many messages to be cut");
        cuts_.push_back(std::move(cut));
    }

    void answer_act(const Act& order) {
        const auto cuts = std::exchange(cuts_, {});
        switch (order.action) {
            case Action::Ignore:
                throw Malformed("jobd orders what is no act");
            case Action::Delete:
            case Action::Quarantine:
                if (cuts.empty()) return tell_jobd(disposal_.act(order));
                return tell_cleansed(cleansing_.cleanse(order, cuts));
            case Action::Restore:
                return tell_jobd(restoration_.restore(order));
            case Action::Discard:
                return tell_jobd(restoration_.discard(order));
        }
    }

    void tell_cleansed(const Cleansed& cleansed) {
        for (const auto& saved : cleansed.saved) tell_jobd(saved);
        tell_jobd(cleansed.acted);
    }

    // ---- Logs in the home

    void answer_copy_begin(const CopyBegin& copy) {
        copying_ = copy.log == LogFile::Scan ? &scan_log_ : &disinfection_log_;
        copying_->begin();
    }

    void answer_copy_line(const CopyLine& line) {
        if (copying_ == nullptr) throw Malformed("a line comes before its log was begun");
        copying_->append(copying_ == &scan_log_ ? plain_line(line.record) : record_line(line.record));
    }

    // For people: a verdict and a path. A line feed in a name must not make a line of its own.
    static std::string plain_line(const Record& record) {
        return record.file.empty() ? record.message : printable(record.file) + ": " + record.message;
    }

    void answer_copy_end(const CopyEnd&) {
        if (copying_ == nullptr) throw Malformed("a log ends that was never begun");
        const bool whole = copying_->whole();
        tell_jobd(CopyDone{whole, whole ? std::string() : copying_->problem()});
    }

    void answer_finish(const Finish&) { finished_ = true; }

    UniqueFd jobd_;
    std::string home_path_;
    UniqueFd home_;
    Disposal disposal_;
    Cleansing cleansing_;
    Restoration restoration_;
    HomeLog disinfection_log_;
    HomeLog scan_log_;
    HomeLog* copying_ = nullptr;
    UniqueFd coordinator_;
    std::vector<CutMessage> cuts_;  // of the Act that comes next
    std::vector<LeaveOut> left_out_;
    bool finished_ = false;
};

// authd gives it --config, as it does an agent; nothing of it is needed.
void run_runner(const std::string&) try {
    refuse_root();
    give_up_privileges();
    use_idle_priority();
    ignore_stray_signals();
    // A limit on file sizes that the user put on us must be an error we can tell, not our death.
    ::signal(SIGXFSZ, SIG_IGN);
    const char* home = ::getenv("HOME");
    if (home == nullptr || *home != '/') throw std::runtime_error("the account has no home");
    checked(::fcntl(jobd_socket, F_SETFD, FD_CLOEXEC), "take jobd's socket");
    set_blocking(jobd_socket, true);
    Runner(UniqueFd(jobd_socket), home).run();
} catch (const JobIsOver&) {
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_daemon("clamscanner-runner", argc, argv, run_runner, {.severity = Severity::Error});
}
