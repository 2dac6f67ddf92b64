#include "auth/authd/shadow_file.h"

#include <crypt.h>
#include <time.h>

#include <boost/test/unit_test.hpp>
#include <chrono>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

std::chrono::nanoseconds processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

template <class Work>
std::chrono::nanoseconds cost_of(Work work) {
    const auto before = processor_time();
    work();
    return processor_time() - before;
}

struct Fixture {
    Fixture() {
        directory.write("shadow",
                        "root:*:1::::::\n"
                        "alice:$y$j9T$abc$def:1:::::\nbob:$y$j9T$ghi$jkl:1:::::\n"
                        "locked:!$y$j9T$mno$pqr:1:::::\nnone::1:::::\nstar:*:1:::::\n"
                        "another:$6$stu$vwx:1:::::\n");
        one_hash = cost_of([] { static_cast<void>(::crypt("wrong", "$y$j9T$......................")); });
    }
    [[nodiscard]] bool spends_a_hash(const std::string& user, const std::string& file = "shadow") const {
        const auto cost = cost_of([&] { ShadowFile(directory.path + "/" + file, user).spend_a_hash(Secret("wrong")); });
        BOOST_TEST_MESSAGE(user << ": " << cost.count() << " ns");
        return cost > one_hash / 2;
    }
    TemporaryDirectory directory;
    std::chrono::nanoseconds one_hash{};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_hash_is_spent_where_pam_computes_none, Fixture) {
    for (const auto* user : {"nobody-of-that-name", "locked", "none", "star", "root", ""})
        BOOST_TEST(spends_a_hash(user), user);
}

BOOST_FIXTURE_TEST_CASE(no_hash_is_spent_where_pam_has_computed_it, Fixture) {
    BOOST_TEST(!spends_a_hash("alice"));
    BOOST_TEST(!spends_a_hash("bob"));
}

BOOST_FIXTURE_TEST_CASE(a_method_that_costs_less_than_the_usual_one_does_not_show, Fixture) {
    BOOST_TEST(spends_a_hash("another"));
}

BOOST_FIXTURE_TEST_CASE(a_host_without_local_hashes_has_the_preferred_method, Fixture) {
    directory.write("empty", "root:*:1::::::\n");
    for (const auto* file : {"empty", "nowhere"})
        for (const auto* user : {"root", "nobody-of-that-name"}) BOOST_TEST(spends_a_hash(user, file), user);
}

BOOST_FIXTURE_TEST_CASE(a_password_is_local_if_it_makes_the_accounts_hash, Fixture) {
    const std::string hash = ::crypt("right", "$6$rounds=1000$abcdefgh$");
    directory.write("shadow", "bob:" + hash + ":1:::::\nlocked:!" + hash + ":1:::::\nnone::1:::::\nstar:*:1:::::\n");
    const auto matches = [&](const std::string& user, const std::string& password) {
        return ShadowFile(directory.path + "/shadow", user).matches(Secret(password));
    };
    BOOST_TEST(matches("bob", "right"));
    BOOST_TEST(!matches("bob", "wrong"));
    for (const auto* user : {"locked", "none", "star", "nobody-of-that-name"})
        BOOST_TEST(!matches(user, "right"), user);
    BOOST_TEST(!matches("none", ""));
    BOOST_TEST(!ShadowFile(directory.path + "/nowhere", "bob").matches(Secret("right")));
}

BOOST_AUTO_TEST_CASE(a_method_is_named_with_its_cost_and_without_the_salt) {
    BOOST_TEST(method_of_hash("$y$j9T$abc$def") == "$y$j9T$");
    BOOST_TEST(method_of_hash("$gy$jCT$abc$def") == "$gy$jCT$");
    BOOST_TEST(method_of_hash("$2b$12$abcdefghijklmnopqrstuvwxyz") == "$2b$12$");
    BOOST_TEST(method_of_hash("$6$abc$def") == "$6$");
    BOOST_TEST(method_of_hash("$6$rounds=10000$abc$def") == "$6$rounds=10000$");
    BOOST_TEST(method_of_hash("$5$abc$def") == "$5$");
    for (const auto* none :
         {"", "*", "!", "!$y$j9T$abc$def", "x", "$", "$y$", "$y$j9T", "$9$abc", "rounds=5$", "abJnggxhB/yWI"})
        BOOST_TEST(method_of_hash(none).empty(), none);
}

BOOST_AUTO_TEST_CASE(the_salt_is_valid_for_every_method) {
    for (const std::string method :
         {"$y$j9T$", "$gy$j9T$", "$2b$04$", "$2y$04$", "$2a$04$", "$6$", "$6$rounds=1000$", "$5$", "$1$"}) {
        const auto* const hash = ::crypt("x", (method + "......................").c_str());
        BOOST_REQUIRE(hash != nullptr);
        BOOST_TEST(std::string(hash).starts_with(method), hash);
    }
}
