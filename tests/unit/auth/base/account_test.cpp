// daemon has a uid on every system (1 on Debian), so the floor is what these tests move.
#include "auth/base/account.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

struct OfDaemon {
    OfDaemon() {
        BOOST_REQUIRE(find_account("daemon", daemon));
        config.jobs.host_users = {"daemon"};
    }
    [[nodiscard]] std::string refusal() const {
        try {
            static_cast<void>(host_users(config));
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "accepted";
    }
    Account daemon;
    Config config;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(account, OfDaemon)

BOOST_AUTO_TEST_CASE(a_host_user_is_below_the_floor) {
    config.login.uid_floor = daemon.uid + 1;
    BOOST_TEST((host_users(config) == std::set<uid_t>{daemon.uid}));
}

BOOST_AUTO_TEST_CASE(a_hosting_account_cannot_be_a_host_user) {
    for (const uid_t floor : {daemon.uid, daemon.uid - 1}) {
        config.login.uid_floor = floor;
        BOOST_TEST(
            refusal() ==
            ": jobs.host_users (its default): daemon is a hosting account: its uid is not below login.uid_floor");
    }
}

BOOST_AUTO_TEST_CASE(one_hosting_account_among_host_users_is_enough) {
    config.login.uid_floor = daemon.uid + 1;
    config.jobs.host_users = {"daemon", "nobody"};
    BOOST_TEST(refusal() ==
               ": jobs.host_users (its default): nobody is a hosting account: its uid is not below login.uid_floor");
}

BOOST_AUTO_TEST_CASE(a_host_user_must_exist) {
    config.jobs.host_users = {"no-user-of-that-name"};
    BOOST_TEST(refusal().starts_with(": jobs.host_users (its default): there is no user no-user-of-that-name"));
    config.places["jobs.host_users"] = "x.toml, line 3";
    BOOST_TEST(refusal().starts_with("x.toml, line 3: jobs.host_users: there is no user no-user-of-that-name"));
}

BOOST_AUTO_TEST_CASE(below_the_floor_only_host_users_are_served) {
    config.login.uid_floor = daemon.uid + 1;
    BOOST_TEST(is_served(daemon, config));
    config.jobs.host_users.clear();
    BOOST_TEST(!is_served(daemon, config));
    config.login.uid_floor = daemon.uid;
    BOOST_TEST(is_served(daemon, config));
}

BOOST_AUTO_TEST_CASE(root_is_never_served) {
    config.login.uid_floor = 0;
    config.jobs.host_users = {"root"};
    BOOST_TEST(!is_served({"root", 0, 0, "/root"}, config));
    BOOST_TEST(!is_served({"root", 2001, 0, "/root"}, config));
}

BOOST_AUTO_TEST_CASE(a_program_that_runs_as_another_user_says_so_at_its_start) {
    Account ours;
    BOOST_REQUIRE(find_account(::geteuid(), ours));
    config.places["jobs.user"] = "x.toml, line 3";
    BOOST_CHECK_NO_THROW(require_to_run_as(config, "jobs.user", {"nobody", ours.name}));
    try {
        require_to_run_as(config, "jobs.user", {ours.uid == daemon.uid ? "nobody" : "daemon"});
        BOOST_FAIL("accepted");
    } catch (const ConfigError& error) {
        const std::string said = error.what();
        BOOST_TEST(said.starts_with("x.toml, line 3: jobs.user: this program runs as " + ours.name + " and not as "));
    }
}

BOOST_AUTO_TEST_CASE(a_web_servers_user_must_be_permitted_to_check_logins) {
    config.responder.users = {"www-data"};
    BOOST_CHECK_THROW(static_cast<void>(responder_uids(config)), ConfigError);
    config.responder.allow_shared_web_user = true;
    config.responder.users = {"daemon"};
    BOOST_TEST((responder_uids(config) == std::set<uid_t>{daemon.uid}));
}

BOOST_AUTO_TEST_SUITE_END()
