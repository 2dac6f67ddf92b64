#include "auth/authd/token_change.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include <thread>
#include <vector>

#include "auth/authd/local_accounts.h"
#include "auth/base/sha256.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

const std::string generation(64, 'e');
const std::string shadow(64, 'f');

struct Fixture {
    TemporaryDirectory directory;
    const std::string file = tokens_file(directory.path, "alice");

    [[nodiscard]] TokenChange change(TokenAction action, const std::string& name) const {
        TokenChange change;
        change.file = file;
        change.action = action;
        change.name = name;
        change.generation = generation;
        change.most = 3;
        change.made = {"", "", 1'000, 2'000, TokenScope::Limited, generation, shadow};
        return change;
    }
    [[nodiscard]] TokenResult make(const std::string& name) const {
        return change_tokens(change(TokenAction::Create, name)).result;
    }
    [[nodiscard]] std::string names() const {
        std::string all;
        for (const auto& token : read_tokens(file)) all += token.name + ' ';
        return all;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(token_change, Fixture)

BOOST_AUTO_TEST_CASE(of_a_token_that_is_made_only_the_hash_is_kept) {
    const auto made = change_tokens(change(TokenAction::Create, "one"));
    BOOST_CHECK(made.result == TokenResult::Done);
    const auto tokens = read_tokens(file);
    BOOST_REQUIRE(tokens.size() == 1U);
    BOOST_TEST(tokens[0].digest == sha256_hex(made.token.reveal()));
    BOOST_CHECK(tokens[0].scope == TokenScope::Limited);
    BOOST_TEST(tokens[0].expires == 2'000);
    BOOST_TEST(tokens[0].shadow == shadow);
    BOOST_TEST(directory.read("alice.tokens").find(made.token.reveal()) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(there_are_no_two_of_a_name_and_no_more_than_allowed) {
    BOOST_CHECK(make("one") == TokenResult::Done);
    BOOST_CHECK(make("one") == TokenResult::NameTaken);
    BOOST_CHECK(make("two") == TokenResult::Done);
    BOOST_CHECK(make("three") == TokenResult::Done);
    BOOST_CHECK(make("four") == TokenResult::TooMany);
    BOOST_TEST(names() == "one two three ");
}

BOOST_AUTO_TEST_CASE(a_token_is_renamed_unless_the_name_is_taken) {
    BOOST_CHECK(make("one") == TokenResult::Done);
    BOOST_CHECK(make("two") == TokenResult::Done);
    auto rename = change(TokenAction::Rename, "one");
    rename.new_name = "two";
    BOOST_CHECK(change_tokens(rename).result == TokenResult::NameTaken);
    rename.new_name = "three";
    const auto digest = read_tokens(file)[0].digest;
    BOOST_CHECK(change_tokens(rename).result == TokenResult::Done);
    BOOST_TEST(names() == "three two ");
    BOOST_TEST(read_tokens(file)[0].digest == digest);
    BOOST_CHECK(change_tokens(rename).result == TokenResult::NoSuchToken);
    rename.name = rename.new_name;
    BOOST_CHECK(change_tokens(rename).result == TokenResult::Done);
}

BOOST_AUTO_TEST_CASE(a_revoked_token_is_gone) {
    BOOST_CHECK(make("one") == TokenResult::Done);
    BOOST_CHECK(make("two") == TokenResult::Done);
    BOOST_CHECK(change_tokens(change(TokenAction::Revoke, "one")).result == TokenResult::Done);
    BOOST_TEST(names() == "two ");
    BOOST_CHECK(change_tokens(change(TokenAction::Revoke, "one")).result == TokenResult::NoSuchToken);
}

BOOST_AUTO_TEST_CASE(tokens_of_a_former_owner_are_neither_kept_nor_counted) {
    auto former = change(TokenAction::Create, "old");
    former.generation = former.made.generation = std::string(64, 'd');
    BOOST_CHECK(change_tokens(former).result == TokenResult::Done);
    const auto changed = change_tokens(change(TokenAction::Create, "old"));
    BOOST_CHECK(changed.result == TokenResult::Done);
    BOOST_TEST(changed.dropped == 1U);
    BOOST_TEST(read_tokens(file).size() == 1U);
    BOOST_TEST(read_tokens(file)[0].generation == generation);
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_left_as_it_is) {
    directory.write("alice.tokens", "damaged\n");
    BOOST_REQUIRE(::chmod(file.c_str(), 0600) == 0);
    for (const auto action : {TokenAction::Create, TokenAction::Rename, TokenAction::Revoke})
        BOOST_CHECK(change_tokens(change(action, "one")).result == TokenResult::Damaged);
    BOOST_TEST(directory.read("alice.tokens") == "damaged\n");
}

BOOST_AUTO_TEST_CASE(the_administrator_revokes_one_or_all_also_in_a_damaged_file) {
    BOOST_TEST(!revoke_tokens(file, "one"));
    BOOST_TEST(!revoke_tokens(file, ""));
    for (const auto* name : {"one", "two", "three"}) BOOST_CHECK(make(name) == TokenResult::Done);
    BOOST_TEST(revoke_tokens(file, "two"));
    BOOST_TEST(!revoke_tokens(file, "two"));
    BOOST_TEST(names() == "one three ");
    directory.write("alice.tokens", "damaged\n");
    BOOST_REQUIRE(::chmod(file.c_str(), 0600) == 0);
    BOOST_TEST(revoke_tokens(file, ""));
    BOOST_TEST(names().empty());
}

BOOST_AUTO_TEST_CASE(changes_at_the_same_time_lose_nothing) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([this, i] {
            auto one = change(TokenAction::Create, "t" + std::to_string(i));
            one.most = 8;
            static_cast<void>(change_tokens(one));
        });
    for (auto& thread : threads) thread.join();
    BOOST_TEST(read_tokens(file).size() == 8U);
}

BOOST_AUTO_TEST_CASE(a_shadow_line_is_known_by_its_whole_content_and_its_own_name) {
    directory.write("shadow", "alic:x:1\nalice:hash:1::\nbob::\n");
    const auto path = directory.path + "/shadow";
    BOOST_TEST(shadow_line("alice", path).digest == sha256_hex("alice:hash:1::\n"));
    BOOST_TEST(shadow_line("bob", path).digest == sha256_hex("bob::\n"));
    BOOST_TEST(shadow_line("carol", path).digest == no_shadow_line);
    BOOST_TEST(shadow_line("carol", path + "-nowhere").digest == no_shadow_line);
    // By which it is compared with what the login desk saw.
    directory.write("passwd", "alice:x:1:1::/:/bin/sh\nbob:x:2:2::/:/bin/sh\ncarol:x:3:3::/:/bin/sh\n");
    const LocalAccounts accounts({directory.path + "/passwd", path, {}});
    for (const auto* user : {"alice", "bob", "carol"})
        BOOST_TEST(shadow_line(user, path).fingerprint == accounts.lines_of(user)->shadow);
}

BOOST_AUTO_TEST_SUITE_END()
