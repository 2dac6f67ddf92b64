// One job's judge. A child of the process that holds the signatures, as the engine's system user: it takes descriptors
// from the account's runner, gives them to its workers and tells jobd the verdicts. Neither the runner's words nor a
// worker's are trusted: it asks the kernel what a descriptor is, and believes a worker's "clean" only after that worker
// found a test virus that looked like any other file to it.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/dispatch.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/clean_memory.h"
#include "jobs/engine/job_count.h"
#include "jobs/engine/messages.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Coordinator {
 public:
    // `jobs`: of the engine, which must outlive this. `problem`: why `engine` has not the newest signatures, if so.
    Coordinator(const Settings& config, ClamEngine& engine, JobCount& jobs, const NewJob& job, std::string problem,
                UniqueFd jobd, UniqueFd runner);
    ~Coordinator();
    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;
    // Until jobd or the last verdict ends the job. Throws what the job cannot go on after.
    void run();

 private:
    struct Name {
        std::string path;
        std::uint64_t place = 0;  // among all that the runner told of, from 0
    };
    // What a file holds. A verdict depends on nothing else.
    struct Content {
        std::uint64_t size = 0;
        std::string sha256;
        auto operator<=>(const Content&) const = default;
    };
    // A file on its way to a verdict, with every name it was handed over under.
    struct File {
        std::uint64_t token = 0;
        bool judge = false;
        std::vector<Name> names;
        UniqueFd fd;
        FileIdentity identity;
        std::int64_t changed_ns = 0;     // its change time when it was handed over
        std::string sha256;              // of what is judged or infected, once that is believed; empty: nobody knows
        std::optional<FileStamp> stamp;  // of a file whose verdict may be that of others, at taken_ns
        std::int64_t taken_ns = 0;
        std::uint32_t links = 1;
        bool known = false;    // it was not read
        bool counted = false;  // in the progress told, or no part of it
        bool given = false;    // to a worker, at least once
        bool tried = false;    // a worker failed on it once
        std::optional<ScanAnswer> answer;
        bool final = false;              // the answer is believed
        std::optional<Content> content;  // by our own hash, of what it held all the while since it was handed over
        std::vector<std::shared_ptr<File>> copies;  // files of the same content, which wait for its verdict
    };
    using FilePtr = std::shared_ptr<File>;

    struct Asked {
        FilePtr file;
        std::uint64_t token = 0;
    };

    enum class Test { None, Plain, Zipped };
    struct Worker {
        ChildProcess process;
        UniqueFd answers;
        UniqueFd questions;
        UniqueFd unread;  // the worker's end of `questions`, from which we take back what it has not begun
        std::string directory;
        FilePtr scanning;
        std::deque<Asked> ahead;  // so that it need not wait for us between two files
        Test testing = Test::None;
        std::uint64_t token = 0;  // of the question it owes an answer to
        Deadline asked_at;
        Deadline deadline;
        std::vector<FilePtr> unconfirmed;
        Deadline confirmed_at;
        bool proven = false;  // passed its first test
        ~Worker();
        Worker() = default;
        Worker(const Worker&) = delete;
        Worker& operator=(const Worker&) = delete;
    };

    void start_worker(std::size_t slot);
    void replace_worker(std::size_t slot, bool failed_test);
    void give_work();
    [[nodiscard]] FilePtr take_next();
    void give(Worker& worker, FilePtr file);
    void begin(Worker& worker, Asked asked);
    void begin_next(Worker& worker);
    [[nodiscard]] bool may_ask_ahead(const Worker& worker) const;
    void take_back(Worker& worker);
    void test(Worker& worker, Test test);
    [[nodiscard]] std::uint64_t question(Worker& worker, int fd, bool write_out);
    [[nodiscard]] bool must_wait_for_solitude() const;
    [[nodiscard]] bool wants_test(const Worker& worker, bool nothing_to_scan) const;
    [[nodiscard]] bool holds_up_the_rest(const Worker& worker) const;
    void take_answers(std::size_t slot);
    void take_answer(std::size_t slot, const Packet& packet);
    void settle_test(std::size_t slot, bool found);
    void believe(File& file, const ScanAnswer& answer);
    void give_up(File& file, UnscannedReason reason);
    [[nodiscard]] bool has_room_for_more() const;
    void take_files();
    void take_file(HandOver message, Packet& packet);
    void take_missing(NotHandedOver message);
    void take_end(const HandOverEnd& end);
    void expect_more() const;
    void hear_jobd();
    [[nodiscard]] FilePtr other_name_of(const File& file) const;
    void join(File& same, Name name);
    void scan_once(FilePtr file);
    [[nodiscard]] bool is_size_met(const FilePtr& file);
    void learn_content(const FilePtr& file);
    [[nodiscard]] FilePtr scanned_for(const FilePtr& file);
    void believe_as_copy(File& file, const std::string& virus);
    void settle_copies(File& file);
    void open_memory(const NewJob& job);
    [[nodiscard]] std::optional<ScanAnswer> known_answer(const FileStamp& stamp);
    [[nodiscard]] bool is_still(const File& file) const;
    void remember(const File& file);
    void count(std::uint64_t files, std::uint64_t bytes);
    void settle(std::uint64_t place, const File& file);
    [[nodiscard]] std::string judged_content(const File& file) const;
    void tell_judgement(const File& file);
    void tell_verdict(const File& file, const Name& name);
    [[nodiscard]] bool is_idle() const;
    [[nodiscard]] std::uint64_t worked_ms() const;
    void tell_progress(bool even_if_recent);
    void tell_ready_once();
    void wait();
    void check_deadlines();
    template <class Message>
    void tell(Message&& message);
    [[nodiscard]] bool all_done() const;

    const Settings& config_;
    ClamEngine& engine_;
    JobCount& jobs_;
    const std::string problem_;
    const bool full_;
    std::optional<CleanMemory> memory_;
    UniqueFd jobd_;
    UniqueFd runner_;
    UniqueFd plain_test_;
    UniqueFd zipped_test_;
    UniqueFd drained_;  // of epoll: readable when a worker has read most of what it was asked
    std::string room_;  // the job's temporary directory
    std::vector<std::unique_ptr<Worker>> workers_;
    std::deque<FilePtr> waiting_;
    // Files with several names, so that each is scanned once. Bounded: beyond it a name more is a scan more.
    std::map<std::pair<std::uint64_t, std::uint64_t>, FilePtr> linked_;
    // So that copies of one content are scanned once, too, and bounded likewise. The first file of a size is not read
    // for that before there is a second, or a worker has read it: so long it stands here.
    std::map<std::uint64_t, std::weak_ptr<File>> sizes_met_;
    std::map<Content, std::weak_ptr<File>> contents_under_way_;
    std::map<Content, std::string> known_contents_;  // what was found in each, empty if it was clean
    std::size_t waiting_copies_ = 0;
    std::uint64_t hashed_bytes_ = 0;  // since answers and deadlines last had their turn
    ScanProgress progress_;
    ScanProgress told_;
    // What is settled out of order: the places after progress_.settled, as far as they have their verdict.
    struct Place {
        bool settled = false;
        bool clean = false;
        bool known = false;
        std::uint64_t bytes = 0;
    };
    std::deque<Place> beyond_;
    Clock::duration worked_{};  // by workers, on questions that are answered
    Deadline progress_told_at_;
    Deadline idle_since_;
    std::uint64_t taken_ = 0;
    std::uint64_t known_ = 0;
    std::uint64_t next_token_ = 1;
    std::optional<std::uint64_t> announced_;  // by HandOverEnd
    std::size_t test_every_files_ = 1;
    int failed_starts_ = 0;
    bool ready_told_ = false;
    bool runner_gone_ = false;
    bool turn_ends_ = false;
};

}  // namespace clamscanner
