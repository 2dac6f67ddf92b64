#include "jobs/client/jobs_client.h"

#include "jobs/shared/frames.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr auto patience = std::chrono::seconds(15);
// jobd closes a connection on which nothing comes for 20 s. One that it is about to close must not be used: what became
// of a question would be unknown.
constexpr auto kept_for = std::chrono::seconds(10);

[[nodiscard]] Refusal gone(std::string_view inside) {
    return {503, with_reference("The scanner is starting or gone. Try again in a moment.", inside)};
}

}  // namespace

std::string JobsClient::exchange(std::string_view question, Effect effect) {
    if (question.size() > longest_jobs_question)
        throw Refusal(200, "The request is too large. Ask for fewer files at a time.");
    const auto deadline = Clock::now() + patience;
    std::string answer;
    try {
        if (Clock::now() - last_used_ > kept_for) connection_.reset();
        // The connection kept from an earlier request may be broken.
        if (connection_ && try_exchange(question, effect, answer, deadline)) return answer;
        connection_ = connect_to(socket_path_, SOCK_STREAM, patience);
        set_blocking(connection_.get(), false);
        if (try_exchange(question, effect, answer, deadline)) return answer;
    } catch (const std::system_error& fault) {
        connection_.reset();
        throw gone(fault.what());
    } catch (const Malformed& fault) {
        connection_.reset();
        throw gone(fault.what());
    }
    throw gone(socket_path_ + ": a fresh connection was closed");
}

// False if the connection broke, and the question certainly had no effect or may safely be asked twice.
bool JobsClient::try_exchange(std::string_view question, Effect effect, std::string& answer, Deadline deadline) {
    const auto written = write_frame(connection_.get(), question, deadline);
    const auto read =
        written == Transfer::Done ? read_frame(connection_.get(), answer, longest_jobs_answer, deadline) : written;
    if (read == Transfer::Done) {
        last_used_ = Clock::now();
        return true;
    }
    // A late answer must not be mistaken for the answer to the next question.
    connection_.reset();
    if (read == Transfer::TimedOut) throw gone(socket_path_ + ": no answer in time");
    // jobd acts only on complete frames: a question that was not written completely had no effect.
    if (effect == Effect::Changes && written == Transfer::Done)
        throw gone(socket_path_ + ": it was closed in the middle of a question");
    return false;
}

}  // namespace clamscanner
