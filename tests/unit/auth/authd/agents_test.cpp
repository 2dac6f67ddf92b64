#include "auth/authd/agents.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "auth/base/socket.h"
#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"
#include "tests/unit/test_pipes.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

// What the test's agents do with their requests, in the child, on descriptor 3.
void serves_each() {
    for (Packet packet; receive_packet(3, packet) == Got::Packet;)
        if (send_message(3, Served{1}) != Sent::Yes) return;
}

void takes_and_never_answers() {
    for (Packet packet; receive_packet(3, packet) == Got::Packet;)
        for (auto& descriptor : packet.descriptors) (void)descriptor.release();
}

void stops_itself() {
    ::raise(SIGSTOP);
}

void claims_too_much() {
    Packet packet;
    (void)receive_packet(3, packet);
    (void)send_message(3, Served{2});
    ::pause();
}

void sends_a_message_that_agents_may_not_send() {
    (void)send_message(3, LoginAnswer{});
    ::pause();
}

void sends_a_descriptor() {
    Packet packet;
    (void)receive_packet(3, packet);
    (void)send_message(3, Served{1}, {3});
    ::pause();
}

std::string key_file;

// What the agent got from authd it writes back, in place of the request.
void tells_whether_it_got_a_voucher() {
    for (Packet packet; receive_packet(3, packet) == Got::Packet; packet = {}) {
        const auto serve = decode<Serve>(packet.bytes);
        const auto pipes = take_pipes(packet);
        const auto key = read_voucher_key(key_file);
        const bool has = is_sealed(key, 1, serve.voucher) && serve.voucher.token == serve.token &&
                         (serve.voucher.by == VouchedBy::Token) == !serve.token.empty();
        const bool none = serve.voucher.seal.empty();
        const char answer = has ? 'v' : none ? '-' : '?';
        if (::write(pipes.reply.get(), &answer, 1) != 1) ::_exit(1);
        static_cast<void>(send_message(3, Served{1}));
    }
}

void ends_at_once() {}

// As the child does that looks at a directory which does not answer. It ends when authd does.
void leaves_a_process_behind() {
    if (::fork() != 0) return;
    pollfd authd{3, 0, 0};
    ::poll(&authd, 1, 60'000);
}

struct Fixture {
    Fixture() { config.login.uid_floor = 1; }
    Agents& agents(void (*behaviour)(), Secret key = new_voucher_key()) {
        const auto launch = [this, behaviour](const Account&, int control) {
            ++started;
            return fork_child({control}, behaviour);
        };
        agents_.emplace(loop, children, config, launch, std::move(key));
        return *agents_;
    }
    static Account account(uid_t uid) {
        return {"user" + std::to_string(uid), uid, uid, "/home/" + std::to_string(uid)};
    }
    bool is_welcome(uid_t uid) {
        if (admit(account(uid)).verdict != LoginVerdict::Welcome) {
            streams.pop_back();
            return false;
        }
        return true;
    }
    bool is_busy(uid_t uid) {
        const bool busy = admit(account(uid)).verdict == LoginVerdict::Busy;
        streams.pop_back();
        return busy;
    }
    LoginAnswer admit(const Account& whom, Purpose purpose = Purpose::Api) {
        TestPipes pipes;
        streams.push_back(std::move(pipes.reply));
        return agents_->admit(whom, {purpose, "", ""}, pipes.agents);
    }
    LoginAnswer admit(const Account& whom, const Serve& serve, TestPipes& pipes) {
        return agents_->admit(whom, serve, pipes.agents);
    }
    // The agent's ends are closed once its request is served or the agent gone.
    bool has_ended(const UniqueFd& reply) { return TestPipes::has_ended(reply); }

    EventLoop loop;
    Children children{loop, 100ms};
    Config config;
    unsigned started = 0;
    std::vector<UniqueFd> streams;

 private:
    std::optional<Agents> agents_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(an_agent, Fixture)

BOOST_AUTO_TEST_CASE(serves_its_account_again_and_again) {
    agents(serves_each);
    for (int i = 0; i < 100; ++i) {
        BOOST_REQUIRE(is_welcome(1));
        run_until(loop, [&] { return has_ended(streams.back()); });
    }
    BOOST_TEST(started == 1U);
}

BOOST_AUTO_TEST_CASE(gets_a_voucher_for_what_has_every_right_and_for_nothing_else) {
    const TemporaryDirectory place;
    key_file = place.path + "/key";
    auto key = new_voucher_key();
    std::ofstream(key_file) << key.reveal();
    agents(tells_whether_it_got_a_voucher, std::move(key));
    const std::pair<Serve, char> cases[] = {
        {{Purpose::Api, "", ""}, 'v'},
        {{Purpose::Api, "", "", TokenScope::Full, "panel"}, 'v'},
        {{Purpose::Api, "", "", TokenScope::Limited, "panel"}, '-'},
        {{Purpose::Api, "", "", TokenScope::ReadOnly, "panel"}, '-'},
        {{Purpose::Statistics, "", ""}, '-'},
        {{Purpose::Statistics, "ListVirusScanTask", "2018-12-03"}, '-'},
    };
    for (const auto& [serve, expected] : cases) {
        TestPipes pipes;
        BOOST_REQUIRE((admit(account(1), serve, pipes).verdict == LoginVerdict::Welcome));
        char answer = 0;
        run_until(loop, [&] { return ::read(pipes.reply.get(), &answer, 1) == 1; });
        BOOST_TEST(answer == expected);
    }
}

BOOST_AUTO_TEST_CASE(does_not_serve_a_later_account_of_the_same_name) {
    agents(serves_each);
    auto bob = account(1);
    for (const auto* generation : {"first", "second", "second"}) {
        bob.generation = generation;
        BOOST_REQUIRE((admit(bob).verdict == LoginVerdict::Welcome));
        run_until(loop, [&] { return has_ended(streams.back()); });
    }
    BOOST_TEST(started == 2U);
}

BOOST_AUTO_TEST_CASE(of_a_host_user_answers_only_for_statistics) {
    agents(serves_each);
    config.login.uid_floor = 2;
    BOOST_TEST((admit(account(1)).verdict == LoginVerdict::Forbidden));
    BOOST_TEST((admit(account(1), Purpose::Statistics).verdict == LoginVerdict::Welcome));
}

BOOST_AUTO_TEST_CASE(of_a_held_account_is_ended_and_not_started_again) {
    const TemporaryDirectory directory;
    config.statistics.nonces = directory.path + "/nonces";
    auto& all = agents(takes_and_never_answers);
    for (const uid_t uid : {1, 2}) BOOST_REQUIRE(is_welcome(uid));
    write_held_accounts(config.held_accounts(), {{"user1", 1}});
    const auto refused = admit(account(1));
    BOOST_TEST((refused.verdict == LoginVerdict::Held));
    BOOST_TEST(refused.retry_seconds > 0U);
    bool gone = false;
    all.end_all_of(1);
    children.when_gone(1, [&] { gone = true; });
    run_until(loop, [&] { return gone; });
    BOOST_TEST(has_ended(streams.front()));
    BOOST_TEST(all.count() == 1U);
    auto renamed = account(1);
    renamed.name = "another";
    BOOST_TEST((admit(renamed).verdict == LoginVerdict::Held));
    BOOST_TEST(is_welcome(2));
    write_held_accounts(config.held_accounts(), {});
    BOOST_TEST(is_welcome(1));
}

BOOST_AUTO_TEST_CASE(is_not_shared_by_accounts_nor_kept_for_a_changed_one) {
    agents(serves_each);
    BOOST_TEST(is_welcome(1));
    BOOST_TEST(is_welcome(2));
    auto moved = account(1);
    moved.home = "/elsewhere";
    BOOST_TEST((admit(moved).verdict == LoginVerdict::Welcome));
    BOOST_TEST(started == 3U);
}

BOOST_AUTO_TEST_CASE(has_a_limit_of_requests_at_a_time) {
    config.agents.max_requests_per_account = 3;
    agents(takes_and_never_answers);
    for (int i = 0; i < 3; ++i) BOOST_TEST(is_welcome(1));
    const auto refused = admit(account(1));
    BOOST_TEST((refused.verdict == LoginVerdict::Busy));
    BOOST_TEST(refused.retry_seconds == 1U);
    BOOST_TEST(is_welcome(2));
}

BOOST_AUTO_TEST_CASE(has_its_served_read_before_a_request_is_refused) {
    config.agents.max_requests_per_account = 1;
    agents(serves_each);
    for (int i = 0; i < 50; ++i) {
        BOOST_REQUIRE(is_welcome(1));
        // Like a client that has its reply: the loop has not run yet. The agent closes its end after it sent Served.
        BOOST_REQUIRE(TestPipes::ends(streams.back()));
    }
    BOOST_TEST(started == 1U);
}

BOOST_AUTO_TEST_CASE(that_does_not_answer_is_killed_and_its_account_slowed) {
    config.agents.request_seconds = 1;
    auto& all = agents(stops_itself);
    for (int i = 0; i < 24; ++i) BOOST_REQUIRE(is_welcome(1));
    BOOST_TEST(is_busy(1));
    BOOST_TEST(is_welcome(2));
    run_until(loop, [&] { return all.count() == 0 && has_ended(streams.front()); });
    BOOST_TEST(is_welcome(1));
    BOOST_TEST(is_welcome(1));
    BOOST_TEST(is_busy(1));
}

BOOST_AUTO_TEST_CASE(that_misbehaves_is_killed) {
    for (const auto behaviour : {claims_too_much, sends_a_message_that_agents_may_not_send, sends_a_descriptor}) {
        auto& all = agents(behaviour);
        BOOST_TEST(is_welcome(1));
        run_until(loop, [&] { return all.count() == 0 && has_ended(streams.back()); });
    }
}

BOOST_AUTO_TEST_CASE(that_ended_is_replaced_but_not_endlessly) {
    auto& all = agents(ends_at_once);
    // Whether one of them is found alive is chance; how many are started is not.
    while (!is_busy(1)) run_until(loop, [&] { return all.count() == 0; });
    BOOST_TEST(started == 8U);
    BOOST_TEST(!is_busy(2));
}

BOOST_AUTO_TEST_CASE(is_not_started_while_too_many_have_left_processes_behind) {
    config.agents.request_seconds = 1;  // by the control socket it seems to be there
    auto& all = agents(leaves_a_process_behind);
    while (children.ending(1) < 4) {
        static_cast<void>(is_welcome(1));
        run_until(loop, [&] { return all.count() == 0; });
    }
    run_until(loop, [&] { return children.hangs(1); });
    BOOST_TEST((admit(account(1)).verdict == LoginVerdict::FilesHang));
    BOOST_TEST(started == 4U);
    BOOST_TEST(!is_busy(2));
    bool gone = false;
    children.when_gone(1, [&] { gone = true; });
    run_until(loop, [] { return true; });
    BOOST_TEST(!gone);
}

BOOST_AUTO_TEST_CASE(that_is_idle_is_ended) {
    config.agents.idle_seconds = 1;
    auto& all = agents(serves_each);
    BOOST_TEST(is_welcome(1));
    run_until(loop, [&] { return all.count() == 0; });
}

BOOST_AUTO_TEST_CASE(is_ended_to_make_room_if_it_is_idle_longest_but_never_while_it_works) {
    config.agents.max_agents = 2;
    agents(serves_each);
    BOOST_TEST(is_welcome(1));
    run_until(loop, [&] { return has_ended(streams.back()); });
    BOOST_TEST(is_welcome(2));
    run_until(loop, [&] { return has_ended(streams.back()); });
    run_until(loop, [] { return true; });  // reads their Served
    BOOST_TEST(is_welcome(3));
    BOOST_TEST(started == 3U);
    BOOST_TEST(is_welcome(2));
    BOOST_TEST(started == 3U);

    agents(takes_and_never_answers);
    BOOST_TEST(is_welcome(1));
    BOOST_TEST(is_welcome(2));
    BOOST_TEST(is_busy(3));
}

BOOST_AUTO_TEST_SUITE_END()
