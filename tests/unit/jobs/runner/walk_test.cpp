#include "jobs/runner/walk.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "jobs/shared/beneath.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_record.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

UniqueFd empty_file() {
    return UniqueFd(checked(::memfd_create("list", MFD_CLOEXEC), "make a list"));
}

struct Home {
    // Everything the walk lists, sorted.
    std::vector<std::string> walk(const std::string& directory = "", std::vector<ScanQuarantined> quarantined = {}) {
        PathList list(empty_file());
        Walk walk(home.fd.get(), std::move(quarantined),
                  {[this](const WalkProgress& callbacks) { progress = callbacks; },
                   [this](const std::string& path, UnscannedReason reason) { unreadable.emplace_back(path, reason); },
                   [this](const std::string& path) { listed.push_back(path); }});
        listed.clear();
        walk.list(directory, list);
        std::vector<std::string> paths;
        for (std::string path; list.next(path);) paths.push_back(path);
        BOOST_TEST((paths == listed));
        std::sort(paths.begin(), paths.end());
        return paths;
    }
    TemporaryDirectory home;
    WalkProgress progress;
    std::vector<std::pair<std::string, UnscannedReason>> unreadable;
    std::vector<std::string> listed;  // as it was said while the walk went on
};

using Paths = std::vector<std::string>;

BOOST_FIXTURE_TEST_SUITE(walk, Home)

BOOST_AUTO_TEST_CASE(every_regular_file_is_listed_and_counted) {
    home.write("a", "12345");
    home.write("mail/cur/b", "1");
    home.write("name with \n and \xff", "");
    BOOST_TEST((walk() == Paths{"a", "mail/cur/b", "name with \n and \xff"}));
    BOOST_TEST(progress.walked);
    BOOST_TEST(progress.files == 3U);
    BOOST_TEST(progress.bytes == 6U);
    BOOST_TEST((walk("mail") == Paths{"mail/cur/b"}));
}

BOOST_AUTO_TEST_CASE(links_and_special_files_are_not_followed_and_not_listed) {
    home.write("inside/file", "x");
    BOOST_REQUIRE(::symlink("/etc/passwd", (home.path + "/link").c_str()) == 0);
    BOOST_REQUIRE(::symlink("/etc", (home.path + "/directory_link").c_str()) == 0);
    BOOST_REQUIRE(::mkfifo((home.path + "/fifo").c_str(), 0600) == 0);
    BOOST_TEST((walk() == Paths{"inside/file"}));
    BOOST_TEST(unreadable.empty());
}

BOOST_AUTO_TEST_CASE(a_directory_to_scan_that_is_a_link_or_missing_fails_as_a_whole) {
    BOOST_REQUIRE(::symlink("/etc", (home.path + "/public_html").c_str()) == 0);
    BOOST_CHECK_THROW(walk("public_html"), std::system_error);
    BOOST_CHECK_THROW(walk("nowhere"), std::system_error);
}

BOOST_AUTO_TEST_CASE(a_tree_deeper_than_a_path_may_be_is_walked_and_opened) {
    const std::string name(200, 'd');
    std::string path;
    UniqueFd at(::open(home.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int depth = 0; depth < 30; ++depth) {
        BOOST_REQUIRE(::mkdirat(at.get(), name.c_str(), 0700) == 0);
        at.reset(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        path += name + "/";
    }
    UniqueFd file(::openat(at.get(), "deep", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    BOOST_REQUIRE(static_cast<bool>(file));
    BOOST_TEST((walk() == Paths{path + "deep"}));
    BOOST_TEST(static_cast<bool>(open_beneath(home.fd.get(), path + "deep", O_RDONLY, Crossing::Allowed)));
}

BOOST_AUTO_TEST_CASE(a_directory_too_deep_for_a_packet_is_one_unreadable_entry) {
    const std::string name(200, 'd');
    std::string path;
    UniqueFd at(::open(home.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (path.size() <= 62'000) {
        BOOST_REQUIRE(::mkdirat(at.get(), name.c_str(), 0700) == 0);
        at.reset(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        path += (path.empty() ? "" : "/") + name;
        const UniqueFd file(::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        BOOST_REQUIRE(static_cast<bool>(file));
    }
    const auto listed = walk();
    BOOST_REQUIRE(unreadable.size() == 1U);
    const auto& [too_deep, reason] = unreadable[0];
    BOOST_TEST((reason == UnscannedReason::Unreadable));
    BOOST_TEST(too_deep.size() > 59U * 1024U);
    BOOST_TEST((too_deep.ends_with('/') && path.starts_with(too_deep.substr(0, too_deep.size() - 1))));
    // Every file above it is listed, and none below it.
    BOOST_TEST(listed.size() == (too_deep.size() / (name.size() + 1)) - 1);
    BOOST_TEST(progress.files == listed.size() + 1);
}

// A quarantined file is left out only while it is where and as it was put: whatever its owner, or malware that runs as
// its owner, does with it, it is scanned.
struct QuarantinedHome : Home {
    QuarantinedHome() {
        put("evil");
        const UniqueFd file(::open(kept().c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        BOOST_REQUIRE(::fstat(file.get(), &status) == 0);
        recorded = {1, opaque, status.st_ino, static_cast<std::uint64_t>(status.st_size), *content_hash(file.get())};
        BOOST_TEST(walk("", {recorded}).empty());
    }
    void put(const std::string& content) const {
        home.write(name, content);
        BOOST_REQUIRE(::chmod(kept().c_str(), 0400) == 0);
    }
    [[nodiscard]] std::string kept() const { return home.path + "/" + name; }

    const std::string opaque = "0123456789abcdef0123456789abcdef";
    const std::string name = std::string(quarantine_directory) + "/" + opaque;
    ScanQuarantined recorded;
};

BOOST_FIXTURE_TEST_CASE(a_quarantined_file_moved_or_linked_elsewhere_is_scanned, QuarantinedHome) {
    home.write("public_html/index.html", "x");
    BOOST_REQUIRE(::link(kept().c_str(), (home.path + "/public_html/evil.php").c_str()) == 0);
    BOOST_TEST((walk("", {recorded}) == Paths{"public_html/evil.php", "public_html/index.html"}));
    BOOST_REQUIRE(::unlink(kept().c_str()) == 0);
    BOOST_TEST((walk("public_html", {recorded}) == Paths{"public_html/evil.php", "public_html/index.html"}));
}

BOOST_FIXTURE_TEST_CASE(a_quarantined_file_renamed_in_the_quarantine_is_scanned, QuarantinedHome) {
    std::filesystem::rename(kept(), kept() + ".php");
    BOOST_TEST((walk("", {recorded}) == Paths{name + ".php"}));
}

BOOST_FIXTURE_TEST_CASE(another_directory_with_the_quarantines_name_is_scanned, QuarantinedHome) {
    std::filesystem::create_directories(home.path + "/public_html/" + quarantine_directory);
    std::filesystem::rename(kept(), home.path + "/public_html/" + name);
    BOOST_TEST((walk("", {recorded}) == Paths{"public_html/" + name}));
    BOOST_TEST((walk("public_html", {recorded}) == Paths{"public_html/" + name}));
}

BOOST_FIXTURE_TEST_CASE(a_quarantined_file_made_usable_again_is_scanned, QuarantinedHome) {
    for (const mode_t mode : {0600U, 0644U, 0500U, 0440U, 04400U, 0U}) {
        BOOST_REQUIRE(::chmod(kept().c_str(), mode) == 0);
        BOOST_TEST((walk("", {recorded}) == Paths{name}), mode);
    }
}

BOOST_FIXTURE_TEST_CASE(changed_content_in_the_quarantine_is_scanned, QuarantinedHome) {
    BOOST_REQUIRE(::chmod(kept().c_str(), 0600) == 0);
    put("EVIL");
    BOOST_TEST((walk("", {recorded}) == Paths{name}));
}

BOOST_FIXTURE_TEST_CASE(another_file_with_the_same_content_is_scanned, QuarantinedHome) {
    std::filesystem::rename(kept(), home.path + "/aside");
    put("evil");
    BOOST_TEST((walk("", {recorded}) == Paths{"aside", name}));
}

BOOST_FIXTURE_TEST_CASE(a_link_or_a_directory_in_its_place_hides_nothing, QuarantinedHome) {
    std::filesystem::rename(kept(), home.path + "/aside");
    BOOST_REQUIRE(::symlink("../aside", kept().c_str()) == 0);
    BOOST_TEST((walk("", {recorded}) == Paths{"aside"}));
    BOOST_REQUIRE(::unlink(kept().c_str()) == 0);
    home.write(name + "/" + opaque, "evil");
    BOOST_TEST((walk("", {recorded}) == Paths{"aside", name + "/" + opaque}));
}

// While a lease is held, possibly for ever, opening the file with O_NONBLOCK fails with EAGAIN.
BOOST_AUTO_TEST_CASE(a_leased_file_is_refused_at_once) {
    home.write("leased", "x");
    const UniqueFd holder(::open((home.path + "/leased").c_str(), O_WRONLY | O_CLOEXEC));
    BOOST_REQUIRE(::signal(SIGIO, SIG_IGN) != SIG_ERR);
    BOOST_REQUIRE(::fcntl(holder.get(), F_SETLEASE, F_WRLCK) == 0);
    const UniqueFd opened = open_beneath(home.fd.get(), "leased", O_RDONLY | O_NONBLOCK, Crossing::Allowed);
    BOOST_TEST(!opened);
    BOOST_TEST(errno == EAGAIN);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(nothing_outside_the_directory_is_opened) {
    TemporaryDirectory place;
    place.write("home/file", "x");
    place.write("secret", "x");
    BOOST_REQUIRE(::symlink("../secret", (place.path + "/home/link").c_str()) == 0);
    BOOST_REQUIRE(::symlink("..", (place.path + "/home/up").c_str()) == 0);
    const UniqueFd home(::open((place.path + "/home").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    BOOST_TEST(static_cast<bool>(open_beneath(home.get(), "file", O_RDONLY, Crossing::Forbidden)));
    for (const char* way_out : {"../secret", "link", "up/secret", "/etc/passwd"})
        BOOST_TEST(!open_beneath(home.get(), way_out, O_RDONLY, Crossing::Allowed), way_out);
}

BOOST_AUTO_TEST_CASE(a_long_list_is_read_back_unchanged) {
    PathList list(empty_file());
    constexpr int count = 50'000;
    for (int i = 0; i < count; ++i)
        list.append("directory/" + std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x'));
    BOOST_TEST(list.finish() > 0U);
    std::string path;
    for (int i = 0; i < count; ++i) {
        BOOST_REQUIRE(list.next(path));
        BOOST_REQUIRE(path == "directory/" + std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x'));
    }
    BOOST_TEST(!list.next(path));
}

}  // namespace
}  // namespace clamscanner
