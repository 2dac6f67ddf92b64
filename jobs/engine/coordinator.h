// Scans the files of one job. A child of the signature host, run as the engine's system user: it takes descriptors from
// the account's runner, passes them to its workers and reports the verdicts to jobd. It trusts neither the runner nor
// the workers: it asks the kernel what a descriptor is, and accepts a worker's "clean" only after that worker has found
// a test virus that it cannot tell from any other file.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/dispatch.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/job_count.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/scan_cache.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// Workers that were killed do not end: they wait in the kernel for files that do not answer.
struct FilesHang : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// jobd has closed its connection: the job is over, or nobody waits for it any more. jobd says how it ended.
struct JobIsOver : std::runtime_error {
    JobIsOver() : std::runtime_error("jobd ended the job") {}
};

class Coordinator {
 public:
    // `jobs`: the engine's, must outlive this. `directory`: for the temporary files of this job alone; whoever made it
    // removes it. `problem`: why the newest signatures could not be loaded, so that `engine` has earlier ones; empty if
    // it has them. `lifeline`: a descriptor that each worker keeps open as long as it lives; or -1.
    Coordinator(const Settings& config, ClamEngine& engine, JobCount& jobs, const NewJob& job,
                const std::string& directory, std::string problem, UniqueFd jobd, UniqueFd runner, int lifeline = -1);
    ~Coordinator();
    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;
    // Runs until the last verdict is sent. Throws JobIsOver, FilesHang, or another fault when the job cannot continue.
    void run();

 private:
    struct Name {
        std::string path;
        std::uint64_t place = 0;  // among all files that the runner reported, from 0
    };
    // A file's content. A verdict depends on nothing else.
    struct Content {
        std::uint64_t size = 0;
        std::string sha256;
        auto operator<=>(const Content&) const = default;
    };
    // A file that waits for its verdict, with every name that it was handed over under.
    struct File {
        std::uint64_t token = 0;
        bool wants_result = false;
        std::vector<Name> names;
        UniqueFd fd;
        FileIdentity identity;
        std::int64_t changed_ns = 0;  // its change time when it was handed over
        std::string sha256;  // of an infected or individually scanned file, once its verdict is final; empty: unknown
        std::optional<FileStamp> stamp;  // at taken_ns; set if the verdict may be shared with other files
        std::int64_t taken_ns = 0;
        std::uint32_t links = 1;
        bool known = false;            // its verdict is from the cache: it was not read
        bool counted = false;          // in progress_ already, or not part of the scan
        bool was_sent = false;         // sent to a worker at least once
        bool has_failed_once = false;  // a worker failed on it once
        std::optional<ScanAnswer> answer;
        bool final = false;                         // the answer is accepted
        std::optional<Content> content;             // hashed by us; it has not changed since the file was handed over
        std::vector<std::shared_ptr<File>> copies;  // files with the same content that wait for its verdict
    };
    using FilePtr = std::shared_ptr<File>;

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
    };

    void start_worker(std::size_t slot);
    void replace_worker(std::size_t slot, bool failed_test);
    void end_worker(Worker& worker);
    void assign_work();
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
    [[nodiscard]] bool delays_the_others(const Worker& worker) const;
    void take_answers(std::size_t slot);
    void take_answer(std::size_t slot, const Packet& packet);
    void settle_test(std::size_t slot, bool found);
    void accept_verdict(File& file, const ScanAnswer& answer);
    void give_up(File& file, UnscannedReason reason);
    [[nodiscard]] bool has_room_for_more() const;
    void take_files();
    void take_file(HandOver message, Packet& packet);
    void take_missing(NotHandedOver message);
    void take_end(const HandOverEnd& end);
    void expect_more() const;
    void receive_from_jobd();
    [[nodiscard]] FilePtr same_file_before(const File& file) const;
    void add_name(File& same, Name name);
    void scan_once(FilePtr file);
    [[nodiscard]] bool is_size_seen(const FilePtr& file);
    void hash_content(const FilePtr& file);
    [[nodiscard]] FilePtr representative_of(const FilePtr& file);
    void accept_as_copy(File& file, const std::string& virus);
    void settle_copies(File& file);
    void open_scan_cache(const NewJob& job);
    [[nodiscard]] std::optional<ScanAnswer> cached_answer(const FileStamp& stamp);
    [[nodiscard]] bool is_unchanged(const File& file) const;
    void cache_verdict(const File& file);
    void count(std::uint64_t files, std::uint64_t bytes);
    void settle(std::uint64_t place, const File& file);
    [[nodiscard]] std::string hash_of_scanned(const File& file) const;
    void send_result(const File& file);
    void send_verdict(const File& file, const Name& name);
    [[nodiscard]] bool is_idle() const;
    [[nodiscard]] std::uint64_t worked_ms() const;
    void send_progress(bool even_if_recent);
    void send_ready_once();
    void wait();
    void check_deadlines();
    template <class Message>
    void send(Message&& message);
    [[nodiscard]] bool all_done() const;

    const Settings& config_;
    ClamEngine& engine_;
    JobCount& jobs_;
    const std::string problem_;
    const bool full_;
    std::optional<ScanCache> scan_cache_;
    UniqueFd jobd_;
    UniqueFd runner_;
    const int lifeline_;
    UniqueFd plain_test_;
    UniqueFd zipped_test_;
    UniqueFd drained_;           // an epoll descriptor: readable when a worker has read most of its requests
    std::string job_directory_;  // the job's temporary directory
    std::vector<std::unique_ptr<Worker>> workers_;
    std::deque<FilePtr> waiting_;
    // Files with several names, so that each is scanned once. Bounded: beyond the limit each further name is scanned
    // again.
    std::map<std::pair<std::uint64_t, std::uint64_t>, FilePtr> linked_;
    // So that copies of one content are also scanned once; bounded in the same way. The first file of a size is hashed
    // only when a second one comes, or once a worker has read it; until then it is kept here.
    std::map<std::uint64_t, std::weak_ptr<File>> sizes_seen_;
    std::map<Content, std::weak_ptr<File>> contents_under_way_;
    std::map<Content, std::string> known_contents_;  // the virus found in each, empty if it was clean
    std::size_t waiting_copies_ = 0;
    std::uint64_t hashed_bytes_ = 0;  // since answers and deadlines were last checked
    ScanProgress progress_;
    ScanProgress sent_progress_;
    // Verdicts that arrived out of order: of the files after progress_.settled, by their place.
    struct BufferedVerdict {
        bool settled = false;
        bool clean = false;
        bool known = false;
        std::uint64_t bytes = 0;
    };
    std::deque<BufferedVerdict> out_of_order_;
    Clock::duration worked_{};  // time that workers spent on requests that are answered
    Deadline progress_sent_at_;
    Deadline idle_since_;
    std::uint64_t taken_ = 0;
    std::uint64_t known_ = 0;
    std::uint64_t next_token_ = 1;
    std::optional<std::uint64_t> announced_;  // by HandOverEnd
    std::size_t test_every_files_ = 1;
    int failed_starts_ = 0;
    int stuck_workers_ = 0;
    bool ready_sent_ = false;
    bool runner_gone_ = false;
    bool turn_ends_ = false;
};

}  // namespace clamscanner
