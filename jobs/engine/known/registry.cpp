#include "jobs/engine/known/registry.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/dispatch.h"
#include "auth/base/event_loop.h"
#include "auth/base/log.h"
#include "auth/base/packet_queue.h"
#include "auth/base/socket.h"
#include "jobs/engine/known/content_table.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/sealed_copy.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto commit_interval = 1s;
constexpr auto delay_after_failure = 60s;
// For a coordinator to send a copy: it may wait for a file that does not answer, and others wait for it.
constexpr auto time_to_copy = 2s;
// Answers and judgements for one job; it has half as many files that can wait for one.
constexpr std::size_t most_unsent = 8192;

class Registry {
 public:
    Registry(const Settings& config, UniqueFd engine)
        : config_(config), most_judged_at_once_(judges_at_once(config)), engine_(std::move(engine)) {
        set_blocking(engine_.get(), false);
        open_table();
        engine_watch_ = loop_.watch(engine_.get(), EPOLLIN, [this](std::uint32_t) { take_from_engine(); });
    }
    void run() {
        loop_.run();
        commit();
    }

 private:
    using Key = std::pair<std::string, std::uint64_t>;  // SHA-256 and size
    struct Job {
        UniqueFd socket;
        EventLoop::Watch watch;
        std::string account;
        std::string fingerprint;
        Clock::duration judged_for{};  // the time that its contents took
        PacketQueue unsent;            // while it does not read
    };
    struct Judge {
        UniqueFd socket;
        EventLoop::Watch watch;
        std::string fingerprint;  // "": not ready yet
        // Not empty: it has the signatures alone that are new since these.
        std::vector<std::string> bases;
        std::size_t judging = 0;
    };
    struct Waiter {
        int job;
        std::uint64_t token;
    };
    // A content that is to be judged with the signatures of one fingerprint.
    struct Case {
        Key key;
        std::string fingerprint;
        std::string clean_with;       // earlier signatures, if the new ones alone are enough; or empty
        std::vector<Waiter> waiters;  // the first one sends the copy
        UniqueFd copy;
        EventLoop::Timer time_to_copy;
        int judge = -1;  // that has it
        Deadline judged_since;
    };
    using CaseId = std::uint64_t;

    // Two more than work at a time: while one ends, the next is begun.
    static std::size_t judges_at_once(const Settings& config) {
        if (config.engine.scan_workers != 0) return config.engine.scan_workers + 2;
        return std::max(1U, std::thread::hardware_concurrency()) + 2;
    }

    // ---- From the engine

    void take_from_engine() {
        static constexpr Handler<Registry, void, Packet&> table[] = {handles<&Registry::open_meetings>,
                                                                     handles<&Registry::open_judge>};
        Packet packet;
        const Got got = receive_packet(engine_.get(), packet);
        if (got == Got::PeerGone) loop_.stop();
        if (got != Got::Packet) return;
        try {
            dispatch(table, *this, packet.bytes, packet);
        } catch (const Malformed& cut) {
            // When we are out of descriptors the kernel drops them.
            log_line(Severity::Warning, std::string("known contents: ") + cut.what());
        }
    }

    void open_meetings(OpenMeetings opened, Packet& packet) {
        Job job;
        job.socket = packet.only_descriptor();
        job.account = std::move(opened.account);
        set_blocking(job.socket.get(), false);
        const int fd = job.socket.get();
        job.watch = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t events) {
            if ((events & EPOLLOUT) != 0 && send_unsent(jobs_.at(fd))) jobs_.at(fd).watch.change(EPOLLIN);
            if ((events & ~std::uint32_t{EPOLLOUT}) != 0) take_from_job(fd);
        });
        jobs_.emplace(fd, std::move(job));
    }

    void open_judge(const OpenJudge&, Packet& packet) {
        Judge judge;
        judge.socket = packet.only_descriptor();
        set_blocking(judge.socket.get(), false);
        const int fd = judge.socket.get();
        judge.watch = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { take_from_judge(fd); });
        judges_.emplace(fd, std::move(judge));
    }

    // ---- Coordinators

    void take_from_job(int fd) {
        static constexpr Handler<Registry, void, Job&, Packet&> table[] = {
            handles<&Registry::begin_meetings>, handles<&Registry::meet_contents>, handles<&Registry::take_copy>};
        Packet packet;
        Job& job = jobs_.at(fd);
        try {
            const Got got = receive_packet(fd, packet);
            if (got == Got::WouldBlock) return;
            if (got == Got::PeerGone) return forget_job(fd);
            dispatch(table, *this, packet.bytes, job, packet);
        } catch (const Malformed& wrong) {
            log_line(Severity::Warning, std::string("known contents: a coordinator: ") + wrong.what());
            forget_job(fd);
        }
    }

    void begin_meetings(BeginMeetings begun, Job& job, Packet&) { job.fingerprint = std::move(begun.fingerprint); }

    void meet_contents(const MeetContents& met, Job& job, Packet&) {
        ContentsMet answers;
        for (const auto& content : met.contents) answers.answers.push_back({content.token, meet(content, job)});
        send_to(job, answers);
    }

    [[nodiscard]] Meeting meet(const MetContent& content, const Job& job) {
        if (content.sha256.size() != sha256_digits) throw Malformed("a hash is too short");
        if (!has_judge_for(job.fingerprint)) return Meeting::Unknown;
        auto met = in_table(content, job);
        switch (met.state) {
            case ContentTable::State::Unknown:
                return Meeting::Unknown;
            case ContentTable::State::Known:
                return Meeting::Known;
            case ContentTable::State::ToBeJudged:
                return have_judged(content, std::move(met.clean_with), job);
        }
        return Meeting::Unknown;
    }

    [[nodiscard]] ContentTable::Met in_table(const MetContent& content, const Job& job) {
        ContentTable::Met met;
        with_table(
            [&](ContentTable& table) { met = table.meet(content.sha256, content.size, job.account, job.fingerprint); });
        return met;
    }

    [[nodiscard]] Meeting have_judged(const MetContent& content, std::string clean_with, const Job& job) {
        const Key key(content.sha256, content.size);
        const auto open = open_cases_.find({key, job.fingerprint});
        if (open != open_cases_.end()) {
            cases_.at(open->second).waiters.push_back({job.socket.get(), content.token});
            return Meeting::Wait;
        }
        if (open_cases_of(job) >= most_open_cases) return Meeting::Later;
        const auto id = next_case_++;
        Case opened;
        opened.key = key;
        opened.fingerprint = job.fingerprint;
        opened.clean_with = std::move(clean_with);
        opened.waiters.push_back({job.socket.get(), content.token});
        opened.time_to_copy = loop_.after(time_to_copy, [this, id] { close_case(id, false); });
        cases_.emplace(id, std::move(opened));
        open_cases_.emplace(std::pair(key, job.fingerprint), id);
        return Meeting::Send;
    }

    [[nodiscard]] std::size_t open_cases_of(const Job& job) const {
        return static_cast<std::size_t>(std::ranges::count_if(cases_, [&](const auto& one) {
            const auto& waiters = one.second.waiters;
            return !waiters.empty() && waiters.front().job == job.socket.get();
        }));
    }

    void take_copy(const ContentToJudge& sent, Job& job, Packet& packet) {
        const auto is_its = [&](const auto& one) {
            const auto& its = one.second;
            return !its.copy && its.judge < 0 && !its.waiters.empty() && its.waiters.front().job == job.socket.get() &&
                   its.waiters.front().token == sent.token;
        };
        const auto found = std::find_if(cases_.begin(), cases_.end(), is_its);
        if (found == cases_.end()) return;  // it came too late
        auto& [id, its] = *found;
        its.time_to_copy = {};
        if (packet.descriptors.empty()) return close_case(id, false);
        auto copy = examined_copy(packet.only_descriptor(), most_known_bytes);
        if (!copy || Key(copy->sha256, copy->size) != its.key) return close_case(id, false);
        its.copy = std::move(copy->file);
        queue_.push_back(id);
        hand_out();
    }

    void forget_job(int fd) {
        // Others may wait for what it would have sent; and what nobody waits for is not judged.
        std::vector<CaseId> orphaned;
        for (auto& [id, one] : cases_) {
            const bool it_sends = !one.waiters.empty() && one.waiters.front().job == fd && !one.copy;
            std::erase_if(one.waiters, [fd](const Waiter& waiter) { return waiter.job == fd; });
            if (one.judge < 0 && (it_sends || one.waiters.empty())) orphaned.push_back(id);
        }
        jobs_.erase(fd);
        for (const auto id : orphaned) close_case(id, false);
    }

    // A coordinator that hashes a large file, or has no processor, does not read for a while, and then hundreds of
    // judgements that it waits for may come.
    template <class Message>
    void send_to(Job& job, Message&& message) {
        job.unsent.add(std::forward<Message>(message));
        if (job.unsent.size() == 1 && !send_unsent(job)) job.watch.change(EPOLLIN | EPOLLOUT);
        // One that takes no answers goes on without them: it sees that the connection ends, and so do we.
        if (job.unsent.size() > most_unsent) ::shutdown(job.socket.get(), SHUT_RDWR);
    }

    // False while it takes no more. When it is gone, we hear of that.
    [[nodiscard]] static bool send_unsent(Job& job) {
        return job.unsent.flush(job.socket.get(), most_unsent) != Sent::WouldBlock;
    }

    // ---- Judges

    [[nodiscard]] bool has_judge_for(const std::string& fingerprint) const {
        return !fingerprint.empty() && std::ranges::any_of(judges_, [&](const auto& one) {
            return one.second.fingerprint == fingerprint && one.second.bases.empty();
        });
    }

    [[nodiscard]] static bool can_judge(const Judge& judge, const Case& one) {
        if (judge.fingerprint != one.fingerprint) return false;
        if (one.clean_with.empty()) return judge.bases.empty();
        return std::ranges::find(judge.bases, one.clean_with) != judge.bases.end();
    }

    void take_from_judge(int fd) {
        static constexpr Handler<Registry, void, Judge&> table[] = {handles<&Registry::take_ready>,
                                                                    handles<&Registry::take_judgement>};
        Packet packet;
        try {
            const Got got = receive_packet(fd, packet);
            if (got == Got::WouldBlock) return;
            if (got == Got::PeerGone) return forget_judge(fd);
            dispatch(table, *this, packet.bytes, judges_.at(fd));
        } catch (const Malformed& wrong) {
            log_line(Severity::Warning, std::string("known contents: a judge: ") + wrong.what());
            forget_judge(fd);
        }
    }

    void take_ready(JudgeReady ready, Judge& judge) {
        give_up_cases_of(judge.socket.get());
        judge.judging = 0;
        judge.fingerprint = std::move(ready.fingerprint);
        judge.bases = std::move(ready.bases);
        hand_out();
    }

    void take_judgement(const Judgement& judgement, Judge& judge) {
        const auto found = cases_.find(judgement.token);
        // It may have been sent to one that ended, whose place this one took.
        if (found == cases_.end() || found->second.judge != judge.socket.get()) return;
        --judge.judging;
        auto& judged = found->second;
        if (const auto job = jobs_.find(job_of(judged)); job != jobs_.end())
            job->second.judged_for += Clock::now() - judged.judged_since;
        const bool clean = judgement.judged_as == JudgedAs::Clean;
        if (!judged.clean_with.empty() && !clean) {
            judge_with_all(judgement.token, judged);
        } else {
            if (judgement.judged_as != JudgedAs::Unjudged)
                with_table([&](ContentTable& table) {
                    const auto& [sha256, size] = judged.key;
                    if (judged.clean_with.empty())
                        table.store(sha256, size, judged.fingerprint, clean);
                    else
                        table.confirm(sha256, size, judged.fingerprint);
                });
            close_case(judgement.token, clean);
        }
        hand_out();
    }

    // Whatever the new signatures alone say but "clean": what an account is told, all of them say.
    void judge_with_all(CaseId id, Case& one) {
        one.clean_with.clear();
        one.judge = -1;
        queue_.push_back(id);
    }

    // The job of which fewest contents are being judged is next; of several, the one whose contents took least time.
    // (An account has one job at a time.) However many contents another one has, and however long they take, they keep
    // it from one place at most. A case that waits for a judge that has enough to do keeps no other from another judge.
    void hand_out() {
        close_those_that_nobody_can_judge();
        std::map<int, std::size_t> judged_now;  // by job
        for (const auto& [id, one] : cases_)
            if (one.judge >= 0) ++judged_now[job_of(one)];
        const auto turn_of = [&](const Case& one) {
            const auto job = jobs_.find(job_of(one));
            return std::pair(judged_now[job_of(one)], job == jobs_.end() ? 0s : job->second.judged_for);
        };
        for (;;) {
            auto best = queue_.end();
            for (auto next = queue_.begin(); next != queue_.end(); ++next)
                if (free_judge_for(cases_.at(*next)) != judges_.end() &&
                    (best == queue_.end() || turn_of(cases_.at(*next)) < turn_of(cases_.at(*best))))
                    best = next;
            if (best == queue_.end()) return;
            const auto id = *best;
            auto& next = cases_.at(id);
            const auto judge = free_judge_for(next);
            queue_.erase(best);
            ++judged_now[job_of(next)];
            hand_to(judge->first, judge->second, id, next);
        }
    }

    // That sent its copy, or waits for longest.
    [[nodiscard]] static int job_of(const Case& one) { return one.waiters.empty() ? -1 : one.waiters.front().job; }

    void close_those_that_nobody_can_judge() {
        for (const auto id : std::vector<CaseId>(queue_.begin(), queue_.end())) {
            auto& next = cases_.at(id);
            const auto can = [&](const auto& one) { return can_judge(one.second, next); };
            if (!next.clean_with.empty() && std::ranges::none_of(judges_, can)) next.clean_with.clear();
            if (std::ranges::none_of(judges_, can)) close_case(id, false);
        }
    }

    [[nodiscard]] std::map<int, Judge>::iterator free_judge_for(const Case& one) {
        return std::ranges::find_if(judges_, [&](const auto& judge) {
            return judge.second.judging < most_judged_at_once_ && can_judge(judge.second, one);
        });
    }

    void hand_to(int fd, Judge& judge, CaseId id, Case& next) {
        ++judge.judging;
        next.judge = fd;
        next.judged_since = Clock::now();
        // If it cannot be written to, it is gone, and we hear of that.
        static_cast<void>(send_message(fd, JudgeContent{id}, {next.copy.get()}));
        if (next.clean_with.empty()) next.copy.reset();
    }

    void give_up_cases_of(int judge) {
        std::vector<CaseId> its;
        for (const auto& [id, one] : cases_)
            if (one.judge == judge) its.push_back(id);
        for (const auto id : its)
            if (auto& one = cases_.at(id); one.clean_with.empty())
                close_case(id, false);
            else
                judge_with_all(id, one);
    }

    void forget_judge(int fd) {
        give_up_cases_of(fd);
        judges_.erase(fd);
        hand_out();
    }

    void close_case(CaseId id, bool known) {
        const auto closed = cases_.extract(id);
        const auto& its = closed.mapped();
        open_cases_.erase({its.key, its.fingerprint});
        std::erase(queue_, id);
        for (const auto& waiter : its.waiters) {
            const auto job = jobs_.find(waiter.job);
            if (job != jobs_.end()) send_to(job->second, ContentJudged{waiter.token, known});
        }
    }

    // ---- The table

    void open_table() {
        const auto& engine = config_.engine;
        try {
            table_.emplace(table_file(), ContentTable::Limits{engine.known_contents_limit,
                                                              engine.known_contents_accounts, engine.rescan_days});
        } catch (const std::exception& problem) {
            close_table(problem.what());
        }
    }

    [[nodiscard]] std::string table_file() const { return config_.engine.memory_directory + "/known_contents.db"; }

    void close_table(const DatabaseError& problem) {
        close_table(problem.what());
        if (problem.is_in_file) ContentTable::remove(table_file());
    }

    // Without one, nothing is known.
    void close_table(const char* why) {
        log_line(Severity::Warning, std::string("no contents are known for a minute: ") + why);
        table_.reset();
        commit_timer_ = {};
        reopening_ = loop_.after(delay_after_failure, [this] { open_table(); });
    }

    template <class Work>
    void with_table(Work work) {
        if (!table_) return;
        try {
            work(*table_);
            if (!commit_timer_.is_set()) commit_timer_ = loop_.after(commit_interval, [this] { commit(); });
        } catch (const DatabaseError& problem) {
            close_table(problem);
        }
    }

    void commit() {
        try {
            if (table_) table_->commit();
        } catch (const DatabaseError& problem) {
            close_table(problem);
        }
    }

    const Settings& config_;
    const std::size_t most_judged_at_once_;
    EventLoop loop_;
    UniqueFd engine_;
    EventLoop::Watch engine_watch_;
    std::optional<ContentTable> table_;
    EventLoop::Timer commit_timer_;
    EventLoop::Timer reopening_;
    std::map<int, Job> jobs_;      // by their sockets
    std::map<int, Judge> judges_;  // by theirs
    std::map<CaseId, Case> cases_;
    std::map<std::pair<Key, std::string>, CaseId> open_cases_;
    std::deque<CaseId> queue_;  // those whose copies wait for a judge
    CaseId next_case_ = 1;
};

}  // namespace

void run_registry(const Settings& config, UniqueFd engine) noexcept {
    try {
        reset_signals();
        ignore_stray_signals();
        checked(::prctl(PR_SET_PDEATHSIG, SIGKILL), "die with the engine");
        checked(::prctl(PR_SET_NAME, "scan-registry"), "take a name");
        Registry(config, std::move(engine)).run();
        ::_exit(0);
    } catch (const std::exception& fault) {
        die(std::string("registry of known contents: ") + fault.what());
    }
}

}  // namespace clamscanner
