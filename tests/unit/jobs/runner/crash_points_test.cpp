// Kills a deletion, a quarantine, a restore and the cleansing of a mailbox with SIGKILL, before and after every system
// call that they make, as an administrator might. Each is then ordered again, as jobd does after a crash, and must end
// correctly, with nothing lost and nothing duplicated.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "jobs/runner/mailbox_lock.h"
#include "jobs/runner/restoration.h"
#include "tests/unit/mailbox_home.h"

namespace clamscanner {
namespace {

// Runs `work` in a process of its own, which stops whenever it enters or leaves a system call. It is killed when
// `goes_on` then returns false. False if it ended before that.
bool traced(const std::function<void()>& work, const std::function<bool(pid_t)>& goes_on) {
    const pid_t pid = checked(::fork(), "fork");
    if (pid == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        work();
        ::_exit(0);
    }
    int status = 0;
    checked(::waitpid(pid, &status, 0), "wait");
    checked(::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), "trace");
    for (;;) {
        checked(::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr), "go on");
        checked(::waitpid(pid, &status, 0), "wait");
        if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
        if (goes_on(pid)) continue;
        ::kill(pid, SIGKILL);
        checked(::waitpid(pid, &status, 0), "wait");
        return true;
    }
}

// Kills `work` when it enters or leaves a system call for the `boundary`-th time. False if it ended before that.
bool killed_at(unsigned boundary, const std::function<void()>& work) {
    unsigned passed = 0;
    return traced(work, [&](pid_t) { return ++passed < boundary; });
}

// The system calls of `work` by which changes are made or made durable, in their order: "fsync PATH", "renameat2" …
std::vector<std::string> changes_of(const std::function<void()>& work) {
    static const std::map<std::uint64_t, std::string> followed = {
        {SYS_fsync, "fsync "},    {SYS_fdatasync, "fsync "}, {SYS_renameat2, "move"}, {SYS_renameat, "move"},
        {SYS_unlinkat, "unlink"}, {SYS_unlink, "unlink"},    {SYS_fchmod, "fchmod"}};
    std::vector<std::string> changes;
    traced(work, [&](pid_t pid) {
        __ptrace_syscall_info call{};
        checked(::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof call, &call), "ask which system call it is");
        if (call.op != PTRACE_SYSCALL_INFO_ENTRY) return true;
        const auto found = followed.find(call.entry.nr);
        if (found == followed.end()) return true;
        const auto fd = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(call.entry.args[0]);
        changes.push_back(found->second);
        if (found->second == "fsync ") changes.back() += std::filesystem::read_symlink(fd).filename();
        return true;
    });
    return changes;
}

// Each time in a fresh home. Returns the number of boundaries.
template <class Home>
void kill_everywhere(const char* what, const std::function<void(const Home&)>& work,
                     const std::function<void(const Home&, unsigned)>& check) {
    unsigned kills = 0;
    for (unsigned boundary = 1;; ++boundary) {
        const Home home;
        const bool killed = killed_at(boundary, [&] { work(home); });
        BOOST_TEST_CONTEXT(what << " killed at boundary " << boundary) {
            check(home, boundary);
        }
        if (!killed) break;
        ++kills;
    }
    BOOST_TEST_MESSAGE(what << ": " << kills << " kills");
    BOOST_TEST(kills > 20U);  // otherwise it did nothing
}

const std::string opaque = "0123456789abcdef0123456789abcdef";
const std::string kept = std::string(quarantine_directory) + "/" + opaque;

struct OneFile {
    OneFile() {
        home.write("dir/virus", "evil bytes");
        home.write("dir/innocent", "good bytes");
        const auto path = home.path + "/dir/virus";
        ::chmod(path.c_str(), 0640);
        const UniqueFd file(checked(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open the test's file"));
        struct stat status {};
        checked(::fstat(file.get(), &status), "examine the test's file");
        order.path = path;
        order.opaque = opaque;
        order.identity = identity_of(status);
        order.sha256 = *content_hash(file.get());
        order.virus = "Eicar";
        order.metadata = metadata_of(file.get());
    }
    [[nodiscard]] Acted act(Action action, bool again) const {
        Act now = order;
        now.action = action;
        now.again = again;
        return Disposal(home.fd.get(), home.path).act(now);
    }
    void check_innocent() const { BOOST_TEST(home.read("dir/innocent") == "good bytes"); }

    TemporaryDirectory home;
    Act order;
};

struct OneQuarantined : OneFile {
    OneQuarantined() {
        const auto acted = act(Action::Quarantine, false);
        order.identity.device = acted.device;
        order.identity.inode = acted.inode;
    }
    [[nodiscard]] Acted restore() const {
        Act now = order;
        now.action = Action::Restore;
        now.again = true;
        return Restoration(home.fd.get(), home.path).restore(now);
    }
};

struct OneCleansed : MailboxHome {
    OneCleansed() { static_cast<void>(cleanse()); }
    [[nodiscard]] Acted restore() const {
        Act back = order;
        back.action = Action::Restore;
        back.again = true;
        back.opaque = cuts[0].opaque;
        back.sha256 = cuts[0].sha256;
        back.identity.size = 1'000'000;  // at most
        return Restoration(home.fd.get(), home.path).restore(back);
    }
};

// Delivers mail as procmail or postfix does, with the same locks.
void deliver(const MailboxHome& home, const std::string& message) {
    const UniqueFd directory(checked(::open((home.home.path + "/mail").c_str(), O_RDONLY | O_DIRECTORY), "open"));
    const auto taken =
        MailboxLock::take(directory.get(), "inbox", std::chrono::steady_clock::now() + std::chrono::seconds(5));
    BOOST_REQUIRE(taken.lock.has_value());
    checked(::lseek(taken.lock->file(), 0, SEEK_END), "find the end");
    BOOST_REQUIRE(::write(taken.lock->file(), message.data(), message.size()) == static_cast<ssize_t>(message.size()));
}

BOOST_AUTO_TEST_SUITE(crash_points)

const std::string synced_quarantine = std::string("fsync ") + quarantine_directory;

// A power loss is no SIGKILL: what was not synced may be lost, in any order.
BOOST_AUTO_TEST_CASE(everything_is_durable_before_the_only_name_goes) {
    const OneFile home;
    const auto changes = changes_of([&] { static_cast<void>(home.act(Action::Delete, false)); });
    const std::vector<std::string> expected = {"move",   synced_quarantine, "fsync dir", "unlink",
                                               "unlink", synced_quarantine};  // the second: of a record
    BOOST_TEST(changes == expected, boost::test_tools::per_element());
    BOOST_TEST(!home.home.has("dir/virus"));
}

BOOST_AUTO_TEST_CASE(a_quarantines_record_is_durable_before_the_file_is_moved) {
    const OneFile home;
    const auto changes = changes_of([&] { static_cast<void>(home.act(Action::Quarantine, false)); });
    const std::vector<std::string> expected = {"unlink",  // of an earlier record
                                               "fsync " + opaque + ".json",
                                               synced_quarantine,
                                               "move",
                                               synced_quarantine,
                                               "fsync dir",
                                               "fchmod"};
    BOOST_TEST(changes == expected, boost::test_tools::per_element());
    BOOST_TEST(home.home.has(kept));
}

BOOST_AUTO_TEST_CASE(a_deletion) {
    kill_everywhere<OneFile>(
        "deletion", [](const OneFile& home) { static_cast<void>(home.act(Action::Delete, false)); },
        [](const OneFile& home, unsigned) {
            const auto acted = home.act(Action::Delete, true);
            BOOST_TEST((acted.state == RecordState::Deleted), acted.message);
            BOOST_TEST(!home.home.has("dir/virus"));
            BOOST_TEST(!home.home.has(kept));
            home.check_innocent();
        });
}

BOOST_AUTO_TEST_CASE(a_quarantine) {
    kill_everywhere<OneFile>(
        "quarantine", [](const OneFile& home) { static_cast<void>(home.act(Action::Quarantine, false)); },
        [](const OneFile& home, unsigned) {
            const auto acted = home.act(Action::Quarantine, true);
            BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
            BOOST_TEST(!home.home.has("dir/virus"));
            BOOST_TEST(home.home.read(kept) == "evil bytes");
            BOOST_TEST(home.home.read(kept + ".json").ends_with("}\n"));
            home.check_innocent();
        });
}

struct TwoNames : OneFile {
    TwoNames() { std::filesystem::create_hard_link(home.path + "/dir/virus", home.path + "/dir/other"); }
};

// A copy is quarantined.
BOOST_AUTO_TEST_CASE(a_quarantine_of_one_of_two_names) {
    kill_everywhere<TwoNames>(
        "quarantine of a name", [](const TwoNames& home) { static_cast<void>(home.act(Action::Quarantine, false)); },
        [](const TwoNames& home, unsigned) {
            const auto acted = home.act(Action::Quarantine, true);
            BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
            BOOST_TEST(!home.home.has("dir/virus"));
            BOOST_TEST(home.home.read("dir/other") == "evil bytes");
            BOOST_TEST(home.home.read(kept) == "evil bytes");
            struct stat status {};
            BOOST_TEST(::stat((home.home.path + "/" + kept).c_str(), &status) == 0);
            BOOST_TEST(status.st_nlink == 1U);
            BOOST_TEST((status.st_mode & 07777) == 0400U);
            BOOST_TEST(!home.home.has(kept + ".partial"));
            home.check_innocent();
        });
}

// Three that take their steps together, one of them in another directory.
struct Group {
    Group() {
        for (const std::string name : {"dir/a", "dir/b", "other/c"}) {
            home.write(name, "evil bytes of " + name);
            const UniqueFd file(
                checked(::open((home.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC), "open the test's file"));
            struct stat status {};
            checked(::fstat(file.get(), &status), "examine the test's file");
            Act order;
            order.token = orders.size() + 1;
            order.path = home.path + "/" + name;
            order.opaque = std::string(32, static_cast<char>('a' + orders.size()));
            order.identity = identity_of(status);
            order.sha256 = *content_hash(file.get());
            order.metadata = metadata_of(file.get());
            order.action = name == "dir/b" ? Action::Quarantine : Action::Delete;
            orders.push_back(order);
        }
    }
    [[nodiscard]] std::vector<Acted> act() const { return Disposal(home.fd.get(), home.path).act(orders); }

    TemporaryDirectory home;
    std::vector<Act> orders;
};

BOOST_AUTO_TEST_CASE(a_group) {
    kill_everywhere<Group>(
        "group", [](const Group& group) { static_cast<void>(group.act()); },
        [](const Group& group, unsigned) {
            for (auto order : group.orders) {
                order.again = true;
                const auto acted = Disposal(group.home.fd.get(), group.home.path).act(order);
                const bool kept_one = order.action == Action::Quarantine;
                BOOST_TEST((acted.state == (kept_one ? RecordState::Quarantined : RecordState::Deleted)),
                           acted.message);
                BOOST_TEST(!group.home.has(order.path.substr(group.home.path.size() + 1)));
                const auto name = std::string(quarantine_directory) + "/" + order.opaque;
                BOOST_TEST(group.home.has(name) == kept_one);
                BOOST_TEST(group.home.has(name + ".json") == kept_one);
                if (kept_one) BOOST_TEST(group.home.read(name) == "evil bytes of dir/b");
            }
        });
}

// As jobd does: has the moved file scanned, and orders it back.
struct MovedAnother : OneFile {
    MovedAnother() {
        home.write("dir/virus", "good bytes, now");
        Disposal disposal(home.fd.get(), home.path);
        order.action = Action::Delete;
        const auto acted = disposal.act(order);
        BOOST_REQUIRE(acted.content_differs);
        order.metadata = acted.metadata;
        const UniqueFd moved = disposal.open_moved(order.path, opaque);
        struct stat status {};
        checked(::fstat(moved.get(), &status), "examine what was moved");
        order.identity = identity_of(status);
        order.sha256 = *content_hash(moved.get());
        order.again = true;
        order.put_back = true;
    }
    [[nodiscard]] Acted put_back() const { return Disposal(home.fd.get(), home.path).act(order); }
};

BOOST_AUTO_TEST_CASE(putting_back_a_clean_file) {
    kill_everywhere<MovedAnother>(
        "way back", [](const MovedAnother& home) { static_cast<void>(home.put_back()); },
        [](const MovedAnother& home, unsigned) {
            const auto acted = home.put_back();
            BOOST_TEST((acted.state == RecordState::NoAction), acted.message);
            BOOST_TEST(home.home.read("dir/virus") == "good bytes, now");
            struct stat status {};
            BOOST_TEST(::stat((home.home.path + "/dir/virus").c_str(), &status) == 0);
            BOOST_TEST((status.st_mode & 07777) == 0640U);
            BOOST_TEST(!home.home.has(kept));
            home.check_innocent();
        });
}

BOOST_AUTO_TEST_CASE(a_restore) {
    kill_everywhere<OneQuarantined>(
        "restore", [](const OneQuarantined& home) { static_cast<void>(home.restore()); },
        [](const OneQuarantined& home, unsigned) {
            const auto acted = home.restore();
            BOOST_TEST((acted.state == RecordState::Restored), acted.message);
            BOOST_TEST(home.home.read("dir/virus") == "evil bytes");
            struct stat status {};
            BOOST_TEST(::stat((home.home.path + "/dir/virus").c_str(), &status) == 0);
            BOOST_TEST((status.st_mode & 07777) == 0640U);
            BOOST_TEST(status.st_nlink == 1U);
            BOOST_TEST(!home.home.has(kept));
            home.check_innocent();
        });
}

BOOST_AUTO_TEST_CASE(a_cleansing) {
    kill_everywhere<MailboxHome>(
        "cleansing", [](const MailboxHome& home) { static_cast<void>(home.cleanse()); },
        [](const MailboxHome& home, unsigned boundary) {
            // Every other time mail is delivered before the cleansing resumes.
            const std::string fresh = boundary % 2 == 0 ? mail("fresh", "new mail " + std::to_string(boundary)) : "";
            if (!fresh.empty()) deliver(home, fresh);
            const auto cleansed = home.cleanse();
            BOOST_TEST((cleansed.acted.state == RecordState::MailboxCleansed), cleansed.acted.message);
            BOOST_TEST((home.mailbox() == home.rest() + fresh));
            BOOST_TEST(cleansed.saved.size() == 2U);
            for (std::size_t i = 0; i < 2; ++i)
                BOOST_TEST((home.in_quarantine(home.cuts[i].opaque) == home.messages[MailboxHome::bad[i]]));
            BOOST_TEST(home.quarantine().size() == 4U);  // and no copy of the mailbox
            BOOST_TEST(!home.home.has("mail/inbox.lock"));
        });
}

// Killed after rewriting the mailbox but before truncating it, with mail delivered since.
struct HalfDone {
    HalfDone() {
        // The number of system calls varies a little from process to process.
        for (static unsigned boundary = 1; !is_half_done(); ++boundary) {
            if (home && !was_killed) boundary = 1;
            home = std::make_unique<MailboxHome>();
            was_killed = killed_at(boundary, [&] { static_cast<void>(home->cleanse()); });
            if (is_half_done()) break;
        }
        deliver(*home, fresh);
    }
    [[nodiscard]] bool is_half_done() const {
        return home && home->home.has(std::string(quarantine_directory) + "/" + home->order.opaque + ".mbox") &&
               home->mailbox() != home->all() && home->mailbox().size() == home->all().size();
    }

    std::unique_ptr<MailboxHome> home;
    bool was_killed = true;
    std::string fresh = mail("fresh", std::string(30'000, 'f'));
};

BOOST_AUTO_TEST_CASE(a_resumed_cleansing) {
    kill_everywhere<HalfDone>(
        "going on", [](const HalfDone& half) { static_cast<void>(half.home->cleanse()); },
        [](const HalfDone& half, unsigned boundary) {
            const std::string more = boundary % 2 == 0 ? mail("more", "even newer") : "";
            if (!more.empty()) deliver(*half.home, more);
            const auto cleansed = half.home->cleanse();
            BOOST_TEST((cleansed.acted.state == RecordState::MailboxCleansed), cleansed.acted.message);
            BOOST_TEST((half.home->mailbox() == half.home->rest() + half.fresh + more));
            BOOST_TEST(half.home->quarantine().size() == 4U);
        });
}

BOOST_AUTO_TEST_CASE(returning_a_message) {
    kill_everywhere<OneCleansed>(
        "return", [](const OneCleansed& home) { static_cast<void>(home.restore()); },
        [](const OneCleansed& home, unsigned) {
            const auto acted = home.restore();
            BOOST_TEST((acted.state == RecordState::Restored), acted.message);
            BOOST_TEST((home.mailbox() == home.rest() + home.messages[1]));
            BOOST_TEST(!home.home.has(std::string(quarantine_directory) + "/" + home.cuts[0].opaque));
        });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
