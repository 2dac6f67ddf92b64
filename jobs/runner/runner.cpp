// clamscanner-runner: does the work of one job in an account's home, as the account's own user. authd starts it with
// jobd's socket as descriptor 3. It walks the home, opens files for reading and passes them to the coordinator, moves
// and unlinks files as jobd has recorded its intent, and writes the logs in the home. It decides nothing: verdicts are
// made where its user cannot interfere. Its user may stop, kill or limit it and change the home at any moment; every
// failure is reported, and none counts as "clean".
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <set>
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
#include "jobs/runner/adoption.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/cleansing.h"
#include "jobs/runner/disposal.h"
#include "jobs/runner/early_files.h"
#include "jobs/runner/file_packets.h"
#include "jobs/runner/home_log.h"
#include "jobs/runner/mail_store.h"
#include "jobs/runner/mailbox_bytes.h"
#include "jobs/runner/maildir.h"
#include "jobs/runner/messages.h"
#include "jobs/runner/quarantine_entry.h"
#include "jobs/runner/restoration.h"
#include "jobs/runner/walk.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/quarantine_record.h"
#include "jobs/shared/record_json.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

constexpr int jobd_socket = 3;
// Each has several descriptors open, and the account's limit on those is not ours.
constexpr std::size_t most_acts_together = 16;
constexpr const char* disinfection_log = ".clamavconnector.disinfection.log";
constexpr const char* scan_log = ".clamavconnector.scan.log";

// jobd or the coordinator closed its end: the work is no longer wanted, or another runner does it.
struct JobIsOver : std::runtime_error {
    JobIsOver() : std::runtime_error("the job is over") {}
};

class Runner {
 public:
    Runner(int jobd, std::string home_path)
        : jobd_(jobd),
          home_path_(std::move(home_path)),
          home_(checked(::open(home_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open the home")),
          disposal_(home_.get(), home_path_),
          cleansing_(home_.get(), home_path_, [this] { send_to_jobd(StillWaiting{}); }),
          restoration_(home_.get(), home_path_, [this] { send_to_jobd(StillWaiting{}); }),
          disinfection_log_(home_.get(), disinfection_log),
          scan_log_(home_.get(), scan_log) {}

    void run() {
        Packet packet;
        while (!finished_) {
            const Got got = receive_packet(jobd_, packet, acts_.empty() ? 0 : MSG_DONTWAIT);
            if (got == Got::PeerGone) throw JobIsOver();
            if (got == Got::WouldBlock || !is<Act>(packet.bytes)) act_together();
            if (got == Got::Packet) answer(packet);
        }
    }

 private:
    void answer(Packet& packet) {
        static constexpr Handler<Runner, void, Packet&> table[] = {
            handles<&Runner::answer_scan_quarantined>,  handles<&Runner::answer_run_scan>,
            handles<&Runner::answer_use_coordinator>,   handles<&Runner::answer_scan_file>,
            handles<&Runner::answer_scan_moved>,        handles<&Runner::answer_scan_mailbox>,
            handles<&Runner::answer_cut_mail>,          handles<&Runner::answer_act>,
            handles<&Runner::answer_copy_begin>,        handles<&Runner::answer_copy_line>,
            handles<&Runner::answer_copy_end>,          handles<&Runner::answer_finish>,
            handles<&Runner::answer_adopt_quarantined>,
        };
        dispatch(table, *this, packet.bytes, packet);
    }

    template <class Message>
    void send_to_jobd(Message&& message) {
        if (send_message(jobd_, std::forward<Message>(message)) != Sent::Yes) throw JobIsOver();
    }

    [[nodiscard]] std::string absolute(const std::string& relative) const {
        return home_path_.ends_with('/') ? home_path_ + relative : home_path_ + "/" + relative;
    }

    // ---- A scan

    // The walk checks it again when it gets there, because the file may change until then.
    void answer_scan_quarantined(ScanQuarantined recorded) {
        known_names_.insert(recorded.opaque);
        const UniqueFd quarantine = open_quarantine(home_.get(), false);
        const UniqueFd file = quarantine ? open_recorded(quarantine.get(), recorded) : UniqueFd();
        if (!file)
            return send_to_jobd(NotOpened{recorded.token, "it is no longer in the quarantine as it was put there"});
        hand_over_for_result(recorded.token, path_in_quarantine(recorded.opaque), file, false);
        if (!recorded.adopted) quarantined_.push_back(std::move(recorded));
    }

    void answer_adopt_quarantined(const AdoptQuarantined& order) {
        Adoption(home_.get(), home_path_,
                 {[this](const Adopted& adopted) { send_to_jobd(adopted); }, [this] { send_to_jobd(StillWaiting{}); }})
            .adopt(order, known_names_);
    }

    void answer_run_scan(const RunScan& order, Packet& packet) {
        PathList list(packet.only_descriptor());
        FilePackets packets(coordinator_.get());
        std::uint64_t handed_over = order.after;
        if (!order.listed) {
            const auto early = walk(order, list, packets);
            if (!early) return;
            handed_over = *early;
        }
        std::uint64_t files = 0;
        std::string relative;
        while (list.next(relative))
            if (files++ >= handed_over) hand_over(relative, packets);
        if (files < handed_over) throw Malformed("the list of files has become shorter");
        if (!packets.send()) throw JobIsOver();
        send_to_coordinator(HandOverEnd{files - order.after}, {});
        send_to_jobd(HandedOver{files - order.after});
    }

    // Returns how many files, the first ones of the list, were handed over meanwhile. Empty: the walk failed, and jobd
    // was told.
    std::optional<std::uint64_t> walk(const RunScan& order, PathList& list, FilePackets& packets) {
        std::optional<EarlyFiles> early;
        if (order.hand_over_meanwhile)
            early.emplace([this, &packets](const std::string& relative) { hand_over(relative, packets); },
                          [this] { ::shutdown(coordinator_.get(), SHUT_RDWR); });
        Walk walk(home_.get(), std::exchange(quarantined_, {}),
                  {[this](const WalkProgress& progress) { send_to_jobd(progress); },
                   [this](const std::string& relative, UnscannedReason reason) {
                       send_to_jobd(Unreadable{absolute(relative), reason});
                   },
                   [&early](const std::string& relative) {
                       if (early) early->add(relative);
                   }});
        try {
            walk.list(order.directory, list);
        } catch (const std::system_error& fault) {
            const std::string why = absolute(order.directory) + ": " + fault.what();
            send_to_jobd(WalkFailed{why.substr(0, longest_message)});
            return std::nullopt;
        }
        return early ? early->finish() : 0;
    }

    [[nodiscard]] UniqueFd open_to_scan(const std::string& relative) const {
        return open_beneath(home_.get(), relative, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, Crossing::Allowed);
    }

    void hand_over(const std::string& relative, FilePackets& packets) {
        UniqueFd file = open_to_scan(relative);
        if (file) {
            if (!packets.add(absolute(relative), std::move(file))) throw JobIsOver();
            return;
        }
        const auto reason = errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? UnscannedReason::Vanished
                                                                                  : UnscannedReason::Unreadable;
        if (!packets.send()) throw JobIsOver();
        // Sent in place of the file, so that the runner's and the coordinator's counts agree.
        send_to_coordinator(NotHandedOver{absolute(relative), reason}, {});
    }

    [[nodiscard]] std::string path_in_quarantine(const std::string& opaque) const {
        return absolute(std::string(quarantine_directory) + "/" + opaque);
    }

    template <class Message>
    void send_to_coordinator(Message&& message, std::initializer_list<int> descriptors) {
        // This blocks while the coordinator has enough to do, so the runner gets only a little ahead of it.
        if (send_message(coordinator_.get(), std::forward<Message>(message), descriptors) != Sent::Yes)
            throw JobIsOver();
    }

    // ---- A disinfection

    void answer_use_coordinator(const UseCoordinator&, Packet& packet) { coordinator_ = packet.only_descriptor(); }

    // Throws Stopped.
    [[nodiscard]] UniqueFd open_for_scan(const std::string& path) const {
        const std::string relative = below_home(path, home_path_);
        UniqueFd file = open_to_scan(relative);
        if (!file && errno == ENOENT) {
            const auto moved = moved_mail(home_.get(), relative);
            if (moved) file = open_to_scan(*moved);
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

    void answer_scan_file(const ScanFile& order) {
        try {
            const UniqueFd file = open_for_scan(order.path);
            const bool mailbox = is_mailbox(home_.get(), below_home(order.path, home_path_), file.get());
            const bool holds_mail =
                order.asks_for_mail &&
                may_hold_mail(home_.get(), below_home(order.path, home_path_), file.get(), order.in_mail);
            hand_over_for_result(order.token, order.path, file, mailbox, holds_mail);
        } catch (const Stopped& stopped) {
            send_to_jobd(NotOpened{order.token, stopped.what()});
        }
    }

    void answer_scan_moved(const ScanMoved& order) {
        try {
            hand_over_for_result(order.token, order.path, disposal_.open_moved(order.path, order.opaque), false);
        } catch (const Stopped& stopped) {
            send_to_jobd(NotOpened{order.token, stopped.what(), disposal_.is_moved(order.path, order.opaque)});
        }
    }

    void hand_over_for_result(std::uint64_t token, const std::string& path, const UniqueFd& file, bool mailbox,
                              bool holds_mail = false) {
        send_to_jobd(Opened{token, metadata_of(file.get()), mailbox, holds_mail});
        send_to_coordinator(HandOver{token, path}, {file.get()});
    }

    void answer_scan_mailbox(const ScanMailbox& order) {
        cuts_.clear();
        UniqueFd file;
        std::vector<MailRange> messages;
        try {
            file = open_for_scan(order.path);
            messages = mail_in(file.get());
        } catch (const Stopped& stopped) {
            return send_to_jobd(NotOpened{order.token, stopped.what()});
        }
        std::uint64_t token = 0;
        for (const auto& range : messages) {
            UniqueFd message;
            try {
                message = copy_of_mail(file.get(), range);
            } catch (const std::system_error&) {
                // /dev/null is no regular file, so it gets no verdict and this message stays in the mailbox.
                message.reset(checked(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open /dev/null"));
            }
            send_to_coordinator(HandOver{++token, order.path}, {message.get()});
        }
        send_to_jobd(MailHandedOver{order.token, token});
    }

    // Copies the message into a file in memory. If the mailbox is cut short meanwhile, the copy lacks bytes and its
    // hash differs.
    static UniqueFd copy_of_mail(int mailbox, const MailRange& range) {
        const UniqueFd file(checked(::memfd_create("message", MFD_CLOEXEC), "make room for a message"));
        auto from = static_cast<off_t>(range.begin);
        while (static_cast<std::uint64_t>(from) < range.end) {
            const auto sent = ::sendfile(file.get(), mailbox, &from, range.end - static_cast<std::uint64_t>(from));
            if (sent < 0 && errno == EINTR) continue;
            if (checked(sent, "read a message") == 0) break;
        }
        // The coordinator accepts only read-only descriptors.
        return UniqueFd(checked(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC),
                                "open a message"));
    }

    void answer_cut_mail(CutMail cut) {
        if (cuts_.size() >= most_mail_cut) throw Malformed("jobd ordered too many messages to be taken out");
        cuts_.push_back(std::move(cut));
    }

    // Those that have arrived wait for the disk together.
    void act_together() {
        for (const auto& acted : disposal_.act(std::exchange(acts_, {}))) send_to_jobd(acted);
    }

    void answer_act(Act order) {
        const auto cuts = std::exchange(cuts_, {});
        switch (order.action) {
            case Action::Ignore:
            case Action::CleanseMailbox:  // ordered as a quarantine, with the messages to take out
                throw Malformed("jobd ordered an action that a runner does not carry out");
            case Action::Delete:
            case Action::Quarantine:
                if (!cuts.empty()) {
                    act_together();
                    return send_cleansed(cleansing_.cleanse(order, cuts));
                }
                acts_.push_back(std::move(order));
                if (acts_.size() >= most_acts_together) act_together();
                return;
            case Action::Restore:
                act_together();
                return send_to_jobd(restoration_.restore(order));
            case Action::Discard:
                act_together();
                return send_to_jobd(restoration_.discard(order));
        }
    }

    void send_cleansed(const Cleansed& cleansed) {
        for (const auto& saved : cleansed.saved) send_to_jobd(saved);
        send_to_jobd(cleansed.acted);
    }

    // ---- Logs in the home

    void answer_copy_begin(const CopyBegin& copy) {
        copying_ = copy.log == LogFile::Scan ? &scan_log_ : &disinfection_log_;
        copying_->begin();
    }

    void answer_copy_line(const CopyLine& line) {
        if (copying_ == nullptr) throw Malformed("a line for a log that was not begun");
        copying_->append(copying_ == &scan_log_ ? plain_line(line.record) : record_line(line.record));
    }

    // For people to read: a path and a verdict. A line feed in a file name must not start a new line.
    static std::string plain_line(const Record& record) {
        return record.file.empty() ? record.message : printable(record.file) + ": " + record.message;
    }

    void answer_copy_end(const CopyEnd&) {
        if (copying_ == nullptr) throw Malformed("the end of a log that was not begun");
        const bool whole = copying_->whole();
        send_to_jobd(CopyDone{whole, whole ? std::string() : copying_->problem()});
    }

    void answer_finish(const Finish&) { finished_ = true; }

    int jobd_;
    std::string home_path_;
    UniqueFd home_;
    Disposal disposal_;
    Cleansing cleansing_;
    Restoration restoration_;
    HomeLog disinfection_log_;
    HomeLog scan_log_;
    HomeLog* copying_ = nullptr;
    UniqueFd coordinator_;
    std::vector<CutMail> cuts_;  // for the next Act
    std::vector<Act> acts_;      // to be carried out together
    std::vector<ScanQuarantined> quarantined_;
    std::set<std::string> known_names_;  // that jobd has in its list of the quarantine
    bool finished_ = false;
};

// authd passes --config, as it does to an agent; the runner does not need it.
void run_runner(const std::string&) try {
    refuse_root();
    give_up_privileges();
    use_idle_priority();
    ignore_stray_signals();
    // If our user has limited file sizes, writes must fail with an error that we can report, not kill us.
    ::signal(SIGXFSZ, SIG_IGN);
    const char* home = ::getenv("HOME");
    if (home == nullptr || *home != '/') throw std::runtime_error("the account has no home");
    checked(::fcntl(jobd_socket, F_SETFD, FD_CLOEXEC), "keep jobd's socket to ourselves");
    set_blocking(jobd_socket, true);
    try {
        Runner(jobd_socket, home).run();
    } catch (const std::system_error& fault) {
        const std::string why = std::string(home) + ": " + fault.what();
        static_cast<void>(send_message(jobd_socket, RunnerFailed{why.substr(0, longest_message)}));
        throw;
    }
} catch (const JobIsOver&) {
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    name_account_in_log(::getenv("USER"));
    static constexpr CommandForm form{
        .program = "clamscanner-runner",
        .purpose = "Does one job in an account's home, as the account's user. clamscanner-authd starts it."};
    return run_daemon(form, argc, argv, run_runner, {.severity = Severity::Error});
}
