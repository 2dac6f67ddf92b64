#include "jobs/engine/worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "auth/base/checked.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/socket.h"
#include "jobs/engine/worker/write_out.h"

namespace clamscanner {
namespace {

constexpr int requests_number = 3;
constexpr int answers_number = 4;
constexpr int lifeline_number = 5;

// Keeps only the sockets and the lifeline of all the coordinator's descriptors.
WorkerSockets keep_only_sockets(const WorkerSockets& coordinator) {
    reset_signals();
    ignore_stray_signals();
    checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the coordinator");
    // Through a third number, because one of the sockets may already have the number that the other needs.
    const int answers =
        checked(::fcntl(coordinator.answers.get(), F_DUPFD_CLOEXEC, lifeline_number + 1), "keep a socket");
    const bool has_lifeline = coordinator.lifeline >= 0;
    const int lifeline =
        has_lifeline ? checked(::fcntl(coordinator.lifeline, F_DUPFD_CLOEXEC, lifeline_number + 1), "keep a lifeline")
                     : -1;
    checked(::dup2(coordinator.requests.get(), requests_number), "renumber the socket for requests");
    checked(::dup2(answers, answers_number), "renumber the socket for answers");
    if (has_lifeline) checked(::dup2(lifeline, lifeline_number), "renumber the lifeline");
    const int first_closed = has_lifeline ? lifeline_number + 1 : lifeline_number;
    checked(::syscall(SYS_close_range, first_closed, ~0U, 0), "close all descriptors but a worker's sockets");
    ::tzset();  // reads a file, so it must run before the sandbox is entered
    return {UniqueFd(requests_number), UniqueFd(answers_number)};
}

}  // namespace

void run_worker(ClamEngine& engine, WorkerSockets coordinator, const std::string& temporary_directory,
                const SandboxLimits& limits) noexcept {
    try {
        const WorkerSockets sockets = keep_only_sockets(coordinator);
        // Their numbers are closed, or reused by now.
        static_cast<void>(coordinator.requests.release());
        static_cast<void>(coordinator.answers.release());
        engine.use_temporary_directory(temporary_directory);
        enter_sandbox(temporary_directory, limits);
        Packet packet;
        while (receive_packet(sockets.requests.get(), packet) == Got::Packet) {
            const auto request = decode<ScanRequest>(packet.bytes);
            const UniqueFd file = packet.only_descriptor();
            const bool written_out = request.write_out && write_out(file.get());
            ScanAnswer answer = engine.scan(file.get());
            answer.token = request.token;
            answer.written_out = written_out;
            if (send_message(sockets.answers.get(), answer) != Sent::Yes || engine.is_tainted()) break;
        }
        ::_exit(0);
    } catch (const std::exception& fault) {
        die(std::string("worker: ") + fault.what());
    }
}

}  // namespace clamscanner
