#include "auth/authd/token_desk.h"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "auth/authd/account_generation.h"
#include "tests/unit/local_account_files.h"
#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

const std::string generation(64, 'a');
const std::string another_generation(64, 'b');
constexpr const char* here = "192.0.2.1";
constexpr const char* elsewhere = "198.51.100.1";

// Desks for which the test plays PAM and the clocks. alice and bob have a password and a home; nobody else is known.
struct Fixture {
    struct Heard {
        LoginVerdict verdict;
        std::uint32_t retry_seconds;
        std::string account;
        TokenScope scope;
        std::chrono::milliseconds after;
    };

    Fixture() {
        config.login.failure_milliseconds = 40;
        config.login.max_waiting = 5;
        config.statistics.nonces = directory.path + "/nonces";
        std::filesystem::create_directory(config.token_directory());
    }
    TokenDesk& desk() {
        if (!desk_) {
            logins_.emplace(
                loop,
                [this](const std::string& user, const Secret& password, const std::string&,
                       const LoginDesk::Checked& done) {
                    ++passwords_checked;
                    const bool right = (user == "alice" || user == "bob") && password.reveal() == "right";
                    checked(user, right ? LoginVerdict::Welcome : LoginVerdict::Wrong, done);
                },
                LocalAccounts(files.names()), config);
            accounts_.emplace(
                loop,
                [this](const std::string& user, const Secret&, const std::string& origin,
                       const LoginDesk::Checked& done) {
                    accounts_asked.push_back(user + " from " + origin);
                    checked(user, account_verdict, done);
                },
                LocalAccounts(files.names()), config);
            desk_.emplace(
                loop, *logins_, *accounts_,
                [this](TokenChange change, TokenDesk::Changed done) {
                    if (hold_changes) return held_changes.push_back([change, done] { done(change_tokens(change)); });
                    done(change_tokens(change));
                },
                config, TokenDesk::Clocks{[this] { return now; }, [this] { return wall; }, files.names().shadow});
        }
        return *desk_;
    }
    // As after a restart of authd.
    void restart() {
        desk_.reset();
        accounts_.reset();
        logins_.reset();
    }
    void checked(const std::string& user, LoginVerdict verdict, const LoginDesk::Checked& done) {
        timers.push_back(loop.after(0ms, [this, user, verdict, done] {
            done({verdict,
                  true,
                  true,
                  {user, user == "alice" ? 2001U : 2002U, 2001, "/home/" + user, current_generation}});
        }));
    }

    TokenAnswer order(TokenOrder order) {
        std::optional<TokenAnswer> heard;
        desk().answer_order(std::move(order), [&](TokenAnswer answer) { heard = std::move(answer); });
        run_until(loop, [&] { return heard.has_value(); });
        return std::move(*heard);
    }
    static TokenOrder by_password(TokenAction action, const std::string& name = "",
                                  const std::string& password = "right") {
        TokenOrder order;
        order.user = "alice";
        order.secret.assign(password);
        order.address = here;
        order.action = action;
        order.name = name;
        return order;
    }
    static TokenOrder by_token(TokenAction action, const std::string& name, const std::string& token) {
        auto order = by_password(action, name, token);
        order.is_token = true;
        return order;
    }
    std::string make(const std::string& name, TokenScope scope = TokenScope::Full,
                     std::int64_t expires = expires_by_default) {
        auto creation = by_password(TokenAction::Create, name);
        creation.scope = scope;
        creation.expires_at = expires;
        const auto answer = order(std::move(creation));
        BOOST_REQUIRE((answer.verdict == LoginVerdict::Welcome));
        BOOST_REQUIRE((answer.result == TokenResult::Done));
        return answer.token.reveal();
    }
    std::vector<TokenRow> rows() { return order(by_password(TokenAction::List)).rows; }

    std::size_t ask(const std::string& user, const std::string& token, const std::string& address = here) {
        const auto index = heard.size();
        heard.emplace_back();
        desk().answer_login({user, Secret(token), address}, [this, index, asked = Clock::now()](
                                                                const LoginAnswer& answer, const Account* account,
                                                                const Serve& serve) {
            BOOST_REQUIRE_MESSAGE(!heard[index], "answered twice");
            heard[index] = {answer.verdict, answer.retry_seconds, account != nullptr ? account->name : std::string(),
                            serve.scope, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asked)};
        });
        return index;
    }
    LoginVerdict log_in(const std::string& user, const std::string& token, const std::string& address = here) {
        const auto index = ask(user, token, address);
        run_until(loop, [&] { return heard[index].has_value(); });
        return heard[index]->verdict;
    }
    bool lets_in(const std::string& token, const std::string& address = here) {
        return log_in("alice", token, address) == LoginVerdict::Welcome;
    }
    bool is_wrong(const std::string& user, const std::string& token, const std::string& address = here) {
        return log_in(user, token, address) == LoginVerdict::Wrong;
    }
    void change_password() const { files.replace("shadow", "alice:$y$NEW:2:::::\nbob:$y$b:1:::::\n"); }

    TemporaryDirectory directory;
    LocalAccountFiles files;
    Config config;
    EventLoop loop;
    Deadline now = Clock::now();
    std::int64_t wall = 1'800'000'000;
    std::string current_generation = generation;
    LoginVerdict account_verdict = LoginVerdict::Welcome;
    int passwords_checked = 0;
    bool hold_changes = false;
    std::vector<std::function<void()>> held_changes;
    std::vector<std::string> accounts_asked;
    std::vector<EventLoop::Timer> timers;
    std::vector<std::optional<Heard>> heard;

 private:
    std::optional<LoginDesk> logins_;
    std::optional<LoginDesk> accounts_;
    std::optional<TokenDesk> desk_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(at_the_token_desk, Fixture)

BOOST_AUTO_TEST_CASE(a_token_lets_in_as_its_account_with_its_scope) {
    for (const auto scope : {TokenScope::Full, TokenScope::ReadOnly, TokenScope::Limited}) {
        const auto token = make("t" + std::to_string(static_cast<int>(scope)), scope);
        const auto index = ask("alice", token);
        run_until(loop, [&] { return heard[index].has_value(); });
        BOOST_CHECK(heard[index]->verdict == LoginVerdict::Welcome);
        BOOST_TEST(heard[index]->account == "alice");
        BOOST_CHECK(heard[index]->scope == scope);
    }
}

BOOST_AUTO_TEST_CASE(a_token_is_good_for_its_own_account_alone) {
    const auto token = make("one");
    BOOST_TEST(is_wrong("bob", token));
    BOOST_TEST(is_wrong("Alice", token));
    BOOST_TEST(is_wrong("", token));
    BOOST_TEST(is_wrong("../alice", token));
    BOOST_TEST(lets_in(token));
}

BOOST_AUTO_TEST_CASE(anything_but_the_token_is_wrong) {
    auto token = make("one");
    BOOST_TEST(is_wrong("alice", token + "A"));
    BOOST_TEST(is_wrong("alice", token.substr(1)));
    BOOST_TEST(is_wrong("alice", "right"));  // the password is none
    token[0] = token[0] == 'A' ? 'B' : 'A';
    BOOST_TEST(is_wrong("alice", token));
}

BOOST_AUTO_TEST_CASE(a_wrong_token_is_answered_at_the_same_time_whether_there_is_such_an_account_or_not) {
    static_cast<void>(make("one"));
    for (const auto* user : {"alice", "bob", "nobody-of-that-name", "no/name"}) {
        const auto index = ask(user, "WRONG");
        run_until(loop, [&] { return heard[index].has_value(); });
        BOOST_CHECK(heard[index]->verdict == LoginVerdict::Wrong);
        BOOST_TEST(heard[index]->after.count() >= 40);
        BOOST_TEST(heard[index]->after.count() < 400);
    }
    BOOST_TEST(accounts_asked.empty());  // nor is PAM asked about either
}

BOOST_AUTO_TEST_CASE(wrong_tokens_are_penalised_as_wrong_passwords_and_together_with_them) {
    static_cast<void>(make("one"));
    for (int i = 0; i < 5; ++i) BOOST_TEST(is_wrong("alice", "WRONG" + std::to_string(i)));
    for (int i = 0; i < 5; ++i)
        BOOST_CHECK(order(by_password(TokenAction::List, "", "no" + std::to_string(i))).verdict == LoginVerdict::Wrong);
    BOOST_CHECK(log_in("alice", "WRONG") == LoginVerdict::Penalised);
    BOOST_TEST(heard.back()->retry_seconds >= 29U);
    BOOST_CHECK(order(by_password(TokenAction::List, "", "another")).verdict == LoginVerdict::Penalised);
    // As for names that do not exist.
    for (int i = 0; i < 10; ++i) BOOST_TEST(is_wrong("nobody-of-that-name", std::to_string(i)));
    BOOST_CHECK(log_in("nobody-of-that-name", "WRONG") == LoginVerdict::Penalised);
}

BOOST_AUTO_TEST_CASE(the_same_wrong_token_again_and_again_counts_once) {
    const auto token = make("one");
    BOOST_CHECK(order(by_password(TokenAction::Revoke, "one")).result == TokenResult::Done);
    for (int i = 0; i < 20; ++i) BOOST_TEST(is_wrong("alice", token));
}

BOOST_AUTO_TEST_CASE(guesses_at_an_address_do_not_shut_out_a_token_that_was_right_there) {
    const auto token = make("one");
    BOOST_TEST(lets_in(token));
    for (int i = 0; i < 10; ++i) BOOST_TEST(is_wrong("alice", "WRONG" + std::to_string(i)));
    BOOST_CHECK(log_in("alice", "WRONG") == LoginVerdict::Penalised);
    BOOST_TEST(lets_in(token));
    // Elsewhere it is treated as a guess would be, once that address is penalised.
    for (int i = 0; i < 10; ++i) BOOST_TEST(is_wrong("alice", "WRONG" + std::to_string(i), elsewhere));
    BOOST_CHECK(log_in("alice", token, elsewhere) == LoginVerdict::Penalised);
    now += 31s;
    BOOST_TEST(lets_in(token, elsewhere));
}

BOOST_AUTO_TEST_CASE(only_so_many_wrong_tokens_wait_for_their_answer) {
    for (int i = 0; i < 5; ++i) ask("user" + std::to_string(i), "WRONG");
    BOOST_CHECK(log_in("another", "WRONG") == LoginVerdict::Saturated);
    run_until(loop, [&] { return std::ranges::all_of(heard, [](const auto& one) { return one.has_value(); }); });
    BOOST_TEST(is_wrong("another", "WRONG"));
}

BOOST_AUTO_TEST_CASE(pam_is_asked_about_the_account_once_a_minute_for_each_origin) {
    const auto token = make("one");
    for (int i = 0; i < 3; ++i) BOOST_TEST(lets_in(token));
    BOOST_TEST(accounts_asked == std::vector<std::string>{"alice from 192.0.2.1"}, boost::test_tools::per_element());
    for (int i = 0; i < 3; ++i) BOOST_TEST(lets_in(token, elsewhere));
    BOOST_TEST(accounts_asked.back() == "alice from 198.51.100.1");
    BOOST_TEST(accounts_asked.size() == 2U);
    BOOST_TEST(passwords_checked == 1);
}

BOOST_AUTO_TEST_CASE(an_account_that_is_closed_is_not_let_in) {
    const auto token = make("one");
    account_verdict = LoginVerdict::Forbidden;
    BOOST_CHECK(log_in("alice", token) == LoginVerdict::Forbidden);
    account_verdict = LoginVerdict::Welcome;
    BOOST_TEST(lets_in(token));
}

BOOST_AUTO_TEST_CASE(a_token_expires_after_90_days_unless_asked_otherwise) {
    const auto usual = make("usual");
    const auto never = make("never", TokenScope::Full, expires_never);
    const auto soon = make("soon", TokenScope::Full, wall + 10);
    BOOST_TEST(rows()[0].expires == wall + 90 * 86'400);
    wall += 9;
    BOOST_TEST(lets_in(soon));
    wall += 1;
    BOOST_CHECK(log_in("alice", soon) == LoginVerdict::TokenExpired);
    BOOST_TEST(lets_in(usual));
    wall += 90 * 86'400;
    BOOST_CHECK(log_in("alice", usual) == LoginVerdict::TokenExpired);
    BOOST_TEST(lets_in(never));
    const auto all = rows();
    BOOST_REQUIRE(all.size() == 3U);
    BOOST_CHECK(all[0].state == TokenState::Expired);
    BOOST_CHECK(all[1].state == TokenState::Valid);
    BOOST_TEST(all[1].expires == expires_never);
    auto past = by_password(TokenAction::Create, "past");
    past.expires_at = wall;
    BOOST_CHECK(order(std::move(past)).result == TokenResult::InThePast);
}

BOOST_AUTO_TEST_CASE(an_expired_token_is_no_guess) {
    const auto token = make("one", TokenScope::Full, wall + 1);
    wall += 2;
    for (int i = 0; i < 20; ++i) BOOST_CHECK(log_in("alice", token) == LoginVerdict::TokenExpired);
}

BOOST_AUTO_TEST_CASE(a_revoked_token_is_refused_at_once) {
    const auto one = make("one");
    const auto two = make("two");
    BOOST_TEST(lets_in(one));
    BOOST_CHECK(order(by_password(TokenAction::Revoke, "one")).result == TokenResult::Done);
    BOOST_TEST(is_wrong("alice", one));
    BOOST_TEST(lets_in(two));
    BOOST_CHECK(order(by_password(TokenAction::Revoke, "one")).result == TokenResult::NoSuchToken);
}

BOOST_AUTO_TEST_CASE(a_token_that_is_revoked_while_pam_is_asked_is_refused) {
    const auto token = make("one");
    const auto index = ask("alice", token);
    BOOST_REQUIRE(!heard[index]);
    write_tokens(tokens_file(config.token_directory(), "alice"), {});
    run_until(loop, [&] { return heard[index].has_value(); });
    BOOST_CHECK(heard[index]->verdict == LoginVerdict::Wrong);
}

BOOST_AUTO_TEST_CASE(a_renamed_token_is_the_same_token) {
    const auto token = make("one");
    auto rename = by_password(TokenAction::Rename, "one");
    rename.new_name = "two";
    BOOST_CHECK(order(std::move(rename)).result == TokenResult::Done);
    BOOST_TEST(lets_in(token));
    BOOST_TEST(rows()[0].name == "two");
}

BOOST_AUTO_TEST_CASE(a_token_makes_no_token_and_changes_tokens_only_with_full_access) {
    const auto full = make("full");
    const auto reads = make("reads", TokenScope::ReadOnly);
    const auto limited = make("limited", TokenScope::Limited);
    for (const auto& token : {full, reads, limited})
        BOOST_CHECK(order(by_token(TokenAction::Create, "another", token)).result == TokenResult::NeedsPassword);
    BOOST_CHECK(order(by_token(TokenAction::List, "", full)).result == TokenResult::Done);
    BOOST_CHECK(order(by_token(TokenAction::List, "", reads)).result == TokenResult::Done);
    BOOST_CHECK(order(by_token(TokenAction::List, "", limited)).result == TokenResult::NeedsFullAccess);
    for (const auto& token : {reads, limited})
        for (const auto action : {TokenAction::Rename, TokenAction::Revoke}) {
            auto change = by_token(action, "full", token);
            change.new_name = "other";
            BOOST_CHECK(order(std::move(change)).result == TokenResult::NeedsFullAccess);
        }
    BOOST_TEST(rows().size() == 3U);
    BOOST_CHECK(order(by_token(TokenAction::Revoke, "limited", full)).result == TokenResult::Done);
    BOOST_TEST(rows().size() == 2U);
    BOOST_CHECK(order(by_token(TokenAction::List, "", limited)).verdict == LoginVerdict::Wrong);
}

BOOST_AUTO_TEST_CASE(without_the_password_nothing_is_made) {
    BOOST_CHECK(order(by_password(TokenAction::Create, "one", "wrong")).verdict == LoginVerdict::Wrong);
    BOOST_TEST(rows().empty());
}

BOOST_AUTO_TEST_CASE(a_new_password_suspends_the_tokens_made_before_it) {
    const auto token = make("one");
    BOOST_TEST(lets_in(token));
    change_password();
    BOOST_CHECK(log_in("alice", token) == LoginVerdict::TokenSuspended);
    BOOST_CHECK(rows()[0].state == TokenState::Suspended);
    BOOST_TEST(lets_in(make("two")));
    // A line that is as it was (an account that was locked and unlocked) makes it valid again.
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$b:1:::::\n");
    BOOST_TEST(lets_in(token));
}

BOOST_AUTO_TEST_CASE(anothers_new_password_suspends_nothing) {
    const auto token = make("one");
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$NEW:2:::::\n");
    BOOST_TEST(lets_in(token));
}

BOOST_AUTO_TEST_CASE(it_suspends_none_if_so_configured) {
    config.tokens.suspend_on_password_change = false;
    const auto token = make("one");
    change_password();
    BOOST_TEST(lets_in(token));
    BOOST_CHECK(rows()[0].state == TokenState::Valid);
}

BOOST_AUTO_TEST_CASE(a_password_that_changed_while_it_was_checked_makes_no_token) {
    std::optional<TokenAnswer> heard_answer;
    desk().answer_order(by_password(TokenAction::Create, "one"),
                        [&](TokenAnswer answer) { heard_answer = std::move(answer); });
    change_password();
    run_until(loop, [&] { return heard_answer.has_value(); });
    BOOST_CHECK(heard_answer->verdict == LoginVerdict::Busy);
    BOOST_TEST(rows().empty());
}

BOOST_AUTO_TEST_CASE(anothers_password_that_changed_meanwhile_is_no_matter) {
    std::optional<TokenAnswer> heard_answer;
    desk().answer_order(by_password(TokenAction::Create, "one"),
                        [&](TokenAnswer answer) { heard_answer = std::move(answer); });
    files.replace("shadow", "alice:$y$a:1:::::\nbob:$y$NEW:2:::::\n");
    run_until(loop, [&] { return heard_answer.has_value(); });
    BOOST_CHECK(heard_answer->result == TokenResult::Done);
}

BOOST_AUTO_TEST_CASE(nothing_of_a_former_owners_is_valid_or_shown) {
    const auto token = make("one");
    current_generation = another_generation;
    restart();
    BOOST_CHECK(log_in("alice", token) == LoginVerdict::TokenOfAnother);
    BOOST_TEST(rows().empty());
    BOOST_TEST(lets_in(make("one")));
    BOOST_TEST(rows().size() == 1U);
    BOOST_TEST(is_wrong("alice", token));
}

BOOST_AUTO_TEST_CASE(in_a_damaged_file_no_token_is_valid_and_nothing_is_changed) {
    const auto token = make("one");
    directory.write("tokens/alice.tokens", "damaged\n");
    BOOST_CHECK(log_in("alice", token) == LoginVerdict::Unavailable);
    for (const auto action : {TokenAction::Create, TokenAction::List, TokenAction::Revoke})
        BOOST_CHECK(order(by_password(action, "two")).result == TokenResult::Damaged);
    BOOST_TEST(directory.read("tokens/alice.tokens") == "damaged\n");
}

BOOST_AUTO_TEST_CASE(an_account_has_16_tokens_at_most) {
    for (int i = 0; i < 16; ++i) static_cast<void>(make("t" + std::to_string(i)));
    const auto answer = order(by_password(TokenAction::Create, "more"));
    BOOST_CHECK(answer.result == TokenResult::TooMany);
    BOOST_TEST(answer.most == 16U);
}

BOOST_AUTO_TEST_CASE(one_account_has_one_change_at_a_time) {
    hold_changes = true;
    std::vector<std::optional<LoginVerdict>> verdicts(2);
    for (std::size_t i = 0; i < 2; ++i)
        desk().answer_order(by_password(TokenAction::Create, "t" + std::to_string(i)),
                            [&, i](const TokenAnswer& answer) { verdicts[i] = answer.verdict; });
    run_until(loop, [&] { return verdicts[1].has_value(); });
    BOOST_CHECK(*verdicts[1] == LoginVerdict::Busy);
    BOOST_TEST(!verdicts[0].has_value());
    BOOST_REQUIRE(held_changes.size() == 1U);
    held_changes[0]();
    BOOST_CHECK(*verdicts[0] == LoginVerdict::Welcome);
    hold_changes = false;
    static_cast<void>(make("another"));
}

BOOST_AUTO_TEST_CASE(a_held_account_and_one_below_the_floor_have_nothing_done) {
    write_held_accounts(config.held_accounts(), {{"alice", 2001}});
    BOOST_CHECK(order(by_password(TokenAction::Create, "one")).verdict == LoginVerdict::Held);
    write_held_accounts(config.held_accounts(), {});
    config.login.uid_floor = 2002;
    BOOST_CHECK(order(by_password(TokenAction::Create, "one")).verdict == LoginVerdict::Forbidden);
}

BOOST_AUTO_TEST_CASE(switched_off_nothing_is_done_and_nobody_let_in) {
    const auto token = make("one");
    config.tokens.enabled = false;
    BOOST_CHECK(log_in("alice", token) == LoginVerdict::TokensOff);
    BOOST_CHECK(order(by_password(TokenAction::List)).verdict == LoginVerdict::TokensOff);
}

BOOST_AUTO_TEST_CASE(the_list_tells_when_and_from_where_a_token_was_used) {
    const auto token = make("one");
    BOOST_TEST(rows()[0].first_used == 0);
    BOOST_TEST(lets_in(token));
    wall += 1000;
    BOOST_TEST(lets_in(token, elsewhere));
    const auto row = rows()[0];
    BOOST_TEST(row.first_used == wall - 1000);
    BOOST_TEST(row.first_used_from == here);
    BOOST_TEST(row.last_used == wall);
    BOOST_TEST(row.last_used_from == elsewhere);
}

BOOST_AUTO_TEST_CASE(tokens_outlast_a_restart) {
    const auto token = make("one");
    restart();
    BOOST_TEST(lets_in(token));
}

// No limit: it only says what a login costs here, beside PAM's once a minute.
BOOST_AUTO_TEST_CASE(a_login_costs_microseconds) {
    const auto token = make("one");
    BOOST_TEST(lets_in(token));
    constexpr int logins = 2000;
    int welcome = 0;
    const auto began = std::clock();
    for (int i = 0; i < logins; ++i)
        desk().answer_login({"alice", Secret(token), here},
                            [&](const LoginAnswer& answer, const Account*, const Serve&) {
                                welcome += answer.verdict == LoginVerdict::Welcome ? 1 : 0;
                            });
    const auto took = static_cast<double>(std::clock() - began) * 1e6 / CLOCKS_PER_SEC;
    BOOST_TEST(welcome == logins);
    std::printf("a login by token: %.1f microseconds of processor time\n", took / logins);
}

BOOST_AUTO_TEST_SUITE_END()
