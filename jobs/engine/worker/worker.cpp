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

constexpr int questions_number = 3;
constexpr int answers_number = 4;

// Nothing of the coordinator's stays but the sockets.
WorkerSockets leave_coordinator(const WorkerSockets& coordinator) {
    reset_signals();
    ignore_stray_signals();
    checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the coordinator");
    // By way of a number that neither has, because one may stand where the other goes.
    const int answers =
        checked(::fcntl(coordinator.answers.get(), F_DUPFD_CLOEXEC, answers_number + 1), "keep a socket");
    checked(::dup2(coordinator.questions.get(), questions_number), "place the questions");
    checked(::dup2(answers, answers_number), "place the answers");
    checked(::syscall(SYS_close_range, answers_number + 1, ~0U, 0), "close what a worker must not have");
    ::tzset();  // reads a file, which must be done before the room is closed
    return {UniqueFd(questions_number), UniqueFd(answers_number)};
}

}  // namespace

void work(ClamEngine& engine, WorkerSockets coordinator, const std::string& temporary_directory,
          const RoomLimits& limits) noexcept {
    try {
        const WorkerSockets sockets = leave_coordinator(coordinator);
        // Their numbers are closed, or others' now.
        static_cast<void>(coordinator.questions.release());
        static_cast<void>(coordinator.answers.release());
        engine.use_temporary_directory(temporary_directory);
        lock_room(temporary_directory, limits);
        Packet packet;
        while (receive_packet(sockets.questions.get(), packet) == Got::Packet) {
            const auto question = decode<ScanThis>(packet.bytes);
            const UniqueFd file = packet.only_descriptor();
            const bool written_out = question.write_out && write_out(file.get());
            ScanAnswer answer = engine.scan(file.get());
            answer.token = question.token;
            answer.written_out = written_out;
            if (send_message(sockets.answers.get(), answer) != Sent::Yes || engine.is_tainted()) break;
        }
        ::_exit(0);
    } catch (const std::exception& fault) {
        die(std::string("worker: ") + fault.what());
    }
}

}  // namespace clamscanner
