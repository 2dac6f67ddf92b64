#include "auth/base/home_lookup.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

// In the child. What was found tells by which child.
HomeIdentity look(const std::string& home) noexcept {
    if (home == "/hangs") ::pause();
    if (home == "/slow") ::usleep(200'000);
    HomeIdentity found;
    found.inode = static_cast<std::uint64_t>(::getpid());
    return found;
}

struct Fixture {
    using Answer = std::optional<HomeIdentity>;
    std::shared_ptr<std::optional<Answer>> ask(const std::string& home) {
        auto answer = std::make_shared<std::optional<Answer>>();
        homes.ask(home, [answer](const Answer& found) { *answer = found; });
        return answer;
    }
    Answer wait_for(const std::string& home) {
        const auto answer = ask(home);
        run_until(loop, [&] { return answer->has_value(); });
        return **answer;
    }

    EventLoop loop;
    HomeLookup homes{loop, look};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_home, Fixture)

BOOST_AUTO_TEST_CASE(is_looked_at_anew_each_time_in_a_child) {
    const auto first = wait_for("/home/a");
    const auto second = wait_for("/home/a");
    BOOST_REQUIRE((first && second));
    BOOST_TEST(first->inode != static_cast<std::uint64_t>(::getpid()));
    BOOST_TEST(first->inode != second->inode);
}

BOOST_AUTO_TEST_CASE(is_looked_at_once_for_all_who_ask_meanwhile) {
    const auto first = ask("/home/a");
    const auto second = ask("/home/a");
    const auto other = ask("/home/b");
    run_until(loop, [&] { return *first && *second && *other; });
    BOOST_TEST((**first == **second));
    BOOST_TEST((**first != **other));
}

BOOST_AUTO_TEST_CASE(that_does_not_answer_is_given_up_and_holds_up_no_other) {
    const auto begun = Clock::now();
    const auto hanging = ask("/hangs");
    BOOST_TEST(wait_for("/home/a").has_value());
    BOOST_TEST(!hanging->has_value());
    run_until(loop, [&] { return hanging->has_value(); });
    BOOST_TEST(!(**hanging).has_value());
    BOOST_TEST((Clock::now() - begun < 6s));
    // Nobody waits for it again at once, and there is no second child.
    const auto again = ask("/hangs");
    BOOST_TEST(again->has_value());
    // This one can be killed: it waits for nothing in the kernel.
    run_until(loop, [&] { return homes.stuck() == 0; });
}

BOOST_AUTO_TEST_CASE(that_is_slow_is_not_asked_again_and_again) {
    const auto first = wait_for("/slow");
    const auto second = ask("/slow");
    BOOST_REQUIRE((first && second->has_value()));
    BOOST_TEST((**second == first));
}

BOOST_AUTO_TEST_CASE(is_what_it_is_also_when_one_may_wait_for_it) {
    const TemporaryDirectory directory;
    const auto found = home_identity_in_time(directory.path);
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST((*found == home_identity(directory.path)));
    BOOST_TEST(home_identity_in_time(directory.path + "/nothing")->is_missing);
}

BOOST_AUTO_TEST_SUITE_END()
