#include "auth/authd/sessions.h"
#include "auth/base/sha256.h"

#include <fcntl.h>
#include <unistd.h>

#include <openssl/hmac.h>

#include <boost/test/unit_test.hpp>
#include <ctime>

#include "auth/authd/access_keys.h"
#include "auth/base/account.h"
#include "auth/base/random.h"
#include "auth/base/service.h"
#include "auth/base/signature.h"
#include "tests/unit/local_account_files.h"
#include "tests/unit/run_until.h"
#include "tests/unit/temporary_directory.h"
#include "tests/unit/test_pipes.h"

using namespace clamscanner;

namespace {

// All of authd but its sockets: the test plays PAM, and agents are children that read and send nothing.
struct Fixture {
    static inline const std::string generation = std::string(64, 'a');
    static Config config_in(const TemporaryDirectory& directory) {
        Config config;
        config.login.failure_milliseconds = 20;
        config.statistics.access_keys = directory.path + "/access_keys";
        config.statistics.nonces = directory.path + "/nonces";
        config.statistics.max_nonces_per_key = 3;
        std::vector<AccessKey> keys;
        keys.push_back({"key", Secret("secret"), "bob", true, generation});
        keys.push_back({"old", Secret("secret"), "bob", false, generation});
        keys.push_back({"earlier", Secret("secret"), "bob", true, std::string(64, '0')});
        keys.push_back({"unbound", Secret("secret"), "bob", true});
        write_access_keys(config.statistics.access_keys, keys);
        return config;
    }

    UniqueFd connect(PeerRole role) {
        auto [ours, authds] = socket_pair(SOCK_SEQPACKET);
        set_blocking(ours.get(), false);
        set_blocking(authds.get(), false);
        sessions.begin(role, std::move(authds));
        return std::move(ours);
    }
    template <class Message>
    static void say(const UniqueFd& socket, const Message& message, std::initializer_list<int> descriptors = {}) {
        BOOST_REQUIRE((send_message(socket.get(), message, descriptors) == Sent::Yes));
    }
    // Like a responder: returns the pipe from which the reply will be read.
    static UniqueFd ask_login(const UniqueFd& socket, const std::string& user) {
        TestPipes pipes;
        say(socket, login(user), {pipes.agents.request.get(), pipes.agents.reply.get()});
        return std::move(pipes.reply);
    }
    static bool has_ended(const UniqueFd& reply) { return TestPipes::has_ended(reply); }
    // The next packet; empty when the session was ended.
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

    TemporaryDirectory directory;
    LocalAccountFiles files;
    Config config = config_in(directory);
    EventLoop loop;
    Children children{loop};
    std::vector<LoginDesk::Checked> checks;
    std::vector<std::string> checked_users;  // whose account was checked without a password
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
    LoginDesk accounts{loop,
                       [this](const std::string& user, const Secret&, const std::string&, LoginDesk::Checked done) {
                           checked_users.push_back(user);
                           checks.push_back(std::move(done));
                       },
                       LocalAccounts(files.names()), config};
    SignatureDesk signatures{accounts, config};
    TokenDesk tokens{
        loop,     desk,
        accounts, [](const TokenChange& change, const TokenDesk::Changed& done) { done(change_tokens(change)); },
        config,   {.shadow = files.names().shadow}};
    Sessions sessions{loop, desk, signatures, tokens, agents, runners, config};
    const LoginChecked bob{LoginVerdict::Welcome, true, true, {"bob", 2002, 2002, "/home/bob", generation}};
};

// What a client of version 3 signs, as the responder reconstructs it.
std::string canonical(const std::string& nonce, std::int64_t seconds_ago = 0, const std::string& time = "",
                      const std::string& action = "GetVirusScanLatestTaskStatistic") {
    const std::time_t then = std::time(nullptr) - seconds_ago;
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&then));
    return "POST\n/\n\nhost:localhost\nx-acs-action:" + action + "\nx-acs-date:" + (time.empty() ? text : time) +
           "\nx-acs-signature-nonce:" + nonce + "\nx-acs-version:2018-12-03\n\nhost\n" + sha256_hex("");
}

std::string signature_of(const std::string& text, const std::string& secret) {
    unsigned char code[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const auto to_sign = "ACS3-HMAC-SHA256\n" + sha256_hex(text);
    ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(to_sign.data()), to_sign.size(), code, &size);
    return hex(code, size);
}

SignedLogin signed_login(const std::string& key_id, const std::string& text, const std::string& secret = "secret") {
    return {key_id, SignatureForm::V3, text, signature_of(text, secret), "192.0.2.1"};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_session, Fixture)

BOOST_AUTO_TEST_CASE(of_jobd_begins_however_many_responders_hold) {
    raise_descriptor_limit();
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    const auto begin_another = [&, &there = there](PeerRole role) {
        const auto before = sessions.count();
        sessions.begin(role, UniqueFd(checked(::dup(there.get()), "copy a socket")));
        return sessions.count() > before;
    };
    try {
        while (begin_another(PeerRole::Responder)) {
        }
    } catch (const std::system_error&) {
        BOOST_TEST_MESSAGE("skipped: this machine allows too few descriptors");
        return;
    }
    BOOST_TEST(begin_another(PeerRole::Jobd));
    BOOST_TEST(begin_another(PeerRole::Administrator));
}

BOOST_AUTO_TEST_CASE(answers_one_login_after_the_other) {
    const auto responder = connect(PeerRole::Responder);
    const auto bobs = ask_login(responder, "bob");
    run_until(loop, [&] { return checks.size() == 1; });
    checks[0](bob);
    // The agent has the request; the responder needs no other answer.
    BOOST_TEST(agents.count() == 1U);
    Packet nothing;
    BOOST_TEST((receive_packet(responder.get(), nothing) == Got::WouldBlock));

    const auto eves = ask_login(responder, "eve");
    run_until(loop, [&] { return checks.size() == 2; });
    BOOST_TEST(!has_ended(eves));
    checks[1]({LoginVerdict::Wrong, true, true, {}});
    BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Wrong));
    BOOST_TEST(has_ended(eves));
    BOOST_TEST(agents.count() == 1U);
}

BOOST_AUTO_TEST_CASE(ends_at_a_second_login_before_the_first_is_answered) {
    const auto responder = connect(PeerRole::Responder);
    const auto first = ask_login(responder, "bob");
    const auto second = ask_login(responder, "bob");
    BOOST_TEST(is_ended(responder));
    BOOST_TEST(sessions.count() == 0U);
    // The answer that comes now has no receiver.
    BOOST_REQUIRE(checks.size() == 1U);
    checks[0](bob);
}

BOOST_AUTO_TEST_CASE(ends_at_any_message_that_its_peer_may_not_send) {
    const auto [descriptor, other] = socket_pair(SOCK_SEQPACKET);
    const auto responder = connect(PeerRole::Responder);
    say(responder, StartRunner{2002, "bob"}, {descriptor.get()});
    BOOST_TEST(is_ended(responder));
    const auto jobd = connect(PeerRole::Jobd);
    say(jobd, login("bob"), {descriptor.get()});
    BOOST_TEST(is_ended(jobd));
    const auto administrator = connect(PeerRole::Administrator);
    say(administrator, StartRunner{2002, "bob"}, {descriptor.get()});
    BOOST_TEST(is_ended(administrator));
    for (const auto role : {PeerRole::Responder, PeerRole::Jobd}) {
        const auto peer = connect(role);
        say(peer, EndProcesses{2002});
        BOOST_TEST(is_ended(peer));
    }
    for (const auto role : {PeerRole::Responder, PeerRole::Jobd, PeerRole::Administrator}) {
        const auto peer = connect(role);
        say(peer, LoginAnswer{LoginVerdict::Welcome, 0});
        BOOST_TEST(is_ended(peer));
    }
}

BOOST_AUTO_TEST_CASE(ends_at_malformed_bytes_and_unexpected_descriptors) {
    const auto whole = encode(login("bob"));
    for (const std::string& bytes : {std::string("x"), std::string(whole.bytes().substr(0, 10)),
                                     std::string(whole.bytes()) + "more", std::string(100'000, '\xff')}) {
        const auto responder = connect(PeerRole::Responder);
        BOOST_REQUIRE((send_packet(responder.get(), bytes) == Sent::Yes));
        BOOST_TEST(is_ended(responder));
    }
    const TestPipes pipes;
    const int request = pipes.agents.request.get();
    const auto with_one = connect(PeerRole::Responder);
    say(with_one, login("bob"), {request});
    BOOST_TEST(is_ended(with_one));
    const auto with_three = connect(PeerRole::Responder);
    say(with_three, login("bob"), {request, pipes.agents.reply.get(), request});
    BOOST_TEST(is_ended(with_three));
    const auto jobd = connect(PeerRole::Jobd);
    say(jobd, StartRunner{2002, "bob"});
    BOOST_TEST(is_ended(jobd));
    BOOST_TEST(checks.empty());
}

// ---- Logins before the body

struct BeforeTheBody : Fixture {
    BeforeTheBody() { config.login.cache_seconds = 0; }
    UniqueFd responder = connect(PeerRole::Responder);

    LoginAnswer answer_to(const Login& login, const LoginChecked& checked) {
        say(responder, login);
        run_until(loop, [&] { return !checks.empty(); });
        std::exchange(checks, {}).front()(checked);
        return decode<LoginAnswer>(hear(responder).bytes);
    }
    // The pipe from which the reply will be read.
    UniqueFd open_agent() const {
        TestPipes pipes;
        say(responder, OpenAgent{}, {pipes.agents.request.get(), pipes.agents.reply.get()});
        return std::move(pipes.reply);
    }
};

BOOST_FIXTURE_TEST_CASE(answers_a_login_without_pipes_and_then_opens_the_agent_once, BeforeTheBody) {
    const auto answer = answer_to(login("bob"), bob);
    BOOST_TEST((answer.verdict == LoginVerdict::Welcome));
    BOOST_TEST(answer.uid == 2002U);
    BOOST_TEST(agents.count() == 0U);
    const auto reply = open_agent();
    run_until(loop, [&] { return agents.count() == 1; });
    BOOST_TEST(!has_ended(reply));
    // The password was checked once, and the login is used up.
    BOOST_TEST(checks.empty());
    const auto again = open_agent();
    BOOST_TEST(is_ended(responder));
}

BOOST_FIXTURE_TEST_CASE(opens_no_agent_without_a_right_login, BeforeTheBody) {
    const auto early = connect(PeerRole::Responder);
    const TestPipes pipes;
    say(early, OpenAgent{}, {pipes.agents.request.get(), pipes.agents.reply.get()});
    BOOST_TEST(is_ended(early));
    const auto answer = answer_to(login("bob"), {LoginVerdict::Wrong, true, true, {}});
    BOOST_TEST((answer.verdict == LoginVerdict::Wrong));
    BOOST_TEST(answer.uid == 0U);
    const auto reply = open_agent();
    BOOST_TEST(is_ended(responder));
    BOOST_TEST(agents.count() == 0U);
}

BOOST_FIXTURE_TEST_CASE(takes_only_pipes_for_the_agent_that_it_opens, BeforeTheBody) {
    static_cast<void>(answer_to(login("bob"), bob));
    say(responder, OpenAgent{});
    BOOST_TEST(is_ended(responder));
    BOOST_TEST(agents.count() == 0U);
}

BOOST_FIXTURE_TEST_CASE(keeps_a_login_only_while_the_account_is_what_it_was, BeforeTheBody) {
    const std::pair<const char*, const char*> changes[] = {
        {"shadow", "alice:$y$a:1:::::\nbob:!$y$b:1:::::\n"},
        {"passwd", "alice:x:2001:2001::/home/alice:/bin/sh\nbob:x:2003:2003::/home/bob:/bin/sh\n"},
        {"passwd", "alice:x:2001:2001::/home/alice:/bin/sh\n"},
    };
    for (const auto& [file, content] : changes) {
        BOOST_TEST((answer_to(login("bob"), bob).verdict == LoginVerdict::Welcome));
        files.replace(file, content);
        const auto reply = open_agent();
        BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Wrong), content);
        BOOST_TEST(has_ended(reply));
        BOOST_TEST(agents.count() == 0U);
    }
}

BOOST_FIXTURE_TEST_CASE(says_before_the_body_that_an_account_is_not_served, BeforeTheBody) {
    config.login.uid_floor = 3000;
    BOOST_TEST((answer_to(login("bob"), bob).verdict == LoginVerdict::Forbidden));
    config.login.uid_floor = 1000;
    // Held later, too.
    BOOST_TEST((answer_to(login("bob"), bob).verdict == LoginVerdict::Welcome));
    write_held_accounts(config.held_accounts(), {{"bob", 2002}});
    const auto reply = open_agent();
    BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Held));
    const auto answer = answer_to(login("bob"), bob);
    BOOST_TEST((answer.verdict == LoginVerdict::Held));
    BOOST_TEST(agents.count() == 0U);
}

BOOST_AUTO_TEST_CASE(of_a_peer_that_left_is_forgotten_while_its_login_is_checked) {
    auto responder = connect(PeerRole::Responder);
    const auto stream = ask_login(responder, "bob");
    run_until(loop, [&] { return checks.size() == 1; });
    responder.reset();
    run_until(loop, [&] { return sessions.count() == 0; });
    BOOST_TEST(has_ended(stream));
    checks[0](bob);
    BOOST_TEST(agents.count() == 0U);
}

BOOST_AUTO_TEST_CASE(accepts_only_pipes_for_an_agent) {
    const TestPipes pipes;
    const auto refuses = [&](int descriptor) {
        const auto responder = connect(PeerRole::Responder);
        say(responder, login("bob"), {pipes.agents.request.get(), descriptor});
        return is_ended(responder);
    };
    const auto [packets, other] = socket_pair(SOCK_SEQPACKET);
    const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const UniqueFd network(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    for (const int descriptor : {packets.get(), file.get(), network.get()}) BOOST_TEST(refuses(descriptor));
    BOOST_TEST(checks.empty());
}

BOOST_AUTO_TEST_CASE(starts_no_runner_for_an_account_that_does_not_match) {
    Account me;
    BOOST_REQUIRE(find_account(::getuid(), me));
    config.login.uid_floor = me.uid + 1;
    for (const auto& request : {StartRunner{me.uid, me.name + "x"}, StartRunner{me.uid, me.name},
                                StartRunner{0, "root"}, StartRunner{UINT32_MAX, "nobody-of-that-name"}}) {
        const auto jobd = connect(PeerRole::Jobd);
        const auto [jobds, runners_end] = socket_pair(SOCK_SEQPACKET);
        say(jobd, request, {runners_end.get()});
        BOOST_TEST((decode<RunnerAnswer>(hear(jobd).bytes).verdict == RunnerVerdict::NoAccount));
        // Only one runner per connection, whatever became of it.
        say(jobd, request, {runners_end.get()});
        BOOST_TEST(is_ended(jobd));
    }
}

BOOST_AUTO_TEST_CASE(starts_no_runner_if_the_home_is_not_the_tasks_home) {
    // Everything else is right: the next step would be to ask PAM.
    Account nobody;
    BOOST_REQUIRE(find_account("nobody", nobody));
    config.login.uid_floor = nobody.uid;
    auto home = home_identity(nobody.home);
    ++home.inode;
    const auto jobd = connect(PeerRole::Jobd);
    const auto [jobds, runners_end] = socket_pair(SOCK_SEQPACKET);
    say(jobd, StartRunner{nobody.uid, nobody.name, home}, {runners_end.get()});
    BOOST_TEST((decode<RunnerAnswer>(hear(jobd).bytes).verdict == RunnerVerdict::NoAccount));
}

BOOST_AUTO_TEST_CASE(starts_no_runner_again_beside_one_process_that_hangs_and_none_at_all_beside_two) {
    constexpr std::uint32_t uid = UINT32_MAX - 1;
    Children ending(loop, std::chrono::seconds(1));
    Runners starter(loop, ending, config, "/nowhere/clamscanner.toml");
    std::uint64_t session = 0;
    const auto verdict = [&](bool again) {
        std::optional<RunnerVerdict> answer;
        auto [ours, runners_end] = socket_pair(SOCK_SEQPACKET);
        starter.start(++session, {uid, "nobody-of-that-name", {}, again}, std::move(runners_end),
                      [&](RunnerVerdict given) { answer = given; });
        run_until(loop, [&] { return answer.has_value(); });
        return *answer;
    };
    const auto wait_until_left = [&](std::size_t processes) {
        run_until(loop, [&] { return ending.ending(uid) == processes; });
    };
    std::vector<UniqueFd> lives;
    const auto leave_one = [&] {
        auto [ours, theirs] = socket_pair(SOCK_STREAM);
        lives.push_back(std::move(theirs));
        ending.reap(fork_child({}, [] {}), std::chrono::milliseconds(0), uid, std::move(ours));
    };
    BOOST_TEST((verdict(true) == RunnerVerdict::NoAccount), "there is nothing to keep it from being started");
    wait_until_left(0);
    leave_one();
    BOOST_TEST((verdict(true) == RunnerVerdict::Unavailable), "it may be about to end");
    run_until(loop, [&] { return ending.hangs(uid); });
    BOOST_TEST((verdict(true) == RunnerVerdict::FilesHang));
    BOOST_TEST((verdict(false) == RunnerVerdict::NoAccount));
    wait_until_left(1);
    leave_one();
    BOOST_TEST((verdict(false) == RunnerVerdict::FilesHang));
    lives.clear();
    wait_until_left(0);
    BOOST_TEST((verdict(true) == RunnerVerdict::NoAccount));
}

BOOST_AUTO_TEST_CASE(of_the_administrator_has_the_processes_of_an_account_ended) {
    const auto responder = connect(PeerRole::Responder);
    const auto bobs = ask_login(responder, "bob");
    run_until(loop, [&] { return checks.size() == 1; });
    checks[0](bob);
    BOOST_REQUIRE(agents.count() == 1U);
    const auto administrator = connect(PeerRole::Administrator);
    for (const std::uint32_t uid : {2001U, 2002U, 2002U}) {
        say(administrator, EndProcesses{uid});
        static_cast<void>(decode<ProcessesEnded>(hear(administrator).bytes));
        BOOST_TEST(agents.count() == (uid == 2001 ? 1U : 0U));
    }
    BOOST_TEST(has_ended(bobs));
}

BOOST_AUTO_TEST_CASE(starts_no_agent_and_no_runner_for_a_held_account) {
    write_held_accounts(config.held_accounts(), {{"bob", 2002}});
    const auto responder = connect(PeerRole::Responder);
    const auto bobs = ask_login(responder, "bob");
    run_until(loop, [&] { return checks.size() == 1; });
    checks[0](bob);
    BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Held));
    BOOST_TEST(has_ended(bobs));
    const auto jobd = connect(PeerRole::Jobd);
    const auto [jobds, runners_end] = socket_pair(SOCK_SEQPACKET);
    say(jobd, StartRunner{2002, "bob"}, {runners_end.get()});
    BOOST_TEST((decode<RunnerAnswer>(hear(jobd).bytes).verdict == RunnerVerdict::Held));
}

// ---- API tokens

struct WithTokens : Fixture {
    UniqueFd responder = connect(PeerRole::Responder);

    WithTokens() { std::filesystem::create_directory(config.token_directory()); }
    static TokenOrder order(TokenAction action, const std::string& name = "") {
        TokenOrder order;
        order.user = "bob";
        order.secret.assign("password");
        order.address = "192.0.2.1";
        order.action = action;
        order.name = name;
        return order;
    }
    // As PAM answers.
    void let_in() {
        run_until(loop, [&] { return !checks.empty(); });
        for (auto& done : std::exchange(checks, {})) done(bob);
    }
    std::string make(const std::string& name) {
        say(responder, order(TokenAction::Create, name));
        let_in();
        return decode<TokenAnswer>(hear(responder).bytes).token.reveal();
    }
};

BOOST_FIXTURE_TEST_CASE(a_token_that_was_made_with_the_password_opens_an_agent, WithTokens) {
    const auto token = make("one");
    BOOST_TEST(token.size() == 32U);
    TestPipes pipes;
    say(responder, TokenLogin{"bob", Secret(token), "192.0.2.1"},
        {pipes.agents.request.get(), pipes.agents.reply.get()});
    let_in();
    BOOST_TEST(agents.count() == 1U);
    say(responder, TokenLogin{"bob", Secret("WRONG"), "192.0.2.1"},
        {pipes.agents.request.get(), pipes.agents.reply.get()});
    BOOST_CHECK(decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Wrong);
}

BOOST_FIXTURE_TEST_CASE(a_token_that_is_revoked_before_the_body_has_come_opens_no_agent, WithTokens) {
    const auto token = make("one");
    for (const bool is_revoked : {false, true}) {
        say(responder, TokenLogin{"bob", Secret(token), "192.0.2.1"});
        if (!is_revoked) let_in();
        BOOST_CHECK(decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Welcome);
        const auto another = connect(PeerRole::Responder);
        if (is_revoked) {
            say(another, order(TokenAction::Revoke, "one"));
            BOOST_CHECK(decode<TokenAnswer>(hear(another).bytes).result == TokenResult::Done);
        }
        const TestPipes pipes;
        say(responder, OpenAgent{}, {pipes.agents.request.get(), pipes.agents.reply.get()});
        if (is_revoked) BOOST_CHECK(decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Wrong);
        if (!is_revoked) run_until(loop, [&] { return agents.count() == 1; });
    }
}

BOOST_FIXTURE_TEST_CASE(a_session_ends_at_an_order_about_tokens_that_is_none, WithTokens) {
    auto late = order(TokenAction::Create, "a");
    late.expires_at = latest_expiry + 1;
    auto early = order(TokenAction::Create, "a");
    early.expires_at = expires_by_default - 1;
    auto without_new_name = order(TokenAction::Rename, "a");
    for (const auto* wrong : {&late, &early, &without_new_name}) {
        const auto peer = connect(PeerRole::Responder);
        say(peer, *wrong);
        BOOST_TEST(is_ended(peer));
    }
    for (const auto* name : {"", "a b", "../x", "a\nb"}) {
        const auto peer = connect(PeerRole::Responder);
        say(peer, order(TokenAction::Create, name));
        BOOST_TEST(is_ended(peer));
    }
    for (const auto role : {PeerRole::Jobd, PeerRole::Administrator}) {
        const auto peer = connect(role);
        say(peer, order(TokenAction::List));
        BOOST_TEST(is_ended(peer));
    }
    const TestPipes pipes;
    say(responder, order(TokenAction::List), {pipes.agents.request.get()});
    BOOST_TEST(is_ended(responder));
    BOOST_TEST(checks.empty());
}

// ---- Signed requests

struct Signing : Fixture {
    UniqueFd responder = connect(PeerRole::Responder);
    UniqueFd reply;

    void ask(const SignedLogin& login) {
        TestPipes pipes;
        say(responder, login, {pipes.agents.request.get(), pipes.agents.reply.get()});
        reply = std::move(pipes.reply);
    }
    LoginVerdict refusal_of(const SignedLogin& login) {
        ask(login);
        return decode<LoginAnswer>(hear(responder).bytes).verdict;
    }
    // The account is open, as far as PAM goes.
    void is_let_in(const SignedLogin& login) {
        ask(login);
        const auto agents_before = agents.count();
        run_until(loop, [&] { return !checks.empty() || agents.count() > agents_before; });
        for (auto& done : std::exchange(checks, {})) done(bob);
        run_until(loop, [&] { return agents.count() == 1; });
    }
};

BOOST_FIXTURE_TEST_CASE(a_signed_request_is_let_in_when_the_account_is_open, Signing) {
    is_let_in(signed_login("key", canonical("n1")));
    BOOST_TEST(checked_users == std::vector<std::string>{"bob"}, boost::test_tools::per_element());
    // PAM's answer is remembered; the session is ready for the next login.
    ask(signed_login("key", canonical("n2")));
    BOOST_TEST((refusal_of(signed_login("nobody", canonical("n3"))) == LoginVerdict::NoKey));
    BOOST_TEST(checked_users.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_nonce_is_good_for_the_body_that_comes_after_it, Signing) {
    say(responder, signed_login("key", canonical("n1")));
    run_until(loop, [&] { return !checks.empty(); });
    std::exchange(checks, {}).front()(bob);
    BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::Welcome));
    TestPipes pipes;
    say(responder, OpenAgent{}, {pipes.agents.request.get(), pipes.agents.reply.get()});
    run_until(loop, [&] { return agents.count() == 1; });
    BOOST_TEST((refusal_of(signed_login("key", canonical("n1"))) == LoginVerdict::NonceUsed));
}

BOOST_FIXTURE_TEST_CASE(the_first_failed_check_is_the_answer, Signing) {
    const auto late = canonical("n", 16 * 60);
    BOOST_TEST((refusal_of(signed_login("nobody", late, "wrong")) == LoginVerdict::NoKey));
    BOOST_TEST((refusal_of(signed_login("old", late, "wrong")) == LoginVerdict::KeyDisabled));
    BOOST_TEST((refusal_of(signed_login("key", canonical("n", 0, "today"), "wrong")) == LoginVerdict::TimeMalformed));
    BOOST_TEST((refusal_of(signed_login("key", late, "wrong")) == LoginVerdict::TimeExpired));
    BOOST_TEST((refusal_of(signed_login("key", canonical("n", -16 * 60))) == LoginVerdict::TimeExpired));
    BOOST_TEST((refusal_of(signed_login("key", canonical("n"), "wrong")) == LoginVerdict::WrongSignature));
    // A nonce counts as used only once its signature was right.
    is_let_in(signed_login("key", canonical("n")));
    BOOST_TEST((refusal_of(signed_login("key", canonical("n"))) == LoginVerdict::NonceUsed));
    BOOST_TEST((refusal_of(signed_login("key", canonical("n"), "wrong")) == LoginVerdict::WrongSignature));
}

BOOST_FIXTURE_TEST_CASE(an_impossible_action_is_refused, Signing) {
    BOOST_TEST((refusal_of(signed_login("key", canonical("1", 0, "", ""))) == LoginVerdict::NoAction));
    BOOST_TEST((refusal_of(signed_login("key", canonical("2", 0, "", std::string(longest_action + 1, 'A')))) ==
                LoginVerdict::NoAction));
    is_let_in(signed_login("key", canonical("3", 0, "", std::string(longest_action, 'A'))));
}

BOOST_FIXTURE_TEST_CASE(a_key_has_a_limit_of_requests, Signing) {
    is_let_in(signed_login("key", canonical("1")));
    for (const auto* nonce : {"2", "3"}) ask(signed_login("key", canonical(nonce)));
    BOOST_TEST((refusal_of(signed_login("key", canonical("4"))) == LoginVerdict::Throttled));
}

BOOST_FIXTURE_TEST_CASE(a_key_is_valid_only_for_the_account_it_was_made_for, Signing) {
    for (const auto* key : {"earlier", "unbound"}) {
        ask(signed_login(key, canonical(key)));
        run_until(loop, [&] { return !checks.empty(); });
        std::exchange(checks, {}).front()(bob);
        BOOST_TEST((decode<LoginAnswer>(hear(responder).bytes).verdict == LoginVerdict::KeyDisabled), key);
        BOOST_TEST(has_ended(reply));
    }
    // Even when the account is remembered.
    BOOST_TEST((refusal_of(signed_login("earlier", canonical("again"))) == LoginVerdict::KeyDisabled));
    BOOST_TEST(agents.count() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_removed_key_is_refused_at_once, Signing) {
    is_let_in(signed_login("key", canonical("1")));
    write_access_keys(config.statistics.access_keys, {});
    BOOST_TEST((refusal_of(signed_login("key", canonical("2"))) == LoginVerdict::NoKey));
}

BOOST_AUTO_TEST_SUITE_END()
