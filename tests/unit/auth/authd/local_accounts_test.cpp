#include "auth/authd/local_accounts.h"

#include <boost/test/unit_test.hpp>
#include <utility>

#include "tests/unit/local_account_files.h"

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(an_account_is_known_by_both_its_lines) {
    const LocalAccountFiles files;
    LocalAccounts accounts(files.names());
    const auto before = accounts.lines_of("bob");
    BOOST_REQUIRE(before.has_value());
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$NEW:1:::::\n");
    accounts.refresh();
    BOOST_TEST((accounts.lines_of("bob") != before));
    BOOST_TEST(!accounts.lines_of("nobody-of-that-name"));
}

BOOST_AUTO_TEST_CASE(a_change_of_one_account_leaves_all_others_as_they_were) {
    const LocalAccountFiles files;
    LocalAccounts accounts(files.names());
    const auto alice = accounts.lines_of("alice");
    const auto bob = accounts.lines_of("bob");
    files.replace("passwd",
                  "alice:x:2001:2001::/home/alice:/bin/"
                  "zsh\nbob:x:2002:2002::/home/bob:/bin/sh\n");
    accounts.refresh();
    BOOST_TEST((accounts.lines_of("alice") != alice));
    BOOST_TEST((accounts.lines_of("bob") == bob));
}

BOOST_AUTO_TEST_CASE(an_account_made_anew_with_equal_lines_differs_when_any_change_affects_all) {
    const LocalAccountFiles files;
    const std::string lines =
        "alice:x:2001:2001::/home/alice:/bin/"
        "sh\nbob:x:2002:2002::/home/bob:/bin/sh\n";
    auto names = files.names();
    LocalAccounts by_its_lines(names);
    names.any_change_affects_all = true;
    LocalAccounts by_every_change(names);
    const auto bob = by_its_lines.lines_of("bob");
    const auto heeded = by_every_change.lines_of("bob");
    by_every_change.refresh();
    BOOST_TEST((by_every_change.lines_of("bob") == heeded));
    files.replace("passwd", lines);
    by_its_lines.refresh();
    by_every_change.refresh();
    BOOST_TEST((by_its_lines.lines_of("bob") == bob));
    BOOST_TEST((by_every_change.lines_of("bob") != heeded));
}

BOOST_AUTO_TEST_CASE(every_change_of_pams_rules_shows) {
    const LocalAccountFiles files;
    LocalAccounts accounts(files.names());
    auto changed = [&, last = accounts.rules()]() mutable {
        accounts.refresh();
        return std::exchange(last, accounts.rules()) != accounts.rules();
    };
    BOOST_TEST(!changed());
    files.replace("pam.d/clamscanner", "account required pam_deny.so\n");
    BOOST_TEST(changed());
    BOOST_TEST(!changed());
    for (const auto* file : {"pam.d/another", "security/access.conf", "security/limits.d/one.conf"}) {
        files.replace(file, "new\n");
        BOOST_TEST(changed(), file);
        files.append(file, "more\n");
        BOOST_TEST(changed(), file);
        files.remove(file);
        BOOST_TEST(changed(), file);
        BOOST_TEST(!changed(), file);
    }
    files.replace("shadow", "bob:$y$NEW:1:::::\n");
    BOOST_TEST(!changed());
}

BOOST_AUTO_TEST_CASE(a_removed_account_is_gone) {
    const LocalAccountFiles files;
    LocalAccounts accounts(files.names());
    files.replace("passwd", "alice:x:2001:2001::/home/alice:/bin/sh\n");
    accounts.refresh();
    BOOST_TEST(!accounts.lines_of("bob"));
    BOOST_TEST(accounts.lines_of("alice").has_value());
}

BOOST_AUTO_TEST_CASE(a_line_without_a_name_is_ignored) {
    const LocalAccountFiles files;
    files.replace("passwd", "\n:x:0:0::/:\nno colon\nbob:x:2002:2002::/home/bob:/bin/sh");
    const LocalAccounts accounts(files.names());
    BOOST_TEST(!accounts.lines_of(""));
    BOOST_TEST(!accounts.lines_of("no colon"));
    BOOST_TEST(accounts.lines_of("bob").has_value());
}

BOOST_AUTO_TEST_CASE(without_the_files_nobody_is_local) {
    const LocalAccountFiles files;
    std::filesystem::remove(files.names().passwd);
    const LocalAccounts accounts(files.names());
    BOOST_TEST(!accounts.lines_of("bob"));
}

BOOST_AUTO_TEST_CASE(logins_are_closed_while_nologin_exists) {
    const LocalAccountFiles files;
    LocalAccounts accounts(files.names());
    BOOST_TEST(!accounts.logins_are_closed());
    files.replace("nologin", "");
    accounts.refresh();
    BOOST_TEST(accounts.logins_are_closed());
    std::filesystem::remove(files.names().nologin.front());
    accounts.refresh();
    BOOST_TEST(!accounts.logins_are_closed());
}
