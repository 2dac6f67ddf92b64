#include "jobs/runner/disposal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/base/wire.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_record.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string opaque = "0123456789abcdef0123456789abcdef";
const std::string kept = std::string(quarantine_directory) + "/" + opaque;

struct InfectedHome {
    InfectedHome() { home.write("dir/virus", "evil bytes"); }

    // The order that jobd would send after scanning the file now.
    Act order(Action action, const std::string& name = "dir/virus") const {
        const UniqueFd file(::open((home.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        checked(::fstat(file.get(), &status), "examine the test's file");
        Act act;
        act.token = 7;
        act.path = home.path + "/" + name;
        act.action = action;
        act.opaque = opaque;
        act.identity = identity_of(status);
        act.sha256 = *content_hash(file.get());
        act.virus = "Eicar";
        act.metadata = metadata_of(file.get());
        return act;
    }
    [[nodiscard]] mode_t mode_of(const std::string& name) const {
        struct stat status {};
        checked(::stat((home.path + "/" + name).c_str(), &status), "examine the test's file");
        return status.st_mode & 07777;
    }
    // Updates the order as jobd does after the moved file was scanned.
    void adopt_result(Act& act) const {
        const UniqueFd moved = disposal.open_moved(act.path, opaque);
        struct stat status {};
        checked(::fstat(moved.get(), &status), "examine the test's file");
        act.identity = identity_of(status);
        act.sha256 = *content_hash(moved.get());
    }
    Act again(Act act) const {
        act.again = true;
        return act;
    }
    TemporaryDirectory home;
    Disposal disposal{home.fd.get(), home.path};
};

BOOST_FIXTURE_TEST_SUITE(disposal, InfectedHome)

BOOST_AUTO_TEST_CASE(deleting_removes_only_that_file) {
    home.write("dir/innocent", "x");
    const auto acted = disposal.act(order(Action::Delete));
    BOOST_TEST((acted.state == RecordState::Deleted));
    BOOST_TEST(acted.token == 7U);
    BOOST_TEST(!home.has("dir/virus"));
    BOOST_TEST(!home.has(kept));
    BOOST_TEST(home.has("dir/innocent"));
}

BOOST_AUTO_TEST_CASE(several_are_carried_out_together_and_each_by_itself) {
    std::vector<Act> orders;
    for (const std::string name : {"dir/deleted", "dir/quarantined", "dir/gone", "other/changed", "other/deleted"}) {
        home.write(name, "evil bytes of " + name);
        orders.push_back(order(name == "dir/quarantined" ? Action::Quarantine : Action::Delete, name));
        orders.back().token = orders.size();
        orders.back().opaque = std::string(32, static_cast<char>('a' + orders.size()));
    }
    ::unlink((home.path + "/dir/gone").c_str());
    home.write("other/changed", "good bytes, now");
    const auto acted = disposal.act(orders);
    BOOST_REQUIRE(acted.size() == 5U);
    for (std::size_t i = 0; i < acted.size(); ++i) BOOST_TEST(acted[i].token == i + 1);
    BOOST_TEST((acted[0].state == RecordState::Deleted));
    BOOST_TEST((acted[1].state == RecordState::Quarantined));
    BOOST_TEST((acted[2].state == RecordState::Error));
    BOOST_TEST(acted[3].content_differs);
    BOOST_TEST((acted[4].state == RecordState::Deleted));
    const auto in_quarantine = [&](std::size_t i) {
        return std::string(quarantine_directory) + "/" + orders[i].opaque;
    };
    BOOST_TEST(home.read(in_quarantine(1)) == "evil bytes of dir/quarantined");
    BOOST_TEST(home.read(in_quarantine(3)) == "good bytes, now");
    for (const auto i : {0U, 2U, 4U}) BOOST_TEST(!home.has(in_quarantine(i)));
    for (const auto& order : orders) BOOST_TEST(!home.has(order.path.substr(home.path.size() + 1)));
}

BOOST_AUTO_TEST_CASE(reports_a_file_still_open_elsewhere) {
    for (const Action action : {Action::Delete, Action::Quarantine}) {
        home.write("dir/virus", "evil bytes");
        const auto act = order(action);
        {
            const UniqueFd reader(::open((home.path + "/dir/virus").c_str(), O_RDONLY | O_CLOEXEC));
            const auto acted = disposal.act(act);
            BOOST_TEST((acted.state != RecordState::Error));
            BOOST_TEST(acted.message.find("open") != std::string::npos, acted.message);
        }
        ::unlink((home.path + "/" + kept).c_str());
        home.write("dir/virus", "evil bytes");
        BOOST_TEST(disposal.act(order(action)).message.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_maildir_message_is_found_under_its_new_name) {
    for (const char* part : {"cur", "new", "tmp"}) std::filesystem::create_directories(home.path + "/Maildir/" + part);
    home.write("Maildir/new/1600000000.M1P2.host", "evil bytes");
    home.write("Maildir/cur/1600000000.M1P22.host:2,S", "good bytes");
    const auto act = order(Action::Delete, "Maildir/new/1600000000.M1P2.host");
    std::filesystem::rename(home.path + "/Maildir/new/1600000000.M1P2.host",
                            home.path + "/Maildir/cur/1600000000.M1P2.host:2,RS");
    const auto acted = disposal.act(act);
    BOOST_TEST((acted.state == RecordState::Deleted), acted.message);
    BOOST_TEST(!home.has("Maildir/cur/1600000000.M1P2.host:2,RS"));
    BOOST_TEST(home.has("Maildir/cur/1600000000.M1P22.host:2,S"));
}

BOOST_AUTO_TEST_CASE(a_maildir_message_moved_aside_before_a_crash_is_found) {
    for (const char* part : {"cur", "new", "tmp"}) std::filesystem::create_directories(home.path + "/Maildir/" + part);
    home.write("Maildir/new/1600000000.M1P2.host", "evil bytes");
    const auto act = again(order(Action::Delete, "Maildir/new/1600000000.M1P2.host"));
    const std::string beside = "Maildir/cur/" + beside_name(opaque);
    std::filesystem::rename(home.path + "/Maildir/new/1600000000.M1P2.host", home.path + "/" + beside);
    BOOST_TEST((disposal.act(act).state == RecordState::Deleted));
    BOOST_TEST(!home.has(beside));
}

BOOST_AUTO_TEST_CASE(outside_a_maildir_a_renamed_file_is_not_followed) {
    std::filesystem::create_directories(home.path + "/a/new");
    std::filesystem::create_directories(home.path + "/a/cur");
    home.write("a/new/x", "evil bytes");
    const auto act = order(Action::Delete, "a/new/x");
    std::filesystem::rename(home.path + "/a/new/x", home.path + "/a/cur/x:2,S");
    BOOST_TEST((disposal.act(act).state == RecordState::Error));
    BOOST_TEST(home.has("a/cur/x:2,S"));
}

BOOST_AUTO_TEST_CASE(a_quarantined_file_keeps_its_content_and_gets_a_record) {
    const auto acted = disposal.act(order(Action::Quarantine));
    BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
    BOOST_TEST(!home.has("dir/virus"));
    BOOST_TEST(home.read(kept) == "evil bytes");
    struct stat status {};
    BOOST_REQUIRE(::stat((home.path + "/" + kept).c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777) == 0400U);
    BOOST_TEST(acted.inode == status.st_ino);
    BOOST_TEST(home.read(kept + ".json").find("dir/virus") != std::string::npos);
}

// It is moved to where it cannot escape, and scanned there.
BOOST_AUTO_TEST_CASE(content_that_differs_from_the_scan_is_moved_but_not_deleted) {
    for (const auto action : {Action::Delete, Action::Quarantine}) {
        const Act act = order(action);
        home.write("dir/virus", "another evil, and longer than before");
        const auto acted = disposal.act(act);
        BOOST_TEST(acted.content_differs);
        BOOST_TEST(acted.metadata.mode == act.metadata.mode);
        BOOST_TEST(!home.has("dir/virus"));
        BOOST_TEST(home.read(kept) == "another evil, and longer than before");
        BOOST_TEST(!home.has(kept + ".json"));
        BOOST_TEST(disposal.act(again(act)).content_differs);
        const UniqueFd moved = disposal.open_moved(act.path, opaque);
        BOOST_TEST(mode_of(kept) == 0400U);
        BOOST_TEST(*content_hash(moved.get()) != act.sha256);
        std::filesystem::remove(home.path + "/" + kept);
        home.write("dir/virus", "evil bytes");
    }
}

BOOST_AUTO_TEST_CASE(a_moved_file_found_infected_is_quarantined) {
    Act act = order(Action::Delete);
    home.write("dir/virus", "another evil");
    BOOST_TEST(disposal.act(act).content_differs);
    adopt_result(act);
    act.action = Action::Quarantine;
    const auto acted = disposal.act(again(act));
    BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
    BOOST_TEST(home.read(kept) == "another evil");
    BOOST_TEST(home.has(kept + ".json"));
    BOOST_TEST(!home.has("dir/virus"));
}

BOOST_AUTO_TEST_CASE(a_moved_file_found_clean_is_put_back_unchanged) {
    Act act = order(Action::Delete);
    home.write("dir/virus", "good bytes");
    BOOST_REQUIRE(::chmod((home.path + "/dir/virus").c_str(), 0640) == 0);
    const auto another = disposal.act(act);
    BOOST_REQUIRE(another.content_differs);
    act.metadata = another.metadata;
    adopt_result(act);
    act.put_back = true;
    BOOST_TEST((disposal.act(again(act)).state == RecordState::NoAction));
    BOOST_TEST(home.read("dir/virus") == "good bytes");
    BOOST_TEST(mode_of("dir/virus") == 0640U);
    BOOST_TEST(!home.has(kept));
    BOOST_TEST((disposal.act(again(act)).state == RecordState::NoAction));
}

BOOST_AUTO_TEST_CASE(a_moved_file_found_clean_stays_if_its_path_is_taken) {
    Act act = order(Action::Delete);
    home.write("dir/virus", "good bytes");
    const auto another = disposal.act(act);
    act.metadata = another.metadata;
    adopt_result(act);
    act.put_back = true;
    home.write("dir/virus", "new bytes");
    const auto acted = disposal.act(again(act));
    BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
    BOOST_TEST(home.read("dir/virus") == "new bytes");
    BOOST_TEST(home.read(kept) == "good bytes");
    BOOST_TEST(home.has(kept + ".json"));
}

BOOST_AUTO_TEST_CASE(times_mode_and_inode_do_not_protect_infected_content) {
    for (const auto action : {Action::Delete, Action::Quarantine}) {
        const Act act = order(action);
        std::filesystem::remove(home.path + "/dir/virus");
        home.write("another inode", "x");
        home.write("dir/virus", "evil bytes");
        const timespec times[2] = {{1, 0}, {1, 0}};
        BOOST_REQUIRE(::utimensat(AT_FDCWD, (home.path + "/dir/virus").c_str(), times, 0) == 0);
        BOOST_REQUIRE(::chmod((home.path + "/dir/virus").c_str(), 0400) == 0);
        const auto acted = disposal.act(act);
        BOOST_TEST((acted.state == (action == Action::Delete ? RecordState::Deleted : RecordState::Quarantined)),
                   acted.message);
        BOOST_TEST(!home.has("dir/virus"));
        home.write("dir/virus", "evil bytes");
    }
}

BOOST_AUTO_TEST_CASE(a_mail_store_is_quarantined_instead_of_deleted) {
    const std::string letter = "From: a@example.org\nSubject: evil bytes\n\nx\n";
    home.write("dir/letters", letter + letter);
    const auto acted = disposal.act(order(Action::Delete, "dir/letters"));
    BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
    BOOST_TEST(acted.may_hold_mail);
    BOOST_TEST(acted.message.find("more than one message") != std::string::npos, acted.message);
    BOOST_TEST(home.read(kept) == letter + letter);
    BOOST_TEST(home.has(kept + ".json"));
    std::filesystem::remove(home.path + "/" + kept);
    home.write("dir/letter", letter);
    BOOST_TEST((disposal.act(order(Action::Delete, "dir/letter")).state == RecordState::Deleted));
}

BOOST_AUTO_TEST_CASE(a_link_instead_of_the_file_or_its_directory_is_not_followed) {
    const Act act = order(Action::Delete);
    TemporaryDirectory elsewhere;
    elsewhere.write("virus", "evil bytes");
    std::filesystem::remove_all(home.path + "/dir");
    BOOST_REQUIRE(::symlink(elsewhere.path.c_str(), (home.path + "/dir").c_str()) == 0);
    BOOST_TEST((disposal.act(act).state == RecordState::Error));
    BOOST_TEST(elsewhere.has("virus"));
}

BOOST_AUTO_TEST_CASE(a_quarantine_that_is_a_link_is_not_used) {
    TemporaryDirectory elsewhere;
    BOOST_REQUIRE(::symlink(elsewhere.path.c_str(), (home.path + "/" + quarantine_directory).c_str()) == 0);
    const auto acted = disposal.act(order(Action::Quarantine));
    BOOST_TEST((acted.state == RecordState::Error));
    BOOST_TEST(home.read("dir/virus") == "evil bytes");
    BOOST_TEST(std::filesystem::is_empty(elsewhere.path));
}

BOOST_AUTO_TEST_CASE(an_interrupted_delete_resumes) {
    const Act act = order(Action::Delete);
    BOOST_TEST_CONTEXT("after the move") {
        std::filesystem::create_directory(home.path + "/" + quarantine_directory);
        std::filesystem::permissions(home.path + "/" + quarantine_directory, std::filesystem::perms::owner_all);
        std::filesystem::rename(home.path + "/dir/virus", home.path + "/" + kept);
        BOOST_TEST((disposal.act(again(act)).state == RecordState::Deleted));
        BOOST_TEST(!home.has(kept));
    }
    BOOST_TEST_CONTEXT("after the unlink") {
        BOOST_TEST((disposal.act(again(act)).state == RecordState::Deleted));
    }
    BOOST_TEST_CONTEXT("but a first attempt that finds nothing has deleted nothing") {
        BOOST_TEST((disposal.act(act).state == RecordState::Error));
    }
}

BOOST_AUTO_TEST_CASE(an_interrupted_quarantine_resumes_and_happens_once) {
    const Act act = order(Action::Quarantine);
    BOOST_TEST((disposal.act(act).state == RecordState::Quarantined));
    BOOST_TEST((disposal.act(again(act)).state == RecordState::Quarantined));
    BOOST_TEST(home.read(kept) == "evil bytes");
    std::filesystem::remove(home.path + "/" + kept);
    BOOST_TEST((disposal.act(again(act)).state == RecordState::Error));
}

// Further hard links share its permissions, so the file itself cannot get mode 0400.
BOOST_AUTO_TEST_CASE(a_file_with_further_hard_links_is_quarantined_as_a_copy) {
    BOOST_REQUIRE(::chmod((home.path + "/dir/virus").c_str(), 0644) == 0);
    BOOST_REQUIRE(::link((home.path + "/dir/virus").c_str(), (home.path + "/other").c_str()) == 0);
    const auto act = order(Action::Quarantine);
    const auto acted = disposal.act(act);
    BOOST_TEST((acted.state == RecordState::Quarantined));
    BOOST_TEST(acted.message.find("1 more name") != std::string::npos);
    BOOST_TEST(home.read("other") == "evil bytes");
    BOOST_TEST(mode_of("other") == 0644U);
    BOOST_TEST(home.read(kept) == "evil bytes");
    BOOST_TEST(mode_of(kept) == 0400U);
    BOOST_TEST(acted.inode != act.identity.inode);
    BOOST_TEST(!home.has(kept + ".partial"));
    BOOST_TEST((disposal.act(again(act)).state == RecordState::Quarantined));
}

// If there is no room for its record, the file must not stay in the quarantine without jobd knowing.
BOOST_AUTO_TEST_CASE(quarantining_needs_no_room_for_the_record) {
    const std::string letter = "From: a@example.org\nSubject: evil bytes\n\nx\n";
    home.write("dir/letters", letter + letter);
    const Act act = order(Action::Delete, "dir/letters");
    BOOST_REQUIRE(::signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit none{0, before.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
    const auto acted = disposal.act(act);
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    BOOST_TEST((acted.state == RecordState::Quarantined), acted.message);
    BOOST_TEST(home.read(kept) == letter + letter);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_after_the_move_is_put_back) {
    const Act act = order(Action::Delete);
    std::filesystem::remove(home.path + "/dir/virus");
    std::filesystem::create_directory(home.path + "/" + quarantine_directory);
    std::filesystem::permissions(home.path + "/" + quarantine_directory, std::filesystem::perms::owner_all);
    std::filesystem::create_directory(home.path + "/" + kept);
    const auto acted = disposal.act(again(act));
    BOOST_TEST((acted.state == RecordState::Error));
    BOOST_TEST(std::filesystem::is_directory(home.path + "/dir/virus"), "it was not put back");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_put_back_gets_its_mode_back) {
    BOOST_REQUIRE(::chmod((home.path + "/dir/virus").c_str(), 0640) == 0);
    const Act act = order(Action::Quarantine);
    TemporaryDirectory elsewhere;
    BOOST_REQUIRE(::symlink(elsewhere.path.c_str(), (home.path + "/" + quarantine_directory).c_str()) == 0);
    std::filesystem::rename(home.path + "/dir/virus", home.path + "/dir/" + beside_name(opaque));
    static_cast<void>(disposal.open_moved(act.path, opaque));
    BOOST_TEST(mode_of("dir/" + beside_name(opaque)) == 0400U);
    BOOST_TEST((disposal.act(again(act)).state == RecordState::Error));
    BOOST_TEST(home.read("dir/virus") == "evil bytes");
    BOOST_TEST(mode_of("dir/virus") == 0640U);
}

BOOST_AUTO_TEST_CASE(a_path_that_is_not_below_the_home_is_refused) {
    BOOST_TEST(below_home("/home/a/b", "/home/a") == "b");
    for (const char* outside : {"/etc/passwd", "/home/ab", "/home/a", "/home/a/"})
        BOOST_CHECK_THROW(below_home(outside, "/home/a"), Malformed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
