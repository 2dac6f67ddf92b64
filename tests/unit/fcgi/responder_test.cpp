// The real responder on real sockets, between a FastCGI client and an authd that each test writes for itself.
#include <boost/test/unit_test.hpp>
#include <future>
#include <thread>

#include "auth/base/account.h"
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
        configure();
    }

    // `more`: a further line of [responder].
    void configure(const std::string& more = "") const {
        std::ofstream(directory.path("clamscanner.toml"))
            << "[paths]\nrun_directory = \"" << directory.path("") << "\"\n[responder]\nsocket = \"" << socket
            << "\"\nusers = [\"" << user_of_programs()
            << "\"]\nthreads = 3\nread_seconds = 2\nreply_seconds = 3\nrealm = 'The \"scanner\"'\n"
            << more << '\n';
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
    // The connection of a request whose body is announced and does not come.
    WebConnection begin_body(const std::string& function, int length, const std::string& authorization) const {
        auto parameters = request_for("/ClamScanner/" + function, "POST");
        parameters["CONTENT_LENGTH"] = std::to_string(length);
        parameters["HTTP_AUTHORIZATION"] = authorization;
        WebConnection connection(socket);
        connection.send(begin_record() + stream(Record::Params, encoded(parameters)));
        return connection;
    }
    void await_logins(int count) const {
        for (int i = 0; i < 5000 && authd->logins() < count; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        BOOST_REQUIRE(authd->logins() == count);
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
        {{LoginVerdict::FilesHang, 0}, 503, "Retry-After: 10\r\n"},
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
    const auto answer_from = [&](const std::string& function, const Parameters& headers, const std::string& method) {
        auto parameters = request_for("/execute/ClamScanner/" + function, method);
        for (const auto& [name, value] : headers) parameters[name] = value;
        return ask(parameters);
    };
    const std::pair<std::string, Parameters> foreign[] = {
        {"Sec-Fetch-Site", {{"HTTP_SEC_FETCH_SITE", "cross-site"}}},
        {"Sec-Fetch-Site", {{"HTTP_SEC_FETCH_SITE", "same-site"}, {"HTTP_ORIGIN", "http://localhost:8080"}}},
        {"Origin", {{"HTTP_ORIGIN", "http://evil.example"}}},
        {"Origin", {{"HTTP_ORIGIN", "https://localhost:8080"}}},
        {"Origin", {{"HTTP_ORIGIN", "null"}, {"HTTP_REFERER", "http://localhost:8080/"}}},
        {"Origin", {{"HTTP_ORIGIN", "http://localhost:8080"}, {"REQUEST_SCHEME", "https"}}},
        {"Origin", {{"HTTP_ORIGIN", "http://localhost:8080"}, {"HTTPS", "on"}}},
        {"Origin", {{"HTTP_ORIGIN", "http://localhost:8080"}, {"HTTP_X_FORWARDED_PROTO", "https"}}},
        {"Origin", {{"HTTP_ORIGIN", "https://localhost:8080"}, {"HTTP_X_FORWARDED_PROTO", "http, https"}}},
        {"Referer", {{"HTTP_REFERER", "http://evil.example/http://localhost:8080/"}}},
    };
    const std::pair<const char*, const char*> changing[] = {{"start_scan", "GET"},
                                                            {"start_scan", "POST"},
                                                            {"disinfect_files", "POST"},
                                                            {"cancel_scan", "POST"},
                                                            {"no_such_function", "GET"},
                                                            {"restore_quarantined_files", "POST"},
                                                            {"delete_quarantined_files", "POST"}};
    for (const auto& [header, headers] : foreign) {
        for (const auto& [function, method] : changing) {
            const auto answer = answer_from(function, headers, method);
            BOOST_TEST(answer.status == 403, header << " of " << function);
            BOOST_TEST(holds(answer.body, "its header " + header + "."), answer.body);
        }
    }
    BOOST_TEST(authd->logins() == 0);
    const Parameters own[] = {
        {},
        {{"HTTP_SEC_FETCH_SITE", "same-origin"}, {"HTTP_ORIGIN", "https://panel.example"}},  // Host was changed
        {{"HTTP_SEC_FETCH_SITE", "none"}},
        {{"HTTP_ORIGIN", "http://localhost:8080"}},
        {{"HTTP_ORIGIN", "https://localhost:8080"}, {"REQUEST_SCHEME", "https"}},
        {{"HTTP_ORIGIN", "https://localhost:8080"}, {"HTTPS", "on"}},
        {{"HTTP_ORIGIN", "https://localhost:8080"}, {"REQUEST_SCHEME", "http"}, {"HTTP_X_FORWARDED_PROTO", "https"}},
        {{"HTTP_ORIGIN", "https://localhost:8080"}, {"HTTP_X_FORWARDED_PROTO", "HTTPS,http"}},
        {{"HTTP_REFERER", "http://localhost:8080/panel?x"}},
    };
    for (const auto& headers : own)
        for (const auto& [function, method] : changing)
            BOOST_TEST(answer_from(function, headers, method).status == 200, function);
    for (const auto& [header, headers] : foreign)
        BOOST_TEST(answer_from("get_scan_status", headers, "GET").status == 200, header);
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

BOOST_AUTO_TEST_CASE(beside_an_accounts_content_nobody_is_answered) {
    start_authd();
    // Accounts are users with a uid from ours on, so our own home is one's.
    Account me;
    BOOST_REQUIRE(find_account(::getuid(), me));
    std::ofstream(directory.path("clamscanner.toml"), std::ios::app)
        << "[login]\nuid_floor = " << std::max<uid_t>(me.uid, 1) << "\n";
    start_responder();
    const auto status_at = [&](const std::string& target, const std::string& root, const std::string& word) {
        auto parameters = request_for(target);
        parameters["DOCUMENT_ROOT"] = root;
        parameters["CLAMSCANNER_DOCUMENT_ROOT"] = word;
        return ask(parameters).status;
    };
    Account account;
    BOOST_REQUIRE(find_account(std::max<uid_t>(me.uid, 1), account));
    for (const char* target : {"/execute/ClamScanner/get_scan_status", "/?Action=GetVirusScanLatestTaskStatistic"}) {
        BOOST_TEST(status_at(target, account.home + "/public_html", "") == 403, target);
        BOOST_TEST(status_at(target, "/nowhere/public_html", "") != 403, target);
        BOOST_TEST(status_at(target, account.home + "/public_html", "unchecked") != 403, target);
    }
}

BOOST_AUTO_TEST_CASE(a_script_gets_no_challenge) {
    start_authd([](const Login&) { return LoginAnswer{LoginVerdict::Wrong, 0}; });
    start_responder();
    for (const char* target :
         {"/ClamScanner/get_scan_status", "/execute/ClamScanner/start_scan", "/?Action=x&Version=y"}) {
        auto parameters = request_for(target);
        for (const char* destination : {"empty", "document", "iframe", ""}) {
            parameters["HTTP_SEC_FETCH_DEST"] = destination;
            const auto answer = ask(parameters);
            BOOST_TEST(answer.status == 401);
            BOOST_TEST(holds(answer.header, "WWW-Authenticate") == (destination != "empty"s));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_body_over_the_cap_is_refused_and_discarded) {
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

BOOST_AUTO_TEST_CASE(nobody_but_a_right_login_has_a_body_waited_for) {
    start_responder();
    struct Refused {
        std::string authorization;
        LoginVerdict verdict;
        int status;
    };
    const Refused all[] = {{"", LoginVerdict::Welcome, 401},
                           {"Basic dXNlcg==", LoginVerdict::Welcome, 401},
                           {credentials, LoginVerdict::Wrong, 401},
                           {credentials, LoginVerdict::Forbidden, 403},
                           {credentials, LoginVerdict::Penalised, 429},
                           {credentials, LoginVerdict::Saturated, 503}};
    for (const auto& one : all) {
        start_authd([verdict = one.verdict](const Login&) { return LoginAnswer{verdict, 0}; });
        for (const char* function : {"start_scan", "disinfect_files", "get_scan_status"}) {
            auto slow = begin_body(function, 10, one.authorization);
            const auto answer = slow.receive();
            BOOST_TEST(answer.status == one.status, function);
            BOOST_TEST(holds(answer.header, "Connection: close\r\n"));
            BOOST_TEST(authd->agents_opened() == 0);
        }
    }
}

BOOST_AUTO_TEST_CASE(nor_has_anybody_elses_with_a_token_or_an_order_about_tokens) {
    start_authd([](const Login&) { return LoginAnswer{LoginVerdict::Wrong, 0}; });
    start_responder();
    for (const char* target : {"/ClamScanner/start_scan", "/Tokens/create_full_access", "/execute/Tokens/revoke"})
        for (const char* authorization : {credentials, "cpanel alice:WRONG"}) {
            auto parameters = request_for(target, "POST");
            parameters["HTTP_AUTHORIZATION"] = authorization;
            parameters["CONTENT_LENGTH"] = "10";
            WebConnection slow(socket);
            slow.send(begin_record() + stream(Record::Params, encoded(parameters)));
            BOOST_TEST(slow.receive().status == 401, target);
        }
    BOOST_TEST(authd->logins() == 6);
    BOOST_TEST(authd->agents_opened() == 0);
}

BOOST_AUTO_TEST_CASE(what_comes_after_an_answer_is_read_and_discarded) {
    start_authd();
    start_responder();
    // More of them than threads, each with more than a socket holds: the web server can send it all.
    std::vector<WebConnection> slow;
    for (int i = 0; i < 6; ++i) slow.push_back(begin_body("start_scan", 10, ""));
    const auto content = record(Record::Stdin, std::string(0xffff, 'x'));
    for (auto& connection : slow)
        for (int i = 0; i < 20; ++i) BOOST_REQUIRE(connection.send(content));
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    for (auto& connection : slow) BOOST_TEST(connection.receive().status == 401);
    check_stop();
}

BOOST_AUTO_TEST_CASE(a_body_is_waited_for_after_the_login_and_before_the_agent) {
    std::promise<Request> request;
    start_authd(welcome, [&](const Request& asked, int stream) {
        request.set_value(asked);
        reply_done(asked, stream);
    });
    start_responder();
    auto slow = begin_body("start_scan", 5, credentials);
    await_logins(1);
    BOOST_TEST(authd->agents_opened() == 0);
    slow.send(stream(Record::Stdin, "12345"));
    BOOST_TEST(slow.receive().status == 200);
    BOOST_TEST(request.get_future().get().body == "12345");
    // The password was sent once.
    BOOST_TEST(authd->logins() == 1);
    BOOST_TEST(authd->agents_opened() == 1);
}

BOOST_AUTO_TEST_CASE(bodies_under_way_leave_threads_to_everybody) {
    start_authd();
    start_responder();
    // Of three threads, one may wait for a body.
    auto slow = begin_body("start_scan", 5, credentials);
    await_logins(1);
    std::vector<WebConnection> more;
    for (int i = 0; i < 5; ++i) more.push_back(begin_body("start_scan", 5, credentials));
    for (auto& connection : more) {
        const auto answer = connection.receive();
        BOOST_TEST(answer.status == 503);
        BOOST_TEST(holds(answer.header, "Retry-After: 1\r\n"));
    }
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    slow.send(stream(Record::Stdin, "12345"));
    BOOST_TEST(slow.receive().status == 200);
    BOOST_TEST(ask(request_for("/ClamScanner/start_scan", "POST"), "12345").status == 200);
}

BOOST_AUTO_TEST_CASE(slow_readers_of_long_replies_leave_threads_to_everybody) {
    start_authd(welcome, [](const Request& request, int stream) {
        const bool is_long = request.path.ends_with("list_infected_files");
        reply_with(stream, {200, "", std::string(is_long ? 5 * 1024 * 1024 : 10, 'x')});
    });
    start_responder();
    WebConnection slow(socket);
    slow.send(begin_record() + stream(Record::Params, encoded(request_for("/ClamScanner/list_infected_files"))) +
              stream(Record::Stdin, ""));
    WebAnswer another;
    for (int i = 0; i < 1000 && another.status != 503; ++i)
        another = ask(request_for("/ClamScanner/list_infected_files"));
    BOOST_TEST(another.status == 503);
    BOOST_TEST(holds(another.header, "Retry-After: 1\r\n"));
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    BOOST_TEST(slow.receive().body.size() == 5U * 1024 * 1024);
    BOOST_TEST(ask(request_for("/ClamScanner/list_infected_files")).status == 200);
}

BOOST_AUTO_TEST_CASE(nor_do_slow_readers_of_what_a_request_did_hold_them) {
    const std::string much(3000, 'x');
    std::atomic<int> done = 0;
    start_authd(welcome, [&](const Request& request, int stream) {
        const bool is_long = request.path.ends_with("delete_quarantined_files");
        if (is_long) ++done;
        reply_with(stream, {200, "", std::string(is_long ? 5 * 1024 * 1024 : 10, 'x')});
    });
    start_responder();
    const auto parameters = request_for("/ClamScanner/delete_quarantined_files", "POST");
    auto slow = begin_body("delete_quarantined_files", much.size(), credentials);
    slow.send(stream(Record::Stdin, much));
    while (done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (int i = 0; i < 5; ++i) {
        const auto another = ask(parameters, much);
        BOOST_TEST(another.status == 503);
        BOOST_TEST(holds(another.header, "Retry-After: 1\r\n"));
    }
    // They were refused before anything was done.
    BOOST_TEST(done == 1);
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    BOOST_TEST(slow.receive().body.size() == 5U * 1024 * 1024);
    BOOST_TEST(ask(parameters, much).status == 200);
}

BOOST_AUTO_TEST_CASE(a_login_whose_body_never_came_is_not_the_next_ones) {
    start_authd([](const Login& login) {
        return LoginAnswer{login.user == "user" ? LoginVerdict::Welcome : LoginVerdict::Wrong, 0};
    });
    start_responder();
    // On every thread.
    for (int i = 0; i < 6; ++i) {
        auto cut_off = begin_body("start_scan", 5, credentials);
        cut_off.stop_sending();
        BOOST_TEST(cut_off.receive().status == 400);
    }
    BOOST_TEST(authd->agents_opened() == 0);
    for (int i = 0; i < 6; ++i) {
        auto parameters = request_for("/ClamScanner/start_scan", "POST");
        parameters["HTTP_AUTHORIZATION"] = "Basic ZXZlOngx";  // eve:x1
        BOOST_TEST(ask(parameters, "12345").status == 401);
        BOOST_TEST(ask(request_for("/ClamScanner/start_scan", "POST"), "12345").status == 200);
    }
}

BOOST_AUTO_TEST_CASE(the_number_of_long_bodies_at_a_time_is_limited) {
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
    BOOST_TEST(authd->agents_opened() == 0);
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
    BOOST_TEST(authd->agents_opened() == 0);
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
    BOOST_TEST(authd->agents_opened() == 0);
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

BOOST_AUTO_TEST_CASE(a_socket_from_systemd_must_have_the_configured_group) {
    const auto listener = listen_at(socket, SOCK_STREAM, 0666);
    const StartedProgram::Start start{.program = "",
                                      .config_file = "",
                                      .descriptors = {{listener.get(), 3}},
                                      .environment = {},
                                      .handed_over_by_systemd = true,
                                      .as_root = false,
                                      .arguments = {}};
    const auto* ours = ::getgrgid(::getegid());
    BOOST_REQUIRE(ours != nullptr);
    start_authd();
    configure("socket_group = \"" + std::string(ours->gr_name) + "\"");
    start_responder(start);
    BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200);
    check_stop();

    configure("socket_group = \"daemon\"");
    StartedProgram refuses({.program = RESPONDER_PROGRAM,
                            .config_file = directory.path("clamscanner.toml"),
                            .descriptors = {{listener.get(), 3}},
                            .environment = {},
                            .handed_over_by_systemd = true,
                            .as_root = false,
                            .arguments = {}});
    BOOST_TEST(refuses.wait().code == 78);
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

// ---- The page
// --------------------------------------------------------------------------------------------------------

namespace {

// What a responder serves at /ClamScanner/ whose page has these files.
struct PageFixture : Fixture {
    PageFixture() {
        std::filesystem::create_directory(directory.path("page"));
        write("index.html", "<!doctype html>page");
        write("page.css", "body{}");
        write("words.js", "export {}");
        write("secret.txt", "no file of a page");
        write(".hidden.js", "neither");
        begin("");
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory.path("page/" + name)) << text;
    }
    void begin(const std::string& more) {
        configure("page_directory = \"" + directory.path("page") + "\"\n" + more);
        start_authd();
        start_responder();
    }
    WebAnswer get(const std::string& target, const std::string& method = "GET") const {
        auto parameters = request_for(target, method);
        parameters["HTTP_AUTHORIZATION"] = "";
        return ask(parameters);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(page, PageFixture)

BOOST_AUTO_TEST_CASE(it_is_served_without_a_login_and_with_its_types) {
    const std::map<std::string, std::pair<std::string, std::string>> files = {
        {"", {"text/html; charset=utf-8", "<!doctype html>page"}},
        {"page.css", {"text/css; charset=utf-8", "body{}"}},
        {"words.js?v=1", {"text/javascript; charset=utf-8", "export {}"}}};
    for (const auto& [name, wanted] : files)
        for (const std::string before : {"", "/cpsess0123"}) {
            const auto answer = get(before + "/ClamScanner/" + name);
            BOOST_TEST(answer.status == 200, name);
            BOOST_TEST(answer.body == wanted.second);
            BOOST_TEST(holds(answer.header, "Content-Type: " + wanted.first + "\r\n"), answer.header);
        }
    BOOST_TEST(authd->logins() == 0);
}

BOOST_AUTO_TEST_CASE(its_policy_allows_its_own_files_alone) {
    const auto answer = get("/ClamScanner/");
    for (const char* line :
         {"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
          "connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
          "trusted-types 'none'; frame-ancestors 'none'\r\n",
          "X-Content-Type-Options: nosniff\r\n", "Referrer-Policy: no-referrer\r\n", "Cache-Control: no-cache\r\n",
          "Cross-Origin-Opener-Policy: same-origin\r\n", "Cross-Origin-Resource-Policy: same-origin\r\n"})
        BOOST_TEST(holds(answer.header, line), line);
}

BOOST_AUTO_TEST_CASE(no_path_reaches_another_file) {
    for (const char* target :
         {"/ClamScanner/secret.txt", "/ClamScanner/.hidden.js", "/ClamScanner/../page/page.css",
          "/ClamScanner/./page.css", "/ClamScanner//page.css", "/ClamScanner/%70age.css", "/ClamScanner/page.css/",
          "/ClamScanner/index.html", "/ClamScanner", "/execute/ClamScanner/", "/cpsess/ClamScanner/",
          "/cpsess12x/ClamScanner/page.css", "/ClamScanner/page.css%00"}) {
        const auto answer = get(target);
        BOOST_TEST(answer.status == 401, target);
        BOOST_TEST(holds(answer.body, R"("status":0)"), target);
    }
}

BOOST_AUTO_TEST_CASE(it_is_what_was_there_at_the_start) {
    write("page.css", "changed");
    write("new.js", "new");
    BOOST_TEST(get("/ClamScanner/page.css").body == "body{}");
    BOOST_TEST(get("/ClamScanner/new.js").status == 401);
}

BOOST_AUTO_TEST_CASE(a_browser_that_has_it_is_told_so) {
    const auto header = get("/ClamScanner/page.css").header;
    const auto at = header.find("ETag: ") + 6;
    const auto tag = header.substr(at, header.find('\r', at) - at);
    BOOST_TEST(tag.size() == 66U);
    auto parameters = request_for("/ClamScanner/page.css");
    parameters["HTTP_IF_NONE_MATCH"] = "W/\"x\", " + tag;
    const auto answer = ask(parameters);
    BOOST_TEST(answer.status == 304);
    BOOST_TEST(answer.body.empty());
    parameters["REQUEST_URI"] = "/ClamScanner/words.js";
    BOOST_TEST(ask(parameters).status == 200);
}

BOOST_AUTO_TEST_CASE(it_takes_get_and_head_alone) {
    BOOST_TEST(get("/ClamScanner/", "HEAD").status == 200);
    BOOST_TEST(get("/ClamScanner/", "HEAD").body.empty());
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"}) {
        const auto answer = get("/ClamScanner/", method);
        BOOST_TEST(answer.status == 405, method);
        BOOST_TEST(holds(answer.header, "Allow: GET, HEAD\r\n"), method);
        BOOST_TEST(holds(answer.body, R"("status":0)"), method);
    }
}

BOOST_AUTO_TEST_CASE(a_panel_may_be_allowed_to_show_it_in_a_frame) {
    responder.reset();
    authd.reset();
    begin("frame_ancestors = \"https://panel.example.com:2083 'self'\"");
    BOOST_TEST(holds(get("/ClamScanner/").header, "; frame-ancestors https://panel.example.com:2083 'self'\r\n"));
}

BOOST_AUTO_TEST_CASE(a_list_that_would_change_the_policy_is_refused_at_the_start) {
    for (const char* list : {"", "*; script-src *", "'none', default-src *"}) {
        responder.reset();
        configure("frame_ancestors = \"" + std::string(list) + "\"");
        StartedProgram::Start start;
        start.program = RESPONDER_PROGRAM;
        start.config_file = directory.path("clamscanner.toml");
        responder.emplace(start);
        BOOST_TEST(responder->wait().code == 78, list);
    }
}

BOOST_AUTO_TEST_CASE(without_its_files_the_service_works_and_has_no_page) {
    for (const char* where : {"page_directory = \"/nowhere\"", "page_directory = \"\""}) {
        responder.reset();
        authd.reset();
        configure(where);
        start_authd();
        start_responder();
        BOOST_TEST(get("/ClamScanner/").status == 401, where);
        BOOST_TEST(ask(request_for("/ClamScanner/get_scan_status")).status == 200, where);
    }
}

BOOST_AUTO_TEST_SUITE_END()
