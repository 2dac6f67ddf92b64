#include "auth/authd/login_desk.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/unit/local_account_files.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

// A desk for which the test plays PAM, and time.
struct Fixture {
    struct Check {
        std::string user;
        std::string password;
        std::string origin;
        LoginDesk::Checked done;
    };
    struct Heard {
        LoginVerdict verdict;
        std::uint32_t retry_seconds;
        std::string account;
        std::chrono::milliseconds after;
    };

    Fixture() {
        config.login.pam_processes = 4;
        config.login.failure_milliseconds = 40;
        config.login.max_waiting = 5;
    }
    LoginDesk& desk() {
        if (!desk_)
            desk_.emplace(
                loop,
                [this](const std::string& user, const Secret& password, const std::string& origin,
                       LoginDesk::Checked done) {
                    if (checks_fail_to_begin) throw_errno("fork a child", EAGAIN);
                    checks.push_back({user, password.reveal(), origin, std::move(done)});
                    if (pam_takes.count() != 0)
                        ends.push_back(loop.after(
                            pam_takes, [this, check = checks.size() - 1] { finish(check, LoginVerdict::Wrong); }));
                },
                LocalAccounts(files.names()), config,
                [this](const std::string& user, const Secret& password, const std::string& origin,
                       LoginDesk::Checked done) {
                    BOOST_TEST(password.empty());
                    account_checks.push_back({user, "", origin, std::move(done)});
                });
        return *desk_;
    }
    // One round of the loop, after so long.
    void next_round(std::chrono::milliseconds later = 0ms) {
        now += later;
        loop.request_another_round();
        loop.at_end_of_round([this] { loop.stop(); });
        loop.run();
    }
    void wait(std::chrono::milliseconds time) {
        for (; time > 0ms; time -= 1ms) next_round(1ms);
    }
    void wait_until(const std::function<bool()>& holds) {
        for (int i = 0; i < 20'000 && !holds(); ++i) next_round(1ms);
        BOOST_REQUIRE_MESSAGE(holds(), "what the test waits for did not come");
    }
    // The index at which the answer will be stored.
    std::size_t ask(const std::string& user, const std::string& password, const std::string& address = "192.0.2.1") {
        const auto index = heard.size();
        heard.emplace_back();
        desk().answer_login({user, Secret(password), address, Purpose::Api},
                            [this, index, asked = now](const LoginAnswer& answer, const Account* account) {
                                BOOST_REQUIRE_MESSAGE(!heard[index], "answered twice");
                                const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(now - asked);
                                heard[index] = {answer.verdict, answer.retry_seconds,
                                                account != nullptr ? account->name : std::string(), after};
                            });
        return index;
    }
    void finish(std::size_t check, LoginVerdict verdict, bool one_prompt = true) {
        const auto user = checks.at(check).user;
        std::exchange(checks.at(check).done,
                      nullptr)({verdict, one_prompt, is_local, {user, 2001, 2001, "/home/" + user}});
    }
    void finish_account(LoginVerdict verdict) {
        const auto user = account_checks.back().user;
        std::exchange(account_checks.back().done, nullptr)({verdict, true, false, {user, 2001, 2001, "/home/" + user}});
    }
    void log_in(const std::string& user, const std::string& password, const std::string& address = "192.0.2.1") {
        const auto before = checks.size();
        const auto accounts_before = account_checks.size();
        const auto index = ask(user, password, address);
        if (checks.size() > before) finish(before, LoginVerdict::Welcome);
        if (account_checks.size() > accounts_before) finish_account(LoginVerdict::Welcome);
        BOOST_REQUIRE(heard.at(index).has_value());
        BOOST_REQUIRE((heard[index]->verdict == LoginVerdict::Welcome));
    }
    // A wrong password, to the answer.
    void fail(const std::string& user, const std::string& password, const std::string& address = "192.0.2.1") {
        const auto index = ask(user, password, address);
        finish(checks.size() - 1, LoginVerdict::Wrong);
        wait_until([&] { return heard[index].has_value(); });
    }
    bool answered(std::size_t index) const { return heard.at(index).has_value(); }
    bool is(std::size_t index, LoginVerdict verdict) const {
        return answered(index) && heard[index]->verdict == verdict;
    }

    LocalAccountFiles files;
    Config config;
    Deadline now = Clock::now();
    EventLoop loop{[this] { return now; }};
    std::chrono::milliseconds pam_takes{};  // to find every password wrong; 0: the test calls finish()
    std::vector<EventLoop::Timer> ends;
    bool checks_fail_to_begin = false;
    bool is_local = true;  // what the next checks find
    std::vector<Check> checks;
    std::vector<Check> account_checks;
    std::vector<std::optional<Heard>> heard;

    std::optional<LoginDesk> desk_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(at_the_login_desk, Fixture)

BOOST_AUTO_TEST_CASE(a_right_password_is_welcome_and_remembered) {
    const auto first = ask("bob", "right");
    BOOST_REQUIRE(checks.size() == 1U);
    BOOST_TEST(checks[0].password == "right");
    BOOST_TEST(checks[0].origin == "192.0.2.1");
    BOOST_TEST(!answered(first));
    finish(0, LoginVerdict::Welcome);
    BOOST_REQUIRE(is(first, LoginVerdict::Welcome));
    BOOST_TEST(heard[first]->account == "bob");
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(checks.size() == 1U);
    BOOST_TEST(account_checks.empty());
}

BOOST_AUTO_TEST_CASE(a_local_password_is_remembered_for_its_time_and_another_for_less) {
    config.login.cache_seconds = 900;
    log_in("bob", "local");
    is_local = false;
    log_in("alice",
           "elsewhere");  // has lines, but PAM found the password in another place
    now += 9s;
    log_in("alice", "elsewhere");
    BOOST_TEST(checks.size() == 2U);
    now += 2s;
    log_in("alice", "elsewhere");
    BOOST_TEST(checks.size() == 3U);
    for (int minute = 0; minute < 14; ++minute) {
        now += 1min;
        ask("bob", "local");
        BOOST_REQUIRE(account_checks.size() == static_cast<std::size_t>(minute) + 1);
        finish_account(LoginVerdict::Welcome);
    }
    BOOST_TEST(checks.size() == 3U);
    now += 1min;
    ask("bob", "local");
    BOOST_TEST(checks.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_remembered_login_has_pam_asked_once_a_minute_for_each_origin) {
    config.login.cache_seconds = 900;
    log_in("bob", "right");
    now += 59s;
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(account_checks.empty());
    // Another origin, for which PAM has not been asked.
    const auto elsewhere = ask("bob", "right", "198.51.100.1");
    BOOST_REQUIRE(account_checks.size() == 1U);
    BOOST_TEST(account_checks[0].user == "bob");
    BOOST_TEST(account_checks[0].origin == "198.51.100.1");
    BOOST_TEST(!answered(elsewhere));
    finish_account(LoginVerdict::Forbidden);
    BOOST_TEST(is(elsewhere, LoginVerdict::Forbidden));
    const auto again = ask("bob", "right", "198.51.100.1");
    finish_account(LoginVerdict::Forbidden);
    BOOST_TEST(is(again, LoginVerdict::Forbidden));
    // There it is still open, until the minute is over.
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    now += 1s;
    const auto first = ask("bob", "right");
    const auto second = ask("bob", "right");
    BOOST_REQUIRE(account_checks.size() == 3U);
    BOOST_TEST(account_checks[2].origin == "192.0.2.1");
    finish_account(LoginVerdict::Welcome);
    BOOST_TEST((is(first, LoginVerdict::Welcome) && is(second, LoginVerdict::Welcome)));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(account_checks.size() == 3U);
    BOOST_TEST(checks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_change_of_pams_rules_ends_what_is_remembered) {
    log_in("bob", "right");
    files.replace("pam.d/clamscanner", "account required pam_access.so\n");
    next_round();
    ask("bob", "right");
    BOOST_REQUIRE(checks.size() == 2U);
    // Changed again while PAM was asked: that is not remembered.
    files.replace("pam.d/clamscanner", "account required pam_time.so\n");
    finish(1, LoginVerdict::Welcome);
    next_round();
    log_in("bob", "right");
    BOOST_TEST(checks.size() == 3U);
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(checks.size() == 3U);
}

BOOST_AUTO_TEST_CASE(another_password_goes_to_pam_and_does_not_disturb_the_cache) {
    log_in("bob", "right");
    fail("bob", "wrong");
    BOOST_TEST(checks.size() == 2U);
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(checks.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_login_with_a_second_prompt_is_not_remembered) {
    ask("bob", "right");
    finish(0, LoginVerdict::Welcome, false);
    ask("bob", "right");
    BOOST_TEST(checks.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_was_checked_while_the_accounts_line_changed_is_not_remembered) {
    const auto first = ask("bob", "old");
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$NEW:2:::::\n");
    finish(0, LoginVerdict::Welcome);
    BOOST_TEST(is(first, LoginVerdict::Welcome));
    ask("bob", "old");
    BOOST_TEST(checks.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_login_after_a_change_does_not_share_an_earlier_check) {
    ask("bob", "old");
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$NEW:2:::::\n");
    next_round();
    const auto later = ask("bob", "old");
    BOOST_REQUIRE(checks.size() == 2U);
    finish(0, LoginVerdict::Welcome);
    BOOST_TEST(!answered(later));
}

BOOST_AUTO_TEST_CASE(a_change_of_another_account_costs_nothing) {
    log_in("bob", "right");
    files.replace("passwd",
                  "alice:x:2001:2001::/home/alice:/bin/"
                  "zsh\nbob:x:2002:2002::/home/bob:/bin/sh\n");
    next_round();
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(checks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_cache_is_not_used_while_nologin_exists) {
    log_in("bob", "right");
    files.replace("nologin", "");
    next_round();
    ask("bob", "right");
    BOOST_TEST(checks.size() == 2U);
    finish(1, LoginVerdict::Welcome);
    ask("bob", "right");
    BOOST_TEST(checks.size() == 3U);
    files.remove("nologin");
    next_round();
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
}

BOOST_AUTO_TEST_CASE(remote_accounts_are_remembered_for_their_own_time) {
    config.login.remote_cache_seconds = 0;
    log_in("carol", "right");
    ask("carol", "right");
    BOOST_TEST(checks.size() == 2U);
}

BOOST_AUTO_TEST_CASE(simultaneous_identical_logins_share_one_check) {
    std::vector<std::size_t> all;
    for (int i = 0; i < 20; ++i) all.push_back(ask("bob", "right"));
    const auto other = ask("bob", "wrong");
    BOOST_REQUIRE(checks.size() == 2U);
    finish(0, LoginVerdict::Welcome);
    for (const auto index : all) BOOST_TEST(is(index, LoginVerdict::Welcome));
    BOOST_TEST(!answered(other));
}

BOOST_AUTO_TEST_CASE(a_failure_is_answered_at_its_fixed_time) {
    config.login.failure_milliseconds = 200;
    const auto quick = ask("bob", "wrong");
    finish(0, LoginVerdict::Wrong);
    const auto no_name = ask("", "x");
    const auto no_password = ask("bob", "");
    const auto too_long = ask("bob", std::string(512, 'x'));
    const auto nul = ask(std::string("b\0b", 3), "x");
    BOOST_TEST(checks.size() == 1U);
    wait_until([&] { return answered(nul); });
    for (const auto index : {quick, no_name, no_password, too_long, nul}) {
        BOOST_REQUIRE(is(index, LoginVerdict::Wrong));
        BOOST_TEST(heard[index]->after.count() == 200);
    }
}

BOOST_AUTO_TEST_CASE(a_failure_that_took_longer_is_answered_at_the_next_multiple) {
    config.login.failure_milliseconds = 200;
    const auto slow = ask("bob", "wrong");
    const auto timer = loop.after(280ms, [&] { finish(0, LoginVerdict::Wrong); });
    wait_until([&] { return answered(slow); });
    BOOST_TEST(heard[slow]->after.count() == 400);
}

BOOST_AUTO_TEST_CASE(a_forbidden_or_failed_check_is_answered_at_once_and_is_not_counted) {
    for (std::size_t i = 0; i < 12; ++i) {
        const auto index = ask("bob", "right");
        const auto verdict = i % 2 == 0 ? LoginVerdict::Forbidden : LoginVerdict::Unavailable;
        finish(i, verdict);
        BOOST_REQUIRE(is(index, verdict));
    }
}

BOOST_AUTO_TEST_CASE(ten_failures_bring_a_penalty_that_is_answered_at_once) {
    for (int i = 0; i < 10; ++i) fail("bob", "wrong" + std::to_string(i));
    const auto refused = ask("bob", "right");
    BOOST_REQUIRE(is(refused, LoginVerdict::Penalised));
    BOOST_TEST(heard[refused]->retry_seconds == 30U);
    log_in("bob", "right", "198.51.100.1");
    BOOST_TEST(is(ask("bob", "right"),
                  LoginVerdict::Penalised));  // remembered, but not from there
}

BOOST_AUTO_TEST_CASE(an_owner_is_not_shut_out_by_guesses_at_the_same_address) {
    log_in("bob", "right");
    for (int i = 0; i < 10; ++i) fail("bob", "wrong" + std::to_string(i));
    BOOST_TEST(is(ask("bob", "another"), LoginVerdict::Penalised));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    // Nor once the password has to be checked again.
    now += std::chrono::seconds(config.login.cache_seconds);
    for (int i = 0; i < 10; ++i) fail("bob", "more" + std::to_string(i));
    BOOST_TEST(is(ask("bob", "another one"), LoginVerdict::Penalised));
    log_in("bob", "right");
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
}

BOOST_AUTO_TEST_CASE(an_owner_is_not_shut_out_when_pams_rules_change_meanwhile) {
    log_in("bob", "right");
    for (int i = 0; i < 10; ++i) fail("bob", "wrong" + std::to_string(i));
    files.replace("pam.d/clamscanner", "account required pam_access.so\n");
    next_round();
    BOOST_TEST(is(ask("bob", "another"), LoginVerdict::Penalised));
    const auto before = checks.size();
    log_in("bob", "right");
    BOOST_TEST(checks.size() == before + 1);
}

BOOST_AUTO_TEST_CASE(an_owner_is_not_kept_waiting_by_guesses_at_the_same_address) {
    log_in("bob", "right");
    now += std::chrono::seconds(config.login.cache_seconds);
    for (int i = 0; i < 5; ++i) ask("bob", "wrong" + std::to_string(i));
    BOOST_TEST(is(ask("bob", "wrong"), LoginVerdict::Saturated));
    const auto owner = ask("bob", "right");
    BOOST_TEST(!answered(owner));
    finish(1, LoginVerdict::Wrong);
    BOOST_TEST(checks.back().password == "right");
    finish(checks.size() - 1, LoginVerdict::Welcome);
    BOOST_TEST(is(owner, LoginVerdict::Welcome));
}

BOOST_AUTO_TEST_CASE(the_memory_is_no_oracle_during_a_penalty) {
    log_in("bob", "right");
    for (int i = 0; i < 10; ++i) fail("bob", "wrong" + std::to_string(i));
    const auto penalty = [&] { return std::chrono::seconds(config.login.penalty_seconds); };
    const auto miss = [&](int number) {
        return is(ask("bob", "miss" + std::to_string(number)), LoginVerdict::Penalised);
    };
    for (int i = 0; i < 59; ++i) BOOST_REQUIRE(miss(i));
    for (int i = 0; i < 200; ++i) BOOST_REQUIRE(miss(7));  // the same one is no other guess
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_REQUIRE(miss(59));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Penalised));
    // It is closed for an hour, in every penalty; without one it is open.
    now += penalty();
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    now += 58min;
    log_in("bob", "right");
    for (int i = 0; i < 10; ++i) fail("bob", "late" + std::to_string(i));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Penalised));
    now += penalty() + 2min;
    log_in("bob", "right");
    for (int i = 0; i < 10; ++i) fail("bob", "later" + std::to_string(i));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
}

BOOST_AUTO_TEST_CASE(misses_at_one_address_or_account_close_no_other_memory) {
    log_in("bob", "right");
    log_in("bob", "right", "198.51.100.1");
    log_in("alice", "right");
    for (const auto* user : {"bob", "alice"})
        for (int i = 0; i < 10; ++i) fail(user, "wrong" + std::to_string(i));
    for (int i = 0; i < 60; ++i) ask("bob", "miss" + std::to_string(i));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Penalised));
    BOOST_TEST(is(ask("alice", "right"), LoginVerdict::Welcome));
    BOOST_TEST(is(ask("bob", "right", "198.51.100.1"), LoginVerdict::Welcome));
}

BOOST_AUTO_TEST_CASE(the_same_wrong_password_again_and_again_counts_as_one_failure) {
    for (int i = 0; i < 40; ++i) {
        const auto before = checks.size();
        const auto index = ask("bob", "stale");
        if (checks.size() > before) finish(before, LoginVerdict::Wrong);
        wait_until([&] { return answered(index); });
        BOOST_REQUIRE(is(index, LoginVerdict::Wrong));
        wait(300ms);
    }
    // PAM was asked twice in this time: a remote password may have changed meanwhile.
    BOOST_TEST(checks.size() == 2U);
    log_in("bob", "right");
    for (int i = 0; i < 8; ++i) fail("bob", "wrong" + std::to_string(i));
    BOOST_TEST(!is(ask("bob", "ninth"), LoginVerdict::Penalised));
}

BOOST_AUTO_TEST_CASE(a_wrong_password_that_is_right_by_now_is_checked) {
    fail("bob", "new");
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$NEW:2:::::\n");
    next_round();
    log_in("bob", "new");
}

BOOST_AUTO_TEST_CASE(a_password_that_was_right_and_is_wrong_by_now_is_a_guess) {
    log_in("carol", "old");
    now += 11s;
    fail("carol", "old");
    for (int i = 0; i < 9; ++i) fail("carol", "wrong" + std::to_string(i));
    BOOST_TEST(is(ask("carol", "old"), LoginVerdict::Penalised));
}

// What tells an account that exists from a name that does not is the time that PAM takes.
BOOST_AUTO_TEST_CASE(how_long_pam_takes_shows_in_no_answer) {
    config.login.failure_milliseconds = 1000;
    config.login.max_waiting = 32;
    const auto answers = [this](std::chrono::milliseconds takes) {
        pam_takes = takes;
        desk_.reset();
        heard.clear();
        const auto address = [](int i) { return "203.0.113." + std::to_string(i); };
        for (int i = 0; i < 12; ++i) ask("bob", "parallel" + std::to_string(i));  // two too many
        for (int i = 0; i < 10; ++i) {
            next_round(7ms);
            ask("bob", "same", address(1));
        }
        for (int i = 0; i < 40; ++i)
            ask("name" + std::to_string(i), "flood",
                address(2));  // more than there is room for
        wait(1500ms);
        for (int i = 0; i < 10; ++i) {
            ask("bob", "again" + std::to_string(i), address(50));
            wait(350ms);
        }
        wait_until([this] { return std::ranges::all_of(heard, [](const auto& one) { return one.has_value(); }); });
        std::string all;
        for (const auto& one : heard)
            all += std::to_string(static_cast<int>(one->verdict)) + "@" + std::to_string(one->after.count()) + " ";
        return all;
    };
    const auto unknown = answers(1ms);
    BOOST_TEST(unknown.find("1@1000") != unknown.npos);
    BOOST_TEST(unknown.find("1@2000") != unknown.npos);
    BOOST_TEST(unknown.find("3@0") != unknown.npos);
    BOOST_TEST(unknown.find("4@0") != unknown.npos);
    BOOST_TEST(answers(20ms) == unknown);
    BOOST_TEST(answers(110ms) == unknown);
}

BOOST_AUTO_TEST_CASE(the_same_wrong_password_many_times_at_once_counts_as_one_failure) {
    std::vector<std::size_t> all;
    for (int i = 0; i < 15; ++i) all.push_back(ask("bob", "stale"));
    finish(0, LoginVerdict::Wrong);
    wait_until([&] { return answered(all.back()); });
    log_in("bob", "right");
}

BOOST_AUTO_TEST_CASE(a_penalised_origin_can_use_only_the_cache) {
    config.login.address_failures = 3;
    log_in("bob", "right");
    for (int i = 0; i < 3; ++i) fail("name" + std::to_string(i), "wrong");
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Welcome));
    BOOST_TEST(is(ask("alice", "right"), LoginVerdict::Penalised));
    BOOST_TEST(is(ask("alice", "right", "198.51.100.1"), LoginVerdict::Penalised) == false);
}

BOOST_AUTO_TEST_CASE(the_cache_is_no_oracle_for_a_penalised_origin) {
    config.login.address_failures = 3;
    log_in("alice", "right", "198.51.100.1");
    log_in("bob", "right");
    for (int i = 0; i < 3; ++i) fail("name" + std::to_string(i), "wrong");
    // Nothing is checked for an account that never came from here.
    BOOST_TEST(is(ask("alice", "right"), LoginVerdict::Penalised));
    // And guesses for one that did are counted.
    for (int i = 0; i < 60; ++i) BOOST_TEST(is(ask("bob", "guess" + std::to_string(i)), LoginVerdict::Penalised));
    BOOST_TEST(is(ask("bob", "right"), LoginVerdict::Penalised));
}

BOOST_AUTO_TEST_CASE(strangers_use_idle_slots_and_owners_wait_for_no_stranger) {
    log_in("bob", "right");
    for (int i = 0; i < 7; ++i) ask("u" + std::to_string(i), "x", "203.0.113." + std::to_string(i));
    BOOST_TEST(checks.size() == 1U + 4U);  // all four slots; three wait
    // bob is let in from where he has succeeded; elsewhere he is a stranger.
    ask("bob", "new", "198.51.100.9");
    BOOST_TEST(checks.size() == 5U);
    for (int i = 0; i < 3; ++i) ask("bob", "other" + std::to_string(i));
    BOOST_REQUIRE(checks.size() == 7U);  // half as many slots more are for him
    BOOST_TEST(checks[5].user == "bob");
    // The next stranger gets the slot that a stranger leaves, when no owner waits.
    finish(1, LoginVerdict::Unavailable);
    BOOST_TEST(checks.size() == 7U);
    finish(2, LoginVerdict::Unavailable);
    finish(3, LoginVerdict::Unavailable);
    BOOST_REQUIRE(checks.size() == 8U);
    BOOST_TEST(checks[7].password == "other2");
    finish(4, LoginVerdict::Unavailable);
    BOOST_REQUIRE(checks.size() == 9U);
    BOOST_TEST(checks[8].user == "u4");
}

BOOST_AUTO_TEST_CASE(who_sends_many_waits_behind_who_sends_few) {
    for (int i = 0; i < 20; ++i)
        ask("u" + std::to_string(i), "x",
            "203.0.113." + std::to_string(i % 4));  // five from each of four
    ask("owner", "right", "198.51.100.1");
    std::size_t waited = 0;
    while (checks.back().user != "owner") finish(waited++, LoginVerdict::Unavailable);
    BOOST_TEST(waited == 5U);  // those four had their turn once more
}

BOOST_AUTO_TEST_CASE(who_sends_most_is_refused_for_the_sake_of_others) {
    for (int i = 0; i < 24; ++i) ask("u" + std::to_string(i), "x", "203.0.113." + std::to_string(i % 6));
    BOOST_TEST(checks.size() == 4U);  // and twenty wait, as many as may
    const auto one_of_them = ask("u", "x", "203.0.113.5");
    BOOST_REQUIRE(is(one_of_them, LoginVerdict::Saturated));
    BOOST_TEST(heard[one_of_them]->retry_seconds == 2U);  // twenty checks of 280 ms, four at a time
    const auto newcomer = ask("owner", "right", "198.51.100.1");
    BOOST_TEST(!answered(newcomer));
    const auto refused = std::ranges::count_if(heard, [](const auto& one) { return one.has_value(); });
    BOOST_TEST(refused == 2);
    BOOST_TEST((is(22, LoginVerdict::Saturated) || is(23, LoginVerdict::Saturated)));
    // One sender alone may have five places.
    for (int i = 0; i < 5; ++i) ask("v" + std::to_string(i), "x", "198.51.100.2");
    BOOST_TEST(is(ask("v", "x", "198.51.100.2"), LoginVerdict::Saturated));
}

BOOST_AUTO_TEST_CASE(delayed_failures_hold_their_places) {
    for (int i = 0; i < 5; ++i) {
        ask("u" + std::to_string(i), "x");
        finish(checks.size() - 1, LoginVerdict::Wrong);
    }
    const auto beyond = ask("u5", "x");
    BOOST_REQUIRE(is(beyond, LoginVerdict::Saturated));
    BOOST_TEST(heard[beyond]->retry_seconds == 1U);
    BOOST_TEST(!answered(ask("u6", "x", "203.0.113.6")));
    wait_until([&] { return answered(4); });
    BOOST_TEST(!answered(ask("u7", "x")));
}

BOOST_AUTO_TEST_CASE(a_check_that_cannot_begin_is_an_internal_fault) {
    checks_fail_to_begin = true;
    const auto index = ask("bob", "right");
    wait_until([&] { return answered(index); });
    BOOST_TEST(is(index, LoginVerdict::Unavailable));
    checks_fail_to_begin = false;
    log_in("bob", "right");
}

BOOST_AUTO_TEST_SUITE_END()
