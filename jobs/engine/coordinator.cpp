#include "jobs/engine/coordinator.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/nanoseconds.h"
#include "auth/base/random.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/test_virus.h"
#include "jobs/engine/worker/sandbox.h"
#include "jobs/engine/worker/worker.h"
#include "jobs/engine/worker/write_out.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/settings.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

// A clean verdict is provisional until its worker finds a test virus again: after this many files, or this long.
constexpr std::size_t most_untested = 256;
constexpr auto test_every = 10s;
constexpr auto test_time_limit = 60s;
constexpr auto progress_interval = 200ms;
constexpr auto grace_beyond_scan_time = 15s;
constexpr int most_failed_starts = 3;
constexpr int most_stuck_workers = 2;
constexpr auto time_to_end = 5s;                // at idle priority, on a busy machine
constexpr std::size_t files_ahead = 16;         // for each worker
constexpr std::size_t most_files_at_once = 64;  // then answers and deadlines are checked
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
constexpr std::size_t most_linked = 100'000;
constexpr std::size_t most_contents = 50'000;
// Larger files are scanned without being hashed: while we hash, we do not read the workers' answers.
constexpr std::uint64_t most_hashed_bytes = 8 * 1024 * 1024;
constexpr std::uint64_t most_hashed_at_once = 16 * 1024 * 1024;  // then answers and deadlines are checked

// Files with provisional verdicts are kept open in case they must be scanned again; they may use half of our
// descriptors.
std::size_t untested_limit(std::size_t workers) {
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
    return std::clamp<std::size_t>(files.rlim_cur / 2 / workers, 1, most_untested);
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::size_t worker_count(const Settings& config) {
    if (config.engine.scan_workers != 0) return config.engine.scan_workers;
    return std::max(1U, std::thread::hardware_concurrency());
}

// `virus`: what was found; empty if nothing was.
ScanAnswer answer_of(const std::string& virus) {
    ScanAnswer answer;
    answer.verdict = virus.empty() ? Verdict::Clean : Verdict::Infected;
    answer.virus = virus;
    return answer;
}

// The library writes no file larger than the scan limit; the rest is for its own overhead.
SandboxLimits sandbox_limits(const Settings& config) {
    return {config.engine.max_worker_memory_bytes, config.engine.max_scan_bytes + 64 * 1024 * 1024,
            config.engine.max_temporary_bytes};
}

}  // namespace

Coordinator::Worker::~Worker() {
    process = ChildProcess();  // the process first, then its directory
    std::error_code ignored;
    if (!directory.empty()) std::filesystem::remove_all(directory, ignored);
}

Coordinator::Coordinator(const Settings& config, ClamEngine& engine, JobCount& jobs, const NewJob& job,
                         const std::string& directory, std::string problem, UniqueFd jobd, UniqueFd runner,
                         int lifeline)
    : config_(config),
      engine_(engine),
      jobs_(jobs),
      problem_(std::move(problem)),
      full_(job.full),
      jobd_(std::move(jobd)),
      runner_(std::move(runner)),
      lifeline_(lifeline),
      plain_test_(sealed_file(engine.test_virus().content)),
      zipped_test_(sealed_file(stored_zip("test.com", engine.test_virus().content))),
      drained_(checked(::epoll_create1(EPOLL_CLOEXEC), "watch the workers' requests")),
      job_directory_(directory) {
    set_blocking(jobd_.get(), true);
    set_blocking(runner_.get(), false);
    workers_.resize(worker_count(config));
    test_every_files_ = untested_limit(workers_.size());
    open_scan_cache(job);
}

Coordinator::~Coordinator() {
    for (auto& worker : workers_)
        if (worker) worker->process.kill();  // all first, because each may take its time to end
    workers_.clear();
}

template <class Message>
void Coordinator::send(Message&& message) {
    // If jobd cannot be written to, it is gone, and the job ends.
    if (send_message(jobd_.get(), std::forward<Message>(message)) != Sent::Yes) throw JobIsOver();
}

void Coordinator::run() {
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) start_worker(slot);
    idle_since_ = Clock::now();
    while (!all_done()) {
        assign_work();
        wait();
        check_deadlines();
        send_progress(false);
    }
    send_progress(true);
    scan_cache_.reset();  // on the disk before the end of the scan is reported
    if (turn_ends_)
        send(TurnEnded{});
    else
        send(ScanCompleted{taken_, progress_.clean_files, known_});
    // jobd closes the connection once it has stored the results.
    Packet packet;
    static_cast<void>(receive_packet(jobd_.get(), packet));
}

bool Coordinator::all_done() const {
    if (!turn_ends_ && !(announced_ && ready_sent_ && waiting_.empty())) return false;
    return is_idle() && std::all_of(workers_.begin(), workers_.end(),
                                    [](const auto& worker) { return worker->unconfirmed.empty(); });
}

bool Coordinator::is_idle() const {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return !worker->scanning && worker->testing == Test::None; });
}

std::uint64_t Coordinator::worked_ms() const {
    const auto now = Clock::now();
    auto worked = worked_;
    for (const auto& worker : workers_)
        if (worker->scanning) worked += now - worker->begun_at;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(worked).count());
}

// ---- Workers -------------------------------------------------------------------------------------------------------

void Coordinator::start_worker(std::size_t slot) {
    auto worker = std::make_unique<Worker>();
    worker->directory = job_directory_ + "/" + random_hex(8);
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
    workers_[slot] = std::move(worker);
    test(*workers_[slot], Test::Plain);
}

// The worker died, hung, lied or missed a test virus. Files that it called clean since its last passed test are scanned
// again; the file that it was scanning is tried once more.
void Coordinator::replace_worker(std::size_t slot, bool failed_test) {
    Worker& worker = *workers_[slot];
    ++progress_.replaced_workers;
    const bool was_proven = worker.proven;
    std::vector<FilePtr> again = std::move(worker.unconfirmed);
    take_back(worker);
    for (auto& asked : worker.ahead) again.push_back(std::move(asked.file));
    const File* const scanned = worker.scanning.get();
    if (worker.scanning) again.push_back(std::move(worker.scanning));
    for (auto& file : again) {
        const bool to_blame = failed_test || file.get() == scanned;
        if (file->has_failed_once && to_blame) {
            give_up(*file, UnscannedReason::ScannerFailed);
            continue;
        }
        file->has_failed_once = file->has_failed_once || to_blame;
        file->answer.reset();
        waiting_.push_front(std::move(file));
    }
    end_worker(worker);
    failed_starts_ = was_proven ? 0 : failed_starts_ + 1;
    if (failed_starts_ >= most_failed_starts)
        throw SignatureError("the virus scanner does not find a test virus, so it is not trusted with any file");
    start_worker(slot);
}

// Its place in the room is taken by another, so what waits in the kernel for a file must not become many.
void Coordinator::end_worker(Worker& worker) {
    if (!worker.process.end(time_to_end) && ++stuck_workers_ >= most_stuck_workers)
        throw FilesHang("files do not answer: workers that read them cannot be ended");
}

std::uint64_t Coordinator::send_request(Worker& worker, int fd, bool write_out) {
    const auto token = next_token_++;
    // If the socket is full, no answer comes and the deadline ends the worker.
    static_cast<void>(send_message(worker.requests.get(), ScanRequest{token, write_out}, {fd}));
    return token;
}

void Coordinator::test(Worker& worker, Test test) {
    worker.testing = test;
    worker.deadline = Clock::now() + test_time_limit;
    worker.token = send_request(worker, test == Test::Plain ? plain_test_.get() : zipped_test_.get(), false);
}

void Coordinator::give(Worker& worker, FilePtr file) {
    file->was_sent = true;
    // An individually scanned file may be acted on, so a later change of its content must show.
    const auto token = send_request(worker, file->fd.get(), file->wants_result || file->stamp.has_value());
    if (worker.scanning)
        worker.ahead.push_back({std::move(file), token});
    else
        begin(worker, {std::move(file), token});
}

void Coordinator::begin(Worker& worker, Request asked) {
    worker.begun_at = Clock::now();
    worker.deadline = worker.begun_at + std::chrono::seconds(config_.engine.max_scan_seconds) + grace_beyond_scan_time;
    worker.token = asked.token;
    progress_.current_file = asked.file->names.front().path;
    worker.scanning = std::move(asked.file);
}

void Coordinator::begin_next(Worker& worker) {
    if (worker.ahead.empty()) return;
    begin(worker, std::move(worker.ahead.front()));
    worker.ahead.pop_front();
}

// Only while there is more than enough to do: near the end, and before files that must be scanned alone, the next free
// worker takes the next file.
bool Coordinator::may_ask_ahead(const Worker& worker) const {
    return worker.scanning && worker.ahead.size() < most_ahead && waiting_.size() > workers_.size() &&
           worker.unconfirmed.size() + worker.ahead.size() + 1 < test_every_files_ && !needs_test(worker, false) &&
           !must_be_scanned_alone();
}

// Only one of us reads each request: if we read it back, the worker has not begun it and never will.
void Coordinator::take_back(Worker& worker) {
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
    waiting_.insert(waiting_.begin(), back.begin(), back.end());
}

bool Coordinator::needs_test(const Worker& worker, bool nothing_to_scan) const {
    if (worker.unconfirmed.empty()) return false;
    if (worker.unconfirmed.size() >= test_every_files_ || Clock::now() - worker.confirmed_at > test_every) return true;
    if (delays_the_others(worker)) return true;
    // jobd waits for these: for the end of the job, or for the result of one file.
    return nothing_to_scan && (announced_ || turn_ends_ || worker.unconfirmed.back()->wants_result);
}

// A slow worker has few unconfirmed verdicts, yet they keep the later ones of all other workers from being settled;
// after a crash all of those files would be scanned again.
bool Coordinator::delays_the_others(const Worker& worker) const {
    const auto is_first = [&](const FilePtr& file) {
        return !file->wants_result && file->names.front().place == progress_.settled.files;
    };
    const auto holds_first = [&](const FilePtr& file) {
        return is_first(file) || std::any_of(file->copies.begin(), file->copies.end(), is_first);
    };
    return out_of_order_.size() >= test_every_files_ * workers_.size() &&
           std::any_of(worker.unconfirmed.begin(), worker.unconfirmed.end(), holds_first);
}

// A file that a worker failed on is scanned once more, alone, so that no other file can be the cause or be affected.
bool Coordinator::must_be_scanned_alone() const {
    const auto is_second_try = [](const auto& worker) { return worker->scanning && worker->scanning->has_failed_once; };
    if (std::any_of(workers_.begin(), workers_.end(), is_second_try)) return true;
    return waiting_.front()->has_failed_once && !is_idle();
}

Coordinator::FilePtr Coordinator::take_next() {
    FilePtr file = std::move(waiting_.front());
    waiting_.pop_front();
    return file;
}

void Coordinator::assign_work() {
    // All jobs share the cores; workers beyond our share stay idle.
    const auto share = turn_ends_ ? 0 : jobs_.share_of(workers_.size());
    const auto is_free = [](const auto& worker) { return !worker->scanning && worker->testing == Test::None; };
    const bool some_are_free = waiting_.empty() && std::any_of(workers_.begin(), workers_.end(), is_free);
    for (std::size_t slot = 0; slot < workers_.size(); ++slot)
        if (!workers_[slot]->ahead.empty() && (some_are_free || slot >= share)) take_back(*workers_[slot]);
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) {
        const auto& worker = workers_[slot];
        if (!is_free(worker)) continue;
        if (needs_test(*worker, waiting_.empty())) {
            test(*worker, Test::Plain);
        } else if (slot < share && !waiting_.empty() && !must_be_scanned_alone()) {
            give(*worker, take_next());
        }
    }
    for (std::size_t deep = 0; deep < most_ahead; ++deep)
        for (std::size_t slot = 0; slot < share; ++slot)
            if (may_ask_ahead(*workers_[slot])) give(*workers_[slot], take_next());
}

void Coordinator::take_answers(std::size_t slot) {
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

void Coordinator::take_answer(std::size_t slot, const Packet& packet) {
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
    if (!std::exchange(file->counted, true)) count(file->names.size(), file->identity.size);
    file->answer = answer;
    if (!answer.written_out || !is_unchanged(*file)) file->stamp.reset();
    if (answer.verdict != Verdict::Unscanned) hash_content(file);
    if (answer.verdict == Verdict::Clean) {
        worker.unconfirmed.push_back(std::move(file));
    } else {
        cache_verdict(*file);
        accept_verdict(*file, answer);
    }
}

void Coordinator::settle_test(std::size_t slot, bool found) {
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
    for (const auto& file : confirmed) {
        cache_verdict(*file);
        accept_verdict(*file, *file->answer);
    }
    send_ready_once();
    // Files that jobd knows to be settled need not be scanned again if we crash.
    if (!confirmed.empty()) send_progress(true);
}

void Coordinator::send_ready_once() {
    if (std::exchange(ready_sent_, true)) return;
    const bool has_earlier_ones = !problem_.empty();
    const std::string problem = has_earlier_ones ? "earlier ones are in use, because " + problem_ : engine_.problem();
    send(ScannerReady{engine_.signatures(), engine_.embedded_only(), problem.substr(0, longest_message),
                      has_earlier_ones || engine_.may_lack_allow_list()});
}

// ---- Verdicts ------------------------------------------------------------------------------------------------------

void Coordinator::accept_verdict(File& file, const ScanAnswer& answer) {
    file.answer = answer;
    file.final = true;
    if (file.fd && (file.wants_result || answer.verdict == Verdict::Infected)) file.sha256 = hash_of_scanned(file);
    if (file.wants_result)
        send_result(file);
    else
        for (const auto& name : file.names) send_verdict(file, name);
    settle_copies(file);
    // The entry may be kept for further hard links, without the descriptor and the names already reported.
    file.names.clear();
    file.fd.reset();
}

void Coordinator::give_up(File& file, UnscannedReason reason) {
    if (!std::exchange(file.counted, true)) count(file.names.size(), file.identity.size);
    ScanAnswer answer;
    answer.reason = reason;
    accept_verdict(file, answer);
}

void Coordinator::count(std::uint64_t files, std::uint64_t bytes) {
    progress_.scanned_files += files;
    progress_.scanned_bytes = sum_of_bytes(progress_.scanned_bytes, times_bytes(files, bytes));
}

void Coordinator::send_verdict(const File& file, const Name& name) {
    const bool clean = file.answer->verdict == Verdict::Clean;
    if (file.answer->verdict == Verdict::Infected)
        send(FoundInfected{name.path, file.answer->virus, file.sha256, file.known, name.place});
    if (file.answer->verdict == Verdict::Unscanned) send(FoundUnscanned{name.path, file.answer->reason, name.place});
    if (clean) ++progress_.clean_files;
    if (file.known && clean) ++known_;
    settle(name.place, file);
}

// Called after the verdict was sent: jobd stores the settled place together with the finds before it.
void Coordinator::settle(std::uint64_t place, const File& file) {
    auto& settled = progress_.settled;
    const auto at = place - settled.files;
    if (out_of_order_.size() <= at) out_of_order_.resize(at + 1);
    const bool clean = file.answer->verdict == Verdict::Clean;
    out_of_order_[at] = {true, clean, clean && file.known, file.identity.size};
    for (; !out_of_order_.empty() && out_of_order_.front().settled; out_of_order_.pop_front()) {
        ++settled.files;
        settled.bytes = sum_of_bytes(settled.bytes, out_of_order_.front().bytes);
        settled.clean_files += out_of_order_.front().clean ? 1 : 0;
        settled.known_files += out_of_order_.front().known ? 1 : 0;
    }
}

void Coordinator::send_result(const File& file) {
    ScanResult result;
    result.token = file.token;
    result.verdict = file.answer->verdict;
    result.reason = file.answer->reason;
    result.virus = file.answer->virus;
    result.identity = file.identity;
    result.sha256 = file.sha256;
    send(result);
}

// The hash of the scanned content; empty if the file has changed since it was handed over.
std::string Coordinator::hash_of_scanned(const File& file) const {
    struct stat status {};
    if (file.identity.size > config_.engine.max_file_bytes) return {};
    auto hash = content_hash(file.fd.get(), file.identity.size);
    const bool is_same = ::fstat(file.fd.get(), &status) == 0 && identity_of(status) == file.identity &&
                         nanoseconds_of(status.st_ctim) == file.changed_ns;
    return hash && is_same ? *std::move(hash) : std::string();
}

// ---- Files from the runner -----------------------------------------------------------------------------------------

bool Coordinator::has_room_for_more() const {
    return waiting_.size() < files_ahead * workers_.size() && !runner_gone_ && !turn_ends_;
}

void Coordinator::take_files() {
    static constexpr Handler<Coordinator, void, Packet&> from_runner[] = {
        handles<&Coordinator::take_file>, handles<&Coordinator::take_missing>, handles<&Coordinator::take_end>};
    Packet packet;
    hashed_bytes_ = 0;
    for (std::size_t i = 0; i < most_files_at_once && hashed_bytes_ < most_hashed_at_once && has_room_for_more(); ++i) {
        const Got got = receive_packet(runner_.get(), packet);
        if (got == Got::WouldBlock) return;
        runner_gone_ = got == Got::PeerGone;
        if (got == Got::Packet) dispatch(from_runner, *this, packet.bytes, packet);
    }
}

void Coordinator::take_end(const HandOverEnd& end) {
    announced_ = end.files;
    if (end.files != taken_) throw Malformed("the runner's count of files handed over is wrong");
}

void Coordinator::expect_more() const {
    if (announced_) throw Malformed("the runner handed over a file after the end");
}

void Coordinator::take_missing(NotHandedOver message) {
    expect_more();
    File missing;
    missing.names.push_back({std::move(message.path), taken_++});
    give_up(missing, message.reason);
}

// jobd sends only EndTurn; when it closes the connection, the job ends.
void Coordinator::receive_from_jobd() {
    Packet packet;
    if (receive_packet(jobd_.get(), packet) != Got::Packet) throw JobIsOver();
    static_cast<void>(decode<EndTurn>(packet.bytes));
    turn_ends_ = true;
    // These were not begun, so they are not settled, and the next turn starts with them.
    for (const auto& worker : workers_)
        if (worker->testing == Test::None) take_back(*worker);
    waiting_.clear();
}

void Coordinator::take_file(HandOver message, Packet& packet) {
    expect_more();
    auto file = std::make_shared<File>();
    file->token = message.token;
    file->wants_result = message.wants_result;
    file->counted = file->wants_result;  // it is not part of the scan's progress
    // An individually scanned file has no place in the scan's list.
    file->names.push_back({std::move(message.path), file->wants_result ? 0 : taken_++});
    file->fd = packet.only_descriptor();
    file->taken_ns = now_ns();
    struct stat status {};
    const int flags = ::fcntl(file->fd.get(), F_GETFL);
    // libclamav would call a directory, a pipe or an unreadable descriptor clean.
    if (flags < 0 || (flags & O_ACCMODE) != O_RDONLY || (flags & O_PATH) != 0 || ::fstat(file->fd.get(), &status) < 0 ||
        !S_ISREG(status.st_mode)) {
        give_up(*file, UnscannedReason::Unreadable);
        return;
    }
    file->identity = identity_of(status);
    file->changed_ns = nanoseconds_of(status.st_ctim);
    file->links = static_cast<std::uint32_t>(std::min<nlink_t>(status.st_nlink, UINT32_MAX));
    if (file->identity.size > config_.engine.max_file_bytes) {
        give_up(*file, UnscannedReason::TooLarge);
        return;
    }
    if (file->wants_result) {
        waiting_.push_back(std::move(file));
        return;
    }
    file->stamp = stamp_of(file->fd.get(), status);
    if (file->links > 1) {
        if (const auto same = same_file_before(*file)) {
            add_name(*same, std::move(file->names.front()));
            return;
        }
        const std::pair key(file->identity.device, file->identity.inode);
        if (linked_.size() < most_linked || linked_.contains(key)) linked_[key] = file;
    }
    const auto known = file->stamp && !full_ ? cached_answer(*file->stamp) : std::nullopt;
    if (known) {
        file->known = true;
        file->counted = true;
        count(1, file->identity.size);
        accept_verdict(*file, *known);
        return;
    }
    scan_once(std::move(file));
}

// The same file under an earlier name, if its verdict holds for this name as well: its scan has not begun, or the stamp
// has not changed since. Size and modification time are not enough: a program that writes to the file between its two
// names can reset the time.
Coordinator::FilePtr Coordinator::same_file_before(const File& file) const {
    const auto found = linked_.find({file.identity.device, file.identity.inode});
    if (found == linked_.end() || found->second->identity != file.identity) return nullptr;
    const auto& same = found->second;
    const bool has_same_stamp = same->stamp && same->stamp == file.stamp && is_settled(*same->stamp, same->taken_ns);
    const bool has_yet_to_begin = std::find(waiting_.begin(), waiting_.end(), same) != waiting_.end();
    return has_same_stamp || has_yet_to_begin ? same : nullptr;
}

void Coordinator::add_name(File& same, Name name) {
    if (same.counted) count(1, same.identity.size);
    if (same.final)
        send_verdict(same, name);
    else
        same.names.push_back(std::move(name));
}

// ---- Copies of one content -----------------------------------------------------------------------------------------
//
// A final verdict holds for every file of the job with the same bytes. We hash those bytes ourselves: a worker that was
// taken over can lie about the files it was handed, and so about their copies, but it cannot pass off a verdict on one
// content as a verdict on another. The hashed bytes are the scanned ones: changes in memory are written out first, so
// that any later change shows in the stamp, which is compared after the scan and after the hash. A file without a
// stamp, or changed too recently, is never treated as a copy. The stamp alone is not enough: on ext4 an owner can turn
// blocks of a file into zeros without a new change time (EXT4_IOC_MOVE_EXT), so a file that vouches for copies is
// hashed before its scan and again after it.

// Called when the file is handed over, and again if the copy that it waited for got no final verdict.
void Coordinator::scan_once(FilePtr file) {
    if (file->content && !is_unchanged(*file)) {
        file->content.reset();
        file->stamp.reset();
    }
    if (file->stamp && !file->content && is_size_seen(file)) hash_content(file);
    if (file->content) {
        const auto known = known_contents_.find(*file->content);
        if (known != known_contents_.end()) {
            accept_as_copy(*file, known->second);
            return;
        }
        const auto first = representative_of(file);
        if (first != file && waiting_copies_ < test_every_files_) {
            ++waiting_copies_;
            first->copies.push_back(std::move(file));
            return;
        }
    }
    waiting_.push_back(std::move(file));
}

bool Coordinator::is_size_seen(const FilePtr& file) {
    const auto met = sizes_seen_.find(file->identity.size);
    if (met == sizes_seen_.end()) {
        if (sizes_seen_.size() < most_contents) sizes_seen_.emplace(file->identity.size, file);
        return false;
    }
    if (const auto first = met->second.lock()) hash_content(first);
    return true;
}

void Coordinator::hash_content(const FilePtr& file) {
    const auto size = file->identity.size;
    const auto met = sizes_seen_.find(size);
    if (met != sizes_seen_.end() && met->second.lock() == file) met->second.reset();
    if (file->content || file->was_sent || file->final || size > most_hashed_bytes || !is_unchanged(*file)) return;
    hashed_bytes_ += size;
    if (!write_out(file->fd.get())) return;
    auto sha256 = content_hash(file->fd.get(), size);
    if (!sha256 || !is_unchanged(*file)) return;
    file->content = Content{size, *std::move(sha256)};
    static_cast<void>(representative_of(file));
}

// The file that is scanned for all files with this content: this one, if there is none yet.
Coordinator::FilePtr Coordinator::representative_of(const FilePtr& file) {
    auto& under_way = contents_under_way_[*file->content];
    if (under_way.expired()) under_way = file;
    return under_way.lock();
}

void Coordinator::accept_as_copy(File& file, const std::string& virus) {
    if (!std::exchange(file.counted, true)) count(file.names.size(), file.identity.size);
    file.answer = answer_of(virus);
    cache_verdict(file);
    accept_verdict(file, *file.answer);
}

// Called once the verdict is final.
void Coordinator::settle_copies(File& file) {
    if (!file.content) return;
    const auto under_way = contents_under_way_.find(*file.content);
    if (under_way != contents_under_way_.end() && under_way->second.lock().get() == &file)
        contents_under_way_.erase(under_way);
    if (file.answer->verdict != Verdict::Unscanned && file.stamp && known_contents_.size() < most_contents &&
        content_hash(file.fd.get(), file.identity.size) == file.content->sha256 && is_unchanged(file))
        known_contents_.emplace(*file.content, file.answer->virus);
    for (auto& copy : std::exchange(file.copies, {})) {
        --waiting_copies_;
        scan_once(std::move(copy));
    }
}

// ---- Verdicts of unchanged files ------------------------------------------------------------------------------------

void Coordinator::open_scan_cache(const NewJob& job) {
    // Without Landlock a worker that was taken over could write into any account's cache.
    if (job.account.empty() || config_.engine.rescan_days == 0 || engine_.fingerprint().empty() ||
        landlock_version() == 0)
        return;
    try {
        scan_cache_.emplace(config_, job.account, engine_.fingerprint());
    } catch (const std::exception& problem) {
        log_line(Severity::Warning, std::string("scanning without the cache of earlier verdicts: ") + problem.what());
    }
}

std::optional<ScanAnswer> Coordinator::cached_answer(const FileStamp& stamp) {
    if (!scan_cache_) return std::nullopt;
    try {
        const auto virus = scan_cache_->find(stamp);
        if (!virus) return std::nullopt;
        return answer_of(*virus);
    } catch (const DatabaseError& damaged) {
        log_line(Severity::Warning,
                 std::string("the cache of earlier verdicts is damaged and no longer used: ") + damaged.what());
        scan_cache_.reset();
        return std::nullopt;
    }
}

// Whether the file is unchanged since it was handed over, and its last change old enough for another one to show in the
// stamp. Conclusive only after changes in memory were written out.
bool Coordinator::is_unchanged(const File& file) const {
    struct stat status {};
    if (!file.stamp || ::fstat(file.fd.get(), &status) < 0) return false;
    return stamp_of(file.fd.get(), status) == file.stamp && is_settled(*file.stamp, file.taken_ns);
}

void Coordinator::cache_verdict(const File& file) {
    if (!scan_cache_ || !file.stamp || file.answer->verdict == Verdict::Unscanned) return;
    try {
        scan_cache_->store(*file.stamp, file.answer->virus);
    } catch (const DatabaseError& problem) {
        log_line(Severity::Warning, std::string("verdicts are no longer cached: ") + problem.what());
        scan_cache_.reset();
    }
}

// ---- Time ----------------------------------------------------------------------------------------------------------

void Coordinator::send_progress(bool even_if_recent) {
    const auto now = Clock::now();
    const bool idle = waiting_.empty() && is_idle();
    if (!idle) idle_since_ = now;
    progress_.waits_for_runner = ready_sent_ && idle && !announced_ && now - idle_since_ > progress_interval;
    if (!even_if_recent && now - progress_sent_at_ < progress_interval) return;
    progress_.worker_ms = worked_ms();
    const bool changed =
        progress_.scanned_files != sent_progress_.scanned_files ||
        progress_.clean_files != sent_progress_.clean_files || progress_.settled != sent_progress_.settled ||
        progress_.waits_for_runner != sent_progress_.waits_for_runner ||
        progress_.current_file != sent_progress_.current_file || progress_.worker_ms >= sent_progress_.worker_ms + 1000;
    if (!changed || !ready_sent_) return;
    send(progress_);
    sent_progress_ = progress_;
    progress_sent_at_ = now;
}

void Coordinator::wait() {
    std::vector<pollfd> watched;
    watched.push_back({jobd_.get(), POLLIN, 0});
    watched.push_back({runner_.get(), static_cast<short>(has_room_for_more() ? POLLIN : 0), 0});
    if (runner_gone_) watched.back().fd = -1;
    watched.push_back({drained_.get(), POLLIN, 0});
    int timeout = poll_ms;
    for (const auto& worker : workers_) {
        const bool is_busy = worker->ahead.size() > few_ahead;
        if (is_busy) timeout = quiet_ms;
        watched.push_back({worker->answers.get(), static_cast<short>(is_busy ? 0 : POLLIN), 0});
    }
    if (::poll(watched.data(), watched.size(), timeout) < 0) {
        if (errno == EINTR) return;
        throw_errno("wait for verdicts");
    }
    if (watched[2].revents != 0) {
        std::array<epoll_event, 16> ignored{};
        checked(::epoll_wait(drained_.get(), ignored.data(), ignored.size(), 0),
                "see which workers read their requests");
    }
    if (watched[0].revents != 0) receive_from_jobd();
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) take_answers(slot);
    if (watched[1].revents != 0) take_files();
}

void Coordinator::check_deadlines() {
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
            give_up(*slow, UnscannedReason::TimeLimit);
            replace_worker(slot, false);
        }
    }
}

}  // namespace clamscanner
