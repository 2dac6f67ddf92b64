#include "jobs/engine/worker_pool.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/random.h"
#include "jobs/engine/test_virus.h"
#include "jobs/engine/worker/messages.h"
#include "jobs/engine/worker/sandbox.h"
#include "jobs/engine/worker/worker.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

// A clean verdict is provisional until its worker finds a test virus again: after this many files, or this long.
constexpr std::size_t most_untested_files = 256;
constexpr auto test_every = 10s;
constexpr auto test_time_limit = 60s;
constexpr auto grace_beyond_scan_time = 15s;
constexpr int most_failed_starts = 3;
constexpr int most_stuck_workers = 2;
constexpr auto time_to_end = 5s;  // at idle priority, on a busy machine
constexpr int poll_ms = 200;

// Each time we wake, we take a core and its caches from a worker: waking at every answer costs 5 to 8 % of the scan
// (measured). So each worker gets several requests ahead, and we sleep until it has read most of them, or for quiet_ms.
// The kernel wakes the writing end when its packets fill no more than a quarter of the buffer; a request takes 768
// bytes of it (Linux 6.18), and setsockopt doubles the size given. With other figures we wake more often, or after
// quiet_ms.
constexpr std::size_t most_ahead = 8;
constexpr std::size_t few_ahead = 2;
constexpr int requests_buffer_bytes = 4096;
constexpr int quiet_ms = 20;

// Files with provisional verdicts are kept open in case they must be scanned again; they may use half of our
// descriptors.
std::size_t untested_limit(std::size_t workers) {
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
    return std::clamp<std::size_t>(files.rlim_cur / 2 / workers, 1, most_untested_files);
}

std::size_t worker_count(const Settings& config) {
    if (config.engine.scan_workers != 0) return config.engine.scan_workers;
    return std::max(1U, std::thread::hardware_concurrency());
}

// The library writes no file larger than the scan limit; the rest is for its own overhead.
SandboxLimits sandbox_limits(const Settings& config) {
    return {config.engine.max_worker_memory_bytes, config.engine.max_scan_bytes + 64 * 1024 * 1024,
            config.engine.max_temporary_bytes};
}

}  // namespace

WorkerPool::Worker::~Worker() {
    process = ChildProcess();  // the process first, then its directory
    std::error_code ignored;
    if (!directory.empty()) std::filesystem::remove_all(directory, ignored);
}

WorkerPool::WorkerPool(const Settings& config, ClamEngine& engine, JobCount& jobs, std::string directory, int lifeline,
                       Owner& owner)
    : config_(config),
      engine_(engine),
      jobs_(jobs),
      directory_(std::move(directory)),
      lifeline_(lifeline),
      owner_(owner),
      plain_test_(sealed_file(engine.test_virus().content)),
      zipped_test_(sealed_file(stored_zip("test.com", engine.test_virus().content))),
      drained_(checked(::epoll_create1(EPOLL_CLOEXEC), "watch the workers' requests")),
      most_workers_(worker_count(config)),
      test_every_files_(untested_limit(most_workers_)) {}

WorkerPool::~WorkerPool() {
    for (auto& worker : workers_) worker->process.kill();  // all first, because each may take its time to end
    workers_.clear();
}

void WorkerPool::begin_no_more() {
    begins_no_more_ = true;
    for (const auto& worker : workers_)
        if (worker->testing == Test::None) take_back(*worker);
    waiting_.clear();
}

void WorkerPool::scan(FilePtr file) {
    const auto place = [](const FilePtr& one) { return one->names.front().place; };
    const auto behind = std::ranges::upper_bound(waiting_, place(file), {}, place);
    waiting_.insert(behind, std::move(file));
}

bool WorkerPool::any_of_next(std::size_t next, const std::function<bool(const ScannedFile&)>& which) const {
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(next, waiting_.size()));
    return std::any_of(waiting_.begin(), end, [&](const FilePtr& file) { return which(*file); });
}

std::vector<FilePtr> WorkerPool::take_of_next(std::size_t next, const std::function<bool(const ScannedFile&)>& which) {
    std::vector<FilePtr> taken;
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(next, waiting_.size()));
    const auto kept = std::stable_partition(waiting_.begin(), end, [&](const FilePtr& file) { return !which(*file); });
    taken.assign(kept, end);
    waiting_.erase(kept, end);
    return taken;
}

int WorkerPool::watch(std::vector<pollfd>& watched) const {
    watched.push_back({drained_.get(), POLLIN, 0});
    int timeout = poll_ms;
    for (const auto& worker : workers_) {
        const bool is_busy = worker->ahead.size() > few_ahead;
        if (is_busy) timeout = quiet_ms;
        watched.push_back({worker->answers.get(), static_cast<short>(is_busy ? 0 : POLLIN), 0});
    }
    return timeout;
}

bool WorkerPool::has_yet_to_begin(const FilePtr& file) const {
    return std::find(waiting_.begin(), waiting_.end(), file) != waiting_.end();
}

bool WorkerPool::is_idle() const {
    return std::all_of(workers_.begin(), workers_.end(), [](const auto& worker) { return worker->is_free(); });
}

bool WorkerPool::is_done() const {
    return is_idle() && std::all_of(workers_.begin(), workers_.end(),
                                    [](const auto& worker) { return worker->unconfirmed.empty(); });
}

std::chrono::milliseconds WorkerPool::worked() const {
    const auto now = Clock::now();
    auto worked = worked_;
    for (const auto& worker : workers_)
        if (worker->scanning) worked += now - worker->begun_at;
    return std::chrono::duration_cast<std::chrono::milliseconds>(worked);
}

// They and their tests cost milliseconds each. Where every file is known none is needed, and where one has changed
// since, one.
void WorkerPool::start_workers(std::size_t share) {
    if (!has_next()) return;
    auto without_file = std::ranges::count_if(workers_, [](const auto& worker) { return !worker->scanning; });
    for (; workers_.size() < share && std::cmp_less(without_file, waiting_.size()); ++without_file)
        start_worker(workers_.size());
}

void WorkerPool::start_worker(std::size_t slot) {
    auto worker = std::make_unique<Worker>();
    worker->directory = directory_ + "/" + random_hex(8);
    checked(::mkdir(worker->directory.c_str(), 0700), "make a worker's temporary directory");
    auto [requests, asked] = socket_pair(SOCK_SEQPACKET);
    auto [answers, answered] = socket_pair(SOCK_SEQPACKET);
    set_blocking(requests.get(), false);
    checked(::setsockopt(requests.get(), SOL_SOCKET, SO_SNDBUF, &requests_buffer_bytes, sizeof requests_buffer_bytes),
            "limit the buffer of requests to a worker");
    epoll_event drained{EPOLLOUT | EPOLLET, {}};
    checked(::epoll_ctl(drained_.get(), EPOLL_CTL_ADD, requests.get(), &drained), "watch a worker's requests");
    const pid_t pid = checked(::fork(), "fork a worker");
    if (pid == 0) {
        jobs_.unmap();
        run_worker(engine_, {std::move(asked), std::move(answered), lifeline_}, worker->directory,
                   sandbox_limits(config_));
    }
    worker->process = ChildProcess(pid);
    worker->requests = std::move(requests);
    worker->unread = std::move(asked);
    worker->answers = std::move(answers);
    worker->confirmed_at = Clock::now();
    if (slot == workers_.size()) workers_.emplace_back();
    workers_[slot] = std::move(worker);
    test(*workers_[slot], Test::Plain);
}

// The worker died, hung, lied or missed a test virus. Files that it called clean since its last passed test are scanned
// again; the file that it was scanning is tried once more.
void WorkerPool::replace_worker(std::size_t slot, bool failed_test) {
    ++replaced_;
    Worker& worker = *workers_[slot];
    const bool was_proven = worker.proven;
    std::vector<FilePtr> again = std::move(worker.unconfirmed);
    take_back(worker);
    for (auto& asked : worker.ahead) again.push_back(std::move(asked.file));
    const ScannedFile* const scanned = worker.scanning.get();
    if (worker.scanning) again.push_back(std::move(worker.scanning));
    for (auto& file : again) {
        const bool to_blame = failed_test || file.get() == scanned;
        if (file->has_failed_once && to_blame) {
            owner_.give_up(*file, UnscannedReason::ScannerFailed);
            continue;
        }
        file->has_failed_once = file->has_failed_once || to_blame;
        file->answer.reset();
        scan(std::move(file));
    }
    end_worker(worker);
    failed_starts_ = was_proven ? 0 : failed_starts_ + 1;
    if (failed_starts_ >= most_failed_starts)
        throw SignatureError("the virus scanner does not find a test virus, so it is not trusted with any file");
    start_worker(slot);
}

// Its place in the room is taken by another, so what waits in the kernel for a file must not become many.
void WorkerPool::end_worker(Worker& worker) {
    if (!worker.process.end(time_to_end) && ++stuck_workers_ >= most_stuck_workers)
        throw FilesHang("files do not answer: workers that read them cannot be ended");
}

std::uint64_t WorkerPool::send_request(Worker& worker, int fd, bool write_out) {
    const auto token = next_token_++;
    // If the socket is full, no answer comes and the deadline ends the worker.
    static_cast<void>(send_message(worker.requests.get(), ScanRequest{token, write_out}, {fd}));
    return token;
}

void WorkerPool::test(Worker& worker, Test test) {
    worker.testing = test;
    worker.deadline = Clock::now() + test_time_limit;
    worker.token = send_request(worker, test == Test::Plain ? plain_test_.get() : zipped_test_.get(), false);
}

void WorkerPool::give(Worker& worker, FilePtr file) {
    // An individually scanned file may be acted on, so a later change of its content must show.
    const auto token = send_request(worker, file->fd.get(), file->wants_result || file->stamp.has_value());
    if (worker.scanning)
        worker.ahead.push_back({std::move(file), token});
    else
        begin(worker, {std::move(file), token});
}

void WorkerPool::begin(Worker& worker, Request asked) {
    worker.begun_at = Clock::now();
    worker.deadline = worker.begun_at + std::chrono::seconds(config_.engine.max_scan_seconds) + grace_beyond_scan_time;
    worker.token = asked.token;
    owner_.begin(*asked.file);
    worker.scanning = std::move(asked.file);
}

void WorkerPool::begin_next(Worker& worker) {
    if (worker.ahead.empty()) return;
    begin(worker, std::move(worker.ahead.front()));
    worker.ahead.pop_front();
}

// Only while there is more than enough to do: near the end, and before files that must be scanned alone, the next free
// worker takes the next file.
bool WorkerPool::may_ask_ahead(const Worker& worker) const {
    return worker.scanning && worker.ahead.size() < most_ahead && waiting_.size() > most_workers_ &&
           worker.unconfirmed.size() + worker.ahead.size() + 1 < test_every_files_ && !needs_test(worker, false) &&
           has_next();
}

// Only one of us reads each request: if we read it back, the worker has not begun it and never will.
void WorkerPool::take_back(Worker& worker) {
    std::vector<FilePtr> back;
    Packet packet;
    while (receive_packet(worker.unread.get(), packet, MSG_DONTWAIT) == Got::Packet) {
        const auto token = decode<ScanRequest>(packet.bytes).token;
        if (worker.scanning && token == worker.token) {
            back.push_back(std::exchange(worker.scanning, nullptr));
            begin_next(worker);
            continue;
        }
        // Not always the first one: answers to earlier requests may still be on their way to us.
        const auto is_it = [&](const Request& asked) { return asked.token == token; };
        const auto found = std::find_if(worker.ahead.begin(), worker.ahead.end(), is_it);
        if (found == worker.ahead.end()) continue;
        back.push_back(std::move(found->file));
        worker.ahead.erase(found);
    }
    for (auto& file : back) scan(std::move(file));
}

bool WorkerPool::needs_test(const Worker& worker, bool nothing_to_scan) const {
    if (worker.unconfirmed.empty()) return false;
    if (worker.unconfirmed.size() >= test_every_files_ || Clock::now() - worker.confirmed_at > test_every) return true;
    if (owner_.delay_the_others(worker.unconfirmed)) return true;
    // jobd waits for these: for the end of the job, or for the result of one file.
    return nothing_to_scan && (!owner_.expects_more() || begins_no_more_ || worker.unconfirmed.back()->wants_result);
}

// A file that a worker failed on is scanned once more, alone, so that no other file can be the cause or be affected.
bool WorkerPool::must_be_scanned_alone() const {
    const auto is_second_try = [](const auto& worker) { return worker->scanning && worker->scanning->has_failed_once; };
    if (std::any_of(workers_.begin(), workers_.end(), is_second_try)) return true;
    return waiting_.front()->has_failed_once && !is_idle();
}

bool WorkerPool::has_next() const {
    return !waiting_.empty() && owner_.may_begin(*waiting_.front()) && !must_be_scanned_alone();
}

FilePtr WorkerPool::take_next() {
    FilePtr file = std::move(waiting_.front());
    waiting_.pop_front();
    return file;
}

void WorkerPool::assign_work() {
    // All jobs share the cores; workers beyond our share stay idle.
    const auto share = begins_no_more_ ? 0 : jobs_.share_of(most_workers_);
    start_workers(share);
    const bool some_are_free = waiting_.empty() && std::any_of(workers_.begin(), workers_.end(),
                                                               [](const auto& worker) { return worker->is_free(); });
    for (std::size_t slot = 0; slot < workers_.size(); ++slot)
        if (!workers_[slot]->ahead.empty() && (some_are_free || slot >= share)) take_back(*workers_[slot]);
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) {
        Worker& worker = *workers_[slot];
        if (!worker.is_free()) continue;
        if (needs_test(worker, waiting_.empty())) {
            test(worker, Test::Plain);
        } else if (slot < share && has_next()) {
            give(worker, take_next());
        }
    }
    for (std::size_t deep = 0; deep < most_ahead; ++deep)
        for (std::size_t slot = 0; slot < std::min(share, workers_.size()); ++slot)
            if (may_ask_ahead(*workers_[slot])) give(*workers_[slot], take_next());
}

void WorkerPool::take_answers() {
    std::array<epoll_event, 16> ignored{};
    checked(::epoll_wait(drained_.get(), ignored.data(), ignored.size(), 0), "see which workers read their requests");
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) take_answers(slot);
}

void WorkerPool::take_answers(std::size_t slot) {
    try {
        for (Packet packet;;) {
            const Got got = receive_packet(workers_[slot]->answers.get(), packet, MSG_DONTWAIT);
            if (got == Got::WouldBlock) return;
            if (got == Got::PeerGone) throw Malformed("it ended");
            take_answer(slot, packet);
        }
    } catch (const Malformed& wrong) {
        log_line(Severity::Warning, std::string("a worker is replaced: ") + wrong.what());
        replace_worker(slot, false);
    }
}

void WorkerPool::take_answer(std::size_t slot, const Packet& packet) {
    Worker& worker = *workers_[slot];
    if (!packet.descriptors.empty()) throw Malformed("it sent a descriptor");
    const auto answer = decode<ScanAnswer>(packet.bytes);
    if (answer.token != worker.token || (!worker.scanning && worker.testing == Test::None))
        throw Malformed("it answered a request that was not sent");
    // Our own code makes only printable names; a worker that sends anything else has been taken over.
    if ((answer.verdict == Verdict::Infected) == answer.virus.empty() || printable(answer.virus) != answer.virus)
        throw Malformed("its verdict makes no sense");
    if (worker.testing != Test::None) {
        settle_test(slot, answer.verdict == Verdict::Infected);
        return;
    }
    FilePtr file = std::move(worker.scanning);
    worker.scanning.reset();
    worked_ += Clock::now() - worker.begun_at;
    begin_next(worker);
    file->answer = answer;
    if (answer.verdict == Verdict::Clean) worker.unconfirmed.push_back(file);
    owner_.take_answer(file, answer.written_out);
}

void WorkerPool::settle_test(std::size_t slot, bool found) {
    Worker& worker = *workers_[slot];
    if (!found) {
        log_line(Severity::Error,
                 "a worker did not find its test virus: the files that it called clean are scanned again");
        replace_worker(slot, true);
        return;
    }
    if (worker.testing == Test::Plain) {
        test(worker, Test::Zipped);
        return;
    }
    worker.testing = Test::None;
    worker.proven = true;
    worker.confirmed_at = Clock::now();
    const auto confirmed = std::exchange(worker.unconfirmed, {});
    for (const auto& file : confirmed) owner_.accept_clean(*file);
    if (!confirmed.empty()) owner_.take_end_of_confirmed();
}

void WorkerPool::check_deadlines() {
    const auto now = Clock::now();
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) {
        Worker& worker = *workers_[slot];
        if (now < worker.deadline) continue;
        if (worker.testing != Test::None) {
            replace_worker(slot, true);
        } else if (worker.scanning) {
            log_line(Severity::Warning, "a worker is replaced: it took longer than the time limit for a file");
            FilePtr slow = std::move(worker.scanning);
            worker.scanning.reset();
            owner_.give_up(*slow, UnscannedReason::TimeLimit);
            replace_worker(slot, false);
        }
    }
}

}  // namespace clamscanner
