// Scans the files of one job. A child of the signature host, run as the engine's system user: it takes descriptors from
// the account's runner, passes them to its workers (worker_pool.h) and reports the verdicts to jobd. It trusts neither
// the runner nor the workers: it asks the kernel what a descriptor is, and accepts a worker's "clean" only after that
// worker has found a test virus.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "auth/base/dispatch.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/copies.h"
#include "jobs/engine/job_count.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/registry_client.h"
#include "jobs/engine/scanned_file.h"
#include "jobs/engine/settled_prefix.h"
#include "jobs/engine/verdict_memory.h"
#include "jobs/engine/worker_pool.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

// jobd has closed its connection: the job is over, or nobody waits for it any more. jobd says how it ended.
struct JobIsOver : std::runtime_error {
    JobIsOver() : std::runtime_error("jobd ended the job") {}
};

class Coordinator final : private WorkerPool::Owner, private RegistryClient::Owner {
 public:
    // `jobs`: the engine's, must outlive this. `directory`: for the temporary files of this job alone; whoever made it
    // removes it. `problem`: why the newest signatures could not be loaded, so that `engine` has earlier ones; empty if
    // it has them. `lifeline`: a descriptor that each worker keeps open as long as it lives; or -1.
    // `registry`: of known contents; empty for a job without.
    Coordinator(const Settings& config, ClamEngine& engine, JobCount& jobs, const NewJob& job,
                const std::string& directory, std::string problem, UniqueFd jobd, UniqueFd runner, int lifeline = -1,
                UniqueFd registry = {});
    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;
    // Runs until the last verdict is sent. Throws JobIsOver, FilesHang, or another fault when the job cannot continue.
    void run();

 private:
    using Find = std::variant<FoundInfected, FoundUnscanned>;  // a file of the list that is not clean

    // What the workers report.
    void begin(const ScannedFile& file) override;
    void take_answer(const FilePtr& file, bool written_out) override;
    void accept_clean(ScannedFile& file) override;
    void give_up(ScannedFile& file, UnscannedReason reason) override;
    void take_end_of_confirmed() override;
    [[nodiscard]] bool may_begin(const ScannedFile& file) const override;
    [[nodiscard]] bool expects_more() const override;
    [[nodiscard]] bool delay_the_others(const std::vector<FilePtr>& unconfirmed) const override;

    // What the registry of known contents reports.
    void accept_known(const FilePtr& file) override;
    void scan_unknown(FilePtr file) override;

    void accept_verdict(ScannedFile& file, const ScanAnswer& answer);
    [[nodiscard]] std::size_t room_for_more() const;
    [[nodiscard]] bool wants_more() const;
    void ask_again();
    void receive_from_runner();
    void take_single_file(HandOver message, Packet& packet);
    void take_files(HandOverFiles message, Packet& packet);
    void take_file(ScannedFile::Name name, UniqueFd fd);
    [[nodiscard]] bool examine(ScannedFile& file, struct stat& status);
    void take_missing(NotHandedOver message);
    void take_end(const HandOverEnd& end);
    void expect_more() const;
    void receive_from_jobd();
    void end_turn();
    void take_listed();
    void report(Find find);
    [[nodiscard]] FilePtr same_file_before(const ScannedFile& file) const;
    void add_name(ScannedFile& same, ScannedFile::Name name);
    void scan_once(FilePtr file);
    void hash_content(ScannedFile& file);
    void accept_by_content(ScannedFile& file, const std::string& virus);
    void settle_copies(ScannedFile& file);
    void count(std::uint64_t files, std::uint64_t bytes);
    [[nodiscard]] std::string hash_of_scanned(const ScannedFile& file) const;
    void send_result(const ScannedFile& file);
    void send_verdict(const ScannedFile& file, const ScannedFile::Name& name);
    void send_progress(bool even_if_recent);
    void send_ready();
    void wait();
    template <class Message>
    void send(Message&& message);
    [[nodiscard]] bool all_done() const;
    [[nodiscard]] bool nothing_waits() const;

    const Settings& config_;
    ClamEngine& engine_;
    const std::string problem_;
    const bool full_;
    VerdictMemory memory_;
    UniqueFd jobd_;
    UniqueFd runner_;
    WorkerPool workers_;
    RegistryClient registry_;
    // Files with several names, so that each is scanned once. Bounded: beyond the limit each further name is scanned
    // again.
    std::map<std::pair<std::uint64_t, std::uint64_t>, FilePtr> linked_;
    Copies copies_;
    const std::size_t most_held_;
    std::uint64_t hashed_bytes_ = 0;  // since answers and deadlines were last checked
    ScanProgress progress_;
    ScanProgress sent_progress_;
    SettledPrefix prefix_;
    Deadline progress_sent_at_;
    Deadline idle_since_;
    std::uint64_t taken_ = 0;
    std::uint64_t known_ = 0;
    std::uint64_t asked_again_ = 0;  // the last question to the registry about files that it was asked about before
    std::optional<std::uint64_t> announced_;  // by HandOverEnd
    bool withholds_;                          // jobd has not the list yet (Listed)
    std::vector<Find> withheld_;
    bool runner_gone_ = false;
    bool turn_ends_ = false;
};

}  // namespace clamscanner
