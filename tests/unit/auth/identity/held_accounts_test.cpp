#include "auth/identity/held_accounts.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "auth/base/config.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Fixture {
    TemporaryDirectory directory;
    const std::string file = directory.path + "/held_accounts";
    HeldAccounts held{file};

    void write(const std::string& text) const {
        directory.write("held_accounts", text);
        BOOST_REQUIRE(::chmod(file.c_str(), 0600) == 0);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(held_accounts, Fixture)

BOOST_AUTO_TEST_CASE(are_none_without_a_file) {
    BOOST_TEST(!held.include("bob", 1001));
    BOOST_TEST(read_held_accounts(file).empty());
}

BOOST_AUTO_TEST_CASE(are_held_by_name_and_by_uid_from_the_next_question_on) {
    write_held_accounts(file, {{"bob", 1001}, {"amy", 1002}});
    for (const auto& [name, uid] : {std::pair("bob", 1001U), {"bob", 7U}, {"renamed", 1001U}, {"amy", 1002U}})
        BOOST_TEST(held.include(name, uid));
    BOOST_TEST(!held.include("bobby", 10011));
    write_held_accounts(file, {{"amy", 1002}});
    BOOST_TEST(!held.include("bob", 1001));
    BOOST_TEST(held.include("amy", 1002));
    struct stat status {};
    BOOST_REQUIRE(::stat(file.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600);
}

BOOST_AUTO_TEST_CASE(are_never_taken_for_free_because_their_list_is_broken) {
    for (const auto* text : {"bob\n", "bob x\n", "bob 1001 more\n"}) {
        write(text);
        BOOST_CHECK_THROW(static_cast<void>(held.include("amy", 1)), ConfigError);
        // Nor at the next question, when the file is known already.
        BOOST_CHECK_THROW(static_cast<void>(held.include("amy", 1)), ConfigError);
    }
    write("# NAME UID\n\nbob 1001\n");
    BOOST_TEST(held.include("bob", 1001));
}

BOOST_AUTO_TEST_SUITE_END()
