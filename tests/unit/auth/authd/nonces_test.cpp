#include "auth/authd/nonces.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

constexpr std::int64_t now = 1'700'000'000;

struct Fixture {
    TemporaryDirectory directory;
    const std::string file = directory.path + "/nonces";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(nonces, Fixture)

BOOST_AUTO_TEST_CASE(a_nonce_is_accepted_once_in_half_an_hour) {
    Nonces used(file, 100);
    BOOST_TEST((used.use("key", "n", now) == Nonces::Use::First));
    BOOST_TEST((used.use("key", "n", now) == Nonces::Use::Again));
    BOOST_TEST((used.use("key", "n", now + 1800) == Nonces::Use::Again));
    BOOST_TEST((used.use("another", "n", now) == Nonces::Use::First));
    BOOST_TEST((used.use("key", "n", now + 1801) == Nonces::Use::First));
}

BOOST_AUTO_TEST_CASE(nonces_survive_a_restart) {
    {
        Nonces used(file, 100);
        BOOST_TEST((used.use("key", "n", now) == Nonces::Use::First));
    }
    // What an interrupted write left does no harm.
    directory.write("nonces", directory.read("nonces") + "17000");
    Nonces used(file, 100);
    BOOST_TEST((used.use("key", "n", now + 60) == Nonces::Use::Again));
    BOOST_TEST((used.use("key", "m", now + 60) == Nonces::Use::First));
    // Nor does such a line with others after it, or a line from the far future.
    directory.write("nonces", "17000" + directory.read("nonces") + "1700 key\n99999999999999 key " +
                                  std::string(64, 'a') + "\n" + directory.read("nonces"));
    Nonces again(file, 100);
    BOOST_TEST((again.use("key", "n", now + 60) == Nonces::Use::Again));
    BOOST_TEST(directory.read("nonces").find(std::string(64, 'a')) == std::string::npos);
    BOOST_TEST((again.use("key", "m", now + 60) == Nonces::Use::Again));
}

BOOST_AUTO_TEST_CASE(while_the_file_cannot_be_written_requests_are_refused_and_later_none_is_accepted_twice) {
    const auto place = directory.path + "/place";
    const auto kept = place + "/nonces";
    // Stands for a full disk: the file cannot be made.
    Nonces used(kept, 100);
    BOOST_CHECK_THROW(static_cast<void>(used.use("key", "n", now)), std::system_error);
    std::filesystem::create_directory(place);
    BOOST_TEST((used.use("key", "m", now) == Nonces::Use::First));
    BOOST_TEST((used.use("key", "n", now) == Nonces::Use::Again));
    Nonces after_a_restart(kept, 100);
    for (const auto* nonce : {"m", "n"}) BOOST_TEST((after_a_restart.use("key", nonce, now) == Nonces::Use::Again));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_not_taken_for_an_empty_one) {
    std::filesystem::create_directory(file);
    BOOST_CHECK_THROW(Nonces(file, 100), std::system_error);
}

BOOST_AUTO_TEST_CASE(each_key_has_a_limit_of_its_own) {
    Nonces used(file, 3);
    for (const auto* nonce : {"1", "2", "3"}) BOOST_TEST((used.use("greedy", nonce, now) == Nonces::Use::First));
    BOOST_TEST((used.use("greedy", "4", now) == Nonces::Use::TooMany));
    BOOST_TEST((used.use("other", "4", now) == Nonces::Use::First));
    BOOST_TEST((used.use("greedy", "4", now + 1801) == Nonces::Use::First));
}

BOOST_AUTO_TEST_CASE(the_file_does_not_grow_without_limit) {
    Nonces used(file, 100);
    constexpr std::size_t line = 100;
    for (int i = 0; i < 20'000; ++i) {
        const auto when = now + i * 100;
        BOOST_TEST_REQUIRE((used.use("key", std::to_string(i), when) == Nonces::Use::First));
    }
    // 19 are remembered at a time.
    BOOST_TEST(std::filesystem::file_size(file) < (2 * 19 + 1024 + 1) * line);
    struct stat status {};
    BOOST_REQUIRE(::stat(file.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600U);
}

BOOST_AUTO_TEST_SUITE_END()
