// clamscanner-fleetd: at the centre of many machines. Asks each machine's statistics server, as any client of it does,
// with an access key of a host user there, and keeps what they answer in PostgreSQL; agents of host users ask it for
// the whole. Runs as a system user of its own, without capabilities, and is needed on no machine but the centre.
// SECURITY: what machines answer are foreign bytes (https_client.h, machine_answer.h). It can order scans and read what
// they found, no more; so can whoever takes it over.
#include <sys/stat.h>

#include "auth/base/account.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "jobs/fleet/answer_server.h"
#include "jobs/fleet/leader.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

class Fleetd {
 public:
    explicit Fleetd(const Settings& config)
        : writing_(loop_, config.fleet.database, DatabaseThread::IfGone::GiveUp),
          reading_(loop_, config.fleet.database, DatabaseThread::IfGone::TryAgain),
          leader_(loop_, config, writing_),
          server_(loop_, config, reading_) {}

    void run() {
        leader_.begin();
        report_ready();
        loop_.run();
        notify_supervisor("STOPPING=1");
        writing_.stop();
        reading_.stop();
    }

 private:
    // Blocks the signals before there is a thread.
    struct Loop : EventLoop {
        Loop() { stop_on_signals(); }
    };
    Loop loop_;
    // Two, so that no agent waits for what the machines have answered. What is written goes with the lock of the one
    // connection; an order that is given twice is refused the second time.
    DatabaseThread writing_;
    DatabaseThread reading_;
    Leader leader_;
    AnswerServer server_;
};

void run_fleetd(const std::string& config_file) {
    const Settings config = read_settings(config_file);
    refuse_root();
    if (!config.fleet.is_centre())
        throw ConfigError(config.name_of("fleet.database") +
                          " is empty: this host is no centre of a fleet. Name its database there, and see "
                          "clamscanner-fleet(8)");
    require_to_run_as(config, "fleet.user", {config.fleet.user});
    give_up_privileges();
    occupy_standard_descriptors();
    raise_descriptor_limit();
    ::umask(077);
    ignore_stray_signals();
    Fleetd(config).run();
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    static constexpr clamscanner::CommandForm form{
        .program = "clamscanner-fleetd",
        .purpose =
            "At the centre of many machines: asks them, and keeps what they answer. The user fleet.user runs it."};
    return clamscanner::run_daemon(form, argc, argv, clamscanner::run_fleetd);
}
