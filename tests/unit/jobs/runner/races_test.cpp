// Simulates a hostile owner: while a file is deleted, quarantined or restored, or a message is taken out of a mailbox
// or put back, another process of the same user moves and exchanges names or rewrites content as fast as it can.
// Permissions do not hinder it. It never replaces or removes anything, so anything missing at the end was destroyed by
// the code under test. At some moment it is killed, and everything in the home and outside is counted.
//
// TMPDIR=/tmp puts the homes on a disk, where syncing gives the attacker much more time; CLAMSCANNER_SOAK=1 runs ten
// times as many rounds.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "jobs/runner/careful_moves.h"
#include "jobs/runner/restoration.h"
#include "jobs/shared/quarantine_record.h"
#include "tests/unit/mailbox_home.h"

namespace clamscanner {
namespace {

// A round would wait for the disk about ten times, and there are thousands of rounds.
struct InMemory {
    InMemory() {
        if (::access("/dev/shm", W_OK | X_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 0);
    }
};
BOOST_TEST_GLOBAL_FIXTURE(InMemory);

const std::string opaque = "0123456789abcdef0123456789abcdef";
const std::string kept_in = quarantine_directory;
// All of the same length.
const std::string infected = "evil bytes";
const std::string harmless = "good bytes";
const std::string precious = "dear bytes";

const std::string linked = "precious, and of three names";
const std::string treasure = "precious, and in a directory";
const std::string neighbour = "precious, and beside the target";
// What must never be lost, and how many names each has.
const std::vector<std::pair<std::string, std::size_t>> all_precious = {
    {precious, 1}, {linked, 3}, {treasure, 1}, {neighbour, 1}};
constexpr std::size_t all_symlinks = 3;

enum class Attack {
    LinkedParent,      // the directory becomes a link to one outside
    MovedParent,       // the directory is moved away briefly
    MovedAway,         // the file is moved away briefly
    Exchanged,         // for a precious file of the same size and time, at once
    Replaced,          // by the same in two steps
    HardLinked,        // exchanged for a further name of a precious file
    Symlinked,         // exchanged for a link to a file outside
    Directory,         // exchanged for a directory with a precious file in it
    Rewritten,         // behind its size and time
    LinkedQuarantine,  // the quarantine becomes a link to a directory outside
    Planted,           // a further name of a precious file under the opaque name in the quarantine
};
constexpr std::array<const char*, 11> attack_names = {"linked parent", "moved parent",      "moved away", "exchanged",
                                                      "replaced",      "hard link",         "symlink",    "directory",
                                                      "rewritten",     "linked quarantine", "planted"};

// ---- The two processes ---------------------------------------------------------------------------------------------

// Memory that both processes share.
struct Shared {
    std::atomic<unsigned> turns{0};
    // Incremented before and after each rewriting: even while the content is stable, and then it is infected every
    // other time.
    std::atomic<unsigned> rewritings{0};
};
static_assert(std::atomic<unsigned>::is_always_lock_free);

// The target of the attack: paths below the home.
struct Target {
    std::string parent;
    std::string file;
    std::string stored;  // in the quarantine
    std::string moved;   // one of the two
    std::string rewritten;
    off_t at = 0;
    std::string infected;  // there, and what it is exchanged for
    std::string harmless;
};

class Attacker {
 public:
    Attacker(Attack attack, const Target& target, const TemporaryDirectory& home, Shared& shared, unsigned seed)
        : attack_(attack),
          target_(target),
          home_(home.fd.get()),
          shared_(shared),
          random_(seed),
          in_a_hurry_(seed / 2 % 2 == 0) {
        shared_.turns = 0;
        shared_.rewritings = 0;
        const std::string path = home.path + "/" + target.rewritten;
        struct stat status {};
        checked(::stat(path.c_str(), &status), "examine the target");
        checked(::chmod(path.c_str(), 0600), "make the target writable");
        file_.reset(checked(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open the target"));
        checked(::chmod(path.c_str(), status.st_mode & 07777), "make the target as it was");
        times_[0] = status.st_atim;
        times_[1] = status.st_mtim;
        int begun[2] = {};
        checked(::pipe2(begun, O_CLOEXEC), "make a pipe");
        begun_.reset(begun[0]);
        UniqueFd writing(begun[1]);
        const int processor = ::sched_getcpu();
        pid_ = checked(::fork(), "start the attacker");
        if (pid_ == 0) attack_for_ever(processor, 1 + seed % 4, std::move(writing));
    }
    Attacker(const Attacker&) = delete;
    Attacker& operator=(const Attacker&) = delete;
    ~Attacker() {
        ::kill(pid_, SIGKILL);
        uninterrupted([&] { return ::waitpid(pid_, nullptr, 0); });
    }

    // Waits until the attack has begun. False if the process ended instead.
    [[nodiscard]] bool attacks() const {
        char byte = 0;
        return uninterrupted([&] { return ::read(begun_.get(), &byte, 1); }) == 1;
    }

 private:
    [[noreturn]] void attack_for_ever(int processor, unsigned at_first, UniqueFd begun) noexcept {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::prctl(PR_SET_TIMERSLACK, 1);
        leave(processor);
        for (;;) {
            take_turn();
            if (++shared_.turns == at_first && ::write(begun.get(), "", 1) != 1) ::_exit(1);
            pause();
        }
    }

    // Leaves this processor to the attacked process, if there is another one: on the same processor they would wait for
    // each other.
    static void leave(int processor) noexcept {
        cpu_set_t processors;
        if (::sched_getaffinity(0, sizeof processors, &processors) < 0) return;
        CPU_CLR(static_cast<unsigned>(processor), &processors);
        if (CPU_COUNT(&processors) > 0) ::sched_setaffinity(0, sizeof processors, &processors);
    }

    void take_turn() noexcept {
        switch (attack_) {
            case Attack::LinkedParent:
                return exchange(target_.parent, "corner/outside");
            case Attack::MovedParent:
                return put_or_take("corner/parent", target_.parent);
            case Attack::MovedAway:
                return put_or_take("corner/away", target_.moved);
            case Attack::Exchanged:
                return exchange(target_.file, "corner/precious");
            case Attack::Replaced:
                move(target_.file, "corner/away");
                pause();
                move("corner/precious", target_.file);
                pause();
                move(target_.file, "corner/precious");
                pause();
                move("corner/away", target_.file);
                return;
            case Attack::HardLinked:
                return exchange(target_.file, "corner/link");
            case Attack::Symlinked:
                return exchange(target_.file, "corner/symlink");
            case Attack::Directory:
                return exchange(target_.file, "corner/directory");
            case Attack::Rewritten:
                return rewrite_target();
            case Attack::LinkedQuarantine:
                return exchange(kept_in, "corner/outside-quarantine");
            case Attack::Planted:
                return exchange(target_.stored, "corner/plant");
        }
    }

    // In a hurry, as many turns as possible fall into the attacked operation; otherwise at most one does. Content must
    // stay long enough for the outcome to be checked.
    void pause() noexcept {
        if (random_() % (in_a_hurry_ ? 64 : 2) != 0) return;
        const unsigned longest = attack_ == Attack::Rewritten ? 14 : 11;
        std::this_thread::sleep_for(std::chrono::microseconds(1U << random_() % longest));
    }

    bool rename(const std::string& from, const std::string& to, unsigned how) noexcept {
        return ::renameat2(home_, from.c_str(), home_, to.c_str(), how) == 0;
    }
    bool move(const std::string& from, const std::string& to) noexcept { return rename(from, to, RENAME_NOREPLACE); }
    void put_or_take(const std::string& aside, const std::string& name) noexcept {
        if (!move(aside, name)) move(name, aside);
    }
    // If one path is free, the file at the other path is moved there, and then moved back.
    void exchange(const std::string& name, const std::string& other) noexcept {
        if (!rename(name, other, RENAME_EXCHANGE)) put_or_take(other, name);
    }

    void rewrite_target() noexcept {
        const auto& bytes = shared_.rewritings % 4 == 0 ? target_.harmless : target_.infected;
        ++shared_.rewritings;
        if (::pwrite(file_.get(), bytes.data(), bytes.size(), target_.at) < 0 || ::futimens(file_.get(), times_) < 0)
            ::_exit(1);
        ++shared_.rewritings;
    }

    Attack attack_;
    const Target& target_;
    int home_;
    Shared& shared_;
    std::minstd_rand random_;
    bool in_a_hurry_;
    UniqueFd file_;
    UniqueFd begun_;
    timespec times_[2];
    pid_t pid_ = -1;
};

// ---- Counting what is left ------------------------------------------------------------------------------------------

struct Found {
    std::string path;
    std::string content;
    ino_t inode = 0;
    mode_t mode = 0;
    bool captured = false;  // found under an opaque name
};

struct Census {
    explicit Census(const TemporaryDirectory& home) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(home.path)) {
            if (entry.is_symlink()) ++symlinks;
            if (entry.is_symlink() || !entry.is_regular_file()) continue;
            Found file;
            file.path = entry.path().lexically_relative(home.path);
            file.content = home.read(file.path);
            struct stat status {};
            checked(::lstat(entry.path().c_str(), &status), "examine what is left");
            file.inode = status.st_ino;
            file.mode = status.st_mode & 07777;
            file.captured = file.path.find(opaque.substr(0, 27)) != std::string::npos && !file.path.ends_with(".json");
            files.push_back(std::move(file));
        }
    }
    [[nodiscard]] std::vector<Found> of(const std::string& content) const {
        std::vector<Found> found;
        for (const auto& file : files)
            if (file.content == content) found.push_back(file);
        return found;
    }
    [[nodiscard]] std::size_t holding(const std::string& text) const {
        return static_cast<std::size_t>(std::count_if(files.begin(), files.end(), [&](const Found& file) {
            return file.content.find(text) != std::string::npos;
        }));
    }

    std::vector<Found> files;
    std::size_t symlinks = 0;
};

// Everything in a directory, and whether there was ever anything else: that would have changed the directory's time.
std::string description_of(const TemporaryDirectory& directory) {
    std::set<std::string> lines;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path)) {
        struct stat status {};
        checked(::lstat(entry.path().c_str(), &status), "examine what is outside");
        std::ostringstream line;
        line << entry.path() << ' ' << status.st_ino << ' ' << status.st_mode << ' ' << status.st_size << ' '
             << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec << ' ' << status.st_uid;
        if (entry.is_regular_file()) line << ' ' << directory.read(entry.path().lexically_relative(directory.path));
        lines.insert(line.str());
    }
    std::string all;
    for (const auto& line : lines) all += line + "\n";
    return all;
}

struct Outcome {
    RecordState state = RecordState::Error;
    std::string message;
    bool done = false;
    std::uint64_t inode = 0;
    std::vector<Saved> saved;
};

// The outcome to check, with the facts about the attack.
struct Round {
    Attack attack;
    bool special;  // as given to furnish()
    Outcome outcome;
    std::optional<bool> was_infected;  // if it did not change meanwhile
    const Census& census;
};

// ---- The attacked operations ----------------------------------------------------------------------------------------

struct FileHome {
    FileHome() {
        home.write("dir/virus", infected);
        const UniqueFd file(checked(::open((home.path + "/dir/virus").c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
        const timespec times[2] = {{1'500'000'000, 0}, {1'600'000'000, 0}};
        checked(::fchmod(file.get(), 0640), "set a file's mode");
        checked(::futimens(file.get(), times), "set a file's times");
        struct stat status {};
        checked(::fstat(file.get(), &status), "examine a file");
        order.path = home.path + "/dir/virus";
        order.opaque = opaque;
        order.identity = identity_of(status);
        order.sha256 = *content_hash(file.get());
        order.virus = "Eicar";
        order.metadata = metadata_of(file.get());
    }
    [[nodiscard]] Outcome outcome_of(const Acted& acted) const {
        return {acted.state, acted.message, acted.state != RecordState::Error, acted.inode, {}};
    }
    // A file that was put back, or should have been, counts as an Error here: nothing was done.
    [[nodiscard]] Acted dispose(Action action) const {
        Act now = order;
        now.action = action;
        Disposal disposal(home.fd.get(), home.path);
        Acted acted = disposal.act(now);
        // As jobd does: the moved file is scanned where it is now.
        for (int attempts = 0; acted.content_differs && attempts < 5; ++attempts) {
            // As it was when it was moved: later it has the mode that we gave it.
            if (!std::exchange(now.again, true)) now.metadata = acted.metadata;
            now.action = Action::Quarantine;
            try {
                const UniqueFd moved = disposal.open_moved(now.path, now.opaque);
                struct stat status {};
                checked(::fstat(moved.get(), &status), "examine what was moved");
                now.identity = identity_of(status);
                now.sha256 = content_hash(moved.get(), now.identity.size).value_or("");
            } catch (const Stopped& stopped) {
                acted = {};
                acted.message = stopped.what();
                break;
            }
            now.put_back = now.sha256 != order.sha256;
            acted = disposal.act(now);
        }
        if (now.put_back || acted.content_differs) acted.state = RecordState::Error;
        return acted;
    }
    [[nodiscard]] static Target target(const std::string& attacked) {
        const std::string stored = kept_in + "/" + opaque;
        return {"dir", "dir/virus", stored, attacked, attacked, 0, infected, harmless};
    }
    // The scanned file, wherever it is now.
    [[nodiscard]] static std::vector<Found> scanned(const Round& round) {
        auto found = round.census.of(infected);
        if (round.attack == Attack::Rewritten && found.empty()) found = round.census.of(harmless);
        return found;
    }
    // The directory behind the linked quarantine holds exactly the content that is asked for.
    static void furnish_quarantine(const TemporaryDirectory& outside) {
        outside.write("quarantine/" + opaque, infected);
    }
    static void check_is_kept(const Round& round) { BOOST_TEST(scanned(round).size() == 1U); }

    TemporaryDirectory home;
    Act order;
};

// For operations that move the file away from its path.
struct Disposed : FileHome {
    [[nodiscard]] static Target target() { return FileHome::target("dir/virus"); }
    // If `the_same`, the file outside is the scanned file itself, so that no other check can tell them apart.
    void furnish(const TemporaryDirectory& outside, bool the_same) const {
        furnish_quarantine(outside);
        outside.write("parent/virus", "innocent");
        if (!the_same) return;
        std::filesystem::remove(outside.path + "/parent/virus");
        std::filesystem::create_hard_link(order.path, outside.path + "/parent/virus");
    }
};

struct Deletion : Disposed {
    [[nodiscard]] Outcome act() const { return outcome_of(dispose(Action::Delete)); }
    static void check(const Round& round) {
        if (round.outcome.state != RecordState::Deleted) {
            BOOST_TEST((round.outcome.state == RecordState::Error || round.outcome.state == RecordState::Quarantined));
            return check_is_kept(round);
        }
        BOOST_TEST(scanned(round).empty());
    }
};

struct Quarantining : Disposed {
    [[nodiscard]] Outcome act() const { return outcome_of(dispose(Action::Quarantine)); }
    static void check(const Round& round) {
        check_is_kept(round);
        if (round.outcome.state == RecordState::Error) return;
        BOOST_TEST((round.outcome.state == RecordState::Quarantined));
        const auto found = scanned(round);
        if (found.size() != 1) return;
        BOOST_TEST((found[0].captured || round.attack == Attack::Planted), found[0].path);
        BOOST_TEST(found[0].inode == round.outcome.inode);
        BOOST_TEST(found[0].mode == 0400U);
    }
};

struct Restoring : FileHome {
    Restoring() {
        const auto acted = dispose(Action::Quarantine);
        order.identity.device = acted.device;
        order.identity.inode = acted.inode;
        order.action = Action::Restore;
        order.again = true;
    }
    [[nodiscard]] static Target target() { return FileHome::target(kept_in + "/" + opaque); }
    static void furnish(const TemporaryDirectory& outside, bool has_room) {
        furnish_quarantine(outside);
        std::filesystem::create_directory(outside.path + "/parent");
        if (!has_room) outside.write("parent/virus", "innocent");
    }
    [[nodiscard]] Outcome act() const { return outcome_of(Restoration(home.fd.get(), home.path).restore(order)); }
    static void check(const Round& round) {
        check_is_kept(round);
        if (round.outcome.state == RecordState::Error) return;
        BOOST_TEST((round.outcome.state == RecordState::Restored));
        const auto found = scanned(round);
        if (found.size() != 1) return;
        BOOST_TEST(!found[0].captured);
        BOOST_TEST(found[0].mode == 0640U);
    }
};

struct MailHome : MailboxHome {
    [[nodiscard]] Target target(const std::string& moved, const std::string& rewritten, std::size_t at) const {
        return {"mail", "mail/inbox", kept_in + "/" + cuts[0].opaque, moved, rewritten, static_cast<off_t>(at),
                "a",    "b"};
    }
    // The last letter of its text.
    [[nodiscard]] std::size_t rewritten_at() const { return messages[1].size() - 3; }
    [[nodiscard]] std::string rewritten_message() const {
        std::string message = messages[1];
        message[rewritten_at()] = 'b';
        return message;
    }
    void furnish(const TemporaryDirectory& outside, bool) const {
        outside.write("quarantine/" + cuts[0].opaque, messages[1]);
        outside.write("parent/inbox", all());
    }
    void check_innocent(const Round& round) const {
        for (const std::size_t i : {0U, 2U, 4U}) {
            // Writing to the mailbox after it was truncated hits another message.
            if (round.attack == Attack::Rewritten && i == 2) continue;
            BOOST_TEST(round.census.holding(messages[i]) == 1U, "message " << i);
        }
        for (const auto& file : round.census.files) BOOST_TEST(!file.path.ends_with(".lock"), file.path << " is left");
    }
};

struct Cleansings : MailHome {
    [[nodiscard]] Target target() const {
        return MailHome::target("mail/inbox", "mail/inbox", messages[0].size() + rewritten_at());
    }
    [[nodiscard]] Outcome act() const {
        auto cleansed = cleanse();
        const bool done = cleansed.acted.state == RecordState::MailboxCleansed && cleansed.saved.size() == 2;
        return {cleansed.acted.state, cleansed.acted.message, done, 0, std::move(cleansed.saved)};
    }
    void check(const Round& round) const {
        const auto& outcome = round.outcome;
        const auto& census = round.census;
        check_innocent(round);
        BOOST_TEST((outcome.state == RecordState::Error || outcome.state == RecordState::MailboxCleansed));
        if (round.attack == Attack::Rewritten) {
            if (round.was_infected) BOOST_TEST(outcome.saved.size() == (*round.was_infected ? 2U : 1U));
            // A message that was harmless all the time stays in the mailbox; it may have been rewritten since.
            if (round.was_infected == false)
                for (const auto& content : {messages[1], rewritten_message()})
                    for (const auto& file : census.of(content)) BOOST_TEST(!file.captured);
            BOOST_TEST(census.holding(messages[1]) + census.holding(rewritten_message()) >= 1U);
            return;
        }
        for (const std::size_t i : bad) BOOST_TEST(census.holding(messages[i]) == 1U, "message " << i);
        const bool is_cut = census.of(rest()).size() == 1;
        BOOST_TEST((is_cut || census.of(all()).size() == 1), "the mailbox is neither as it was nor as it is to be");
        if (round.attack == Attack::Planted) {
            BOOST_TEST(is_cut == (outcome.state == RecordState::MailboxCleansed));
        } else {
            BOOST_TEST(is_cut == outcome.done);
            BOOST_TEST(outcome.saved.size() == (is_cut ? 2U : 0U));
            for (std::size_t i = 0; i < bad.size() && is_cut; ++i)
                BOOST_TEST(census.of(messages[bad[i]]).at(0).path.ends_with(cuts[i].opaque));
        }
    }
};

struct Returning : MailHome {
    Returning() {
        static_cast<void>(cleanse());
        order.action = Action::Restore;
        order.again = true;
        order.opaque = cuts[0].opaque;
        order.sha256 = cuts[0].sha256;
        order.identity.size = 1'000'000;  // at most
    }
    [[nodiscard]] Target target() const {
        const std::string stored = kept_in + "/" + cuts[0].opaque;
        return MailHome::target(stored, stored, rewritten_at());
    }
    [[nodiscard]] Outcome act() const {
        const auto acted = Restoration(home.fd.get(), home.path).restore(order);
        return {acted.state, acted.message, acted.state != RecordState::Error, 0, {}};
    }
    void check(const Round& round) const {
        const auto& census = round.census;
        check_innocent(round);
        BOOST_TEST(census.holding(messages[3]) == 1U);
        const auto there =
            census.holding(messages[1]) + (round.attack == Attack::Rewritten ? census.holding(rewritten_message()) : 0);
        if (round.outcome.state == RecordState::Error || round.attack == Attack::Planted) {
            BOOST_TEST(there >= 1U);
        } else {
            BOOST_TEST((round.outcome.state == RecordState::Restored));
            BOOST_TEST(there == 1U);
            for (const auto& file : census.of(messages[1])) BOOST_TEST(!file.captured);
        }
    }
};

// ---- Rounds --------------------------------------------------------------------------------------------------------

// The attacker's own directory, and its files beside the target.
void furnish_home(const TemporaryDirectory& home, const TemporaryDirectory& outside, const Target& target) {
    home.write("corner/precious", precious);
    const timespec times[2] = {{1'500'000'000, 0}, {1'600'000'000, 0}};
    ::utimensat(home.fd.get(), "corner/precious", times, 0);
    home.write("corner/original", linked);
    for (const char* name : {"/corner/link", "/corner/plant"})
        std::filesystem::create_hard_link(home.path + "/corner/original", home.path + name);
    home.write("corner/directory/treasure", treasure);
    home.write(target.parent + "/neighbour", neighbour);
    if (::mkdirat(home.fd.get(), quarantine_directory, 0700) < 0 && errno != EEXIST) throw_errno("make a quarantine");
    const std::string name = target.file.substr(target.parent.size() + 1);
    std::filesystem::create_symlink(outside.path + "/parent", home.path + "/corner/outside");
    std::filesystem::create_symlink(outside.path + "/parent/" + name, home.path + "/corner/symlink");
    std::filesystem::create_symlink(outside.path + "/quarantine", home.path + "/corner/outside-quarantine");
}

// A file that was moved by mistake cannot be put back if the attacker took its path; then the owner is told its new
// name.
bool is_stranded(const Outcome& outcome) {
    return outcome.state == RecordState::Error && (outcome.message.find("it is now ") != std::string::npos ||
                                                   outcome.message.find("it was not put back") != std::string::npos);
}

void check_precious(const Round& round) {
    const bool planted = round.attack == Attack::Planted;
    for (const auto& [content, names] : all_precious) {
        const auto found = round.census.of(content);
        std::set<ino_t> inodes;
        for (const auto& file : found) {
            inodes.insert(file.inode);
            BOOST_TEST((!file.captured || planted || is_stranded(round.outcome)), file.path << " is no infected file");
        }
        BOOST_TEST(inodes.size() == 1U, "\"" << content << "\" is lost");
        // The name that the attacker planted in the quarantine may be removed.
        BOOST_TEST((found.size() == names || (planted && found.size() + 1 == names)), "a name is lost");
    }
    BOOST_TEST(round.census.symlinks == all_symlinks);
}

struct Tally {
    unsigned rounds = 0, done = 0, raced = 0, stranded = 0, steady = 0;
    unsigned long turns = 0;
};

template <class Deed>
void play(Attack attack, unsigned number, Shared& shared, Tally& tally) {
    const Deed deed;
    const TemporaryDirectory outside;
    const bool special = attack == Attack::LinkedParent && number % 2 == 1;
    const Target target = deed.target();
    deed.furnish(outside, special);
    furnish_home(deed.home, outside, target);
    const std::string before = description_of(outside);

    Outcome outcome;
    std::optional<bool> was_infected;
    {
        const Attacker attacker(attack, target, deed.home, shared, number);
        BOOST_REQUIRE_MESSAGE(attacker.attacks(), "the attacker does not attack");
        const unsigned at_first = shared.rewritings;
        const unsigned turns = shared.turns;
        outcome = deed.act();
        tally.raced += shared.turns > turns ? 1 : 0;
        if (attack == Attack::Rewritten && at_first % 2 == 0 && shared.rewritings == at_first)
            was_infected = at_first % 4 == 0;
    }
    BOOST_TEST_CONTEXT("round " << number << ", " << name_of(outcome.state) << ": " << outcome.message) {
        const Census census(deed.home);
        const Round round{attack, special, outcome, was_infected, census};
        BOOST_TEST((description_of(outside) == before), "something was changed outside the home");
        check_precious(round);
        deed.check(round);
        if (was_infected && !std::is_same_v<Deed, Cleansings>) BOOST_TEST(outcome.done == *was_infected);
    }
    ++tally.rounds;
    tally.done += outcome.done ? 1 : 0;
    tally.stranded += is_stranded(outcome) ? 1 : 0;
    tally.steady += was_infected ? 1 : 0;
    tally.turns += shared.turns;
}

unsigned all_rounds = 0;
unsigned all_raced = 0;

// This many rounds of each attack, or fewer if the machine is busy.
template <class Deed>
void race(unsigned rounds) {
    void* const page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BOOST_REQUIRE(page != MAP_FAILED);
    Shared& shared = *new (page) Shared;
    const char* const soak = ::getenv("CLAMSCANNER_SOAK");
    const unsigned times = soak != nullptr && std::string(soak) == "1" ? 10 : 1;
    const auto enough = std::chrono::steady_clock::now() + times * std::chrono::seconds(6);
    std::array<Tally, attack_names.size()> tallies;
    for (unsigned number = 0; number < times * rounds; ++number) {
        if (number >= rounds / 3 && std::chrono::steady_clock::now() > enough) break;
        for (std::size_t i = 0; i < tallies.size(); ++i) {
            BOOST_TEST_CONTEXT("attack: " << attack_names[i]) {
                play<Deed>(static_cast<Attack>(i), number, shared, tallies[i]);
            }
        }
    }
    ::munmap(page, sizeof(Shared));
    unsigned won_and_lost = 0;
    unsigned raced = 0;
    for (std::size_t i = 0; i < tallies.size(); ++i) {
        const auto& tally = tallies[i];
        const unsigned not_done = tally.rounds - tally.done;
        BOOST_TEST_MESSAGE(attack_names[i] << ": " << tally.rounds << " rounds, " << tally.raced
                                           << " with attacks meanwhile (" << tally.turns << " attacks), " << tally.done
                                           << " done, " << not_done << " not done, " << tally.stranded
                                           << " not put back, " << tally.steady << " of a content that stayed");
        if (tally.done > 0 && not_done > 0) ++won_and_lost;
        raced += tally.raced;
        all_rounds += tally.rounds;
    }
    all_raced += raced;
    // Otherwise there was no race.
    BOOST_TEST(won_and_lost >= 8U);
    BOOST_TEST(raced >= tallies[0].rounds / 4);
    BOOST_TEST_MESSAGE(all_rounds << " rounds so far, " << all_raced << " with attacks meanwhile");
}

BOOST_AUTO_TEST_SUITE(races)

BOOST_AUTO_TEST_CASE(with_a_deletion) {
    race<Deletion>(100);
}

BOOST_AUTO_TEST_CASE(with_a_quarantine) {
    race<Quarantining>(100);
}

BOOST_AUTO_TEST_CASE(with_a_restore) {
    race<Restoring>(100);
}

BOOST_AUTO_TEST_CASE(with_a_cleansing) {
    race<Cleansings>(30);
}

BOOST_AUTO_TEST_CASE(with_returning_a_message) {
    race<Returning>(30);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
