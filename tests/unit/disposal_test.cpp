#include "jobs/disposal.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/wire.h"
#include "jobs/careful_moves.h"
#include "jobs/content_hash.h"
#include "jobs/quarantine_record.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string opaque = "0123456789abcdef0123456789abcdef";
const std::string kept = std::string(quarantine_directory) + "/" + opaque;

struct InfectedHome {
    InfectedHome() { home.write("dir/virus", "evil bytes"); }

    // What jobd would send after the file was judged as it is now.
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
    Act again(Act act) const {
        act.again = true;
        return act;
    }
    TemporaryDirectory home;
    Disposal disposal{home.fd.get(), home.path};
};

BOOST_FIXTURE_TEST_SUITE(disposal, InfectedHome)

BOOST_AUTO_TEST_CASE(a_deleted_file_is_gone_and_nothing_else_is) {
    home.write("dir/innocent", "x");
    const auto acted = disposal.act(order(Action::Delete));
    BOOST_TEST((acted.state == RecordState::Deleted));
    BOOST_TEST(acted.token == 7U);
    BOOST_TEST(!home.has("dir/virus"));
    BOOST_TEST(!home.has(kept));
    BOOST_TEST(home.has("dir/innocent"));
}

BOOST_AUTO_TEST_CASE(of_a_file_that_a_program_has_open_it_is_said_so) {
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

BOOST_AUTO_TEST_CASE(a_message_of_a_maildir_is_found_under_its_name_of_now) {
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

BOOST_AUTO_TEST_CASE(a_message_that_a_crash_left_beside_its_new_place_is_found) {
    for (const char* part : {"cur", "new", "tmp"}) std::filesystem::create_directories(home.path + "/Maildir/" + part);
    home.write("Maildir/new/1600000000.M1P2.host", "evil bytes");
    const auto act = again(order(Action::Delete, "Maildir/new/1600000000.M1P2.host"));
    const std::string beside = "Maildir/cur/" + beside_name(opaque);
    std::filesystem::rename(home.path + "/Maildir/new/1600000000.M1P2.host", home.path + "/" + beside);
    BOOST_TEST((disposal.act(act).state == RecordState::Deleted));
    BOOST_TEST(!home.has(beside));
}

BOOST_AUTO_TEST_CASE(outside_a_maildir_a_name_is_a_name) {
    std::filesystem::create_directories(home.path + "/a/new");
    std::filesystem::create_directories(home.path + "/a/cur");
    home.write("a/new/x", "evil bytes");
    const auto act = order(Action::Delete, "a/new/x");
    std::filesystem::rename(home.path + "/a/new/x", home.path + "/a/cur/x:2,S");
    BOOST_TEST((disposal.act(act).state == RecordState::Error));
    BOOST_TEST(home.has("a/cur/x:2,S"));
}

BOOST_AUTO_TEST_CASE(a_quarantined_file_keeps_its_bytes_under_an_opaque_name_with_a_record_beside) {
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

BOOST_AUTO_TEST_CASE(a_file_that_changed_since_it_was_judged_is_left_alone) {
    for (const auto action : {Action::Delete, Action::Quarantine}) {
        const Act act = order(action);
        home.write("dir/virus", "harmless, and longer than before");
        const auto acted = disposal.act(act);
        BOOST_TEST((acted.state == RecordState::Error));
        BOOST_TEST(home.read("dir/virus") == "harmless, and longer than before");
        BOOST_TEST(!home.has(kept + ".json"));
        home.write("dir/virus", "evil bytes");
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_rewritten_behind_its_size_and_time_is_put_back) {
    const Act act = order(Action::Delete);
    struct stat before {};
    BOOST_REQUIRE(::stat((home.path + "/dir/virus").c_str(), &before) == 0);
    {
        const UniqueFd file(::open((home.path + "/dir/virus").c_str(), O_WRONLY | O_CLOEXEC));
        BOOST_REQUIRE(::write(file.get(), "good bytes", 10) == 10);
        const timespec times[2] = {before.st_atim, before.st_mtim};
        BOOST_REQUIRE(::futimens(file.get(), times) == 0);
    }
    const auto acted = disposal.act(act);
    BOOST_TEST((acted.state == RecordState::Error));
    BOOST_TEST(home.read("dir/virus") == "good bytes");
    BOOST_TEST(!home.has(kept));
}

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_file_or_directory_is_not_followed) {
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

BOOST_AUTO_TEST_CASE(a_delete_that_a_crash_interrupted_goes_on_from_where_it_was) {
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

BOOST_AUTO_TEST_CASE(a_quarantine_that_a_crash_interrupted_goes_on_and_happens_once) {
    const Act act = order(Action::Quarantine);
    BOOST_TEST((disposal.act(act).state == RecordState::Quarantined));
    BOOST_TEST((disposal.act(again(act)).state == RecordState::Quarantined));
    BOOST_TEST(home.read(kept) == "evil bytes");
    std::filesystem::remove(home.path + "/" + kept);
    BOOST_TEST((disposal.act(again(act)).state == RecordState::Error));
}

BOOST_AUTO_TEST_CASE(further_names_of_a_file_are_told) {
    BOOST_REQUIRE(::link((home.path + "/dir/virus").c_str(), (home.path + "/other").c_str()) == 0);
    const auto acted = disposal.act(order(Action::Quarantine));
    BOOST_TEST((acted.state == RecordState::Quarantined));
    BOOST_TEST(acted.message.find("1 more name") != std::string::npos);
    BOOST_TEST(home.has("other"));
}

BOOST_AUTO_TEST_CASE(a_path_that_is_not_below_the_home_is_refused) {
    BOOST_TEST(below_home("/home/a/b", "/home/a") == "b");
    for (const char* outside : {"/etc/passwd", "/home/ab", "/home/a", "/home/a/"})
        BOOST_CHECK_THROW(below_home(outside, "/home/a"), Malformed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
