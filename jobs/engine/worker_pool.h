// The workers of one job: forked from its coordinator once a file has to be scanned, sent files, tested, given up when
// they hang, and replaced.
//
// A worker's "clean" is provisional until that worker has found a test virus that it cannot tell from any other file.
// If it misses one, or dies, the files that it called clean since its last passed test are scanned again.
#pragma once

#include <poll.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/job_count.h"
#include "jobs/engine/scanned_file.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// Workers that were killed do not end: they wait in the kernel for files that do not answer.
struct FilesHang : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class WorkerPool {
 public:
    // Whose files are scanned: the coordinator.
    class Owner {
     public:
        // A worker begins with the file.
        virtual void begin(const ScannedFile& file) = 0;
        // The answer is in the file. Unless it is "clean", it is final.
        virtual void take_answer(const FilePtr& file, bool written_out) = 0;
        // Its "clean" is final: the worker has passed a test since.
        virtual void accept_clean(ScannedFile& file) = 0;
        // It gets no other verdict.
        virtual void give_up(ScannedFile& file, UnscannedReason reason) = 0;
        // It was so for all files since the worker's last test.
        virtual void take_end_of_confirmed() = 0;
        // False while it may turn out that the file need not be scanned: those behind it wait, too.
        virtual bool may_begin(const ScannedFile& file) const = 0;
        // Whether further files may come: then verdicts can wait for the test that those will make due.
        virtual bool expects_more() const = 0;
        // Whether one of these is the first file without a final verdict, so that many later ones cannot be settled.
        virtual bool delay_the_others(const std::vector<FilePtr>& unconfirmed) const = 0;

     protected:
        Owner() = default;
        ~Owner() = default;
        Owner(const Owner&) = default;
        Owner& operator=(const Owner&) = default;
    };

    // All that is referred to must outlive this. `directory`: for temporary files; whoever made it removes it.
    // `lifeline`: a descriptor that each worker keeps open as long as it lives; or -1.
    WorkerPool(const Settings& config, ClamEngine& engine, JobCount& jobs, std::string directory, int lifeline,
               Owner& owner);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // In the order of their places in the list, whenever they come: a scan that is interrupted goes on at the first
    // place without a verdict.
    void scan(FilePtr file);
    // Of the next files to be scanned, at most `next` of them: whether `which` is true of any; and takes those.
    [[nodiscard]] bool any_of_next(std::size_t next, const std::function<bool(const ScannedFile&)>& which) const;
    [[nodiscard]] std::vector<FilePtr> take_of_next(std::size_t next,
                                                    const std::function<bool(const ScannedFile&)>& which);
    // Begins no further file, and drops those that are not begun.
    void begin_no_more();

    void assign_work();
    // Adds what to wait for. Returns for how long at most, in milliseconds.
    [[nodiscard]] int watch(std::vector<pollfd>& watched) const;
    void take_answers();
    void check_deadlines();

    [[nodiscard]] std::size_t size() const noexcept { return most_workers_; }
    // How many files may wait for a test at once, of one worker.
    [[nodiscard]] std::size_t most_untested() const noexcept { return test_every_files_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
    [[nodiscard]] bool has_yet_to_begin(const FilePtr& file) const;
    // No worker has a file or is tested.
    [[nodiscard]] bool is_idle() const;
    // Every verdict is final.
    [[nodiscard]] bool is_done() const;
    // How many died, hung or were not trusted any more.
    [[nodiscard]] std::uint64_t replaced() const noexcept { return replaced_; }
    // The working time of all workers together.
    [[nodiscard]] std::chrono::milliseconds worked() const;

 private:
    struct Request {
        FilePtr file;
        std::uint64_t token = 0;
    };
    enum class Test { None, Plain, Zipped };
    struct Worker {
        ChildProcess process;
        UniqueFd answers;
        UniqueFd requests;
        UniqueFd unread;  // our copy of the worker's end of `requests`: we take unread ones back from it
        std::string directory;
        FilePtr scanning;
        std::deque<Request> ahead;  // sent already, so that the worker never waits for us
        Test testing = Test::None;
        std::uint64_t token = 0;  // of the request it has yet to answer
        Deadline begun_at;
        Deadline deadline;
        std::vector<FilePtr> unconfirmed;
        Deadline confirmed_at;
        bool proven = false;  // passed its first test
        ~Worker();
        Worker() = default;
        Worker(const Worker&) = delete;
        Worker& operator=(const Worker&) = delete;
        [[nodiscard]] bool is_free() const { return !scanning && testing == Test::None; }
    };

    void start_workers(std::size_t share);
    void start_worker(std::size_t slot);
    void replace_worker(std::size_t slot, bool failed_test);
    void end_worker(Worker& worker);
    [[nodiscard]] bool has_next() const;
    [[nodiscard]] FilePtr take_next();
    void give(Worker& worker, FilePtr file);
    void begin(Worker& worker, Request asked);
    void begin_next(Worker& worker);
    [[nodiscard]] bool may_ask_ahead(const Worker& worker) const;
    void take_back(Worker& worker);
    void test(Worker& worker, Test test);
    [[nodiscard]] std::uint64_t send_request(Worker& worker, int fd, bool write_out);
    [[nodiscard]] bool must_be_scanned_alone() const;
    [[nodiscard]] bool needs_test(const Worker& worker, bool nothing_to_scan) const;
    void take_answers(std::size_t slot);
    void take_answer(std::size_t slot, const Packet& packet);
    void settle_test(std::size_t slot, bool found);

    const Settings& config_;
    ClamEngine& engine_;
    JobCount& jobs_;
    const std::string directory_;
    const int lifeline_;
    Owner& owner_;
    std::uint64_t replaced_ = 0;
    UniqueFd plain_test_;
    UniqueFd zipped_test_;
    UniqueFd drained_;  // an epoll descriptor: readable when a worker has read most of its requests
    const std::size_t most_workers_;
    std::vector<std::unique_ptr<Worker>> workers_;  // those that are started
    std::deque<FilePtr> waiting_;
    std::size_t test_every_files_;
    Clock::duration worked_{};  // on requests that are answered
    std::uint64_t next_token_ = 1;
    int failed_starts_ = 0;
    int stuck_workers_ = 0;
    bool begins_no_more_ = false;
};

}  // namespace clamscanner
