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
#include "jobs/engine/worker/locked_room.h"
#include "jobs/engine/worker/worker.h"
#include "jobs/engine/worker/write_out.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/settings.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

// A clean verdict is provisional until its worker finds a test virus again: after so many files, or so long.
constexpr std::size_t most_untested = 256;
constexpr auto test_every = 10s;
constexpr auto test_time_limit = 60s;
constexpr auto progress_interval = 200ms;
constexpr auto grace_beyond_scan_time = 15s;
constexpr int most_failed_starts = 3;
constexpr std::size_t files_ahead = 16;         // for each worker
constexpr std::size_t most_files_at_once = 64;  // then answers and deadlines have their turn
constexpr int poll_ms = 200;

// Every time that we wake, we take a core and its caches from a worker: measured, at each answer 5 to 8 % of the scan.
// So each worker has some questions before it, and we sleep until it read most of them, or for so long. The kernel
// wakes the writing end when its packets fill no more than a quarter of the buffer; a question takes 768 bytes of it
// (Linux 6.18) and setsockopt doubles what it is told. With other figures we wake more often, or after quiet_ms.
constexpr std::size_t most_ahead = 8;
constexpr std::size_t few_ahead = 2;
constexpr int questions_buffer_bytes = 4096;
constexpr int quiet_ms = 20;
constexpr std::size_t most_linked = 100'000;
constexpr std::size_t most_contents = 50'000;
// Larger files are simply scanned: while one is hashed, nobody hears the workers.
constexpr std::uint64_t most_hashed_bytes = 8 * 1024 * 1024;
constexpr std::uint64_t most_hashed_at_once = 16 * 1024 * 1024;  // then answers and deadlines have their turn

// The files behind provisional verdicts are kept open, to be scanned again if need be: half of our descriptors for
// them.
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

// `virus`: what was found, empty if nothing was.
ScanAnswer answer_of(const std::string& virus) {
    ScanAnswer answer;
    answer.verdict = virus.empty() ? Verdict::Clean : Verdict::Infected;
    answer.virus = virus;
    return answer;
}

// The library writes no file larger than what it may look at; the rest is for what it puts around it.
RoomLimits room_limits(const Settings& config) {
    return {config.engine.max_worker_memory_bytes, config.engine.max_scan_bytes + 64 * 1024 * 1024,
            config.engine.max_temporary_bytes};
}

}  // namespace

Coordinator::Worker::~Worker() {
    process = ChildProcess();  // first the process, then its directory
    std::error_code ignored;
    if (!directory.empty()) std::filesystem::remove_all(directory, ignored);
}

Coordinator::Coordinator(const Settings& config, ClamEngine& engine, JobCount& jobs, const NewJob& job,
                         std::string problem, UniqueFd jobd, UniqueFd runner)
    : config_(config),
      engine_(engine),
      jobs_(jobs),
      problem_(std::move(problem)),
      full_(job.full),
      jobd_(std::move(jobd)),
      runner_(std::move(runner)),
      plain_test_(sealed_file(test_virus())),
      zipped_test_(sealed_file(zipped_test_virus())),
      drained_(checked(::epoll_create1(EPOLL_CLOEXEC), "watch the workers' questions")),
      room_(config.paths.run_directory + "/engine/tmp/" + random_hex(8)) {
    checked(::mkdir(room_.c_str(), 0700), "make the job's temporary directory");
    set_blocking(jobd_.get(), true);
    set_blocking(runner_.get(), false);
    workers_.resize(worker_count(config));
    test_every_files_ = untested_limit(workers_.size());
    open_memory(job);
}

Coordinator::~Coordinator() {
    workers_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(room_, ignored);
}

template <class Message>
void Coordinator::tell(Message&& message) {
    // jobd takes everything or is gone, and then the job is.
    if (send_message(jobd_.get(), std::forward<Message>(message)) != Sent::Yes)
        throw std::runtime_error("jobd ended the job");
}

void Coordinator::run() {
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) start_worker(slot);
    idle_since_ = Clock::now();
    while (!all_done()) {
        give_work();
        wait();
        check_deadlines();
        tell_progress(false);
    }
    tell_progress(true);
    memory_.reset();  // on the disk before anybody hears that this scan is done
    if (turn_ends_)
        tell(TurnEnded{});
    else
        tell(ScannedAll{taken_, progress_.clean_files, known_});
    // jobd closes when it has written down what it was told.
    Packet packet;
    static_cast<void>(receive_packet(jobd_.get(), packet));
}

bool Coordinator::all_done() const {
    if (!turn_ends_ && !(announced_ && ready_told_ && waiting_.empty())) return false;
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
        if (worker->scanning) worked += now - worker->asked_at;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(worked).count());
}

// ---- Workers -------------------------------------------------------------------------------------------------------

void Coordinator::start_worker(std::size_t slot) {
    auto worker = std::make_unique<Worker>();
    worker->directory = room_ + "/" + random_hex(8);
    checked(::mkdir(worker->directory.c_str(), 0700), "make a worker's temporary directory");
    auto [questions, asked] = socket_pair(SOCK_SEQPACKET);
    auto [answers, answered] = socket_pair(SOCK_SEQPACKET);
    set_blocking(questions.get(), false);
    checked(
        ::setsockopt(questions.get(), SOL_SOCKET, SO_SNDBUF, &questions_buffer_bytes, sizeof questions_buffer_bytes),
        "bound the questions to a worker");
    epoll_event drained{EPOLLOUT | EPOLLET, {}};
    checked(::epoll_ctl(drained_.get(), EPOLL_CTL_ADD, questions.get(), &drained), "watch a worker's questions");
    const pid_t pid = checked(::fork(), "fork a worker");
    if (pid == 0) {
        jobs_.leave();
        work(engine_, {std::move(asked), std::move(answered)}, worker->directory, room_limits(config_));
    }
    worker->process = ChildProcess(pid);
    worker->questions = std::move(questions);
    worker->unread = std::move(asked);
    worker->answers = std::move(answers);
    worker->confirmed_at = Clock::now();
    workers_[slot] = std::move(worker);
    test(*workers_[slot], Test::Plain);
}

// The worker died, hung, lied or found no virus where there was one. What it called clean since its last good test is
// scanned again; what it was scanning gets one more try.
void Coordinator::replace_worker(std::size_t slot, bool failed_test) {
    Worker& worker = *workers_[slot];
    const bool was_proven = worker.proven;
    std::vector<FilePtr> again = std::move(worker.unconfirmed);
    take_back(worker);
    for (auto& asked : worker.ahead) again.push_back(std::move(asked.file));
    const File* const scanned = worker.scanning.get();
    if (worker.scanning) again.push_back(std::move(worker.scanning));
    for (auto& file : again) {
        const bool to_blame = failed_test || file.get() == scanned;
        if (file->tried && to_blame) {
            give_up(*file, UnscannedReason::ScannerFailed);
            continue;
        }
        file->tried = file->tried || to_blame;
        file->answer.reset();
        waiting_.push_front(std::move(file));
    }
    failed_starts_ = was_proven ? 0 : failed_starts_ + 1;
    if (failed_starts_ >= most_failed_starts)
        throw SignatureError("the virus scanner does not find a test virus, so it is not trusted with any file");
    start_worker(slot);
}

std::uint64_t Coordinator::question(Worker& worker, int fd, bool write_out) {
    const auto token = next_token_++;
    // With no room left nobody answers, and the deadline ends the worker.
    static_cast<void>(send_message(worker.questions.get(), ScanThis{token, write_out}, {fd}));
    return token;
}

void Coordinator::test(Worker& worker, Test test) {
    worker.testing = test;
    worker.deadline = Clock::now() + test_time_limit;
    worker.token = question(worker, test == Test::Plain ? plain_test_.get() : zipped_test_.get(), false);
}

void Coordinator::give(Worker& worker, FilePtr file) {
    file->given = true;
    // What is judged by itself may be acted on: only so will another content show.
    const auto token = question(worker, file->fd.get(), file->judge || file->stamp.has_value());
    if (worker.scanning)
        worker.ahead.push_back({std::move(file), token});
    else
        begin(worker, {std::move(file), token});
}

void Coordinator::begin(Worker& worker, Asked asked) {
    worker.asked_at = Clock::now();
    worker.deadline = worker.asked_at + std::chrono::seconds(config_.engine.max_scan_seconds) + grace_beyond_scan_time;
    worker.token = asked.token;
    progress_.current_file = asked.file->names.front().path;
    worker.scanning = std::move(asked.file);
}

void Coordinator::begin_next(Worker& worker) {
    if (worker.ahead.empty()) return;
    begin(worker, std::move(worker.ahead.front()));
    worker.ahead.pop_front();
}

// While there is more than enough to do: near the end, and for files that are watched, whoever is free takes the next.
bool Coordinator::may_ask_ahead(const Worker& worker) const {
    return worker.scanning && worker.ahead.size() < most_ahead && waiting_.size() > workers_.size() &&
           worker.unconfirmed.size() + worker.ahead.size() + 1 < test_every_files_ && !wants_test(worker, false) &&
           !must_wait_for_solitude();
}

// Whoever reads a question first has it: what we read, the worker has not begun and never will.
void Coordinator::take_back(Worker& worker) {
    std::vector<FilePtr> back;
    Packet packet;
    while (receive_packet(worker.unread.get(), packet, MSG_DONTWAIT) == Got::Packet) {
        const auto token = decode<ScanThis>(packet.bytes).token;
        if (worker.scanning && token == worker.token) {
            back.push_back(std::exchange(worker.scanning, nullptr));
            begin_next(worker);
            continue;
        }
        // Not always the first of them: its answers to those before may be on their way to us.
        const auto is_it = [&](const Asked& asked) { return asked.token == token; };
        const auto found = std::find_if(worker.ahead.begin(), worker.ahead.end(), is_it);
        if (found == worker.ahead.end()) continue;
        back.push_back(std::move(found->file));
        worker.ahead.erase(found);
    }
    waiting_.insert(waiting_.begin(), back.begin(), back.end());
}

bool Coordinator::wants_test(const Worker& worker, bool nothing_to_scan) const {
    if (worker.unconfirmed.empty()) return false;
    if (worker.unconfirmed.size() >= test_every_files_ || Clock::now() - worker.confirmed_at > test_every) return true;
    if (holds_up_the_rest(worker)) return true;
    // Somebody waits for these: the end of the job, or the answer about one file.
    return nothing_to_scan && (announced_ || turn_ends_ || worker.unconfirmed.back()->judge);
}

// One that is slower than the others has few verdicts to be confirmed, and yet those of the others that come after them
// are not settled before: a crash would have all of those scanned again.
bool Coordinator::holds_up_the_rest(const Worker& worker) const {
    const auto is_first = [&](const FilePtr& file) {
        return !file->judge && file->names.front().place == progress_.settled.files;
    };
    const auto holds_first = [&](const FilePtr& file) {
        return is_first(file) || std::any_of(file->copies.begin(), file->copies.end(), is_first);
    };
    return beyond_.size() >= test_every_files_ * workers_.size() &&
           std::any_of(worker.unconfirmed.begin(), worker.unconfirmed.end(), holds_first);
}

// A file that a worker failed on before: it is scanned once more while nothing else is, so that nothing else can be to
// blame, and nothing else suffers.
bool Coordinator::must_wait_for_solitude() const {
    const auto is_second_try = [](const auto& worker) { return worker->scanning && worker->scanning->tried; };
    if (std::any_of(workers_.begin(), workers_.end(), is_second_try)) return true;
    return waiting_.front()->tried && !is_idle();
}

Coordinator::FilePtr Coordinator::take_next() {
    FilePtr file = std::move(waiting_.front());
    waiting_.pop_front();
    return file;
}

void Coordinator::give_work() {
    // The machine is for all jobs: beside others, the last of ours wait.
    const auto share = turn_ends_ ? 0 : jobs_.share_of(workers_.size());
    const auto is_free = [](const auto& worker) { return !worker->scanning && worker->testing == Test::None; };
    const bool some_are_free = waiting_.empty() && std::any_of(workers_.begin(), workers_.end(), is_free);
    for (std::size_t slot = 0; slot < workers_.size(); ++slot)
        if (!workers_[slot]->ahead.empty() && (some_are_free || slot >= share)) take_back(*workers_[slot]);
    for (std::size_t slot = 0; slot < workers_.size(); ++slot) {
        const auto& worker = workers_[slot];
        if (!is_free(worker)) continue;
        if (wants_test(*worker, waiting_.empty())) {
            test(*worker, Test::Plain);
        } else if (slot < share && !waiting_.empty() && !must_wait_for_solitude()) {
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
        throw Malformed("it answered what was not asked");
    // Our library call makes printable names of at most this length; a worker that says otherwise is not ours.
    if ((answer.verdict == Verdict::Infected) == answer.virus.empty() || printable(answer.virus) != answer.virus)
        throw Malformed("its verdict makes no sense");
    if (worker.testing != Test::None) {
        settle_test(slot, answer.verdict == Verdict::Infected);
        return;
    }
    FilePtr file = std::move(worker.scanning);
    worker.scanning.reset();
    worked_ += Clock::now() - worker.asked_at;
    begin_next(worker);
    if (!std::exchange(file->counted, true)) count(file->names.size(), file->identity.size);
    file->answer = answer;
    if (!answer.written_out || !is_still(*file)) file->stamp.reset();
    if (answer.verdict != Verdict::Unscanned) learn_content(file);
    if (answer.verdict == Verdict::Clean) {
        worker.unconfirmed.push_back(std::move(file));
    } else {
        remember(*file);
        believe(*file, answer);
    }
}

void Coordinator::settle_test(std::size_t slot, bool found) {
    Worker& worker = *workers_[slot];
    if (!found) {
        log_line(Severity::Error, "a worker did not find its test virus: what it called clean is scanned again");
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
        remember(*file);
        believe(*file, *file->answer);
    }
    tell_ready_once();
    // What jobd knows as settled need not be scanned again, whatever happens to us.
    if (!confirmed.empty()) tell_progress(true);
}

void Coordinator::tell_ready_once() {
    if (std::exchange(ready_told_, true)) return;
    tell(ScannerReady{engine_.signatures(), engine_.embedded_only(), problem_});
}

// ---- Verdicts ------------------------------------------------------------------------------------------------------

void Coordinator::believe(File& file, const ScanAnswer& answer) {
    file.answer = answer;
    file.final = true;
    if (file.fd && (file.judge || answer.verdict == Verdict::Infected)) file.sha256 = judged_content(file);
    if (file.judge)
        tell_judgement(file);
    else
        for (const auto& name : file.names) tell_verdict(file, name);
    settle_copies(file);
    // It may stay known for its further links: without its descriptor and the names that are told.
    file.names.clear();
    file.fd.reset();
}

void Coordinator::give_up(File& file, UnscannedReason reason) {
    if (!std::exchange(file.counted, true)) count(file.names.size(), file.identity.size);
    ScanAnswer answer;
    answer.reason = reason;
    believe(file, answer);
}

void Coordinator::count(std::uint64_t files, std::uint64_t bytes) {
    progress_.scanned_files += files;
    progress_.scanned_bytes += files * bytes;
}

void Coordinator::tell_verdict(const File& file, const Name& name) {
    const bool clean = file.answer->verdict == Verdict::Clean;
    if (file.answer->verdict == Verdict::Infected)
        tell(FoundInfected{name.path, file.answer->virus, file.sha256, file.known, name.place});
    if (file.answer->verdict == Verdict::Unscanned) tell(FoundUnscanned{name.path, file.answer->reason, name.place});
    if (clean) ++progress_.clean_files;
    if (file.known && clean) ++known_;
    settle(name.place, file);
}

// Called after jobd was told: in its database the place and what was found before it go together.
void Coordinator::settle(std::uint64_t place, const File& file) {
    auto& settled = progress_.settled;
    const auto at = place - settled.files;
    if (beyond_.size() <= at) beyond_.resize(at + 1);
    const bool clean = file.answer->verdict == Verdict::Clean;
    beyond_[at] = {true, clean, clean && file.known, file.identity.size};
    for (; !beyond_.empty() && beyond_.front().settled; beyond_.pop_front()) {
        ++settled.files;
        settled.bytes += beyond_.front().bytes;
        settled.clean_files += beyond_.front().clean ? 1 : 0;
        settled.known_files += beyond_.front().known ? 1 : 0;
    }
}

void Coordinator::tell_judgement(const File& file) {
    Judged judged;
    judged.token = file.token;
    judged.verdict = file.answer->verdict;
    judged.reason = file.answer->reason;
    judged.virus = file.answer->virus;
    judged.identity = file.identity;
    judged.sha256 = file.sha256;
    tell(judged);
}

// Of the content that has the verdict: if the file was changed since it was handed over, nobody knows that content any
// more.
std::string Coordinator::judged_content(const File& file) const {
    struct stat status {};
    if (file.identity.size > config_.engine.max_file_bytes) return {};
    auto hash = content_hash(file.fd.get(), file.identity.size);
    const bool is_unchanged = ::fstat(file.fd.get(), &status) == 0 && identity_of(status) == file.identity &&
                              nanoseconds_of(status.st_ctim) == file.changed_ns;
    return hash && is_unchanged ? *std::move(hash) : std::string();
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
    if (end.files != taken_) throw Malformed("the runner miscounted what it handed over");
}

void Coordinator::expect_more() const {
    if (announced_) throw Malformed("the runner hands over after the end");
}

void Coordinator::take_missing(NotHandedOver message) {
    expect_more();
    File missing;
    missing.names.push_back({std::move(message.path), taken_++});
    give_up(missing, message.reason);
}

// Its one word, and its end, which is the job's.
void Coordinator::hear_jobd() {
    Packet packet;
    if (receive_packet(jobd_.get(), packet) != Got::Packet) throw std::runtime_error("jobd ended the job");
    static_cast<void>(decode<EndTurn>(packet.bytes));
    turn_ends_ = true;
    // Not begun, so not settled: the next turn begins with them.
    for (const auto& worker : workers_)
        if (worker->testing == Test::None) take_back(*worker);
    waiting_.clear();
}

void Coordinator::take_file(HandOver message, Packet& packet) {
    expect_more();
    auto file = std::make_shared<File>();
    file->token = message.token;
    file->judge = message.judge;
    file->counted = file->judge;  // it is none of the scan's
    // What is judged by itself has no place among the files of a scan.
    file->names.push_back({std::move(message.path), file->judge ? 0 : taken_++});
    file->fd = packet.only_descriptor();
    file->taken_ns = now_ns();
    struct stat status {};
    const int flags = ::fcntl(file->fd.get(), F_GETFL);
    // A directory, a pipe or a descriptor that cannot be read would be called clean by libclamav.
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
    if (file->judge) {
        waiting_.push_back(std::move(file));
        return;
    }
    file->stamp = stamp_of(file->fd.get(), status);
    if (file->links > 1) {
        if (const auto same = other_name_of(*file)) {
            join(*same, std::move(file->names.front()));
            return;
        }
        const std::pair key(file->identity.device, file->identity.inode);
        if (linked_.size() < most_linked || linked_.contains(key)) linked_[key] = file;
    }
    const auto known = file->stamp && !full_ ? known_answer(*file->stamp) : std::nullopt;
    if (known) {
        file->known = true;
        file->counted = true;
        count(1, file->identity.size);
        believe(*file, *known);
        return;
    }
    scan_once(std::move(file));
}

// The file whose verdict is this one's, too: its scan has yet to begin, or it had the same stamp then. Size and
// modification time alone do not tell: whoever writes to the file between two of its names sets that back.
Coordinator::FilePtr Coordinator::other_name_of(const File& file) const {
    const auto found = linked_.find({file.identity.device, file.identity.inode});
    if (found == linked_.end() || found->second->identity != file.identity) return nullptr;
    const auto& same = found->second;
    const bool is_unchanged = same->stamp && same->stamp == file.stamp && is_settled(*same->stamp, same->taken_ns);
    const bool has_yet_to_begin = std::find(waiting_.begin(), waiting_.end(), same) != waiting_.end();
    return is_unchanged || has_yet_to_begin ? same : nullptr;
}

void Coordinator::join(File& same, Name name) {
    if (same.counted) count(1, same.identity.size);
    if (same.final)
        tell_verdict(same, name);
    else
        same.names.push_back(std::move(name));
}

// ---- Copies of one content -----------------------------------------------------------------------------------------
//
// A verdict that counts is that of every file of the job with the same bytes. Which bytes those are, we find out by
// ourselves: a worker that was taken over can lie about the files it was handed, and so about their copies, but never
// pass its word on one content off as that on another. And what is hashed is what was scanned: what is changed in
// memory is written out before, so that the stamp, which is compared after the scan and after the hash, tells of every
// change in between. Of a file that has no stamp, or is too young for it, no copy is known. Nor is the stamp all that
// counts: on ext4 the owner can have blocks of a file become zeros without a new change time (EXT4_IOC_MOVE_EXT), so
// what vouches for its copies is hashed before its scan and again after it.

// At its hand-over, and when there is no verdict on its content from the copy that it waited for.
void Coordinator::scan_once(FilePtr file) {
    if (file->content && !is_still(*file)) {
        file->content.reset();
        file->stamp.reset();
    }
    if (file->stamp && !file->content && is_size_met(file)) learn_content(file);
    if (file->content) {
        const auto known = known_contents_.find(*file->content);
        if (known != known_contents_.end()) {
            believe_as_copy(*file, known->second);
            return;
        }
        const auto first = scanned_for(file);
        if (first != file && waiting_copies_ < test_every_files_) {
            ++waiting_copies_;
            first->copies.push_back(std::move(file));
            return;
        }
    }
    waiting_.push_back(std::move(file));
}

bool Coordinator::is_size_met(const FilePtr& file) {
    const auto met = sizes_met_.find(file->identity.size);
    if (met == sizes_met_.end()) {
        if (sizes_met_.size() < most_contents) sizes_met_.emplace(file->identity.size, file);
        return false;
    }
    if (const auto first = met->second.lock()) learn_content(first);
    return true;
}

void Coordinator::learn_content(const FilePtr& file) {
    const auto size = file->identity.size;
    const auto met = sizes_met_.find(size);
    if (met != sizes_met_.end() && met->second.lock() == file) met->second.reset();
    if (file->content || file->given || file->final || size > most_hashed_bytes || !is_still(*file)) return;
    hashed_bytes_ += size;
    if (!write_out(file->fd.get())) return;
    auto sha256 = content_hash(file->fd.get(), size);
    if (!sha256 || !is_still(*file)) return;
    file->content = Content{size, *std::move(sha256)};
    static_cast<void>(scanned_for(file));
}

// The file that is scanned for all that have its content: itself, if there is none yet.
Coordinator::FilePtr Coordinator::scanned_for(const FilePtr& file) {
    auto& under_way = contents_under_way_[*file->content];
    if (under_way.expired()) under_way = file;
    return under_way.lock();
}

void Coordinator::believe_as_copy(File& file, const std::string& virus) {
    if (!std::exchange(file.counted, true)) count(file.names.size(), file.identity.size);
    file.answer = answer_of(virus);
    remember(file);
    believe(file, *file.answer);
}

// It has its verdict, for good.
void Coordinator::settle_copies(File& file) {
    if (!file.content) return;
    const auto under_way = contents_under_way_.find(*file.content);
    if (under_way != contents_under_way_.end() && under_way->second.lock().get() == &file)
        contents_under_way_.erase(under_way);
    if (file.answer->verdict != Verdict::Unscanned && file.stamp && known_contents_.size() < most_contents &&
        content_hash(file.fd.get(), file.identity.size) == file.content->sha256 && is_still(file))
        known_contents_.emplace(*file.content, file.answer->virus);
    for (auto& copy : std::exchange(file.copies, {})) {
        --waiting_copies_;
        scan_once(std::move(copy));
    }
}

// ---- Files known to be clean ---------------------------------------------------------------------------------------

void Coordinator::open_memory(const NewJob& job) {
    // Without Landlock a worker that was taken over could write into any account's memory.
    if (job.account.empty() || config_.engine.rescan_days == 0 || engine_.fingerprint().empty() ||
        landlock_version() == 0)
        return;
    try {
        memory_.emplace(config_, job.account, engine_.fingerprint());
    } catch (const std::exception& problem) {
        log_line(Severity::Warning, std::string("no clean file is known or remembered: ") + problem.what());
    }
}

std::optional<ScanAnswer> Coordinator::known_answer(const FileStamp& stamp) {
    if (!memory_) return std::nullopt;
    try {
        const auto virus = memory_->find(stamp);
        if (!virus) return std::nullopt;
        return answer_of(*virus);
    } catch (const DatabaseError& damaged) {
        log_line(Severity::Warning, std::string("files are known no more: ") + damaged.what());
        memory_.reset();
        return std::nullopt;
    }
}

// Whether it is what it was when it was handed over, after what was changed in memory was written out and scanned, and
// so long after its last change that another one would show.
bool Coordinator::is_still(const File& file) const {
    struct stat status {};
    if (!file.stamp || ::fstat(file.fd.get(), &status) < 0) return false;
    return stamp_of(file.fd.get(), status) == file.stamp && is_settled(*file.stamp, file.taken_ns);
}

void Coordinator::remember(const File& file) {
    if (!memory_ || !file.stamp || file.answer->verdict == Verdict::Unscanned) return;
    try {
        memory_->remember(*file.stamp, file.answer->virus);
    } catch (const DatabaseError& problem) {
        log_line(Severity::Warning, std::string("clean files are not remembered: ") + problem.what());
        memory_.reset();
    }
}

// ---- Time ----------------------------------------------------------------------------------------------------------

void Coordinator::tell_progress(bool even_if_recent) {
    const auto now = Clock::now();
    const bool idle = waiting_.empty() && is_idle();
    if (!idle) idle_since_ = now;
    progress_.waits_for_runner = ready_told_ && idle && !announced_ && now - idle_since_ > progress_interval;
    if (!even_if_recent && now - progress_told_at_ < progress_interval) return;
    progress_.worker_ms = worked_ms();
    const bool changed = progress_.scanned_files != told_.scanned_files || progress_.clean_files != told_.clean_files ||
                         progress_.settled != told_.settled || progress_.waits_for_runner != told_.waits_for_runner ||
                         progress_.current_file != told_.current_file || progress_.worker_ms >= told_.worker_ms + 1000;
    if (!changed || !ready_told_) return;
    tell(progress_);
    told_ = progress_;
    progress_told_at_ = now;
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
        checked(::epoll_wait(drained_.get(), ignored.data(), ignored.size(), 0), "see who read its questions");
    }
    if (watched[0].revents != 0) hear_jobd();
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
