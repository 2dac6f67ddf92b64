#include "jobs/engine/registry_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "auth/base/dispatch.h"
#include "auth/base/log.h"
#include "jobs/engine/known/registry.h"
#include "jobs/engine/known/sealed_copy.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto longest_without_an_answer = 10s;
constexpr auto longest_without_a_judgement = 10s;
constexpr auto ask_again_after = 500ms;
constexpr auto pause_of_put_off = 200ms;
constexpr std::size_t most_put_off_asked = 64;  // and waiting for what others have judged

}  // namespace

RegistryClient::RegistryClient(UniqueFd registry, const std::string& fingerprint, Owner& owner)
    : registry_(std::move(registry)), owner_(owner) {
    if (!registry_) return;
    set_blocking(registry_.get(), false);
    if (fingerprint.empty() || send_message(registry_.get(), BeginMeetings{fingerprint}) != Sent::Yes)
        registry_.reset();
}

bool RegistryClient::ask(const FilePtr& file) {
    if (!registry_) return false;
    if (unanswered() == 0) heard_at_ = Clock::now();
    file->asked_again = file->asked_again || file->asked_at != Deadline();
    file->asked_at = Clock::now();
    unsent_.push_back({next_token_, file->content->size, file->content->sha256});
    waiting_.emplace(next_token_++, file);
    if (unsent_.size() == most_contents_together) send_asked();
    return true;
}

bool RegistryClient::may_know_by_now(const ScannedFile& file) const {
    return registry_ && file.asked_at != Deadline() && !file.asked_again &&
           Clock::now() - file.asked_at > ask_again_after;
}

// As many as this job may have judged, several together. After a judgement, or after a while: what was put off a moment
// ago would be put off again.
void RegistryClient::ask_put_off() {
    auto own = to_copy_.size() + copied_.size() + unanswered();
    if (own > most_copies_under_way / 2 || Clock::now() < put_off_until_) return;
    for (; registry_ && !put_off_.empty() && own < most_copies_under_way && waiting_.size() < most_put_off_asked;
         ++own) {
        const auto file = std::move(put_off_.front());
        put_off_.pop_front();
        static_cast<void>(ask(file));
    }
}

void RegistryClient::send() {
    ask_put_off();
    send_asked();
}

void RegistryClient::send_asked() {
    if (unsent_.empty() || !registry_) return;
    if (send_message(registry_.get(), MeetContents{std::exchange(unsent_, {})}) != Sent::Yes) give_up();
}

void RegistryClient::take_answers() {
    static constexpr Handler<RegistryClient, void> table[] = {handles<&RegistryClient::take_met>,
                                                              handles<&RegistryClient::take_judged>};
    try {
        for (Packet packet; registry_;) {
            const Got got = receive_packet(registry_.get(), packet);
            if (got == Got::WouldBlock) break;
            if (got == Got::PeerGone) throw Malformed("it ended");
            heard_at_ = Clock::now();
            dispatch(table, *this, packet.bytes);
        }
    } catch (const Malformed& wrong) {
        log_line(Severity::Warning, std::string("scanning without the registry of known contents: ") + wrong.what());
        give_up();
    }
}

void RegistryClient::take_met(const ContentsMet& met) {
    for (const auto& answer : met.answers) {
        answered_ = std::clamp(answer.token, answered_, asked());
        if (answer.meeting >= Meeting::Send) begin_to_wait(answer.token);
        switch (answer.meeting) {
            case Meeting::Known:
                judged_at_ = Clock::now();
                settle(answer.token, true);
                break;
            case Meeting::Unknown:
                settle(answer.token, false);
                break;
            case Meeting::Send:
                to_copy_.push_back(answer.token);
                break;
            case Meeting::Wait:
                break;
            case Meeting::Later:
                if (auto file = take(answer.token)) put_off_.push_back(std::move(file));
                put_off_until_ = Clock::now() + pause_of_put_off;
                break;
        }
    }
    send_copies();
}

void RegistryClient::take_judged(const ContentJudged& judged) {
    copied_.erase(judged.token);
    judged_at_ = Clock::now();
    put_off_until_ = {};
    settle(judged.token, judged.known);
    send_copies();
}

void RegistryClient::settle(std::uint64_t token, bool known) {
    auto file = take(token);
    if (!file) return;
    if (known)
        owner_.accept_known(file);
    else
        owner_.scan_unknown(std::move(file));
}

// The first one that waits for a judgement has until now to be waited for.
void RegistryClient::begin_to_wait(std::uint64_t token) {
    const auto waiting = waiting_.find(token);
    if (waiting == waiting_.end() || std::exchange(waiting->second->waits_for_judgement, true)) return;
    const bool is_first = waiting_.size() + put_off_.size() <= unanswered() + 1;
    if (is_first) judged_at_ = Clock::now();
}

void RegistryClient::send_copies() {
    for (; registry_ && !to_copy_.empty() && copied_.size() < most_copies_under_way; to_copy_.pop_front())
        send_copy(to_copy_.front());
}

// Without a copy the registry knows that it need not wait for one.
void RegistryClient::send_copy(std::uint64_t token) {
    std::optional<SealedCopy> copy;
    if (const auto waiting = waiting_.find(token); waiting != waiting_.end()) {
        copied_.insert(token);
        const auto& file = *waiting->second;
        copy = sealed_copy(file.fd.get(), most_known_bytes);
        if (copy && Content{copy->size, copy->sha256} != *file.content) copy.reset();
    }
    const auto sent = copy ? send_message(registry_.get(), ContentToJudge{token}, {copy->file.get()})
                           : send_message(registry_.get(), ContentToJudge{token});
    if (sent == Sent::PeerGone) registry_.reset();
}

FilePtr RegistryClient::take(std::uint64_t token) {
    const auto waiting = waiting_.extract(token);
    return waiting ? std::move(waiting.mapped()) : nullptr;
}

void RegistryClient::check_deadline() {
    const auto now = Clock::now();
    const bool is_mute = registry_ && unanswered() != 0 && now - heard_at_ > longest_without_an_answer;
    if (waiting_.empty() && put_off_.empty() && !is_mute) return;
    if (!registry_ || is_mute) {
        log_line(Severity::Warning, "scanning without the registry of known contents: it does not answer");
        give_up();
    } else if (waiting_.size() + put_off_.size() > unanswered() && now - judged_at_ > longest_without_a_judgement) {
        scan_all_that_wait();
    }
}

// What the registry says of them later is not waited for.
void RegistryClient::scan_all_that_wait() {
    auto waiting = std::exchange(waiting_, {});
    auto put_off = std::exchange(put_off_, {});
    const auto scan = [this](FilePtr& file) {
        file->asked_again = true;
        owner_.scan_unknown(std::move(file));
    };
    for (auto& [token, file] : waiting) scan(file);
    for (auto& file : put_off) scan(file);
}

void RegistryClient::leave_registry() {
    registry_.reset();
    unsent_.clear();
    to_copy_.clear();
}

void RegistryClient::give_up() {
    leave_registry();
    scan_all_that_wait();
}

void RegistryClient::stop() {
    leave_registry();
    waiting_.clear();
    put_off_.clear();
}

}  // namespace clamscanner
