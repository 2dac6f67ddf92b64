#include "handlers/agent/fleet_actions.h"

#include <boost/test/unit_test.hpp>

#include "auth/authd/messages.h"
#include "handlers/agent/statistics_actions.h"
#include "jobs/fleet/messages.h"
#include "tests/unit/fake_jobs.h"

using namespace clamscanner;

namespace {

// Fakes clamscanner-fleetd: gives the test's answers, and records the questions.
struct FakeFleet : Jobs {
    FleetStatistics statistics;
    FleetTasks tasks;
    FleetMachines machines;
    FleetFindings findings;
    AskFleetTasks asked_tasks;
    AskFleetMachines asked_machines;
    AskFleetFindings asked_findings;
    int started = 0;
    std::string declined;

    FleetStatistics answer_statistics(const AskFleetStatistics&) { return statistics; }
    FleetTasks answer_tasks(const AskFleetTasks& asked) {
        asked_tasks = asked;
        return tasks;
    }
    FleetMachines answer_machines(const AskFleetMachines& asked) {
        asked_machines = asked;
        return machines;
    }
    FleetFindings answer_findings(const AskFleetFindings& asked) {
        asked_findings = asked;
        return findings;
    }
    Accepted start(const StartFleetScan&) {
        ++started;
        return {};
    }
    std::string exchange(std::string_view question, Effect) override {
        static constexpr Handler<FakeFleet, Encoded> table[] = {
            handles<&FakeFleet::answer_statistics>,
            handles<&FakeFleet::answer_tasks>,
            handles<&FakeFleet::answer_machines>,
            handles<&FakeFleet::answer_findings>,
            handles<&FakeFleet::start>,
        };
        if (!declined.empty()) return std::string(encode(Declined{declined}).bytes());
        return std::string(dispatch(table, *this, question).bytes());
    }
};

struct Fixture {
    Settings config;
    std::string home = "/nonexistent";
    FakeJobs jobs;
    FakeFleet fleet;
    std::string user = "centre";
    Fixture() {
        config.fleet.database = "dbname=fleet";
        config.jobs.host_users = {"centre"};
    }
    Reply ask(const std::string& action, const std::string& more = "") {
        Request request;
        request.method = "POST";
        request.path = "/";
        request.query = "Action=" + action + "&Version=2018-12-03" + more;
        Caller caller{config, home, jobs, user};
        caller.fleet = &fleet;
        return answer_statistics(caller, {Purpose::Statistics, "", ""}, request);
    }
    // After its RequestId.
    std::string body(const std::string& action, const std::string& more = "") {
        const auto reply = ask(action, more);
        BOOST_TEST(reply.status == 200);
        return reply.body.substr(reply.body.find(',') + 1);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fleet_actions, Fixture)

BOOST_AUTO_TEST_CASE(a_statistic_counts_machines) {
    BOOST_TEST(body("GetVirusScanLatestTaskStatistic") == "\"Data\":{}}");
    fleet.statistics = {
        true, "0123456789abcdef0123456700000000", 1681145862000, 10, 40, 3, 1, 1, 1, 1007, RiskLevel::High, ""};
    BOOST_TEST(body("GetVirusScanLatestTaskStatistic") ==
               "\"Data\":{\"TaskId\":\"0123456789abcdef0123456700000000\",\"ScanTime\":1681145862000,\"Status\":10,"
               "\"SuspiciousCount\":1007,\"SuspiciousMachine\":1,\"SafeMachine\":1,\"ScanMachine\":3,"
               "\"ScanType\":\"system\",\"Progress\":\"40\",\"CompleteMachine\":1,\"UnCompleteMachine\":2,"
               "\"RiskLevel\":\"high\"}}");
}

BOOST_AUTO_TEST_CASE(a_name_stands_only_where_there_is_one_machine) {
    fleet.statistics.ever = true;
    fleet.statistics.machines = 1;
    fleet.statistics.only_machine = "web1";
    BOOST_TEST(body("GetVirusScanLatestTaskStatistic").find("\"MachineName\":\"web1\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_fleet_or_for_others_all_is_as_it_was) {
    fleet.statistics.ever = true;
    fleet.statistics.machines = 3;
    user = "alice";
    BOOST_TEST(body("GetVirusScanLatestTaskStatistic") == "\"Data\":{}}");
    user = "centre";
    config.fleet.database = "";
    BOOST_TEST(body("GetVirusScanLatestTaskStatistic") == "\"Data\":{}}");
}

BOOST_AUTO_TEST_CASE(a_scan_of_all_machines_is_ordered) {
    BOOST_TEST(ask("CreateVirusScanOnceTask", "&ScanType=system").status == 200);
    BOOST_TEST(fleet.started == 1);
    BOOST_TEST(ask("CreateVirusScanOnceTask").body.find("MissingScanType") != std::string::npos);
    BOOST_TEST(ask("CreateVirusScanOnceTask", "&ScanType=user&ScanPath.1=/home").status == 400);
    BOOST_TEST(fleet.started == 1);
    fleet.declined = "Another one runs.";
    BOOST_TEST(ask("CreateVirusScanOnceTask", "&ScanType=system").body.find("Another one runs.") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(tasks_are_listed_and_those_of_one_by_its_machines) {
    fleet.tasks = {1, {{"id", 1000, 2000, ScanPhase::EndedEarly, 100, {"web1", "uuid", "192.0.2.1", "10.0.0.1", 0}}}};
    BOOST_TEST(body("ListVirusScanTask", "&CurrentPage=3&PageSize=5&RootTaskId=root&Status=3&MachineName=web1") ==
               "\"PageInfo\":{\"CurrentPage\":3,\"PageSize\":5,\"TotalCount\":1},\"List\":[{\"TaskId\":\"id\","
               "\"TaskName\":\"VIRUS_VUL_SCHEDULE_SCAN\",\"ScanType\":\"system\",\"StartTime\":1000,\"EndTime\":2000,"
               "\"Status\":3,\"Progress\":100,\"InstanceName\":\"web1\",\"InternetIp\":\"192.0.2.1\","
               "\"IntranetIp\":\"10.0.0.1\",\"Uuid\":\"uuid\"}]}");
    BOOST_TEST(fleet.asked_tasks.root == "root");
    BOOST_TEST(fleet.asked_tasks.filter.task_id == "");
    BOOST_TEST(fleet.asked_tasks.offset == 10U);
    BOOST_TEST(fleet.asked_tasks.limit == 5U);
    BOOST_TEST(fleet.asked_tasks.machines.name == "web1");
    BOOST_TEST(int{fleet.asked_tasks.filter.phases} == 1 << 3);
}

BOOST_AUTO_TEST_CASE(machines_and_their_finds_are_listed) {
    const FleetMachine machine{"web1", "uuid", "192.0.2.1", "", 7};
    fleet.machines = {1, {machine}};
    BOOST_TEST(body("ListVirusScanMachine", "&Remark=web") ==
               "\"PageInfo\":{\"CurrentPage\":1,\"PageSize\":20,\"TotalCount\":1},\"Data\":[{\"Uuid\":\"uuid\","
               "\"InstanceName\":\"web1\",\"InternetIp\":\"192.0.2.1\",\"IntranetIp\":\"\",\"InstanceId\":\"uuid\","
               "\"EventCount\":7}]}");
    BOOST_TEST(fleet.asked_machines.machines.remark == "web");
    fleet.findings = {9, {{5, "/home/\xff", "Eicar", 1000, machine}}};
    BOOST_TEST(
        body("ListVirusScanMachineEvent", "&Uuid=uuid&CurrentPage=2&PageSize=1") ==
        "\"PageInfo\":{\"CurrentPage\":2,\"PageSize\":1,\"TotalCount\":9},\"Data\":[{\"EventId\":5,"
        "\"EventName\":\"Eicar\",\"Level\":\"serious\",\"LastTimeStamp\":1000,\"InstanceName\":\"web1\","
        "\"InternetIp\":\"192.0.2.1\",\"IntranetIp\":\"\",\"Uuid\":\"uuid\",\"Details\":[{\"NameDisplay\":\"Path\","
        "\"ValueDisplay\":\"/home/\\udcff\",\"Type\":\"text\"}]}]}");
    BOOST_TEST(fleet.asked_findings.machines.uuid == "uuid");
    BOOST_TEST(fleet.asked_findings.offset == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
