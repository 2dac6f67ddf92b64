#include "auth/authd/api_tokens.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include <set>

#include "auth/base/config.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

std::string digest_of(char digit) {
    return std::string(64, digit);
}

ApiToken token_named(const std::string& name, char digit) {
    return {name, digest_of(digit), 1'000, 2'000, TokenScope::Full, digest_of('e'), digest_of('f')};
}

struct Fixture {
    TemporaryDirectory directory;
    const std::string file = tokens_file(directory.path, "alice");
    TokenFiles files{directory.path};

    void write(const std::string& text, mode_t mode = 0600) const {
        directory.write("alice.tokens", text);
        BOOST_REQUIRE(::chmod(file.c_str(), mode) == 0);
    }
    [[nodiscard]] std::string refusal() const {
        try {
            static_cast<void>(read_tokens(file));
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "accepted";
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(api_tokens, Fixture)

BOOST_AUTO_TEST_CASE(a_token_has_32_capitals_and_digits_and_no_two_are_alike) {
    std::set<std::string> seen;
    std::set<char> characters;
    for (int i = 0; i < 200; ++i) {
        const auto token = random_token();
        BOOST_TEST(token.reveal().size() == 32U);
        characters.insert(token.reveal().begin(), token.reveal().end());
        BOOST_TEST(seen.insert(token.reveal()).second);
    }
    BOOST_TEST(std::string(characters.begin(), characters.end()) == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

BOOST_AUTO_TEST_CASE(names_are_as_in_the_public_reference) {
    for (const auto* good : {"a", "Example-token_1", "-", "_", "0"}) BOOST_TEST(is_token_name(good));
    BOOST_TEST(is_token_name(std::string(50, 'x')));
    for (const auto* bad : {"", "a b", "a.b", "a/b", "a\n", "\xc3\xa9", "a:b"}) BOOST_TEST(!is_token_name(bad));
    BOOST_TEST(!is_token_name(std::string(51, 'x')));
}

BOOST_AUTO_TEST_CASE(written_tokens_are_read_back_and_nobody_else_can_read_them) {
    std::vector<ApiToken> tokens = {token_named("one", '1'), token_named("two", '2'), token_named("three", '3')};
    tokens[0].expires = expires_never;
    tokens[1].scope = TokenScope::ReadOnly;
    tokens[2].scope = TokenScope::Limited;
    tokens[2].shadow = no_shadow_line;
    write_tokens(file, tokens);
    struct stat status {};
    BOOST_REQUIRE(::stat(file.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600U);
    BOOST_CHECK(read_tokens(file) == tokens);
}

BOOST_AUTO_TEST_CASE(without_a_file_there_are_no_tokens) {
    BOOST_TEST(read_tokens(file).empty());
    BOOST_TEST(files.of("alice").tokens.empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_others_can_read_is_refused) {
    for (const mode_t mode : {0640, 0604, 0620, 0602}) {
        write("", mode);
        BOOST_TEST(refusal().find("nobody else may read or write it") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(an_error_names_its_line) {
    const auto good = "one " + digest_of('1') + " 1 2 full " + digest_of('e') + ' ' + digest_of('f');
    write(good + "\n");
    BOOST_TEST(refusal() == "accepted");
    const std::string wrong[] = {"one",
                                 good + " more",
                                 "o.e" + good.substr(3),
                                 good.substr(0, good.size() - 1),
                                 "one " + digest_of('x') + " 1 2 full " + digest_of('e') + ' ' + digest_of('f'),
                                 "one " + digest_of('1') + " 1 -2 full " + digest_of('e') + ' ' + digest_of('f'),
                                 "one " + digest_of('1') + " 1 2 all " + digest_of('e') + ' ' + digest_of('f')};
    for (const auto& line : wrong) {
        write("# a comment\n\n" + line + "\n");
        BOOST_TEST(refusal().starts_with(file + ", line 3: expected NAME SHA256"), line);
    }
}

BOOST_AUTO_TEST_CASE(no_name_and_no_token_may_stand_there_twice) {
    for (const auto& second : {token_named("one", '2'), token_named("two", '1')}) {
        write_tokens(file, {token_named("one", '1'), second});
        BOOST_TEST(refusal().ends_with("the token one is listed twice"));
    }
}

BOOST_AUTO_TEST_CASE(a_change_takes_effect_at_once_and_in_a_damaged_file_no_token_is_valid) {
    write_tokens(file, {token_named("one", '1')});
    BOOST_TEST(files.of("alice").tokens.size() == 1U);
    write_tokens(file, {token_named("one", '1'), token_named("two", '2')});
    BOOST_TEST(files.of("alice").tokens.size() == 2U);
    write("one\n");
    BOOST_TEST(files.of("alice").is_damaged);
    BOOST_TEST(files.of("alice").tokens.empty());
    write_tokens(file, {});
    BOOST_TEST(!files.of("alice").is_damaged);
}

BOOST_AUTO_TEST_CASE(no_name_leads_to_a_file_elsewhere_or_to_anothers) {
    directory.write("x.tokens", "");
    for (const auto* name : {"", "../x", "a/b", "a b", "a\n", "a:b"}) BOOST_TEST(!is_possible_token_owner(name));
    BOOST_TEST(!is_possible_token_owner(std::string(201, 'x')));
    BOOST_TEST(tokens_file("/d", "..") == "/d/...tokens");
    // What is written beside one account's file is no account's.
    BOOST_TEST(tokens_file("/d", "bob.tokens.new") != tokens_file("/d", "bob") + ".new");
    BOOST_TEST(files.of("../x").tokens.empty());
}

BOOST_AUTO_TEST_CASE(only_the_first_use_is_the_first_also_after_a_restart) {
    const auto token = token_named("one", '1');
    write_tokens(file, {token});
    BOOST_TEST(files.note_use("alice", token, 5'000, "192.0.2.1"));
    BOOST_TEST(!files.note_use("alice", token, 5'010, "192.0.2.2"));
    TokenFiles restarted(directory.path);
    auto use = restarted.of("alice").uses.at(token.digest);
    BOOST_TEST(use.first == 5'000);
    BOOST_TEST(use.first_from == "192.0.2.1");
    BOOST_TEST(use.last == 5'000);  // within a minute it is only in memory
    BOOST_TEST(!restarted.note_use("alice", token, 5'100, "192.0.2.3"));
    use = TokenFiles(directory.path).of("alice").uses.at(token.digest);
    BOOST_TEST(use.first == 5'000);
    BOOST_TEST(use.last == 5'100);
    BOOST_TEST(use.last_from == "192.0.2.3");
}

BOOST_AUTO_TEST_CASE(a_use_stays_with_a_token_that_is_renamed_and_goes_with_one_that_is_revoked) {
    auto token = token_named("one", '1');
    write_tokens(file, {token, token_named("two", '2')});
    static_cast<void>(files.note_use("alice", token, 5'000, "192.0.2.1"));
    static_cast<void>(files.note_use("alice", token_named("two", '2'), 5'000, "192.0.2.1"));
    token.name = "renamed";
    write_tokens(file, {token});
    BOOST_TEST(!files.note_use("alice", token, 5'100, "192.0.2.1"));
    BOOST_TEST(TokenFiles(directory.path).of("alice").uses.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_damaged_file_of_uses_is_as_none) {
    const auto token = token_named("one", '1');
    write_tokens(file, {token});
    directory.write("alice.uses", "nonsense\n" + token.digest + " 1\n\xff\xfe");
    BOOST_REQUIRE(::chmod((directory.path + "/alice.uses").c_str(), 0600) == 0);
    BOOST_TEST(files.of("alice").uses.empty());
    BOOST_TEST(files.note_use("alice", token, 5'000, "192.0.2.1"));
}

BOOST_AUTO_TEST_SUITE_END()
