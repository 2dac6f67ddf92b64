#include "jobs/client/jobs_client.h"

#include <thread>

#include "jobs/shared/frames.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"

namespace clamscanner {
namespace {

constexpr auto patience = std::chrono::seconds(15);
// Of a request that waits for what it asked for; a while before the one who made it is told that we are too slow.
constexpr auto patience_for_changes = std::chrono::seconds(8);
constexpr auto shortest_pause = std::chrono::milliseconds(5);
constexpr auto longest_pause = std::chrono::milliseconds(200);

[[nodiscard]] Refusal gone(std::string_view inside) {
    return {503, with_reference("The scanner is starting or gone. Try again in a moment.", inside)};
}

}  // namespace

template <class Expected, class Question>
Expected JobsClient::ask(Question&& question, Kind kind) {
    const auto encoded = encode(std::forward<Question>(question));
    if (encoded.bytes().size() > longest_jobs_question)
        throw Refusal(200, "The request is too large. Ask for fewer files at a time.");
    const auto answer = exchange(encoded.bytes(), kind);
    if (is<Declined>(answer)) throw Refusal(200, decode<Declined>(answer).why);
    return decode<Expected>(answer);
}

std::string JobsClient::exchange(std::string_view question, Kind kind) {
    const auto deadline = Clock::now() + patience;
    std::string answer;
    try {
        // The first attempt may find that the connection kept from an earlier request is broken.
        if (connection_ && try_exchange(question, kind, answer, deadline)) return answer;
        connection_ = connect_to(socket_path_, SOCK_STREAM);
        set_blocking(connection_.get(), false);
        if (try_exchange(question, kind, answer, deadline)) return answer;
    } catch (const std::system_error& fault) {
        connection_.reset();
        throw gone(fault.what());
    } catch (const Malformed& fault) {
        connection_.reset();
        throw gone(fault.what());
    }
    throw gone("jobd closed a fresh connection");
}

// False when the question surely had no effect, or may be asked twice, and the connection is broken.
bool JobsClient::try_exchange(std::string_view question, Kind kind, std::string& answer, Deadline deadline) {
    const auto written = write_frame(connection_.get(), question, deadline);
    const auto read =
        written == Transfer::Done ? read_frame(connection_.get(), answer, longest_jobs_answer, deadline) : written;
    if (read == Transfer::Done) return true;
    // A late answer must not be taken for that of the next question.
    connection_.reset();
    if (read == Transfer::TimedOut) throw gone("jobd did not answer in time");
    // jobd acts on whole frames only: what was not written to the end had no effect.
    if (kind == Kind::Changes && written == Transfer::Done) throw gone("jobd went away in the middle of a question");
    return false;
}

void JobsClient::start_scan(const StartScan& scan) {
    static_cast<void>(ask<Accepted>(StartScan{scan}, Kind::Changes));
}

void JobsClient::cancel_scan() {
    static_cast<void>(ask<Accepted>(CancelScan{}, Kind::Changes));
}

UnscannedFiles JobsClient::unscanned_files(std::uint64_t after) {
    return ask<UnscannedFiles>(AskUnscannedFiles{after}, Kind::Reads);
}

QuarantinedFiles JobsClient::quarantined_files(std::uint64_t after) {
    return ask<QuarantinedFiles>(AskQuarantinedFiles{after}, Kind::Reads);
}

std::vector<ChangedFile> JobsClient::change_quarantine(bool restore, std::vector<std::string> ids) {
    const auto queued = ask<QuarantineQueued>(ChangeQuarantine{restore, ids}, Kind::Changes);
    const auto until = Clock::now() + patience_for_changes;
    for (auto pause = shortest_pause;; pause = std::min(pause * 2, longest_pause)) {
        auto change = ask<QuarantineChange>(AskQuarantineChange{queued.task}, Kind::Reads);
        if (change.ended || Clock::now() > until) return std::move(change.files);
        std::this_thread::sleep_for(pause);
    }
}

std::vector<Record> JobsClient::dry_run(std::vector<FileAction> actions) {
    return ask<DryRun>(AskDryRun{std::move(actions)}, Kind::Reads).steps;
}

ScanStatus JobsClient::scan_status() {
    return ask<ScanStatus>(AskScanStatus{}, Kind::Reads);
}

InfectedFiles JobsClient::infected_files(std::uint64_t after) {
    return ask<InfectedFiles>(AskInfectedFiles{after}, Kind::Reads);
}

DisinfectionQueued JobsClient::disinfect(std::vector<FileAction> actions) {
    return ask<DisinfectionQueued>(Disinfect{std::move(actions)}, Kind::Changes);
}

DisinfectionStatus JobsClient::disinfection(std::uint64_t last_id) {
    return ask<DisinfectionStatus>(AskDisinfection{last_id}, Kind::Reads);
}

ScanStatistics JobsClient::statistics() {
    return ask<ScanStatistics>(AskStatistics{}, Kind::Reads);
}

ScanTasks JobsClient::scan_tasks(const AskScanTasks& which) {
    return ask<ScanTasks>(which, Kind::Reads);
}

ScanEvents JobsClient::scan_events(const AskScanEvents& which) {
    return ask<ScanEvents>(which, Kind::Reads);
}

void JobsClient::start_system_scan(std::vector<uid_t> accounts) {
    StartSystemScan question;
    for (const uid_t uid : accounts) question.accounts.push_back({uid});
    static_cast<void>(ask<Accepted>(question, Kind::Changes));
}

std::vector<HeldSignature> JobsClient::held_signatures() {
    return ask<HeldSignatures>(AskHeldSignatures{}, Kind::Reads).signatures;
}

void JobsClient::allow_signature(const std::string& signature) {
    static_cast<void>(ask<Accepted>(AllowSignature{signature}, Kind::Changes));
}

}  // namespace clamscanner
