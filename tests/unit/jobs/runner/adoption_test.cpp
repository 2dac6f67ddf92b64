#include "jobs/runner/adoption.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <iomanip>
#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/sha256.h"
#include "jobs/runner/quarantine_entry.h"
#include "jobs/shared/quarantine_json.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

const std::string opaque = "0123456789abcdef0123456789abcdef";
const std::string in_quarantine = std::string(quarantine_directory) + "/";

// A home that was /old/home when its file was quarantined.
struct MovedHome {
    MovedHome() {
        home.write(in_quarantine + opaque, "evil bytes");
        ::chmod((home.path + "/" + quarantine_directory).c_str(), 0700);
        record.path = "/old/home/dir/virus";
        record.home = "/old/home";
        record.virus = "Eicar";
        record.sha256 = sha256_hex("evil bytes");
        record.identity.size = 10;
        record.identity.mtime_ns = 1'600'000'000'000'000'001;
        record.metadata.mode = 0640;
        write_record();
    }
    void write_record(const std::string& name = opaque) {
        home.write(in_quarantine + name + ".json", quarantine_json(record));
    }
    std::vector<Adopted> adopted(const std::set<std::string>& known = {}, std::uint64_t most_bytes = 1000) {
        std::vector<Adopted> found;
        Adoption(home.fd.get(), home.path, {[&](const Adopted& one) { found.push_back(one); }, [] {}})
            .adopt({most_bytes, "mail"}, known);
        return found;
    }
    bool is_adopted() { return !adopted().empty(); }
    bool is_adopted_from(const std::string& path, const std::string& old_home) {
        record.path = path;
        record.home = old_home;
        write_record();
        return is_adopted();
    }

    TemporaryDirectory home;
    QuarantineRecord record;
};

BOOST_FIXTURE_TEST_SUITE(adoption, MovedHome)

BOOST_AUTO_TEST_CASE(takes_a_file_by_its_record_and_follows_the_home) {
    const auto found = adopted();
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].opaque == opaque);
    BOOST_TEST(found[0].path == home.path + "/dir/virus");
    BOOST_TEST(found[0].virus == "Eicar");
    BOOST_TEST(found[0].sha256 == record.sha256);
    BOOST_TEST(found[0].identity.size == 10U);
    BOOST_TEST(found[0].identity.mtime_ns == record.identity.mtime_ns);
    BOOST_TEST(found[0].metadata.mode == 0640U);
    BOOST_TEST(!found[0].may_hold_mail);
    BOOST_TEST(adopted({opaque}).empty());
}

BOOST_AUTO_TEST_CASE(takes_no_more_than_so_many_at_once_and_the_rest_the_next_time) {
    const std::string begin = home.path + "/" + in_quarantine;
    for (std::size_t i = 0; i <= most_adopted; ++i) {
        std::ostringstream name;
        name << std::setfill('0') << std::setw(32) << i;
        // Links: it would take long to write so many files.
        std::filesystem::create_hard_link(begin + opaque, begin + name.str());
        std::filesystem::create_hard_link(begin + opaque + ".json", begin + name.str() + ".json");
    }
    std::set<std::string> known;
    for (const auto& one : adopted()) known.insert(one.opaque);
    BOOST_TEST(known.size() == 10'000U);
    BOOST_TEST(adopted(known).size() == 2U);
}

BOOST_AUTO_TEST_CASE(is_the_same_at_an_unchanged_path_or_without_a_recorded_home) {
    BOOST_TEST(is_adopted_from(home.path + "/dir/virus", home.path));
    BOOST_TEST(is_adopted_from(home.path + "/dir/virus", ""));
    BOOST_TEST(is_adopted_from("/old/home/dir/virus", "/old/home/"));
}

BOOST_AUTO_TEST_CASE(goes_by_content_and_not_by_what_a_copy_does_not_keep) {
    const auto path = home.path + "/" + in_quarantine + opaque;
    for (const mode_t mode : {0400, 0644}) {
        BOOST_REQUIRE(::chmod(path.c_str(), mode) == 0);
        BOOST_TEST(is_adopted());
    }
    home.write(in_quarantine + opaque, "good bytes");
    BOOST_TEST(!is_adopted());
    home.write(in_quarantine + opaque, "evil bytes and more");
    BOOST_TEST(!is_adopted());
    home.write(in_quarantine + opaque, "evil bytes");
    BOOST_TEST(is_adopted());
    BOOST_TEST(adopted({}, 9).empty());
}

BOOST_AUTO_TEST_CASE(takes_no_place_outside_the_home_nor_in_the_quarantine) {
    for (const auto* path :
         {"/etc/passwd", "/old/home", "/old/home/", "/old/homestead/x", "/old/home/../x", "/old/home/a/../../x",
          "/old/home/./x", "/old/home//x", "/old/home/x/", "dir/virus", "/old/home/quarantine_clamavconnector/x"})
        BOOST_TEST(!is_adopted_from(path, "/old/home"), path);
    BOOST_TEST(!is_adopted_from("/old/home/x", ""));
    // Whatever home the record names, the place is below this one.
    BOOST_REQUIRE(is_adopted_from("/etc/passwd", "/"));
    BOOST_TEST(adopted()[0].path == home.path + "/etc/passwd");
}

BOOST_AUTO_TEST_CASE(takes_no_name_that_is_not_opaque) {
    for (const std::string name : {"virus", "../x", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef"}) {
        if (name.find('/') == std::string::npos) home.write(in_quarantine + name, "evil bytes");
        if (name.find('/') == std::string::npos) write_record(name);
        BOOST_TEST(adopted({opaque}).empty(), name);
    }
    const std::string mail = opaque.substr(0, 28) + ".eml";
    home.write(in_quarantine + mail, "evil bytes");
    write_record(mail);
    BOOST_REQUIRE(adopted({opaque}).size() == 1U);
    BOOST_TEST(adopted({opaque})[0].opaque == mail);
}

BOOST_AUTO_TEST_CASE(follows_no_link_and_waits_for_no_pipe) {
    const auto path = home.path + "/" + in_quarantine + opaque;
    home.write("elsewhere", "evil bytes");
    for (const std::string& name : {path, path + ".json"}) {
        BOOST_REQUIRE(::rename(name.c_str(), (home.path + "/kept").c_str()) == 0);
        BOOST_REQUIRE(::symlink((home.path + "/kept").c_str(), name.c_str()) == 0);
        BOOST_TEST(!is_adopted());
        BOOST_REQUIRE(::unlink(name.c_str()) == 0 && ::mkfifo(name.c_str(), 0600) == 0);
        BOOST_TEST(!is_adopted());
        BOOST_REQUIRE(::unlink(name.c_str()) == 0 && ::mkdir(name.c_str(), 0700) == 0);
        BOOST_TEST(!is_adopted());
        BOOST_REQUIRE(::rmdir(name.c_str()) == 0);
        BOOST_REQUIRE(::rename((home.path + "/kept").c_str(), name.c_str()) == 0);
    }
    BOOST_TEST(is_adopted());
}

BOOST_AUTO_TEST_CASE(leaves_a_broken_record_alone) {
    for (const auto& text : {std::string(), std::string("{"), std::string(2'000'000, '[')}) {
        home.write(in_quarantine + opaque + ".json", text);
        BOOST_TEST(!is_adopted());
    }
    write_record();
    BOOST_TEST(is_adopted());
}

BOOST_AUTO_TEST_CASE(knows_again_what_may_hold_good_mail) {
    record.path = "/old/home/storage/m.1";
    write_record();
    BOOST_TEST(adopted()[0].may_hold_mail);
}

BOOST_AUTO_TEST_CASE(does_not_make_a_file_one_that_a_scan_leaves_out) {
    const auto found = adopted();
    const UniqueFd quarantine(
        ::open((home.path + "/" + quarantine_directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ScanQuarantined recorded{1, opaque, found[0].identity.inode + 1, 10, record.sha256, true};
    BOOST_TEST(static_cast<bool>(open_recorded(quarantine.get(), recorded)));
    recorded.adopted = false;
    BOOST_TEST(!open_recorded(quarantine.get(), recorded));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
