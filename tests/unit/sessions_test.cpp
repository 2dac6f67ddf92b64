#include "auth/sessions.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/become_user.h"
#include "local_account_files.h"
#include "run_until.h"
#include "test_pipes.h"

using namespace clamscanner;

namespace {

// The whole of authd but its sockets: PAM is the test, the agents are a child that reads and says nothing.
struct Fixture {
    Fixture() { config.login.failure_milliseconds = 20; }

    UniqueFd connect(Asker asker) {
        auto [ours, authds] = socket_pair(SOCK_SEQPACKET);
        set_blocking(ours.get(), false);
        set_blocking(authds.get(), false);
        sessions.begin(asker, std::move(authds));
        return std::move(ours);
    }
    template <class Message>
    static void say(const UniqueFd& socket, const Message& message, std::initializer_list<int> descriptors = {}) {
        BOOST_REQUIRE((send_message(socket.get(), message, descriptors) == Sent::Yes));
    }
    // As a responder does: what the reply will be read from comes back.
    static UniqueFd ask_login(const UniqueFd& socket, const std::string& user) {
        TestPipes pipes;
        say(socket, login(user), {pipes.agents.request.get(), pipes.agents.reply.get()});
        return std::move(pipes.reply);
    }
    static bool has_ended(const UniqueFd& reply) { return TestPipes::has_ended(reply); }
    // The next packet; without bytes when the session was ended.
    Packet hear(const UniqueFd& socket) {
        Packet packet;
        auto got = Got::WouldBlock;
        run_until(loop, [&] {
            if (got == Got::WouldBlock) got = receive_packet(socket.get(), packet);
            return got != Got::WouldBlock;
        });
        return packet;
    }
    bool is_ended(const UniqueFd& socket) { return hear(socket).bytes.empty(); }
    static Login login(const std::string& user) { return {user, Secret("password"), "192.0.2.1", Purpose::Api}; }

    LocalAccountFiles files;
    Config config;
    EventLoop loop;
    Children children{loop};
    std::vector<LoginDesk::Checked> checks;
    LoginDesk desk{loop,
                   [this](const std::string&, const Secret&, const std::string&, LoginDesk::Checked done) {
                       checks.push_back(std::move(done));
                   },
                   LocalAccounts(files.names()), config};
    Agents agents{loop, children, config, [](const Account&, int control) {
                      return fork_child({control}, [] {
                          for (Packet packet; receive_packet(3, packet) == Got::Packet;) {
                          }
                      });
                  }};
    Runners runners{loop, children, config, "/nowhere/clamscanner.toml"};
    Sessions sessions{loop, desk, agents, runners};
    const LoginChecked bob{LoginVerdict::Welcome, true, {"bob", 2002, 2002, "/home/bob"}};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_session, Fixture)

BOOST_AUTO_TEST_CASE(answers_one_login_after_the_other) {
    const auto responder = connect(Asker::Responder);
    const auto bobs = ask_login(responder, "bob");
    run_until(loop, [&] { return checks.size() == 1; });
    checks[0](bob);
    // The agent has it, and that is all the responder needs to know.
    BOOST_TEST(agents.count() == 1U);
    Packet nothing;
    BOOST_TEST((receive_packet(responder.get(), nothing) == Got::WouldBlock));

    const auto eves = ask_login(responder, "eve");
    run_until(loop, [&] { return checks.size() == 2; });
    BOOST_TEST(!has_ended(eves));
    checks[1]({LoginVerdict::Wrong, true, {}});
    BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Wrong));
    BOOST_TEST(has_ended(eves));
    BOOST_TEST(agents.count() == 1U);
}

BOOST_AUTO_TEST_CASE(ends_at_a_second_login_before_the_first_is_answered) {
    const auto responder = connect(Asker::Responder);
    const auto first = ask_login(responder, "bob");
    const auto second = ask_login(responder, "bob");
    BOOST_TEST(is_ended(responder));
    BOOST_TEST(sessions.count() == 0U);
    // The answer that comes now has nobody to go to.
    BOOST_REQUIRE(checks.size() == 1U);
    checks[0](bob);
}

BOOST_AUTO_TEST_CASE(ends_at_whatever_its_kind_of_peer_may_not_say) {
    const auto [descriptor, other] = socket_pair(SOCK_SEQPACKET);
    const auto responder = connect(Asker::Responder);
    say(responder, StartRunner{2002, "bob"}, {descriptor.get()});
    BOOST_TEST(is_ended(responder));
    const auto jobd = connect(Asker::Jobd);
    say(jobd, login("bob"), {descriptor.get()});
    BOOST_TEST(is_ended(jobd));
    for (const auto asker : {Asker::Responder, Asker::Jobd}) {
        const auto peer = connect(asker);
        say(peer, LoginAnswer{LoginVerdict::Welcome, 0});
        BOOST_TEST(is_ended(peer));
    }
}

BOOST_AUTO_TEST_CASE(ends_at_malformed_bytes_and_unexpected_descriptors) {
    const auto whole = encode(login("bob"));
    for (const std::string& bytes : {std::string("x"), std::string(whole.bytes().substr(0, 10)),
                                     std::string(whole.bytes()) + "more", std::string(100'000, '\xff')}) {
        const auto responder = connect(Asker::Responder);
        BOOST_REQUIRE((send_packet(responder.get(), bytes) == Sent::Yes));
        BOOST_TEST(is_ended(responder));
    }
    const TestPipes pipes;
    const int request = pipes.agents.request.get();
    const auto without = connect(Asker::Responder);
    say(without, login("bob"));
    BOOST_TEST(is_ended(without));
    const auto with_one = connect(Asker::Responder);
    say(with_one, login("bob"), {request});
    BOOST_TEST(is_ended(with_one));
    const auto with_three = connect(Asker::Responder);
    say(with_three, login("bob"), {request, pipes.agents.reply.get(), request});
    BOOST_TEST(is_ended(with_three));
    const auto jobd = connect(Asker::Jobd);
    say(jobd, StartRunner{2002, "bob"});
    BOOST_TEST(is_ended(jobd));
    BOOST_TEST(checks.empty());
}

BOOST_AUTO_TEST_CASE(of_a_peer_that_left_is_forgotten_while_its_login_is_checked) {
    auto responder = connect(Asker::Responder);
    const auto stream = ask_login(responder, "bob");
    run_until(loop, [&] { return checks.size() == 1; });
    responder.reset();
    run_until(loop, [&] { return sessions.count() == 0; });
    BOOST_TEST(has_ended(stream));
    checks[0](bob);
    BOOST_TEST(agents.count() == 0U);
}

BOOST_AUTO_TEST_CASE(takes_nothing_for_an_agent_but_pipes) {
    const TestPipes pipes;
    const auto refuses = [&](int descriptor) {
        const auto responder = connect(Asker::Responder);
        say(responder, login("bob"), {pipes.agents.request.get(), descriptor});
        return is_ended(responder);
    };
    const auto [packets, other] = socket_pair(SOCK_SEQPACKET);
    const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const UniqueFd network(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    for (const int descriptor : {packets.get(), file.get(), network.get()}) BOOST_TEST(refuses(descriptor));
    BOOST_TEST(checks.empty());
}

BOOST_AUTO_TEST_CASE(starts_no_runner_for_an_account_that_does_not_fit) {
    Account me;
    BOOST_REQUIRE(find_account(::getuid(), me));
    config.login.uid_floor = me.uid + 1;
    for (const auto& request : {StartRunner{me.uid, me.name + "x"}, StartRunner{me.uid, me.name},
                                StartRunner{0, "root"}, StartRunner{UINT32_MAX, "nobody-of-that-name"}}) {
        const auto jobd = connect(Asker::Jobd);
        const auto [jobds, runners_end] = socket_pair(SOCK_SEQPACKET);
        say(jobd, request, {runners_end.get()});
        BOOST_TEST((decode<RunnerAnswer>(hear(jobd).bytes).verdict == RunnerVerdict::NoAccount));
        // One runner a connection, whatever became of it.
        say(jobd, request, {runners_end.get()});
        BOOST_TEST(is_ended(jobd));
    }
}

BOOST_AUTO_TEST_SUITE_END()
