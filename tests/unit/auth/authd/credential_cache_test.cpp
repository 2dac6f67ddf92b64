#include "auth/authd/credential_cache.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/unit/local_account_files.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    LocalAccountFiles files;
    LocalAccounts accounts{files.names()};
    CredentialCache cache{accounts};
    Deadline now = Clock::now();

    void remember(const std::string& user, const std::string& password) {
        cache.remember(user, mac(user, password), {user, 2001, 2001, "/home/" + user}, accounts.state_of(user), now,
                       60s);
    }
    CredentialCache::Mac mac(const std::string& user, const std::string& password) {
        return cache.mac_of(user, Secret(password));
    }
    bool knows(const std::string& user, const std::string& password) {
        return cache.find(user, mac(user, password), now).account != nullptr;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_credential_cache, Fixture)

BOOST_AUTO_TEST_CASE(answers_for_the_right_password_until_it_expires) {
    remember("bob", "right");
    BOOST_REQUIRE(knows("bob", "right"));
    BOOST_TEST(cache.find("bob", mac("bob", "right"), now).account->home == "/home/bob");
    now += 59s;
    BOOST_TEST(knows("bob", "right"));
    now += 1s;
    BOOST_TEST(!knows("bob", "right"));
}

BOOST_AUTO_TEST_CASE(tells_for_a_day_that_a_password_was_right) {
    remember("bob", "right");
    now += 60s;
    const auto answer = cache.find("bob", mac("bob", "right"), now);
    BOOST_TEST(answer.account == nullptr);
    BOOST_TEST(answer.was_right);
    BOOST_TEST(!answer.has_another_password);
    BOOST_TEST(cache.find("bob", mac("bob", "wrong"), now).has_another_password);
    now += 24h - 61s;
    BOOST_TEST(cache.find("bob", mac("bob", "right"), now).was_right);
    now += 1s;
    BOOST_TEST(!cache.find("bob", mac("bob", "right"), now).was_right);
    BOOST_TEST(!cache.find("bob", mac("bob", "wrong"), now).has_another_password);
}

BOOST_AUTO_TEST_CASE(forgets_what_turned_out_to_be_wrong) {
    remember("bob", "old");
    remember("bob", "right");
    cache.forget("bob", mac("bob", "old"));
    BOOST_TEST(!cache.find("bob", mac("bob", "old"), now).was_right);
    BOOST_TEST(knows("bob", "right"));
    cache.forget("nobody", mac("nobody", "old"));
}

BOOST_AUTO_TEST_CASE(is_not_changed_by_a_wrong_password) {
    remember("bob", "right");
    const auto answer = cache.find("bob", mac("bob", "wrong"), now);
    BOOST_TEST(answer.account == nullptr);
    BOOST_TEST(answer.has_another_password);
    BOOST_TEST(knows("bob", "right"));
    BOOST_TEST(!cache.find("alice", mac("alice", "right"), now).has_another_password);
}

BOOST_AUTO_TEST_CASE(looks_up_name_and_password_together) {
    remember("bob", "right");
    BOOST_TEST(!knows("alice", "right"));
    BOOST_TEST((mac("ab", "c") != mac("a", "bc")));
    BOOST_TEST((mac("ab", "c") == mac("ab", "c")));
}

BOOST_AUTO_TEST_CASE(forgets_an_account_whose_line_changed_and_no_other) {
    remember("alice", "a");
    remember("bob", "b");
    files.replace("shadow", "alice:$y$CHANGED:2:::::\nbob:$y$b:1:::::\n");
    accounts.refresh();
    BOOST_TEST(!knows("alice", "a"));
    BOOST_TEST(!cache.find("alice", mac("alice", "a"), now).was_right);
    BOOST_TEST(knows("bob", "b"));
}

BOOST_AUTO_TEST_CASE(forgets_a_removed_account_and_a_remote_one_that_became_local) {
    remember("bob", "b");
    remember("carol", "c");
    files.replace("passwd", "carol:x:2003:2003::/home/carol:/bin/sh\n");
    accounts.refresh();
    BOOST_TEST(!knows("bob", "b"));
    BOOST_TEST(!knows("carol", "c"));
}

BOOST_AUTO_TEST_CASE(keeps_a_few_passwords_of_one_name) {
    for (const auto* password : {"1", "2", "3", "4", "5"}) remember("bob", password);
    BOOST_TEST(!knows("bob", "1"));
    for (const auto* password : {"2", "3", "4", "5"}) BOOST_TEST(knows("bob", password));
}

BOOST_AUTO_TEST_CASE(is_bounded_and_evicts_what_expires_first) {
    CredentialCache small(accounts, 2);
    const auto put = [&](const std::string& user, std::chrono::seconds lifetime) {
        small.remember(user, small.mac_of(user, Secret("p")), {user, 2001, 2001, "/"}, accounts.state_of(user), now,
                       lifetime);
    };
    const auto has = [&](const std::string& user) {
        return small.find(user, small.mac_of(user, Secret("p")), now).account != nullptr;
    };
    put("one", 50s);
    put("two", 60s);
    put("three", 55s);
    BOOST_TEST(!has("one"));
    BOOST_TEST(has("two"));
    BOOST_TEST(has("three"));
}

BOOST_AUTO_TEST_CASE(has_a_key_of_its_own) {
    CredentialCache other(accounts);
    BOOST_TEST((other.mac_of("bob", Secret("right")) != mac("bob", "right")));
}

// RFC 4231, test case 1; HMAC fills a short key up with zeros.
BOOST_AUTO_TEST_CASE(makes_macs_as_the_standard_says) {
    const std::string key = std::string(20, '\x0b') + std::string(Hmac::size - 20, '\0');
    constexpr unsigned char expected[] = {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf,
                                          0xce, 0xaf, 0x0b, 0xf1, 0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83,
                                          0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7};
    Hmac hmac;
    for (int i = 0; i < 2; ++i)
        BOOST_TEST(hmac.of(key, {"Hi ", "There"}) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(leaves_no_key_on_the_heap) {
#ifdef CLAMSCANNER_SANITIZED
    std::puts(
        "SKIPPED: a sanitizer's allocator has no heap of its own to look "
        "through");
    return;
#endif
    const auto key = UninheritedSecret::random(Hmac::size);
    Hmac hmac;
    (void)hmac.of(key.reveal(), {"text"});
    std::ifstream maps("/proc/self/maps");
    std::string line;
    while (std::getline(maps, line) && !line.ends_with("[heap]")) {
    }
    BOOST_REQUIRE(maps.good());
    char* end = nullptr;
    const auto first = std::strtoull(line.c_str(), &end, 16);
    const auto last = std::strtoull(end + 1, nullptr, 16);
    const std::string_view heap(reinterpret_cast<const char*>(first), last - first);
    BOOST_TEST((heap.find(key.reveal()) == heap.npos));
}

BOOST_AUTO_TEST_SUITE_END()
