// A coordinator's conversation with the registry of known contents (known/registry.h): which of its files need no scan
// because their contents are known to be clean. Nothing but hashes, and sealed copies of what is to be judged, leaves
// the coordinator; no verdict of a worker does. When the registry is gone or does not answer, the files are scanned. So
// are those that wait for judgements while none comes: contents that take long to judge, of other accounts, may be
// before them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "auth/base/socket.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/scanned_file.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class RegistryClient {
 public:
    // Whose files they are: the coordinator.
    class Owner {
     public:
        // The content that the file had when it was handed over is clean.
        virtual void accept_known(const FilePtr& file) = 0;
        virtual void scan_unknown(FilePtr file) = 0;

     protected:
        Owner() = default;
        ~Owner() = default;
        Owner(const Owner&) = default;
        Owner& operator=(const Owner&) = default;
    };

    // `registry`: empty if there is none. `owner` must outlive this.
    RegistryClient(UniqueFd registry, const std::string& fingerprint, Owner& owner);

    // Asks about a file whose content was hashed. False when there is nobody to ask: it is to be scanned.
    [[nodiscard]] bool ask(const FilePtr& file);
    // Whether it may be known by now, although it was not when the file was handed over: other accounts may have met
    // its content, or it may have been judged. Worth asking once more, just before its scan.
    [[nodiscard]] bool may_know_by_now(const ScannedFile& file) const;
    // To be called before waiting: sends what was asked since.
    void send();
    // -1 if there is nothing to wait for.
    [[nodiscard]] int descriptor() const noexcept { return registry_.get(); }
    void take_answers();
    void check_deadline();
    [[nodiscard]] bool can_be_asked() const noexcept { return static_cast<bool>(registry_); }
    // The number of the last question, of those that ask() has asked; and of the last one with an answer, which may be
    // to wait. They are answered in their order.
    [[nodiscard]] std::uint64_t asked() const noexcept { return next_token_ - 1; }
    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
    // Files of which it has yet to say whether it knows them,
    [[nodiscard]] std::uint64_t unanswered() const noexcept { return registry_ ? asked() - answered_ : 0; }
    // these and those that wait for a judgement,
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
    // and those that will be asked about again, since this job has others judged first.
    [[nodiscard]] std::size_t put_off() const noexcept { return put_off_.size(); }
    // Drops them.
    void stop();

 private:
    void take_met(const ContentsMet& met);
    void take_judged(const ContentJudged& judged);
    void ask_put_off();
    void send_asked();
    void send_copies();
    void send_copy(std::uint64_t token);
    [[nodiscard]] FilePtr take(std::uint64_t token);
    void settle(std::uint64_t token, bool known);
    void begin_to_wait(std::uint64_t token);
    void scan_all_that_wait();
    void leave_registry();
    void give_up();

    UniqueFd registry_;
    Owner& owner_;
    std::vector<MetContent> unsent_;
    std::map<std::uint64_t, FilePtr> waiting_;  // by token
    std::deque<FilePtr> put_off_;
    std::deque<std::uint64_t> to_copy_;
    std::set<std::uint64_t> copied_;  // the tokens of those
    std::uint64_t next_token_ = 1;
    std::uint64_t answered_ = 0;
    Deadline heard_at_;   // or the first question without an answer was asked
    Deadline judged_at_;  // or the first file that waits for a judgement began to
    Deadline put_off_until_;
};

}  // namespace clamscanner
