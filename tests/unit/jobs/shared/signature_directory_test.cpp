#include "jobs/shared/signature_directory.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

BOOST_FIXTURE_TEST_SUITE(a_signature_directory, TemporaryDirectory)

BOOST_AUTO_TEST_CASE(holds_signatures_by_the_names_of_its_files) {
    BOOST_TEST(!holds_signatures(path));
    write("freshclam.dat", "");
    write("allowed.fp", "");
    BOOST_TEST(!holds_signatures(path));
    write("custom.NDB", "");
    BOOST_TEST(holds_signatures(path));
}

BOOST_AUTO_TEST_CASE(changes_with_each_file_that_is_loaded) {
    for (const char* name : {"daily.cld", "custom.ldb", "rules.yara", "allowed.fp", "ignored.ign2", "daily.cfg"}) {
        const auto before = listing_of(path);
        write(name, "");
        const auto with_it = listing_of(path);
        BOOST_TEST((with_it != before), name);
        write(name, "longer");
        BOOST_TEST((listing_of(path) != with_it), name);
    }
}

BOOST_AUTO_TEST_CASE(does_not_change_with_what_is_not_loaded) {
    write("main.cvd", "");
    const auto before = listing_of(path);
    write("tmp.1f0e6b3a2c/clamav-53.tmp/daily.ndb", "half of an update");
    write("freshclam.dat", "");
    write("mirrors.dat", "");
    write("main.cvd.bak", "");
    BOOST_TEST((listing_of(path) == before));
    std::filesystem::remove_all(path + "/tmp.1f0e6b3a2c");
    BOOST_TEST((listing_of(path) == before));
}

BOOST_AUTO_TEST_CASE(that_cannot_be_read_is_told_from_an_empty_one) {
    BOOST_TEST(listing_of(path).problem == "");
    for (const auto* no_directory : {"/missing", "/file"}) {
        write("file", "");
        BOOST_TEST_CONTEXT(no_directory) {
            const auto listing = listing_of(path + no_directory);
            BOOST_TEST(listing.problem.find("cannot be read") != std::string::npos, listing.problem);
            BOOST_TEST((listing != listing_of(path)));
            BOOST_TEST(!holds_signatures(path + no_directory));
        }
    }
}

BOOST_AUTO_TEST_CASE(may_hold_a_link_that_leads_nowhere) {
    write("main.cvd", "");
    const auto before = listing_of(path);
    std::filesystem::create_symlink("nowhere", path + "/custom.ndb");
    const auto with_it = listing_of(path);
    BOOST_TEST(with_it.problem == "");
    BOOST_TEST((with_it != before));
}

BOOST_AUTO_TEST_CASE(says_how_old_the_newest_of_clamavs_databases_is) {
    const std::int64_t now = 1'700'000'000;
    const auto header = [](int version, std::int64_t built) {
        const auto text = "ClamAV-VDB:16 Sep 2021 08-32 -0400:" + std::to_string(version) +
                          ":42:90:0123:abcd:neo:" + std::to_string(built);
        return text + std::string(512 - text.size(), ' ') + "the database";
    };
    BOOST_TEST(age_warning(path, now).empty());
    write("main.cvd", header(62, now - 900 * 86'400LL));
    write("daily.cld", header(27022, now - 2 * 86'400LL));
    write("broken.cvd", "ClamAV-VDB:cut");
    BOOST_TEST(newest_database(path)->name == "daily.cld");
    BOOST_TEST(newest_database(path)->version == 27022U);
    BOOST_TEST(age_warning(path, now).empty());
    const auto warning = age_warning(path, now + 8 * 86'400LL);
    for (const char* part : {"daily.cld, version 27022", "10 days old", "clamav-freshclam"})
        BOOST_TEST(warning.find(part) != std::string::npos, part);
}

BOOST_AUTO_TEST_SUITE_END()
