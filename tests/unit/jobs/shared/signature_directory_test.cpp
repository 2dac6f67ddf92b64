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

BOOST_AUTO_TEST_SUITE_END()
