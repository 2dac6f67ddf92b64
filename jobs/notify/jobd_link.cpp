#include "jobs/notify/jobd_link.h"

#include <system_error>

#include "auth/base/log.h"
#include "jobs/shared/frames.h"

namespace clamscanner {
namespace {

constexpr auto patience = std::chrono::seconds(5);

}  // namespace

std::optional<std::string> JobdLink::exchange(std::string_view question) {
    // jobd closes a connection on which nothing comes for a while.
    const bool was_open = static_cast<bool>(connection_);
    auto answer = try_exchange(question, !was_open);
    if (!answer && was_open) answer = try_exchange(question, true);
    if (answer) note("");
    return answer;
}

std::optional<std::string> JobdLink::try_exchange(std::string_view question, bool is_fresh) try {
    const auto deadline = Clock::now() + patience;
    if (!connection_) {
        connection_ = connect_to(socket_path_, SOCK_STREAM, patience);
        set_blocking(connection_.get(), false);
    }
    std::string answer;
    if (write_frame(connection_.get(), question, deadline) == Transfer::Done &&
        read_frame(connection_.get(), answer, longest_jobs_answer, deadline) == Transfer::Done)
        return answer;
    // A late answer must not be taken for that to the next question.
    if (is_fresh)
        fail("jobd does not answer");
    else
        connection_.reset();
    return std::nullopt;
} catch (const std::system_error& fault) {
    fail(fault.what());
    return std::nullopt;
} catch (const Malformed& fault) {
    fail(fault.what());
    return std::nullopt;
}

void JobdLink::fail(const std::string& problem) {
    connection_.reset();
    note(problem);
}

void JobdLink::note(const std::string& problem) {
    if (problem == problem_) return;
    problem_ = problem;
    log_line(problem.empty() ? Severity::Info : Severity::Warning,
             problem.empty() ? "jobd answers again" : problem + "; what is to be told waits in its outbox");
}

}  // namespace clamscanner
