// clamscanner-notifyd: takes what is to be told out of jobd's outbox, hands mails to the mail server of this host, and
// runs the administrator's hook. Runs as a system user of its own without capabilities, which can read no database and
// no home.
// SECURITY: what it is told may have been chosen by an attacker (names of files and of signatures), so a mail and an
// event are text that no such name can break out of. Whoever takes it over learns what is told from then on, and can
// keep it from being told.
//
// It keeps nothing: a notice stays in the outbox until jobd is told that it was delivered. So whatever is killed, and
// whenever, each is delivered at least once; and a second time if the end came between the delivery and that word. Both
// then have the same Message-ID, or the same "id".
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "auth/base/account.h"
#include "auth/base/config_keys.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/mail_address.h"
#include "auth/base/service.h"
#include "auth/base/write_all.h"
#include "jobs/notify/delivery.h"
#include "jobs/notify/event_json.h"
#include "jobs/notify/jobd_link.h"
#include "jobs/notify/smtp.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto ask_interval = 2s;
constexpr auto first_pause = 1s;
constexpr auto longest_pause = 300s;
constexpr auto mail_limit = 60s;
constexpr auto past_mail_limit = 5s;
constexpr unsigned most_attempts_at_event = 3;

MailSettings mail_settings(const Settings& config) {
    char name[256] = "";
    std::string host = ::gethostname(name, sizeof name - 1) == 0 ? name : "";
    if (!is_mail_address("clamscanner@" + host)) host = "localhost";
    const auto& sender = config.notifications.sender;
    return {host, sender.empty() ? "clamscanner@" + host : sender, config.notifications.page_url};
}

// Works off one channel of the outbox, one notice after another.
class Channel {
 public:
    struct Attempt {
        std::chrono::seconds limit;
        Delivery::Work work;
    };
    struct Way {
        NoticeChannel channel;
        const char* name;  // for the log
        std::function<bool()> is_on;
        std::function<Attempt(const Notice&)> attempt;
        // Empty: it is tried again, and everything behind it waits.
        std::function<std::optional<Delivered>(const Delivery::Result&)> outcome;
        // After so many attempts others come first, so that one that can never be delivered keeps none of them. 0:
        // never.
        unsigned most_attempts = 0;
    };

    Channel(EventLoop& loop, JobdLink& jobd, Way way) : loop_(loop), jobd_(jobd), way_(std::move(way)) { wait(0s); }

 private:
    void wait(std::chrono::seconds length) {
        next_ = loop_.after(length, [this] { proceed(); });
    }

    void proceed() {
        if (settled_) {
            if (!jobd_.ask(*settled_)) return wait(ask_interval);
            settled_.reset();
        }
        const auto notice = way_.is_on() ? jobd_.ask(FetchNotice{way_.channel}) : std::nullopt;
        if (!notice || notice->id == 0) return wait(ask_interval);
        try {
            const auto attempt = way_.attempt(*notice);
            delivery_ = std::make_unique<Delivery>(
                loop_, attempt.limit, attempt.work,
                [this, id = notice->id](const Delivery::Result& result) { take(id, result); });
        } catch (const std::system_error& fault) {
            log_line(Severity::Error, fault.what());
            pause();
        }
    }

    void take(std::uint64_t id, const Delivery::Result& result) {
        const auto outcome = way_.outcome(result);
        const auto ended = std::move(delivery_);
        if (outcome) {
            pause_ = first_pause;
            settled_ = SettleNotice{id, *outcome};
            attempts_ = 0;
        } else if (++attempts_ == way_.most_attempts) {
            settled_ = SettleNotice{id, Delivered::NotNow};
            attempts_ = 0;
        }
        if (outcome != Delivered::Yes) complain(result);
        if (outcome) return proceed();
        pause();
    }

    void complain(const Delivery::Result& result) {
        std::string how = "took too long";
        if (result.ending)
            how = (result.ending->by_signal ? "ended by signal " : "failed with status ") +
                  std::to_string(result.ending->code);
        auto complaint =
            std::string(way_.name) + " " + how + (result.output.empty() ? "" : ": " + printable(result.output));
        // A mail server that is not there is one warning, not one every five minutes.
        log_line(complaint == complained_ ? Severity::Info : Severity::Warning, complaint);
        complained_ = std::move(complaint);
    }

    void pause() {
        log_line(Severity::Info,
                 std::string(way_.name) + " is tried again in " + std::to_string(pause_.count()) + " s");
        wait(std::exchange(pause_, std::min<std::chrono::seconds>(pause_ * 2, longest_pause)));
    }

    EventLoop& loop_;
    JobdLink& jobd_;
    Way way_;
    std::unique_ptr<Delivery> delivery_;
    std::optional<SettleNotice> settled_;  // which jobd has not been told yet
    std::chrono::seconds pause_ = first_pause;
    unsigned attempts_ = 0;  // at the notice that is tried again
    std::string complained_;
    EventLoop::Timer next_;
};

class Notifyd {
 public:
    explicit Notifyd(Settings& config)
        : config_(config), jobd_(config.jobs_socket()), mails_(loop_, jobd_, mails()), hook_(loop_, jobd_, hook()) {
        loop_.reload_on_hangup([this] { reload(); });
    }

    void run() {
        report_ready();
        loop_.run();
        notify_supervisor("STOPPING=1");
    }

 private:
    void reload() {
        const auto keys = reread_config(config_);
        if (keys) take_reloaded(*keys, config_);
    }

    Channel::Way mails() {
        return {NoticeChannel::Mails, "a mail", [] { return true; },
                [this](const Notice& notice) {
                    const auto settings = mail_settings(config_);
                    return Channel::Attempt{
                        mail_limit + past_mail_limit,
                        [mail = mail_of(notice, settings), settings, port = config_.notifications.smtp_port] {
                            const auto done = hand_over(mail, settings, port, mail_limit);
                            if (done.result != Handed::Over)
                                static_cast<void>(write_all(STDOUT_FILENO, mail.recipient + ": " + done.why));
                            return static_cast<int>(done.result);
                        }};
                },
                [](const Delivery::Result& result) -> std::optional<Delivered> {
                    // What goes wrong with this mail alone, even in our own code, keeps no other one waiting.
                    if (!result.ending || result.ending->by_signal) return Delivered::NotNow;
                    switch (result.ending->code) {
                        case static_cast<int>(Handed::Over):
                            return Delivered::Yes;
                        case static_cast<int>(Handed::Refused):
                            return Delivered::Refused;
                        case static_cast<int>(Handed::NoServer):
                            return std::nullopt;
                        default:
                            return Delivered::NotNow;
                    }
                }};
    }

    Channel::Way hook() {
        return {NoticeChannel::Hook,
                "the hook",
                [this] { return !config_.notifications.hook.empty(); },
                [this](const Notice& notice) {
                    return Channel::Attempt{std::chrono::seconds(config_.notifications.hook_seconds),
                                            [path = config_.notifications.hook, event = event_json(notice)] {
                                                return run_program(path, event);
                                            }};
                },
                [](const Delivery::Result& result) -> std::optional<Delivered> {
                    const bool is_done = result.ending && !result.ending->by_signal && result.ending->code == 0;
                    return is_done ? std::optional(Delivered::Yes) : std::nullopt;
                },
                most_attempts_at_event};
    }

    struct Loop : EventLoop {
        Loop() { stop_on_signals(); }
    };
    Settings& config_;
    Loop loop_;
    JobdLink jobd_;
    Channel mails_;
    Channel hook_;
};

void run_notifyd(const std::string& config_file) {
    Settings config = read_settings(config_file);
    refuse_root();
    require_to_run_as(config, "notifications.user", {config.notifications.user});
    give_up_privileges();
    occupy_standard_descriptors();
    ::umask(077);
    ignore_stray_signals();
    adopt_orphans();
    Notifyd(config).run();
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    static constexpr clamscanner::CommandForm form{
        .program = "clamscanner-notifyd",
        .purpose =
            "Sends mails to owners and to the administrator, and runs the administrator's hook. The user "
            "notifications.user runs it."};
    return clamscanner::run_daemon(form, argc, argv, clamscanner::run_notifyd);
}
