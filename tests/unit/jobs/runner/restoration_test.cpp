#include "jobs/runner/restoration.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/base/checked.h"
#include "jobs/runner/disposal.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_record.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string opaque = "0123456789abcdef0123456789abcdef";
const std::string kept = std::string(quarantine_directory) + "/" + opaque;

// A home whose only file is in the quarantine.
struct QuarantinedHome {
    QuarantinedHome() {
        home.write("dir/virus", "evil bytes");
        const auto path = home.path + "/dir/virus";
        ::chmod(path.c_str(), 0640);
        static_cast<void>(::setxattr(path.c_str(), "user.note", "mine", 4, 0));
        const timespec times[2] = {{1'500'000'000, 1}, {1'600'000'000, 123'456'789}};
        ::utimensat(AT_FDCWD, path.c_str(), times, 0);
        const UniqueFd file(checked(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open the test's file"));
        struct stat status {};
        checked(::fstat(file.get(), &status), "examine the test's file");
        order.token = 7;
        order.path = path;
        order.opaque = opaque;
        order.identity = identity_of(status);
        order.sha256 = *content_hash(file.get());
        order.virus = "Eicar";
        order.metadata = metadata_of(file.get());
        order.action = Action::Quarantine;
        const auto acted = Disposal(home.fd.get(), home.path).act(order);
        BOOST_REQUIRE((acted.state == RecordState::Quarantined));
        order.identity.device = acted.device;
        order.identity.inode = acted.inode;
        order.action = Action::Restore;
    }
    Acted restore() const { return restoration.restore(order); }
    Acted discard() const { return restoration.discard(order); }
    struct stat status_of(const std::string& name) const {
        struct stat status {};
        checked(::lstat((home.path + "/" + name).c_str(), &status), "examine a file");
        return status;
    }

    TemporaryDirectory home;
    Act order;
    Restoration restoration{home.fd.get(), home.path};
};

BOOST_FIXTURE_TEST_SUITE(restoration, QuarantinedHome)

BOOST_AUTO_TEST_CASE(a_restored_file_is_as_before) {
    const auto acted = restore();
    BOOST_TEST((acted.state == RecordState::Restored));
    BOOST_TEST(acted.message == "");
    BOOST_TEST(acted.token == 7U);
    const auto status = status_of("dir/virus");
    BOOST_TEST(home.read("dir/virus") == "evil bytes");
    BOOST_TEST((status.st_mode & 07777) == 0640U);
    BOOST_TEST(status.st_mtim.tv_sec == 1'600'000'000);
    BOOST_TEST(status.st_mtim.tv_nsec == 123'456'789);
    if (!order.metadata.attributes.empty()) {
        char value[8] = {};
        BOOST_TEST(::getxattr((home.path + "/dir/virus").c_str(), "user.note", value, sizeof value) == 4);
        BOOST_TEST(std::string(value) == "mine");
    }
    BOOST_TEST(!home.has(kept));
    BOOST_TEST(!home.has(kept + ".json"));
}

BOOST_AUTO_TEST_CASE(a_restore_can_be_repeated_after_a_crash) {
    BOOST_REQUIRE((restore().state == RecordState::Restored));
    BOOST_TEST((restore().state == RecordState::Restored));
    BOOST_TEST(home.read("dir/virus") == "evil bytes");
}

BOOST_AUTO_TEST_CASE(missing_directories_are_created_again) {
    std::filesystem::remove(home.path + "/dir");
    BOOST_TEST((restore().state == RecordState::Restored));
    BOOST_TEST(home.read("dir/virus") == "evil bytes");
}

BOOST_AUTO_TEST_CASE(an_existing_file_is_never_replaced) {
    home.write("dir/virus", "a new file");
    BOOST_TEST((restore().state == RecordState::Error));
    BOOST_TEST(home.read("dir/virus") == "a new file");
    BOOST_TEST(home.has(kept));
    std::filesystem::remove(home.path + "/dir/virus");
    std::filesystem::create_symlink("/etc/passwd", home.path + "/dir/virus");
    BOOST_TEST((restore().state == RecordState::Error));
    BOOST_TEST(std::filesystem::is_symlink(home.path + "/dir/virus"));
}

BOOST_AUTO_TEST_CASE(changed_content_stays_in_the_quarantine) {
    ::chmod((home.path + "/" + kept).c_str(), 0600);
    home.write(kept, "other bytes");
    const auto acted = restore();
    BOOST_TEST((acted.state == RecordState::Error));
    BOOST_TEST(acted.message.find("changed") != std::string::npos);
    BOOST_TEST(!home.has("dir/virus"));
    BOOST_TEST(home.has(kept));
}

BOOST_AUTO_TEST_CASE(a_link_instead_of_the_file_or_a_directory_is_not_followed) {
    const TemporaryDirectory elsewhere;
    elsewhere.write(opaque, "evil bytes");
    std::filesystem::remove(home.path + "/" + kept);
    std::filesystem::create_symlink(elsewhere.path + "/" + opaque, home.path + "/" + kept);
    BOOST_TEST((restore().state == RecordState::Error));
    BOOST_TEST((discard().state == RecordState::Error));
    std::filesystem::remove_all(home.path + "/" + quarantine_directory);
    std::filesystem::create_symlink(elsewhere.path, home.path + "/" + quarantine_directory);
    BOOST_TEST((restore().state == RecordState::Error));
    BOOST_TEST((discard().state == RecordState::Error));
    BOOST_TEST(elsewhere.read(opaque) == "evil bytes");
}

BOOST_AUTO_TEST_CASE(a_link_in_the_old_path_is_not_followed) {
    const TemporaryDirectory elsewhere;
    std::filesystem::remove(home.path + "/dir");
    std::filesystem::create_symlink(elsewhere.path, home.path + "/dir");
    BOOST_TEST((restore().state == RecordState::Error));
    BOOST_TEST(std::filesystem::is_empty(elsewhere.path));
    BOOST_TEST(home.has(kept));
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_an_error_to_restore_but_not_to_delete) {
    std::filesystem::remove(home.path + "/" + kept);
    BOOST_TEST((restore().state == RecordState::Error));
    BOOST_TEST((discard().state == RecordState::Deleted));
}

BOOST_AUTO_TEST_CASE(setuid_is_not_restored) {
    order.metadata.mode = 04755;
    const auto acted = restore();
    BOOST_TEST((acted.state == RecordState::Restored));
    BOOST_TEST(acted.message.find("setuid") != std::string::npos);
    BOOST_TEST((status_of("dir/virus").st_mode & 07777) == 0755U);
}

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_restored_is_reported) {
    order.metadata.owner = ::geteuid() + 1;
    order.metadata.attributes.push_back({"nonsense", "x"});
    const auto acted = restore();
    BOOST_TEST((acted.state == RecordState::Restored));
    BOOST_TEST(acted.message.find("belonged to uid") != std::string::npos);
    BOOST_TEST(acted.message.find("nonsense") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_with_more_hard_links_keeps_its_mode) {
    std::filesystem::create_hard_link(home.path + "/" + kept, home.path + "/other");
    ::chmod((home.path + "/other").c_str(), 0604);
    const auto acted = restore();
    BOOST_TEST((acted.state == RecordState::Restored));
    BOOST_TEST(acted.message.find("more names") != std::string::npos);
    BOOST_TEST((status_of("other").st_mode & 07777) == 0604U);
}

BOOST_AUTO_TEST_CASE(discarding_a_file_removes_its_record) {
    BOOST_TEST((discard().state == RecordState::Deleted));
    BOOST_TEST(!home.has(kept));
    BOOST_TEST(!home.has(kept + ".json"));
    BOOST_TEST(!home.has("dir/virus"));
}

BOOST_AUTO_TEST_CASE(only_the_quarantined_file_is_discarded) {
    std::filesystem::rename(home.path + "/" + kept, home.path + "/aside");
    home.write(kept, "something of the owner's");
    BOOST_TEST((discard().state == RecordState::NoAction));
    BOOST_TEST(home.has(kept));
}

BOOST_AUTO_TEST_CASE(a_file_changed_in_the_quarantine_is_not_discarded) {
    const auto inode = status_of(kept).st_ino;
    ::chmod((home.path + "/" + kept).c_str(), 0600);
    home.write(kept, "something of the owner's");
    BOOST_REQUIRE(status_of(kept).st_ino == inode);
    BOOST_TEST((discard().state == RecordState::NoAction));
    BOOST_TEST(home.read(kept) == "something of the owner's");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
