// clamscanner-jobd: the queue, and the authoritative record of every job. Runs as a system user of its own without
// capabilities. The kernel attests the agents' users; runners, which authd starts, work in the homes; the engine scans.
// SECURITY: it reads packets from every user, and from runners that their user may have stopped or starved, so every
// packet is bounded; it opens no user's files.
//
// Every round of the event loop ends with one commit, and only after it are answers and packets sent. So a crash loses
// nothing that was acknowledged, and every start is a recovery.
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "auth/base/account.h"
#include "auth/base/audit.h"
#include "auth/base/config_keys.h"
#include "auth/base/event_loop.h"
#include "auth/base/figures.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "jobs/jobd/account_lookup.h"
#include "jobs/jobd/automatic_quarantine.h"
#include "jobs/jobd/background_commit.h"
#include "jobs/jobd/dispatcher.h"
#include "jobs/jobd/ledger.h"
#include "jobs/jobd/request_server.h"
#include "jobs/jobd/schedules.h"
#include "jobs/jobd/task_events.h"
#include "jobs/jobd/unreached_files.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/signature_directory.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto facts_stay_fresh = 10s;
constexpr auto prune_interval = 1s;
constexpr auto settle_interval = 1s;
constexpr auto next_piece = 20ms;
constexpr auto signatures_interval = 1h;
constexpr auto save_interval = 10min;  // as much of the running time may be lost in a reboot
// All accounts share one event loop: a turn that takes longer than this is logged, and fails tests.
constexpr auto longest_quiet_turn = 20ms;
constexpr auto turn_report_interval = 1s;
constexpr auto polls_wait_at_most = 1ms;  // beside the turn that is under way
constexpr auto watchdog_interval = 20s;   // WatchdogSec= is several times as long

// Tasks that ended before then are deleted, except each account's last ones. `now`: of any clock.
std::int64_t forget_before(const Settings& config, std::int64_t now) {
    return config.history_days == 0 ? 0 : now - static_cast<std::int64_t>(config.history_days) * day_ms;
}

std::string database(const Settings& config) {
    return config.paths.state_directory + "/jobs.sqlite";
}

class Jobd {
 public:
    // The settings follow the configuration whenever that is read again.
    explicit Jobd(Settings& config)
        : config_(config),
          ledger_(database(config)),
          commits_(ledger_.database()),
          accounts_(loop_, facts_stay_fresh),
          dispatcher_({config, loop_, ledger_}, accounts_),
          history_(ledger_, config),
          system_scans_({config, loop_, ledger_}, history_, accounts_, dispatcher_),
          schedules_({config, loop_, ledger_}, accounts_, dispatcher_),
          automatic_quarantine_({config, loop_, ledger_}, dispatcher_),
          request_server_({config, loop_, ledger_}, accounts_, dispatcher_, history_, system_scans_, schedules_.book(),
                          host_users(config), database(config)),
          figures_(loop_, config.figures_file("jobd"), [this](Figures& figures) { measure(figures); }) {
        loop_.at_end_of_round([this] { end_round(); });
        // A poll waits neither for a commit nor for all that other accounts' jobs have for a round.
        loop_.between_turns(polls_wait_at_most,
                            [this] { request_server_.answer_from_disk([this] { loop_.serve_ready(); }); });
        loop_.reload_on_hangup([this] { reload(); });
        loop_.report_long_turns(longest_quiet_turn, [this](std::chrono::milliseconds took) { report_turn(took); });
        use_settings();
        ledger_.outbox().use(config_);
        remove_old_lists(config, ledger_);
        prune();
        settle_ignored();
        save_running_time();
        look_at_signatures();
        if (::getenv("WATCHDOG_USEC") != nullptr) tell_watchdog();
    }

    void run() {
        end_round();
        report_ready();
        loop_.run();
        report_longest_turn();
        notify_supervisor("STOPPING=1");
    }

 private:
    void end_round() {
        dispatcher_.dispatch();
        automatic_quarantine_.proceed();
        note_ended();
        commits_.commit([this](int done) { request_server_.answer_from_disk([&] { loop_.serve_meanwhile(done); }); });
        write_events();
        request_server_.flush();
        dispatcher_.flush();
    }

    void reload() {
        const auto keys = reread_config(config_);
        if (!keys) return;
        take_reloaded(*keys, config_);
        use_settings();
        schedules_.book().begin_review();
    }

    void measure(Figures& figures) const {
        ServiceReport report;
        dispatcher_.report(report);
        figures.set("clamscanner_jobs_running", report.running.size());
        figures.set("clamscanner_jobs_waiting", report.waiting);
        figures.set("clamscanner_longest_wait_seconds", report.longest_wait_seconds);
    }

    void use_settings() const { audit_to_file(config_.audit_file("jobd/jobd.jsonl")); }

    // In the transaction of their ends.
    void note_ended() {
        for (const TaskId task : ledger_.tasks().ended())
            if (const auto entry = ledger_.history().of_task(task))
                ledger_.outbox().note_ended(ledger_.tasks().with_account(task), *entry);
    }

    void look_at_signatures() {
        ledger_.outbox().note_signatures(Outbox::Problem::Old,
                                         age_warning(config_.paths.signature_directory, now_ms() / 1000));
        next_look_at_signatures_ = loop_.after(signatures_interval, [this] { look_at_signatures(); });
    }

    void write_events() {
        for (const TaskId task : ledger_.take_asked()) write_asked(ledger_, task);
        for (const auto& task : ledger_.tasks().take_ended()) write_ended(ledger_, task);
    }

    void tell_watchdog() {
        notify_supervisor("WATCHDOG=1");
        next_sign_of_life_ = loop_.after(watchdog_interval, [this] { tell_watchdog(); });
    }

    // The first at once, then the longest of each second.
    void report_turn(std::chrono::milliseconds took) {
        longest_turn_ = std::max(longest_turn_, took);
        if (!next_turn_report_.is_set()) report_longest_turn();
    }

    void report_longest_turn() {
        const auto took = std::exchange(longest_turn_, std::chrono::milliseconds(0));
        if (took.count() == 0) return;
        log_line(Severity::Warning,
                 "everybody waited while one turn of the loop took " + std::to_string(took.count()) + " ms");
        next_turn_report_ = loop_.after(turn_report_interval, [this] { report_longest_turn(); });
    }

    void prune() {
        const bool more =
            ledger_.prune(forget_before(config_, now_ms()), forget_before(config_, ledger_.running_time().now()));
        next_prune_ = loop_.after(more ? next_piece : std::chrono::milliseconds(prune_interval), [this] { prune(); });
    }

    void settle_ignored() {
        const bool more = ledger_.finds().settle_ignored();
        next_settling_ =
            loop_.after(more ? next_piece : std::chrono::milliseconds(settle_interval), [this] { settle_ignored(); });
    }

    void save_running_time() {
        ledger_.running_time().save();
        next_save_ = loop_.after(save_interval, [this] { save_running_time(); });
    }

    // Blocks the signals before the AccountLookup starts its thread, so that the thread inherits the blocked signals.
    struct Loop : EventLoop {
        Loop() { stop_on_signals(); }
    };
    Settings& config_;
    Loop loop_;
    Ledger ledger_;
    BackgroundCommit commits_;
    AccountLookup accounts_;
    Dispatcher dispatcher_;
    ScanHistory history_;
    SystemScans system_scans_;
    Schedules schedules_;
    AutomaticQuarantine automatic_quarantine_;
    RequestServer request_server_;
    Figures figures_;
    std::chrono::milliseconds longest_turn_{};  // that is not reported yet
    EventLoop::Timer next_turn_report_;
    EventLoop::Timer next_prune_;
    EventLoop::Timer next_settling_;
    EventLoop::Timer next_save_;
    EventLoop::Timer next_look_at_signatures_;
    EventLoop::Timer next_sign_of_life_;
};

void run_jobd(const std::string& config_file) {
    Settings config = read_settings(config_file);
    refuse_root();
    require_to_run_as(config, "jobs.user", {config.jobs.user});
    give_up_privileges();
    occupy_standard_descriptors();
    raise_descriptor_limit();
    ::umask(077);
    ignore_stray_signals();
    Jobd(config).run();
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    static constexpr clamscanner::CommandForm form{
        .program = "clamscanner-jobd",
        .purpose = "Keeps the queue and the records of all scans and disinfections. The user jobs.user runs it."};
    return clamscanner::run_daemon(form, argc, argv, clamscanner::run_jobd);
}
