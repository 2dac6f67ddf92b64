// The real agent, with jobd and authd played by the tests.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <optional>

#include "auth/authd/messages.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "tests/unit/fake_jobd.h"
#include "tests/unit/started_program.h"
#include "tests/unit/test_pipes.h"

using namespace clamscanner;

namespace {

const auto deadline = Clock::now() + std::chrono::minutes(1);

struct Fixture {
    TestDirectory directory;
    std::atomic<int> questions = 0;
    std::optional<FakeJobd> jobd;
    UniqueFd control;
    std::optional<StartedProgram> agent;

    Fixture() {
        std::filesystem::create_directory(directory.path("jobd"));
        std::ofstream(directory.path("clamscanner.toml"))
            << "[paths]\nrun_directory = \"" << directory.path("") << "\"\n";
        auto [ours, theirs] = socket_pair(SOCK_SEQPACKET);
        control = std::move(ours);
        agent.emplace(StartedProgram::Start{.program = AGENT_PROGRAM,
                                            .config_file = directory.path("clamscanner.toml"),
                                            .descriptors = {{theirs.get(), 3}},
                                            .environment = {"HOME=" + directory.path(""), "USER=alice"},
                                            .handed_over_by_systemd = false,
                                            .as_root = false,
                                            .arguments = {}});
    }
    void start_jobd() {
        jobd.emplace(directory.path("jobd/jobs.sock"), [this](std::string_view question) {
            ++questions;
            return is<AskScanStatus>(question) ? encoded_reply(ScanStatus{}) : encoded_reply(Declined{"not now"});
        });
    }
    // Gives the agent its ends of a request's pipes, as authd does, and returns the responder's.
    TestPipes serve(Purpose purpose = Purpose::Api, TokenScope scope = TokenScope::Full) {
        TestPipes pipes;
        const auto& [request, reply] = pipes.agents;
        BOOST_REQUIRE(
            (send_message(control.get(), Serve{purpose, "GetVirusScanLatestTaskStatistic", "2018-12-03", scope},
                          {request.get(), reply.get()}) == Sent::Yes));
        pipes.agents = {};
        return pipes;
    }
    // Waits until the agent has reported that many requests as served.
    void check_served(std::uint32_t requests = 1) {
        for (std::uint32_t served = 0; served < requests;) {
            Packet packet;
            BOOST_REQUIRE((receive_packet(control.get(), packet) == Got::Packet));
            served += decode<Served>(packet.bytes).requests;
            BOOST_TEST(served <= requests);
        }
    }
    static void ask(const TestPipes& pipes, const std::string& target, const std::string& method = "GET") {
        Request request;
        request.method = method;
        const auto question = std::min(target.find('?'), target.size());
        request.path = target.substr(0, question);
        if (question < target.size()) request.query = target.substr(question + 1);
        BOOST_REQUIRE((write_frame(pipes.request.get(), encode(request).bytes(), deadline) == Transfer::Done));
    }
    // Status 0: the agent closed the pipe without a reply.
    static Reply reply_on(const TestPipes& pipes) {
        std::string frame;
        if (read_frame(pipes.reply.get(), frame, longest_reply_frame, deadline) != Transfer::Done) return {0, "", ""};
        return decode<Reply>(frame);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(agent_program, Fixture)

BOOST_AUTO_TEST_CASE(requests_that_come_together_are_each_answered) {
    start_jobd();
    std::vector<TestPipes> requests;
    for (int i = 0; i < 20; ++i) {
        requests.push_back(serve());
        ask(requests.back(), i % 2 == 0 ? "/execute/ClamScanner/get_scan_status" : "/execute/ClamScanner/no_such");
    }
    check_served(20);
    for (int i = 0; i < 20; ++i) {
        const auto reply = reply_on(requests[static_cast<std::size_t>(i)]);
        BOOST_TEST(reply.status == (i % 2 == 0 ? 200 : 404));
        BOOST_TEST(reply.body.starts_with(i % 2 == 0 ? R"({"data":{"current_file":"")" : R"({"data":null,)"));
    }
}

// A restoration of a thousand files takes seconds.
BOOST_AUTO_TEST_CASE(nothing_waits_behind_a_request_that_waits_for_a_job) {
    std::atomic<bool> restored = false;
    jobd.emplace(directory.path("jobd/jobs.sock"), [&](std::string_view question) {
        if (is<ChangeQuarantine>(question)) return encoded_reply(QuarantineQueued{7});
        if (is<AskQuarantineChange>(question)) return encoded_reply(QuarantineChange{restored.load(), {}});
        return encoded_reply(ScanStatus{});
    });
    const std::string ids = "?ids=%5B%220123456789abcdef0123456789abcdef%22%5D";
    std::vector<TestPipes> restorations;
    for (int i = 0; i < 2; ++i) {
        restorations.push_back(serve());
        ask(restorations.back(), "/execute/ClamScanner/restore_quarantined_files" + ids, "POST");
    }
    for (int i = 0; i < 3; ++i) {
        const auto status = serve();
        ask(status, "/execute/ClamScanner/get_scan_status");
        check_served();
        BOOST_TEST(reply_on(status).status == 200);
    }
    // As many wait as may: this one is answered at once.
    const auto another = serve();
    ask(another, "/execute/ClamScanner/delete_quarantined_files" + ids, "POST");
    check_served();
    BOOST_TEST(reply_on(another).status == 200);
    restored = true;
    check_served(2);
    for (const auto& restoration : restorations) BOOST_TEST(reply_on(restoration).status == 200);
}

BOOST_AUTO_TEST_CASE(identical_requests_that_wait_together_are_one_request_to_jobd) {
    start_jobd();
    const auto ask_together = [&](const std::vector<std::string>& paths) {
        agent->signal(SIGSTOP);
        std::vector<TestPipes> requests;
        for (const auto& path : paths) {
            requests.push_back(serve());
            ask(requests.back(), path);
        }
        agent->signal(SIGCONT);
        check_served(static_cast<std::uint32_t>(paths.size()));
        for (const auto& request : requests) BOOST_TEST(reply_on(request).status == 200);
        return questions.exchange(0);
    };
    const std::string status = "/ClamScanner/get_scan_status";
    const std::string start = "/ClamScanner/start_scan?scan_type=home";
    BOOST_TEST(ask_together({status, status, status, status, status}) == 1);
    // No request gets a reply from before it was sent, or from before a change.
    BOOST_TEST(ask_together({status}) == 1);
    BOOST_TEST(ask_together({status, start, status}) == 3);
    BOOST_TEST(ask_together({start, start}) == 2);
}

BOOST_AUTO_TEST_CASE(it_sends_served_before_it_replies) {
    start_jobd();
    const auto request = serve();
    ask(request, "/ClamScanner/get_scan_status");
    BOOST_TEST(reply_on(request).status == 200);
    // The client may send its next request now: its account must no longer count as busy.
    Packet packet;
    BOOST_REQUIRE((receive_packet(control.get(), packet, MSG_DONTWAIT) == Got::Packet));
    BOOST_TEST(decode<Served>(packet.bytes).requests == 1U);
}

BOOST_AUTO_TEST_CASE(without_jobd_it_is_503_until_jobd_is_there) {
    for (const int expected : {503, 200}) {
        const auto request = serve();
        ask(request, "/ClamScanner/get_scan_status");
        check_served();
        const auto reply = reply_on(request);
        BOOST_TEST(reply.status == expected);
        BOOST_TEST((reply.body.find("(reference ") != std::string::npos) == (expected == 503));
        if (expected == 503) start_jobd();
    }
}

BOOST_AUTO_TEST_CASE(a_malformed_request_gets_no_reply_and_does_no_harm) {
    start_jobd();
    for (const std::string frame : {"", "nonsense", "\1\24\0"}) {
        const auto request = serve();
        BOOST_REQUIRE((write_frame(request.request.get(), frame, deadline) == Transfer::Done));
        check_served();
        BOOST_TEST(reply_on(request).status == 0);
    }
    static_cast<void>(serve());  // a responder that was killed
    check_served();
    const auto too_long = serve();
    BOOST_TEST(::write(too_long.request.get(), "\xff\xff\xff\xff", 4) == 4);
    check_served();
    const auto request = serve();
    ask(request, "/ClamScanner/get_scan_status");
    check_served();
    BOOST_TEST(reply_on(request).status == 200);
}

BOOST_AUTO_TEST_CASE(a_request_for_statistics_cannot_call_the_api) {
    start_jobd();
    const auto request = serve(Purpose::Statistics);
    ask(request, "/ClamScanner/get_scan_status");
    check_served();
    const auto reply = reply_on(request);
    BOOST_TEST(reply.status == 404);
    BOOST_TEST(reply.body.find("InvalidAction.NotFound") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_scope_of_a_token_decides_what_it_calls) {
    start_jobd();
    const auto status = [&](TokenScope scope, const std::string& function) {
        const auto pipes = serve(Purpose::Api, scope);
        ask(pipes, "/ClamScanner/" + function);
        check_served();
        return reply_on(pipes).status;
    };
    // By GET: what gets as far as the method is within the scope.
    for (const auto& function : functions) {
        const std::string name(function.name);
        // What files hold is more than that they are infected.
        const bool is_limited = (function.only_reads && name != "view_infected_file") || name == "start_scan";
        BOOST_TEST((status(TokenScope::Full, name) != 403), name);
        BOOST_TEST((status(TokenScope::ReadOnly, name) == 403) == !function.only_reads, name);
        BOOST_TEST((status(TokenScope::Limited, name) == 403) == !is_limited, name);
    }
    for (const auto scope : {TokenScope::ReadOnly, TokenScope::Limited}) {
        BOOST_TEST(status(scope, "no_such") == 404);
        BOOST_TEST(status(scope, "cancel%5Fscan") == 403);
    }
}

BOOST_AUTO_TEST_CASE(it_knows_nothing_of_tokens) {
    start_jobd();
    for (const auto* target : {"/Tokens/list", "/execute/Tokens/create_full_access?name=x", "/Tokens/no_such"}) {
        const auto pipes = serve();
        ask(pipes, target);
        check_served();
        const auto reply = reply_on(pipes);
        BOOST_TEST(reply.status == 404);
        BOOST_TEST(reply.body.find("Tokens are made and managed over HTTP alone") != std::string::npos);
    }
    BOOST_TEST(questions == 0);
}

BOOST_AUTO_TEST_CASE(it_ends_when_authd_does) {
    control.reset();
    const auto ending = agent->wait();
    BOOST_TEST(!ending.by_signal);
    BOOST_TEST(ending.code == 0);
}

BOOST_AUTO_TEST_CASE(it_refuses_to_be_root) {
    if (::getuid() != 0) {
        BOOST_TEST_MESSAGE("skipped: only root can start it as root");
        return;
    }
    StartedProgram root({.program = AGENT_PROGRAM,
                         .config_file = directory.path("clamscanner.toml"),
                         .descriptors = {},
                         .environment = {"HOME=/root"},
                         .handed_over_by_systemd = false,
                         .as_root = true,
                         .arguments = {}});
    BOOST_TEST(root.wait().code == 78);
}

BOOST_AUTO_TEST_SUITE_END()
