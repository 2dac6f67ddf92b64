// The real responder on real sockets, between a FastCGI client and an authd that each test writes for itself.
#include <boost/test/unit_test.hpp>
#include <future>

#include "tests/unit/fake_authd.h"
#include "tests/unit/fastcgi_client.h"
#include "tests/unit/started_program.h"

using namespace clamscanner;
using namespace std::string_literals;

namespace {

constexpr const char* credentials = "Basic dXNlcjpvcGVuIHNlc2FtZQ==";  // user:open sesame

LoginAnswer welcome(const Login&) {
    return {LoginVerdict::Welcome, 0};
}

void reply_with(int stream, const Reply& reply) {
    static_cast<void>(write_frame(stream, encode(reply).bytes(), Clock::now() + std::chrono::seconds(20)));
}

void reply_done(const Request&, int stream) {
    reply_with(stream, {200, "", R"({"done":1})"});
}

Parameters request_for(const std::string& target, const std::string& method = "GET") {
    return {{"REQUEST_METHOD", method},   {"REQUEST_URI", target},         {"HTTP_AUTHORIZATION", credentials},
            {"REMOTE_ADDR", "192.0.2.1"}, {"HTTP_HOST", "localhost:8080"}, {"CONTENT_LENGTH", ""}};
}

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// A responder with short timeouts and few threads.
struct Fixture {
    TestDirectory directory;
    std::string socket = directory.path("fcgi.sock");
    ReadySocket ready{directory.path("ready.sock")};
    std::optional<FakeAuthd> authd;
    std::optional<StartedProgram> responder;

    Fixture() {
        std::filesystem::create_directory(directory.path("authd"));
        std::ofstream(directory.path("clamscanner.toml"))
            << "[paths]\nrun_directory = \"" << directory.path("") << "\"\n[responder]\nsocket = \"" << socket
            << "\"\nthreads = 3\nread_seconds = 2\nreply_seconds = 3\nrealm = 'The \"scanner\"'\n";
    }

    void start_authd(FakeAuthd::AnswerLogin logins = welcome, FakeAuthd::AnswerRequest requests = reply_done) {
        authd.emplace(directory.path("authd/login.sock"), std::move(logins), std::move(requests));
    }
    void start_responder(StartedProgram::Start start = {}) {
        start.program = RESPONDER_PROGRAM;
        start.config_file = directory.path("clamscanner.toml");
        start.environment.push_back(ready.variable());
        responder.emplace(start);
        BOOST_REQUIRE(ready.next() == "READY=1");
    }
    WebAnswer ask(Parameters parameters, const std::string& body = "") const {
        if (!body.empty() && parameters["CONTENT_LENGTH"].empty())
            parameters["CONTENT_LENGTH"] = std::to_string(body.size());
        WebConnection connection(socket);
        connection.send(begin_record() + stream(Record::Params, encoded(parameters)));
        connection.send(stream(Record::Stdin, body));
        return connection.receive();
    }
    void check_stop() {
        responder->signal(SIGTERM);
        const auto ending = responder->wait();
        BOOST_TEST(!ending.by_signal);
        BOOST_TEST(ending.code == 0);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(responder_program, Fixture)

BOOST_AUTO_TEST_CASE(a_request_reaches_the_agent_and_its_reply_the_client) {
    std::promise<Login> login;
    std::promise<Request> request;
    start_authd(
        [&](const Login& asked) {
            Login copy;
            copy.user = asked.user;
            copy.password.assign(asked.password.reveal());
            copy.address = asked.address;
            copy.purpose = asked.purpose;
            login.set_value(std::move(copy));
            return LoginAnswer{LoginVerdict::Welcome, 0};
        },
        [&](const Request& asked, int stream) {
            request.set_value(asked);
            reply_with(stream, {200, "", R"({"data":"reply"})"});
        });
    start_responder();
    auto parameters = request_for("/ClamScanner/start_scan?a=%20b", "POST");
    parameters["CONTENT_TYPE"] = "application/json";
    parameters["HTTP_COOKIE"] = "session=1";
    const auto answer = ask(parameters, R"({"scan_type":"home"})");
    BOOST_TEST(answer.ended);
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.header ==
               "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\nContent-Length: 16\r\n");
    BOOST_TEST(answer.body == R"({"data":"reply"})");

    const auto asked_login = login.get_future().get();
    BOOST_TEST(asked_login.user == "user");
    BOOST_TEST(asked_login.password.reveal() == "open sesame");
    BOOST_TEST(asked_login.address == "192.0.2.1");
    const auto asked = request.get_future().get();
    BOOST_TEST(asked.method == "POST");
    BOOST_TEST(asked.path == "/ClamScanner/start_scan");
    BOOST_TEST(asked.query == "a=%20b");
    BOOST_TEST(asked.content_type == "application/json");
    BOOST_TEST(asked.body == R"({"scan_type":"home"})");
    BOOST_TEST(asked.client_address == "192.0.2.1");
    check_stop();
}

BOOST_AUTO_TEST_CASE(without_credentials_authd_is_not_asked) {
    start_authd();
    start_responder();
    for (const char* header : {"", "Basic", "Basic dXNlcg==", "Bearer dXNlcjpw"}) {
        auto parameters = request_for("/ClamScanner/no_such_function");
        parameters["HTTP_AUTHORIZATION"] = header;
        const auto answer = ask(parameters);
        BOOST_TEST(answer.status == 401);
        BOOST_TEST(
            holds(answer.header, "WWW-Authenticate: Basic realm=\"The \\\"scanner\\\"\", charset=\"UTF-8\"\r\n"));
        BOOST_TEST(holds(answer.body, R"("func":"no_such_function")"));
        BOOST_TEST(holds(answer.body, R"("status":0)"));
    }
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(the_description_of_the_api_needs_no_login) {
    start_authd();
    start_responder();
    auto parameters = request_for("/ClamScanner/openapi.json?v=1");
    parameters.erase("HTTP_AUTHORIZATION");
    const auto answer = ask(parameters);
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(holds(answer.header, "Content-Type: application/json; charset=utf-8\r\n"));
    BOOST_TEST(answer.body.starts_with(R"({"openapi":"3.1.)"));
    BOOST_TEST(holds(answer.body, "/ClamScanner/get_scan_status"));
    parameters["REQUEST_METHOD"] = "POST";
    const auto refused = ask(parameters);
    BOOST_TEST(refused.status == 405);
    BOOST_TEST(holds(refused.header, "Allow: GET, HEAD\r\n"));
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(each_verdict_has_its_answer) {
    start_responder();
    struct Expected {
        LoginAnswer verdict;
        int status;
        std::string header;
    };
    const Expected expected[] = {
        {{LoginVerdict::Wrong, 0}, 401, "WWW-Authenticate: Basic "},
        {{LoginVerdict::Forbidden, 0}, 403, ""},
        {{LoginVerdict::Penalised, 30}, 429, "Retry-After: 30\r\n"},
        {{LoginVerdict::Saturated, 0}, 503, "Retry-After: 1\r\n"},
        {{LoginVerdict::Busy, 3}, 503, "Retry-After: 3\r\n"},
        {{LoginVerdict::Held, 30}, 503, "Retry-After: 30\r\n"},
        {{LoginVerdict::Unavailable, 0}, 503, "Retry-After: 2\r\n"},
    };
    for (const auto& one : expected) {
        start_authd([verdict = one.verdict](const Login&) { return verdict; });
        const auto answer = ask(request_for("/ClamScanner/get_scan_status"));
        BOOST_TEST(answer.status == one.status);
        BOOST_TEST(holds(answer.header, one.header));
        BOOST_TEST(holds(answer.body, R"("status":0)"));
    }
}

BOOST_AUTO_TEST_CASE(wrong_credentials_get_the_same_answer_as_none) {
    start_authd([](const Login&) { return LoginAnswer{LoginVerdict::Wrong, 0}; });
    start_responder();
    const auto wrong = ask(request_for("/ClamScanner/get_scan_status"));
    auto parameters = request_for("/ClamScanner/get_scan_status");
    parameters.erase("HTTP_AUTHORIZATION");
    const auto missing = ask(parameters);
    BOOST_TEST(wrong.header == missing.header);
    BOOST_TEST(wrong.body == missing.body);
}

BOOST_AUTO_TEST_CASE(a_page_of_another_site_may_read_but_not_change) {
    start_authd();
    start_responder();
    const auto ask_from = [&](const std::string& function, const std::string& header, const std::string& value) {
        auto parameters = request_for("/execute/ClamScanner/" + function, "POST");
        parameters[header] = value;
        return ask(parameters).status;
    };
    BOOST_TEST(ask_from("start_scan", "HTTP_SEC_FETCH_SITE", "cross-site") == 403);
    BOOST_TEST(ask_from("disinfect_files", "HTTP_SEC_FETCH_SITE", "same-site") == 403);
    BOOST_TEST(ask_from("start_scan", "HTTP_ORIGIN", "http://evil.example") == 403);
    BOOST_TEST(ask_from("no_such_function", "HTTP_ORIGIN", "null") == 403);
    BOOST_TEST(authd->logins() == 0);
    BOOST_TEST(ask_from("start_scan", "HTTP_SEC_FETCH_SITE", "same-origin") == 200);
    BOOST_TEST(ask_from("start_scan", "HTTP_ORIGIN", "http://localhost:8080") == 200);
    BOOST_TEST(ask_from("get_scan_status", "HTTP_ORIGIN", "http://evil.example") == 200);
}

BOOST_AUTO_TEST_CASE(a_token_goes_to_authd_as_such) {
    start_authd();
    std::promise<std::string> seen;
    authd->answer_token = [&](const TokenLogin& login) {
        seen.set_value(login.user + ' ' + login.token.reveal() + ' ' + login.address);
        return LoginAnswer{LoginVerdict::Welcome, 0};
    };
    start_responder();
    auto parameters = request_for("/ClamScanner/get_scan_status");
    parameters["HTTP_AUTHORIZATION"] = "cpanel alice:TOKEN";
    BOOST_TEST(ask(parameters).status == 200);
    BOOST_TEST(seen.get_future().get() == "alice TOKEN 192.0.2.1");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_token_is_said) {
    start_authd();
    std::atomic<LoginVerdict> verdict = LoginVerdict::Wrong;
    authd->answer_token = [&](const TokenLogin&) { return LoginAnswer{verdict, 0}; };
    start_responder();
    struct Row {
        LoginVerdict verdict;
        int status;
        const char* sentence;
    };
    for (const auto& row :
         {Row{LoginVerdict::Wrong, 401, "the user name or the token is wrong"},
          Row{LoginVerdict::TokenExpired, 401, "has expired"}, Row{LoginVerdict::TokenSuspended, 401, "is suspended"},
          Row{LoginVerdict::TokenOfAnother, 401, "an earlier account"},
          Row{LoginVerdict::TokensOff, 403, "switched API tokens off"}}) {
        verdict = row.verdict;
        auto parameters = request_for("/ClamScanner/get_scan_status");
        parameters["HTTP_AUTHORIZATION"] = "cpanel alice:TOKEN";
        const auto answer = ask(parameters);
        BOOST_TEST(answer.status == row.status);
        BOOST_TEST(holds(answer.body, row.sentence));
    }
}

BOOST_AUTO_TEST_CASE(an_order_about_tokens_goes_to_authd_and_its_answer_into_the_envelope) {
    start_authd();
    std::promise<std::string> seen;
    authd->answer_order = [&](const TokenOrder& order) {
        seen.set_value(order.user + ' ' + order.secret.reveal() + ' ' + order.address + ' ' + order.name + ' ' +
                       std::to_string(order.expires_at) + ' ' + std::to_string(static_cast<int>(order.scope)) +
                       (order.is_token ? " token" : " password"));
        TokenAnswer answer;
        answer.verdict = LoginVerdict::Welcome;
        answer.result = TokenResult::Done;
        answer.token.assign("THETOKEN");
        answer.created = 1000;
        answer.expires = 2000;
        return answer;
    };
    start_responder();
    const auto answer = ask(request_for("/Tokens/create_limited?name=x-1&expires_at=2000"));
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.body ==
               R"({"apiversion":3,"func":"create_limited","module":"Tokens","result":{"data":{"create_time":1000,)"
               R"("expires_at":2000,"token":"THETOKEN"},"errors":null,"messages":null,"metadata":{},"status":1,)"
               R"("warnings":null}})");
    BOOST_TEST(seen.get_future().get() == "user open sesame 192.0.2.1 x-1 2000 2 password");
}

BOOST_AUTO_TEST_CASE(a_wrong_order_about_tokens_reaches_nobody) {
    start_authd();
    start_responder();
    for (const auto& [target, status] :
         {std::pair{"/Tokens/create_full_access", 200}, std::pair{"/Tokens/create_full_access?name=a%20b", 200},
          std::pair{"/Tokens/rename?name=a", 200}, std::pair{"/Tokens/create_limited?name=a&expires_at=x", 200},
          std::pair{"/Tokens/create_limited?name=a&expires_at=-1", 200},
          std::pair{"/Tokens/create_limited?name=a&expires_at=253402300800", 200}, std::pair{"/Tokens/no_such", 404},
          std::pair{"/Tokens/", 404}}) {
        const auto answer = ask(request_for(target));
        BOOST_TEST(answer.status == status, target);
        BOOST_TEST(holds(answer.body, R"("status":0)"), target);
    }
    BOOST_TEST(ask(request_for("/Tokens/revoke?name=a", "PUT")).status == 405);
    auto without = request_for("/Tokens/list");
    without["HTTP_AUTHORIZATION"] = "";
    BOOST_TEST(ask(without).status == 401);
    auto cross_site = request_for("/Tokens/revoke?name=a");
    cross_site["HTTP_SEC_FETCH_SITE"] = "cross-site";
    BOOST_TEST(ask(cross_site).status == 403);
    BOOST_TEST(ask(request_for("/Tokens/list", "POST"), std::string(70'000, 'x')).status == 413);
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(a_body_over_the_cap_is_read_to_its_end_and_refused) {
    start_authd();
    start_responder();
    const std::string three_mebibytes(3 * 1024 * 1024, 'x');
    const auto answer = ask(request_for("/ClamScanner/start_scan", "POST"), three_mebibytes);
    BOOST_TEST(answer.ended);
    BOOST_TEST(answer.status == 413);
    BOOST_TEST(holds(answer.body, "1048576"));
    BOOST_TEST(authd->logins() == 0);
    BOOST_TEST(ask(request_for("/ClamScanner/disinfect_files", "POST"), three_mebibytes).status == 200);
}

BOOST_AUTO_TEST_CASE(the_number_of_long_bodies_at_a_time_is_limited) {
    std::promise<void> under_way;
    std::promise<void> go_on;
    std::atomic<bool> first = true;
    start_authd([&](const Login&) {
        if (first.exchange(false)) {
            under_way.set_value();
            go_on.get_future().wait();
        }
        return LoginAnswer{LoginVerdict::Welcome, 0};
    });
    start_responder();
    const std::string long_body(3 * 1024 * 1024, 'x');
    const auto parameters = request_for("/ClamScanner/disinfect_files", "POST");
    auto one = std::async(std::launch::async, [&] { return ask(parameters, long_body); });
    under_way.get_future().wait();
    const auto another = ask(parameters, long_body);
    BOOST_TEST(another.status == 503);
    BOOST_TEST(holds(another.header, "Retry-After: 2\r\n"));
    BOOST_TEST(ask(parameters, "short").status == 200);
    BOOST_TEST(ask(parameters, std::string(17 * 1024 * 1024, 'x')).status == 413);
    go_on.set_value();
    BOOST_TEST(one.get().status == 200);
    BOOST_TEST(ask(parameters, long_body).status == 200);
}

BOOST_AUTO_TEST_CASE(a_body_of_another_length_than_announced_is_refused) {
    start_authd();
    start_responder();
    for (const char* length : {"", "0", "4", "6", "5x", "-5", "+5", "5, 5", "18446744073709551621"}) {
        auto parameters = request_for("/ClamScanner/start_scan", "POST");
        parameters["CONTENT_LENGTH"] = length;
        WebConnection connection(socket);
        connection.send(begin_record() + stream(Record::Params, encoded(parameters)) + stream(Record::Stdin, "12345"));
        const auto answer = connection.receive();
        BOOST_TEST(answer.status == 400, length << ": " << answer.status);
    }
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(a_request_that_the_web_server_aborts_reaches_no_agent) {
    start_authd();
    start_responder();
    auto parameters = request_for("/ClamScanner/start_scan", "POST");
    parameters["CONTENT_LENGTH"] = "5";
    WebConnection connection(socket);
    connection.send(begin_record() + stream(Record::Params, encoded(parameters)) + record(Record::Stdin, "12345") +
                    record(Record::Abort, ""));
    BOOST_TEST(connection.receive().status == 400);
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(silent_peers_hold_no_thread_for_long) {
    start_authd();
    start_responder();
    // As many as there are threads, each silent at a different point.
    WebConnection nothing(socket);
    WebConnection half_a_header(socket);
    half_a_header.send("\1\1\0");
    WebConnection half_the_parameters(socket);
    half_the_parameters.send(begin_record() + record(Record::Params, encoded(request_for("/")).substr(0, 20)));
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    BOOST_TEST(nothing.receive().header == "");
}

BOOST_AUTO_TEST_CASE(a_body_that_does_not_arrive_in_time_is_answered) {
    start_authd();
    start_responder();
    auto parameters = request_for("/ClamScanner/start_scan", "POST");
    parameters["CONTENT_LENGTH"] = "10";
    WebConnection connection(socket);
    connection.send(begin_record() + stream(Record::Params, encoded(parameters)) + record(Record::Stdin, "12345"));
    BOOST_TEST(connection.receive().status == 408);
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(a_second_request_on_the_connection_is_never_read) {
    std::atomic<int> requests = 0;
    start_authd(welcome, [&](const Request& request, int stream) {
        ++requests;
        reply_done(request, stream);
    });
    start_responder();
    const auto request = begin_record(true) +
                         stream(Record::Params, encoded(request_for("/ClamScanner/get_scan_status"))) +
                         stream(Record::Stdin, "");
    WebConnection connection(socket);
    connection.send(request + request);
    BOOST_TEST(connection.receive().status == 200);
    check_stop();
    BOOST_TEST(requests == 1);
}

BOOST_AUTO_TEST_CASE(a_head_request_gets_the_header_alone) {
    start_authd();
    start_responder();
    const auto answer = ask(request_for("/ClamScanner/get_scan_status", "HEAD"));
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(holds(answer.header, "Content-Length: 10\r\n"));
    BOOST_TEST(answer.body == "");
}

BOOST_AUTO_TEST_CASE(a_long_reply_arrives_whole) {
    const std::string body(5 * 1024 * 1024 + 7, 'x');
    start_authd(welcome, [body](const Request&, int stream) { reply_with(stream, {200, "", body}); });
    start_responder();
    const auto answer = ask(request_for("/ClamScanner/get_scan_status"));
    BOOST_TEST(answer.ended);
    BOOST_TEST((answer.body == body));
}

BOOST_AUTO_TEST_CASE(an_agents_status_and_allow_are_passed_on) {
    start_authd(welcome, [](const Request&, int stream) { reply_with(stream, {405, "GET, POST", "{}"}); });
    start_responder();
    const auto answer = ask(request_for("/ClamScanner/get_scan_status", "PUT"));
    BOOST_TEST(answer.status == 405);
    BOOST_TEST(holds(answer.header, "Allow: GET, POST\r\n"));
}

BOOST_AUTO_TEST_CASE(an_agent_that_gives_no_proper_reply_is_503_with_a_reference) {
    start_responder();
    const auto deadline = Clock::now() + std::chrono::seconds(20);
    std::atomic<bool> responder_gave_up = false;  // Boost's checks are for the main thread only
    const std::function<void(int)> ways[] = {
        [](int) {},  // killed
        [=](int stream) { static_cast<void>(write_frame(stream, "nonsense", deadline)); },
        [](int stream) { static_cast<void>(::write(stream, "\xff\xff\xff\xff", 4) == 4); },
        [=](int stream) { static_cast<void>(write_frame(stream, encode(Request{}).bytes(), deadline)); },
        [](int stream) {
            reply_with(stream, {401, "", "{}"});
        },
        [](int stream) {
            reply_with(stream, {302, "", "{}"});
        },
        [](int stream) {
            reply_with(stream, {405, "GET\r\nX: y", "{}"});
        },
        [&](int stream) {                  // stopped: the responder's deadline passes first
            pollfd waiting{stream, 0, 0};  // for POLLERR
            responder_gave_up = ::poll(&waiting, 1, 20'000) == 1;
        },
    };
    for (const auto& way : ways) {
        start_authd(welcome, [way](const Request&, int stream) { way(stream); });
        const auto answer = ask(request_for("/ClamScanner/get_scan_status"));
        BOOST_TEST(answer.status == 503);
        BOOST_TEST(holds(answer.body, "(reference "));
    }
    authd.reset();  // its threads have ended
    BOOST_TEST(responder_gave_up);
}

BOOST_AUTO_TEST_CASE(authd_may_start_late_and_restart) {
    start_responder();
    const auto answer = ask(request_for("/ClamScanner/get_scan_status"));
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(holds(answer.body, "(reference "));
    BOOST_TEST(!holds(answer.body, "sock"));
    for (int i = 0; i < 2; ++i) {
        start_authd();
        for (int j = 0; j < 6; ++j) BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
        authd.reset();
    }
}

BOOST_AUTO_TEST_CASE(a_malformed_address_is_refused) {
    start_authd();
    start_responder();
    BOOST_TEST(ask(request_for("")).status == 400);
    BOOST_TEST(ask(request_for("http://localhost/ClamScanner/get_scan_status")).status == 400);
    BOOST_TEST(ask(request_for("/" + std::string(longest_target, 'x'))).status == 414);
    BOOST_TEST(ask(request_for("/x", "METHODS-ARE-SHORTER")).status == 400);
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(a_stop_loses_no_request) {
    std::promise<void> under_way;
    std::promise<void> go_on;
    std::atomic<bool> first = true;
    start_authd(welcome, [&](const Request& request, int stream) {
        if (first.exchange(false)) {
            under_way.set_value();
            go_on.get_future().wait();
        }
        reply_done(request, stream);
    });
    start_responder();
    auto slow = std::async(std::launch::async, [&] { return ask(request_for("/ClamScanner/get_scan_status")); });
    under_way.get_future().wait();
    // These have connected, and the socket is the responder's own: no other process could serve them.
    std::vector<WebConnection> connected;
    for (int i = 0; i < 20; ++i) connected.emplace_back(socket);
    responder->signal(SIGTERM);
    BOOST_TEST(ready.next() == "STOPPING=1");
    for (auto& connection : connected)
        connection.send(begin_record() + stream(Record::Params, encoded(request_for("/ClamScanner/get_scan_status"))) +
                        stream(Record::Stdin, ""));
    for (auto& connection : connected) BOOST_TEST(connection.receive().status == 200);
    go_on.set_value();
    BOOST_TEST(slow.get().status == 200);
    const auto ending = responder->wait();
    BOOST_TEST(!ending.by_signal);
    BOOST_TEST(ending.code == 0);
    BOOST_TEST(!std::filesystem::exists(socket));
}

BOOST_AUTO_TEST_CASE(a_socket_on_standard_input_is_served_and_left_alone) {
    const auto listener = listen_at(socket, SOCK_STREAM, 0666);
    start_authd();
    start_responder({.program = "",
                     .config_file = "",
                     .descriptors = {{listener.get(), 0}},
                     .environment = {},
                     .handed_over_by_systemd = false,
                     .as_root = false,
                     .arguments = {}});
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    check_stop();
    BOOST_TEST(std::filesystem::exists(socket));
}

BOOST_AUTO_TEST_CASE(two_responders_share_a_socket_from_systemd) {
    const auto listener = listen_at(socket, SOCK_STREAM, 0666);
    start_authd();
    const StartedProgram::Start start{.program = "",
                                      .config_file = "",
                                      .descriptors = {{listener.get(), 3}},
                                      .environment = {},
                                      .handed_over_by_systemd = true,
                                      .as_root = false,
                                      .arguments = {}};
    start_responder(start);
    auto first = std::move(responder);
    start_responder(start);
    for (int i = 0; i < 10; ++i) BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    check_stop();
    for (int i = 0; i < 10; ++i) BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    responder = std::move(first);
    check_stop();
}

BOOST_AUTO_TEST_CASE(it_refuses_to_be_root) {
    if (::getuid() != 0) {
        BOOST_TEST_MESSAGE("skipped: only root can start it as root");
        return;
    }
    StartedProgram root({.program = RESPONDER_PROGRAM,
                         .config_file = directory.path("clamscanner.toml"),
                         .descriptors = {},
                         .environment = {},
                         .handed_over_by_systemd = false,
                         .as_root = true,
                         .arguments = {}});
    BOOST_TEST(root.wait().code == 78);
}

BOOST_AUTO_TEST_SUITE_END()
