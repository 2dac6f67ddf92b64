#include "jobs/engine/coordinator.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

#include "auth/base/checked.h"
#include "auth/base/nanoseconds.h"
#include "jobs/engine/worker/write_out.h"
#include "jobs/shared/byte_sum.h"
#include "jobs/shared/content_hash.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto progress_interval = 200ms;
constexpr std::size_t files_ahead = 16;           // for each worker
constexpr std::size_t most_packets_at_once = 16;  // then answers and deadlines are checked
constexpr std::size_t most_asked_about = 128;     // without an answer
// Where contents may become known, so many files are hashed before the first of them is scanned: whoever scans the same
// application at the same time has met them by then, and each is judged once instead of being scanned for each account.
constexpr std::size_t most_held = 4096;
constexpr std::size_t fewest_held = 64;
constexpr std::size_t most_linked = 100'000;
// Then no more files are taken until jobd has the list. Those that were taken may still be added.
constexpr std::size_t most_withheld = 1000;
// Larger files are scanned without being hashed: while we hash, we do not read the workers' answers.
constexpr std::uint64_t most_hashed_bytes = 8 * 1024 * 1024;
constexpr std::uint64_t most_hashed_at_once = 16 * 1024 * 1024;  // then answers and deadlines are checked
constexpr std::int64_t nanoseconds_in_millisecond = 1'000'000;

// Held files are open; they may use a quarter of our descriptors.
std::size_t held_limit() {
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
    return std::clamp<std::size_t>(files.rlim_cur / 4, fewest_held, most_held);
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

Coordinator::Coordinator(const Settings& config, ClamEngine& engine, JobCount& jobs, const NewJob& job,
                         const std::string& directory, std::string problem, UniqueFd jobd, UniqueFd runner,
                         int lifeline, UniqueFd registry)
    : config_(config),
      engine_(engine),
      problem_(std::move(problem)),
      full_(job.full),
      memory_(config, job.account, engine.fingerprint()),
      jobd_(std::move(jobd)),
      runner_(std::move(runner)),
      workers_(config, engine, jobs, directory, lifeline, *this),
      registry_(full_ ? UniqueFd() : std::move(registry), engine.fingerprint(), *this),
      copies_(workers_.most_untested()),
      most_held_(held_limit()),
      withholds_(job.awaits_list) {
    set_blocking(jobd_.get(), true);
    set_blocking(runner_.get(), false);
}

template <class Message>
void Coordinator::send(Message&& message) {
    // If jobd cannot be written to, it is gone, and the job ends.
    if (send_message(jobd_.get(), std::forward<Message>(message)) != Sent::Yes) throw JobIsOver();
}

void Coordinator::run() {
    send_ready();
    idle_since_ = Clock::now();
    while (!all_done()) {
        ask_again();
        workers_.assign_work();
        wait();
        workers_.check_deadlines();
        registry_.check_deadline();
        send_progress(false);
    }
    send_progress(true);
    memory_.close();  // on the disk before the end of the scan is reported
    if (turn_ends_)
        send(TurnEnded{});
    else
        send(ScanCompleted{taken_, progress_.clean_files, known_});
    // jobd closes the connection once it has stored the results.
    Packet packet;
    static_cast<void>(receive_packet(jobd_.get(), packet));
}

bool Coordinator::all_done() const {
    if (!turn_ends_ && (withholds_ || !announced_ || !nothing_waits())) return false;
    return workers_.is_done();
}

bool Coordinator::nothing_waits() const {
    return workers_.waiting() == 0 && registry_.waiting() == 0 && registry_.put_off() == 0;
}

// ---- From the workers ----------------------------------------------------------------------------------------------

void Coordinator::begin(const ScannedFile& file) {
    progress_.current_file = file.names.front().path;
}

void Coordinator::take_answer(const FilePtr& file, bool written_out) {
    if (!std::exchange(file->counted, true)) count(file->names.size(), file->identity.size);
    if (!written_out || !is_unchanged(*file)) {
        file->stamp.reset();
        file->shares_verdict = false;
    }
    if (file->answer->verdict == Verdict::Clean) return;
    memory_.store(*file);
    accept_verdict(*file, *file->answer);
}

void Coordinator::accept_clean(ScannedFile& file) {
    memory_.store(file);
    accept_verdict(file, *file.answer);
}

void Coordinator::give_up(ScannedFile& file, UnscannedReason reason) {
    if (!std::exchange(file.counted, true)) count(file.names.size(), file.identity.size);
    ScanAnswer answer;
    answer.reason = reason;
    accept_verdict(file, answer);
}

void Coordinator::take_end_of_confirmed() {
    // Files that jobd knows to be settled need not be scanned again if we crash.
    send_progress(true);
}

bool Coordinator::may_begin(const ScannedFile& file) const {
    return !registry_.may_know_by_now(file);
}

bool Coordinator::expects_more() const {
    return !announced_ || registry_.waiting() != 0 || registry_.put_off() != 0;
}

// A slow worker has few unconfirmed verdicts, yet they keep the later ones of all other workers from being settled;
// after a crash all of those files would be scanned again.
bool Coordinator::delay_the_others(const std::vector<FilePtr>& unconfirmed) const {
    const auto is_first = [&](const FilePtr& file) {
        return !file->wants_result && file->names.front().place == prefix_.settled().files;
    };
    const auto holds_first = [&](const FilePtr& file) {
        return is_first(file) || std::any_of(file->copies.begin(), file->copies.end(), is_first);
    };
    return prefix_.out_of_order() >= workers_.most_untested() * workers_.size() &&
           std::any_of(unconfirmed.begin(), unconfirmed.end(), holds_first);
}

void Coordinator::send_ready() {
    const bool has_earlier_ones = !problem_.empty();
    const std::string problem = has_earlier_ones ? "earlier ones are in use, because " + problem_ : engine_.problem();
    send(ScannerReady{engine_.signatures(), engine_.embedded_only(), problem.substr(0, longest_message),
                      has_earlier_ones || engine_.may_lack_allow_list()});
}

// ---- Verdicts ------------------------------------------------------------------------------------------------------

void Coordinator::accept_verdict(ScannedFile& file, const ScanAnswer& answer) {
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

void Coordinator::count(std::uint64_t files, std::uint64_t bytes) {
    progress_.scanned_files += files;
    progress_.scanned_bytes = sum_of_bytes(progress_.scanned_bytes, times_bytes(files, bytes));
}

void Coordinator::send_verdict(const ScannedFile& file, const ScannedFile::Name& name) {
    const bool clean = file.answer->verdict == Verdict::Clean;
    if (file.answer->verdict == Verdict::Infected)
        report(FoundInfected{name.path, file.answer->virus, file.sha256, file.known, name.place, file.identity.size,
                             file.changed_ns / nanoseconds_in_millisecond});
    if (file.answer->verdict == Verdict::Unscanned) report(FoundUnscanned{name.path, file.answer->reason, name.place});
    if (clean) ++progress_.clean_files;
    if (file.known && clean) ++known_;
    prefix_.settle(name.place, {clean, clean && file.known, file.identity.size});
    progress_.settled = prefix_.settled();
}

void Coordinator::report(Find find) {
    if (withholds_)
        withheld_.push_back(std::move(find));
    else
        std::visit([this](auto& found) { send(std::move(found)); }, find);
}

void Coordinator::send_result(const ScannedFile& file) {
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
std::string Coordinator::hash_of_scanned(const ScannedFile& file) const {
    struct stat status {};
    if (file.identity.size > config_.engine.max_file_bytes) return {};
    auto hash = content_hash(file.fd.get(), file.identity.size);
    const bool is_same = ::fstat(file.fd.get(), &status) == 0 && identity_of(status) == file.identity &&
                         nanoseconds_of(status.st_ctim) == file.changed_ns;
    return hash && is_same ? *std::move(hash) : std::string();
}

// ---- Files from the runner -----------------------------------------------------------------------------------------

std::size_t Coordinator::room_for_more() const {
    if (runner_gone_ || turn_ends_ || registry_.unanswered() >= most_asked_about) return 0;
    if (withheld_.size() >= most_withheld) return 0;
    const auto held = workers_.waiting() + registry_.waiting() + registry_.put_off();
    const auto most = registry_.can_be_asked() ? most_held_ : files_ahead * workers_.size();
    return held < most ? most - held : 0;
}

// Each question to the registry wakes us once more, for its answer, so files are taken many at a time.
bool Coordinator::wants_more() const {
    const auto at_a_time = std::min(most_contents_together, most_held_ / 4);
    return room_for_more() >= (registry_.can_be_asked() ? at_a_time : 1);
}

// Just before a file would be scanned. Here, too, one question is about many files.
void Coordinator::ask_again() {
    const auto may_be_known = [&](const ScannedFile& file) { return registry_.may_know_by_now(file); };
    const auto next = files_ahead * workers_.size();
    if (registry_.answered() < asked_again_ || !workers_.any_of_next(next, may_be_known)) return;
    for (const auto& file : workers_.take_of_next(next + most_contents_together, may_be_known))
        if (!registry_.ask(file)) workers_.scan(file);
    asked_again_ = registry_.asked();
}

void Coordinator::receive_from_runner() {
    static constexpr Handler<Coordinator, void, Packet&> from_runner[] = {
        handles<&Coordinator::take_files>, handles<&Coordinator::take_single_file>, handles<&Coordinator::take_missing>,
        handles<&Coordinator::take_end>};
    Packet packet;
    hashed_bytes_ = 0;
    for (std::size_t i = 0; i < most_packets_at_once && room_for_more() != 0; ++i) {
        if (hashed_bytes_ >= most_hashed_at_once) return;
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
    ScannedFile missing;
    missing.names.push_back({std::move(message.path), taken_++});
    give_up(missing, message.reason);
}

// When jobd closes the connection, the job ends.
void Coordinator::receive_from_jobd() {
    Packet packet;
    if (receive_packet(jobd_.get(), packet) != Got::Packet) throw JobIsOver();
    if (is<Listed>(packet.bytes)) return take_listed();
    static_cast<void>(decode<EndTurn>(packet.bytes));
    end_turn();
}

void Coordinator::take_listed() {
    if (!std::exchange(withholds_, false)) throw Malformed("jobd has a list that this job does not await");
    for (auto& find : std::exchange(withheld_, {})) report(std::move(find));
    send_progress(true);
}

void Coordinator::end_turn() {
    turn_ends_ = true;
    // These were not begun, so they are not settled, and the next turn starts with them.
    workers_.begin_no_more();
    registry_.stop();
}

void Coordinator::take_single_file(HandOver message, Packet& packet) {
    expect_more();
    const auto file = std::make_shared<ScannedFile>();
    file->token = message.token;
    file->wants_result = true;
    file->counted = true;                                 // it is not part of the scan's progress
    file->names.push_back({std::move(message.path), 0});  // it has no place in the scan's list
    file->fd = packet.only_descriptor();
    struct stat status {};
    if (examine(*file, status)) workers_.scan(file);
}

void Coordinator::take_files(HandOverFiles message, Packet& packet) {
    expect_more();
    if (message.paths.size() != packet.descriptors.size())
        throw Malformed("a message carries the wrong number of descriptors");
    for (std::size_t i = 0; i < message.paths.size(); ++i)
        take_file({std::move(message.paths[i]), taken_++}, std::move(packet.descriptors[i]));
}

// What the kernel says of it: libclamav would call a directory, a pipe or an unreadable descriptor clean. False if it
// cannot be scanned, and has got this verdict.
bool Coordinator::examine(ScannedFile& file, struct stat& status) {
    file.taken_ns = now_ns();
    const int flags = ::fcntl(file.fd.get(), F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) != O_RDONLY || (flags & O_PATH) != 0 || ::fstat(file.fd.get(), &status) < 0) {
        give_up(file, UnscannedReason::Unreadable);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        // One of the list was a file when it was listed.
        give_up(file, file.wants_result ? UnscannedReason::Unreadable : UnscannedReason::Vanished);
        return false;
    }
    file.identity = identity_of(status);
    file.changed_ns = nanoseconds_of(status.st_ctim);
    file.links = static_cast<std::uint32_t>(std::min<nlink_t>(status.st_nlink, UINT32_MAX));
    if (file.identity.size <= config_.engine.max_file_bytes) return true;
    give_up(file, UnscannedReason::TooLarge);
    return false;
}

void Coordinator::take_file(ScannedFile::Name name, UniqueFd fd) {
    auto file = std::make_shared<ScannedFile>();
    file->names.push_back(std::move(name));
    file->fd = std::move(fd);
    struct stat status {};
    if (!examine(*file, status)) return;
    file->stamp = stamp_of(file->fd.get(), status);
    if (file->links > 1) {
        if (const auto same = same_file_before(*file)) {
            add_name(*same, std::move(file->names.front()));
            return;
        }
        const std::pair key(file->identity.device, file->identity.inode);
        if (linked_.size() < most_linked || linked_.contains(key)) linked_[key] = file;
    }
    const auto known = file->stamp && !full_ ? memory_.find(*file->stamp) : std::nullopt;
    if (known) {
        file->known = true;
        file->counted = true;
        count(1, file->identity.size);
        accept_verdict(*file, *known);
        return;
    }
    hash_content(*file);
    scan_once(std::move(file));
}

// The same file under an earlier name, if its verdict holds for this name as well: its scan has not begun, or the stamp
// has not changed since. Size and modification time are not enough: a program that writes to the file between its two
// names can reset the time.
FilePtr Coordinator::same_file_before(const ScannedFile& file) const {
    const auto found = linked_.find({file.identity.device, file.identity.inode});
    if (found == linked_.end() || found->second->identity != file.identity) return nullptr;
    const auto& same = found->second;
    const bool has_same_stamp = same->stamp && same->stamp == file.stamp && is_settled(*same->stamp, same->taken_ns);
    return has_same_stamp || workers_.has_yet_to_begin(same) ? same : nullptr;
}

void Coordinator::add_name(ScannedFile& same, ScannedFile::Name name) {
    if (same.counted) count(1, same.identity.size);
    if (same.final)
        send_verdict(same, name);
    else
        same.names.push_back(std::move(name));
}

// ---- Contents ------------------------------------------------------------------------------------------------------

// The bytes that the file has now. Small files are nearly all files, and hashing them costs a hundredth of a scan. A
// file without a stamp is left to the workers: it may be on a file system that does not answer.
void Coordinator::hash_content(ScannedFile& file) {
    const auto size = file.identity.size;
    if (!file.stamp || size > most_hashed_bytes) return;
    hashed_bytes_ += size;
    const bool is_written_out = write_out(file.fd.get());
    auto sha256 = content_hash(file.fd.get(), size);
    if (!sha256) return;
    file.content = Content{size, *std::move(sha256)};
    file.shares_verdict = is_written_out && is_unchanged(file);
}

// Called when the file is handed over, and again if the copy that it waited for got no final verdict.
void Coordinator::scan_once(FilePtr file) {
    if (file->shares_verdict && !is_unchanged(*file)) {
        file->shares_verdict = false;
        file->content.reset();
        file->stamp.reset();
    }
    if (file->shares_verdict) {
        if (const auto* virus = copies_.virus_in(*file->content)) return accept_by_content(*file, *virus);
        if (copies_.wait_for_another(file)) return;
    }
    if (file->content && registry_.ask(file)) return;
    workers_.scan(std::move(file));
}

// The bytes that were hashed are known to be clean, whatever the file holds now: so it is as if they had been scanned
// when they were read. But nothing is remembered of the file unless it is unchanged.
void Coordinator::accept_known(const FilePtr& file) {
    progress_.current_file = file->names.front().path;  // as of a file that is scanned
    if (!file->shares_verdict || !is_unchanged(*file)) {
        file->shares_verdict = false;
        file->stamp.reset();
    } else {
        copies_.remember(*file->content, "");
    }
    accept_by_content(*file, "");
}

void Coordinator::scan_unknown(FilePtr file) {
    workers_.scan(std::move(file));
}

// The verdict is one on the same bytes.
void Coordinator::accept_by_content(ScannedFile& file, const std::string& virus) {
    if (!std::exchange(file.counted, true)) count(file.names.size(), file.identity.size);
    file.answer = answer_of(virus);
    memory_.store(file);
    accept_verdict(file, *file.answer);
}

// Called once the verdict is final.
void Coordinator::settle_copies(ScannedFile& file) {
    if (file.answer->verdict != Verdict::Unscanned && file.shares_verdict && !copies_.virus_in(*file.content) &&
        content_hash(file.fd.get(), file.identity.size) == file.content->sha256 && is_unchanged(file))
        copies_.remember(*file.content, file.answer->virus);
    for (auto& copy : copies_.take_waiting(file)) scan_once(std::move(copy));
}

// ---- Time ----------------------------------------------------------------------------------------------------------

void Coordinator::send_progress(bool even_if_recent) {
    const auto now = Clock::now();
    const bool idle = nothing_waits() && workers_.is_idle();
    if (!idle) idle_since_ = now;
    progress_.waits_for_runner = idle && !announced_ && now - idle_since_ > progress_interval;
    if (!even_if_recent && now - progress_sent_at_ < progress_interval) return;
    progress_.replaced_workers = workers_.replaced();
    progress_.worker_ms = static_cast<std::uint64_t>(workers_.worked().count());
    ScanProgress said = progress_;
    if (withholds_) {
        // Nothing of the files; but what the workers do for the account counts from the beginning.
        said = {};
        said.replaced_workers = progress_.replaced_workers;
        said.worker_ms = progress_.worker_ms;
    }
    const bool changed =
        said.scanned_files != sent_progress_.scanned_files || said.clean_files != sent_progress_.clean_files ||
        said.settled != sent_progress_.settled || said.waits_for_runner != sent_progress_.waits_for_runner ||
        said.current_file != sent_progress_.current_file || said.worker_ms >= sent_progress_.worker_ms + 1000;
    if (!changed) return;
    send(said);
    sent_progress_ = std::move(said);
    progress_sent_at_ = now;
}

void Coordinator::wait() {
    std::vector<pollfd> watched;
    watched.push_back({jobd_.get(), POLLIN, 0});
    // Not even whether it is gone: as long as nothing is received, that would wake us again and again.
    watched.push_back({wants_more() ? runner_.get() : -1, POLLIN, 0});
    registry_.send();
    watched.push_back({registry_.descriptor(), POLLIN, 0});
    const int timeout = workers_.watch(watched);
    if (::poll(watched.data(), watched.size(), timeout) < 0) {
        if (errno == EINTR) return;
        throw_errno("wait for verdicts");
    }
    if (watched[0].revents != 0) receive_from_jobd();
    workers_.take_answers();
    if (watched[2].revents != 0) registry_.take_answers();
    if (watched[1].revents != 0) receive_from_runner();
}

}  // namespace clamscanner
