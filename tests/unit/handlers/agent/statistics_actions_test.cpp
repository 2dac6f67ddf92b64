#include "handlers/agent/statistics_actions.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "auth/authd/messages.h"
#include "handlers/shared/rpc.h"
#include "jobs/shared/refusal.h"
#include "tests/unit/fake_jobs.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Fixture {
    TemporaryDirectory directory;
    Settings config;
    std::string home = directory.path;
    FakeJobs jobs;
    std::string user = "alice";

    Reply ask(const std::string& query, const std::string& signed_action = "", const std::string& form = "JSON") {
        Request request;
        request.method = "POST";
        request.path = "/";
        request.query = query + "&Version=2018-12-03&Format=" + form;
        request.host = "statistics.example";
        return answer_statistics({config, home, jobs, user},
                                 {Purpose::Statistics, signed_action, signed_action.empty() ? "" : "2018-12-03"},
                                 request);
    }
    // The answer after its RequestId, or the error's code.
    std::string outcome(const std::string& query) {
        const auto reply = ask(query);
        if (reply.status != 200) return between(reply.body, "\"Code\":\"", "\"");
        BOOST_TEST(between(reply.body, "\"RequestId\":\"", "\"").size() == 36U);
        const auto rest =
            reply.body.substr(std::string("{\"RequestId\":\"7532B7EE-7CE7-5F4D-BF04-B12447DDCAE1\"").size());
        return "{" + rest.substr(rest.starts_with(',') ? 1 : 0);
    }
    static std::string between(const std::string& text, const std::string& begin, const std::string& end) {
        const auto at = text.find(begin);
        BOOST_REQUIRE(at != std::string::npos);
        return text.substr(at + begin.size(), text.find(end, at + begin.size()) - at - begin.size());
    }
    void scanned(ScanPhase phase, std::uint32_t percent, std::uint64_t infected, RiskLevel risk) {
        jobs.scan_statistics = {{"web1", "uuid"},
                                true,
                                {"0123456789abcdef0123456789abcdef",
                                 false,
                                 {"/home/alice"},
                                 1681145862000,
                                 0,
                                 phase,
                                 percent,
                                 infected,
                                 risk,
                                 false}};
    }
    const std::string get = "Action=GetVirusScanLatestTaskStatistic";
    const std::string create = "Action=CreateVirusScanOnceTask";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(statistics_actions, Fixture)

BOOST_AUTO_TEST_CASE(nothing_ever_scanned_is_an_empty_object) {
    BOOST_TEST(outcome(get) == "{\"Data\":{}}");
}

BOOST_AUTO_TEST_CASE(a_scan_under_way) {
    scanned(ScanPhase::Running, 92, 2, RiskLevel::Medium);
    BOOST_TEST(
        outcome(get) ==
        "{\"Data\":{\"TaskId\":\"0123456789abcdef0123456789abcdef\",\"ScanTime\":1681145862000,\"Status\":10,"
        "\"SuspiciousCount\":2,\"SuspiciousMachine\":1,\"SafeMachine\":0,\"ScanMachine\":1,\"ScanType\":\"user\","
        "\"ScanPath\":[\"/home/alice\"],\"Progress\":\"92\",\"MachineName\":\"web1\",\"CompleteMachine\":0,"
        "\"UnCompleteMachine\":1,\"RiskLevel\":\"medium\"}}");
}

BOOST_AUTO_TEST_CASE(only_a_completed_scan_without_a_find_is_safe) {
    const auto safe = [&](ScanPhase phase, std::uint64_t infected) {
        scanned(phase, 0, infected, infected > 0 ? RiskLevel::High : RiskLevel::None);
        return outcome(get).find("\"SafeMachine\":1") != std::string::npos;
    };
    BOOST_TEST(safe(ScanPhase::Completed, 0));
    BOOST_TEST(!safe(ScanPhase::Completed, 1));
    scanned(ScanPhase::Completed, 100, 0, RiskLevel::None);
    jobs.scan_statistics.latest.proves_nothing = true;
    BOOST_TEST(outcome(get).find("\"SafeMachine\":0") != std::string::npos);
    for (const auto phase : {ScanPhase::Queued, ScanPhase::Running, ScanPhase::EndedEarly}) BOOST_TEST(!safe(phase, 0));
    BOOST_TEST(outcome(get).find("RiskLevel") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_system_scan_has_no_paths) {
    scanned(ScanPhase::Completed, 100, 0, RiskLevel::None);
    jobs.scan_statistics.latest.system = true;
    jobs.scan_statistics.latest.paths.clear();
    const auto data = outcome(get);
    BOOST_TEST(data.find("\"ScanType\":\"system\",\"Progress\":\"100\"") != std::string::npos);
    BOOST_TEST(data.find("\"Status\":100") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(xml_says_the_same) {
    scanned(ScanPhase::Completed, 100, 0, RiskLevel::None);
    jobs.scan_statistics.latest.paths = {"/home/<a>&\xff\x01\xc3\xbc", "/b"};
    const auto reply = ask(get, "", "XML");
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(
        reply.body.starts_with("<?xml version='1.0' encoding='UTF-8'?><GetVirusScanLatestTaskStatisticResponse>"
                               "<RequestId>"));
    BOOST_TEST(between(reply.body, "<ScanType>", "<Progress>") ==
               "user</ScanType><ScanPath>/home/&lt;a&gt;&amp;\xef\xbf\xbd\xef\xbf\xbd\xc3\xbc</ScanPath>"
               "<ScanPath>/b</ScanPath>");
    BOOST_TEST(reply.body.ends_with("</Data></GetVirusScanLatestTaskStatisticResponse>"));
    const auto error = ask("Action=Nothing", "", "XML");
    BOOST_TEST(error.status == 404);
    BOOST_TEST(error.body.find("<Error><RequestId>") != std::string::npos);
    BOOST_TEST(between(error.body, "<HostId>", "<") == "statistics.example");
    BOOST_TEST(between(error.body, "<Code>", "<") == "InvalidAction.NotFound");
}

BOOST_AUTO_TEST_CASE(an_unknown_action_is_reported_before_an_unknown_version) {
    BOOST_TEST(outcome("Action=DescribeEverything") == "InvalidAction.NotFound");
    Request request;
    request.query = get + "&Version=2019-01-01";
    const auto reply = answer_statistics({config, home, jobs, user}, {Purpose::Statistics, "", ""}, request);
    BOOST_TEST(reply.status == 400);
    BOOST_TEST(between(reply.body, "\"Code\":\"", "\"") == "InvalidVersion");
}

BOOST_AUTO_TEST_CASE(only_the_signed_action_is_carried_out) {
    const auto reply = ask(create + "&ScanType=system", "GetVirusScanLatestTaskStatistic");
    BOOST_TEST(reply.status == 404);
    BOOST_TEST(jobs.started.empty());
    BOOST_TEST(ask(get, "GetVirusScanLatestTaskStatistic").status == 200);
}

BOOST_AUTO_TEST_CASE(a_user_scan_covers_one_of_the_directories) {
    directory.write("mail/x", "");
    BOOST_TEST(outcome(create + "&ScanType=user&ScanPath.1=" + home + "/mail/") == "{}");
    BOOST_TEST((jobs.started == std::vector<ScanType>{ScanType::Mail}));
    BOOST_TEST(!jobs.started_as_system);
    // Of several the one that holds all of them.
    BOOST_TEST(outcome(create + "&ScanType=user&ScanPath.1=" + home + "/mail&ScanPath.2=" + home) == "{}");
    BOOST_TEST((jobs.started.back() == ScanType::Home));
    jobs.started.clear();
    for (const auto& wrong :
         {std::string("&ScanPath.1=/etc"), "&ScanPath.1=" + home + "/mail&ScanPath.2=" + home + "/public_html",
          "&ScanPath.1=" + home + "/public_html", std::string("&ScanPath.1=mail")})
        BOOST_TEST(outcome(create + "&ScanType=user" + wrong) == "InvalidParameter");
    BOOST_TEST(outcome(create + "&ScanType=user") == "MissingScanPath");
    BOOST_TEST(outcome(create) == "MissingScanType");
    BOOST_TEST(outcome(create + "&ScanType=all") == "InvalidParameter");
    BOOST_TEST(jobs.started.empty());
}

BOOST_AUTO_TEST_CASE(a_system_scan_is_the_accounts_home_or_the_whole_host) {
    BOOST_TEST(outcome(create + "&ScanType=system") == "{}");
    BOOST_TEST((jobs.started == std::vector<ScanType>{ScanType::Home}));
    BOOST_TEST(jobs.started_as_system);
    config.jobs.host_users = {"monitor"};
    config.login.uid_floor = 1;
    user = "monitor";
    BOOST_TEST(outcome(create + "&ScanType=system") == "{}");
    BOOST_TEST(!jobs.system_scan_of.empty());
    BOOST_TEST(jobs.started.size() == 1U);
    BOOST_TEST(outcome(create + "&ScanType=user&ScanPath.1=/") == "InvalidParameter");
}

BOOST_AUTO_TEST_CASE(what_jobd_declines_is_an_error_with_its_sentence) {
    jobs.before_answering = [] { throw Refusal(200, "A scan is already queued."); };
    const auto reply = ask(create + "&ScanType=system");
    BOOST_TEST(reply.status == 400);
    BOOST_TEST(between(reply.body, "\"Message\":\"", "\"") == "A scan is already queued.");
    BOOST_TEST(between(reply.body, "\"Code\":\"", "\"") == "OperationDenied");
    jobs.before_answering = [] { throw Refusal(503, "gone"); };
    BOOST_TEST(ask(get).status == 500);
    BOOST_TEST(outcome(get) == "ServerError");
}

BOOST_AUTO_TEST_CASE(tasks_are_listed_by_page_and_filter) {
    scanned(ScanPhase::EndedEarly, 100, 0, RiskLevel::None);
    jobs.tasks = {{"web1", "uuid"}, 41, {jobs.scan_statistics.latest}};
    jobs.tasks.tasks[0].ended_ms = 1681145863000;
    const auto list =
        outcome("Action=ListVirusScanTask&CurrentPage=3&PageSize=20&Status=3&ScanType=user&StartTime=5&EndTime=7");
    BOOST_TEST(
        list.starts_with("{\"PageInfo\":{\"CurrentPage\":3,\"PageSize\":20,\"TotalCount\":41},\"List\":[{\"TaskId\":"
                         "\"0123456789abcdef0123456789abcdef\",\"TaskName\":\"VIRUS_VUL_SCHEDULE_SCAN\",\"ScanType\":"
                         "\"user\",\"ScanPath\":[\"/home/alice\"],\"StartTime\":1681145862000,\"EndTime\":"
                         "1681145863000,\"Status\":3,\"Progress\":100,\"InstanceName\":\"web1\""));
    BOOST_TEST(jobs.asked_tasks.offset == 40U);
    BOOST_TEST(jobs.asked_tasks.limit == 20U);
    BOOST_TEST(jobs.asked_tasks.filter.phases == 8U);
    BOOST_TEST(jobs.asked_tasks.filter.system == 0U);
    BOOST_TEST(jobs.asked_tasks.filter.created_from_ms == 5);
    BOOST_TEST(jobs.asked_tasks.filter.ended_until_ms == 7);
    BOOST_TEST(outcome("Action=ListVirusScanTask&MachineName=another").find("\"TotalCount\":0") != std::string::npos);
    for (const auto* wrong : {"CurrentPage=0", "CurrentPage=x", "PageSize=101", "PageSize=-1", "Status=5",
                              "StatusList.1=x", "ScanType=both", "StartTime=yesterday"})
        BOOST_TEST(outcome(std::string("Action=ListVirusScanTask&") + wrong) == "InvalidParameter", wrong);
}

BOOST_AUTO_TEST_CASE(the_host_is_listed_when_something_was_found_there) {
    BOOST_TEST(outcome("Action=ListVirusScanMachine") ==
               "{\"PageInfo\":{\"CurrentPage\":1,\"PageSize\":20,\"TotalCount\":0},\"Data\":[]}");
    jobs.events = {{"web1", "uuid"}, 7, {}};
    const auto list = outcome("Action=ListVirusScanMachine&Uuid=&Remark=eb");
    BOOST_TEST(list.find("\"Data\":[{\"Uuid\":\"uuid\",\"InstanceName\":\"web1\"") != std::string::npos);
    BOOST_TEST(list.find("\"EventCount\":7}]") != std::string::npos);
    BOOST_TEST(outcome("Action=ListVirusScanMachine&CurrentPage=2").find("\"Data\":[]") != std::string::npos);
    BOOST_TEST(outcome("Action=ListVirusScanMachine&Remark=other").find("\"TotalCount\":0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_was_found_is_listed) {
    jobs.events = {{"web1", "uuid"}, 7, {{5, "/home/alice/\xff", "Eicar", 1681145862000}}};
    const auto list = outcome("Action=ListVirusScanMachineEvent&CurrentPage=2&PageSize=5");
    BOOST_TEST(jobs.asked_events.offset == 5U);
    BOOST_TEST(jobs.asked_events.limit == 5U);
    BOOST_TEST(
        list.starts_with("{\"PageInfo\":{\"CurrentPage\":2,\"PageSize\":5,\"TotalCount\":7},\"Data\":[{\"EventId\":5,"
                         "\"EventName\":\"Eicar\",\"Level\":\"serious\",\"LastTimeStamp\":1681145862000,"));
    BOOST_TEST(
        list.ends_with("\"Details\":[{\"NameDisplay\":\"Path\",\"ValueDisplay\":\"/home/alice/\\udcff\","
                       "\"Type\":\"text\"}]}]}"));
}

BOOST_AUTO_TEST_SUITE_END()
