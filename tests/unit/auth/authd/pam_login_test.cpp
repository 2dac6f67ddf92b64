// Run by ctest under libpam-wrapper and libnss-wrapper: the real libpam with a stack and a password file of the test's
// own (pam_matrix), and the real name service with another passwd. Without the wrappers it is skipped, with a message.
#include "auth/authd/pam_login.h"

#include <crypt.h>
#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Fixture {
    Fixture() { config.login.pam_service = "clamscanner"; }
    LoginVerdict verdict_on(const std::string& user, const std::string& password) {
        checked = pam_login(config, user, Secret(password), "192.0.2.1");
        return checked.verdict;
    }
    Config config;
    LoginChecked checked;
};

boost::test_tools::assertion_result wrapped(boost::unit_test::test_unit_id) {
    if (::getenv("PAM_WRAPPER") != nullptr) return true;
    std::puts("skipped: not run under libpam-wrapper; ctest does so");
    return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_login_by_pam, *boost::unit_test::precondition(wrapped))

BOOST_FIXTURE_TEST_CASE(is_welcome_with_the_right_password, Fixture) {
    BOOST_TEST((verdict_on("alice", "alices") == LoginVerdict::Welcome));
    BOOST_TEST(checked.account.name == "alice");
    BOOST_TEST(checked.account.uid == 2001U);
    BOOST_TEST(checked.account.home == "/tmp");
    BOOST_TEST(checked.one_prompt);
}

BOOST_FIXTURE_TEST_CASE(is_wrong_for_a_wrong_password_and_for_an_unknown_name_alike, Fixture) {
    BOOST_TEST((verdict_on("alice", "bobs") == LoginVerdict::Wrong));
    BOOST_TEST((verdict_on("nobody-of-that-name", "alices") == LoginVerdict::Wrong));
}

BOOST_FIXTURE_TEST_CASE(is_not_delayed_by_pam, Fixture) {
    // pam_faildelay of this stack asks for twenty seconds, of which libpam makes ten to thirty.
    config.login.pam_service = "delayed";
    const auto begun = std::chrono::steady_clock::now();
    BOOST_TEST((verdict_on("alice", "wrong") == LoginVerdict::Wrong));
    BOOST_TEST((std::chrono::steady_clock::now() - begun < std::chrono::seconds(4)));
}

BOOST_FIXTURE_TEST_CASE(is_forbidden_only_after_the_right_password, Fixture) {
    // pam_matrix opens an account to the one service that its line names: closed's is another.
    BOOST_TEST((verdict_on("closed", "closeds") == LoginVerdict::Forbidden));
    BOOST_TEST((verdict_on("closed", "wrong") == LoginVerdict::Wrong));
    BOOST_TEST((verdict_on("homeless", "wrong") == LoginVerdict::Wrong));
    BOOST_TEST((verdict_on("lowly", "lowlys") == LoginVerdict::Forbidden));
    BOOST_TEST((verdict_on("wheeled", "wheeleds") == LoginVerdict::Forbidden));
    BOOST_TEST((verdict_on("stranger", "strangers") == LoginVerdict::Forbidden));
}

BOOST_FIXTURE_TEST_CASE(with_an_empty_password_field_is_wrong_for_every_password, Fixture) {
    config.login.pam_service = "blank_allowed";
    for (const auto* password : {"x", "blanks", " "})
        BOOST_TEST((verdict_on("blank", password) == LoginVerdict::Wrong), password);
}

BOOST_FIXTURE_TEST_CASE(is_wrong_when_pam_did_not_ask_for_the_password, Fixture) {
    config.login.pam_service = "unasked";
    BOOST_TEST((verdict_on("alice", "alices") == LoginVerdict::Wrong));
}

BOOST_FIXTURE_TEST_CASE(tells_which_generation_of_the_account_it_is_once_the_home_was_seen, Fixture) {
    BOOST_REQUIRE((verdict_on("alice", "alices") == LoginVerdict::Welcome));
    BOOST_TEST(checked.account.generation == "");
    const auto seen = with_home(checked, home_identity("/tmp"), config);
    BOOST_TEST((seen.verdict == LoginVerdict::Welcome));
    BOOST_TEST(seen.account.generation == account_generation(checked.account, home_identity("/tmp")));
    BOOST_TEST(seen.account.generation != account_generation(checked.account, home_identity("/")));
    BOOST_TEST(seen.one_prompt);
}

BOOST_FIXTURE_TEST_CASE(is_forbidden_without_a_home_and_refused_while_that_hangs, Fixture) {
    BOOST_REQUIRE((verdict_on("homeless", "homeless-pw") == LoginVerdict::Welcome));
    const auto missing = home_identity(checked.account.home);
    BOOST_TEST((with_home(checked, missing, config).verdict == LoginVerdict::Forbidden));
    BOOST_TEST((with_home(checked, std::nullopt, config).verdict == LoginVerdict::FilesHang));
    // A wrong password stays one, whatever the home does.
    BOOST_REQUIRE((verdict_on("homeless", "wrong") == LoginVerdict::Wrong));
    BOOST_TEST((with_home(checked, std::nullopt, config).verdict == LoginVerdict::Wrong));
    config.jobs.host_users = {"homeless"};
    BOOST_REQUIRE((verdict_on("homeless", "homeless-pw") == LoginVerdict::Welcome));
    BOOST_TEST((with_home(checked, missing, config).verdict == LoginVerdict::Welcome));
}

BOOST_FIXTURE_TEST_CASE(says_when_more_than_one_hidden_prompt_was_asked, Fixture) {
    config.login.pam_service = "twice";
    BOOST_TEST((verdict_on("alice", "alices") == LoginVerdict::Welcome));
    BOOST_TEST(!checked.one_prompt);
}

BOOST_FIXTURE_TEST_CASE(answers_no_visible_prompt, Fixture) {
    config.login.pam_service = "visible";
    BOOST_TEST((verdict_on("alice", "alices") != LoginVerdict::Welcome));
}

BOOST_FIXTURE_TEST_CASE(is_a_fault_when_pam_cannot_tell, Fixture) {
    config.login.pam_service = "broken";
    BOOST_TEST((verdict_on("alice", "alices") == LoginVerdict::Unavailable));
}

BOOST_FIXTURE_TEST_CASE(names_where_it_came_from, Fixture) {
    // The stack lets in whoever comes from 192.0.2.1 (pam_succeed_if on rhost).
    config.login.pam_service = "from_there";
    BOOST_TEST((verdict_on("alice", "alices") == LoginVerdict::Welcome));
    const auto elsewhere = pam_login(config, "alice", Secret("alices"), "198.51.100.1");
    BOOST_TEST((elsewhere.verdict == LoginVerdict::Wrong));
}

BOOST_FIXTURE_TEST_CASE(is_of_a_local_password_if_crypt_makes_the_accounts_hash_of_it, Fixture) {
    const TemporaryDirectory directory;
    const auto is_local = [&](const std::string& shadow) {
        directory.write("shadow", shadow);
        return pam_login(config, "alice", Secret("alices"), "192.0.2.1", directory.path + "/shadow").is_local;
    };
    BOOST_TEST(is_local("alice:" + std::string(::crypt("alices", "$6$rounds=1000$abcdefgh$")) + ":1:::::\n"));
    // PAM knows the password from elsewhere.
    BOOST_TEST(!is_local("alice:" + std::string(::crypt("another", "$6$rounds=1000$abcdefgh$")) + ":1:::::\n"));
    BOOST_TEST(!is_local("alice:*:1:::::\n"));
    BOOST_TEST(!is_local(""));
}

BOOST_FIXTURE_TEST_CASE(tells_pam_where_a_remembered_one_comes_from, Fixture) {
    config.login.pam_service = "open_there";
    BOOST_TEST((pam_account(config, "alice", "192.0.2.1").verdict == LoginVerdict::Welcome));
    BOOST_TEST((pam_account(config, "alice", "198.51.100.1").verdict == LoginVerdict::Forbidden));
}

BOOST_FIXTURE_TEST_CASE(is_not_needed_to_see_whether_an_account_is_open, Fixture) {
    BOOST_TEST((pam_account_is_open(config, "alice") == RunnerVerdict::Started));
    BOOST_TEST((pam_account_is_open(config, "closed") == RunnerVerdict::Suspended));
    config.login.pam_service = "broken";
    BOOST_TEST((pam_account_is_open(config, "alice") == RunnerVerdict::Unavailable));
}

BOOST_AUTO_TEST_SUITE_END()
