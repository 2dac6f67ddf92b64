#include "jobs/fleet/machine_answer.h"

#include <boost/test/unit_test.hpp>

#include "auth/base/wire.h"

using namespace clamscanner;

namespace {

const std::string task = "0000018a2b3c4d5e8000000000000007";

std::string with(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    BOOST_REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

const std::string ended =
    R"({"RequestId":"X","Data":{"TaskId":"0000018a2b3c4d5e8000000000000007","ScanTime":1681145862000,"Status":100,)"
    R"("SuspiciousCount":2,"SuspiciousMachine":1,"SafeMachine":0,"ScanMachine":1,"ScanType":"system",)"
    R"("Progress":"100","MachineName":"web1","CompleteMachine":1,"UnCompleteMachine":0,"RiskLevel":"high"}})";

const std::string listed = R"({"RequestId":"X","PageInfo":{"CurrentPage":1,"PageSize":1,"TotalCount":9},"List":[{)"
                           R"("TaskId":"0000018a2b3c4d5e8000000000000007","InternetIp":"192.0.2.7","IntranetIp":"",)"
                           R"("Uuid":"01234567-89ab-4cde-8f01-23456789abcd"}]})";

const std::string finds =
    R"({"RequestId":"X","PageInfo":{"CurrentPage":1,"PageSize":20,"TotalCount":1},"Data":[{"EventId":7,)"
    R"("EventName":"Eicar-Test","Level":"serious","LastTimeStamp":1681145862000,"Details":[{"NameDisplay":"Path",)"
    R"("ValueDisplay":"/home/a/\udcffx","Type":"text"}]}]})";

void refuse_statistic(const std::string& from, const std::string& to) {
    BOOST_TEST_INFO(from + " -> " + to);
    BOOST_CHECK_THROW((void)read_machine_statistic(with(ended, from, to)), Malformed);
}

void refuse_finds(const std::string& from, const std::string& to) {
    BOOST_TEST_INFO(from + " -> " + to);
    BOOST_CHECK_THROW((void)read_machine_findings(with(finds, from, to), 20), Malformed);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_statistic_is_read) {
    const auto read = read_machine_statistic(ended);
    BOOST_TEST(read.ever);
    BOOST_TEST(read.task == task);
    BOOST_TEST(read.begun_ms == 1681145862000);
    BOOST_TEST(read.status == 100);
    BOOST_TEST(read.percent == 100);
    BOOST_TEST(read.infected == 2U);
    BOOST_TEST(static_cast<int>(read.risk) == static_cast<int>(RiskLevel::High));
    BOOST_TEST(read.completed);
    BOOST_TEST(!read.safe);
    BOOST_TEST(!read_machine_statistic(R"({"RequestId":"X","Data":{}})").ever);
}

BOOST_AUTO_TEST_CASE(a_statistic_of_other_types_or_beyond_its_limits_is_refused) {
    for (const char* text : {"", "[]", "{}", "{\"Data\":[]}", "{\"Data\":{\"TaskId\":7}}", "null", "{"})
        BOOST_CHECK_THROW((void)read_machine_statistic(text), Malformed);
    refuse_statistic("\"Status\":100", "\"Status\":\"100\"");
    refuse_statistic("\"Status\":100", "\"Status\":11");
    refuse_statistic("\"Status\":100", "\"Status\":100.0");
    refuse_statistic("\"SuspiciousCount\":2", "\"SuspiciousCount\":-2");
    refuse_statistic("\"SuspiciousCount\":2", "\"SuspiciousCount\":2147483648");
    refuse_statistic("\"ScanTime\":1681145862000", "\"ScanTime\":253402300800000");
    refuse_statistic("\"Progress\":\"100\"", "\"Progress\":100");
    refuse_statistic("\"Progress\":\"100\"", "\"Progress\":\"101\"");
    refuse_statistic("\"Progress\":\"100\"", "\"Progress\":\"-1\"");
    refuse_statistic("\"Progress\":\"100\"", "\"Progress\":\"\"");
    refuse_statistic("\"RiskLevel\":\"high\"", "\"RiskLevel\":\"higher\"");
    refuse_statistic("8000000000000007", "800000000000000G");
    refuse_statistic("8000000000000007", "800000000000007");
    BOOST_CHECK_THROW((void)read_machine_statistic(ended + std::string(longest_machine_answer, ' ')), Malformed);
    BOOST_CHECK_THROW(
        (void)read_machine_statistic("{\"Data\":" + std::string(30'000, '[') + std::string(30'000, ']') + "}"),
        Malformed);
}

BOOST_AUTO_TEST_CASE(a_statistic_that_contradicts_itself_is_refused) {
    refuse_statistic("\"ScanMachine\":1", "\"ScanMachine\":0");
    refuse_statistic("\"UnCompleteMachine\":0", "\"UnCompleteMachine\":1");
    refuse_statistic("\"SafeMachine\":0", "\"SafeMachine\":1");
    refuse_statistic("\"SuspiciousMachine\":1", "\"SuspiciousMachine\":0");
    refuse_statistic(",\"RiskLevel\":\"high\"", "");
    refuse_statistic("\"Status\":100", "\"Status\":10");
    refuse_statistic("\"Progress\":\"100\"", "\"Progress\":\"99\"");
}

// Two readers may take two different ones.
BOOST_AUTO_TEST_CASE(a_name_that_is_there_twice_is_refused) {
    refuse_statistic("\"SafeMachine\":0", "\"SafeMachine\":0,\"SafeMachine\":0");
    refuse_statistic("\"Status\":100", "\"Status\":100,\"Status\":10");
    refuse_statistic("\"Data\":", "\"Data\":{},\"Data\":");
    refuse_statistic("\"Status\":100", "\"Status\\u0000\":100");
    refuse_finds("\"EventId\":7", "\"EventId\":7,\"EventId\":8");
    refuse_finds("\"PageInfo\":", "\"PageInfo\":{\"TotalCount\":1},\"PageInfo\":");
}

BOOST_AUTO_TEST_CASE(a_scan_of_a_whole_machine_is_known_by_its_id) {
    BOOST_TEST(is_of_whole_machine(task));
    BOOST_TEST(is_of_whole_machine("0000018a2b3c4d5ef000000000000007"));
    BOOST_TEST(!is_of_whole_machine("0000018a2b3c4d5e0000000000000007"));
    BOOST_TEST(!is_of_whole_machine("0000018a2b3c4d5e7fffffffffffffff"));
    BOOST_TEST(!is_of_whole_machine(""));
}

BOOST_AUTO_TEST_CASE(an_identity_is_read_from_the_list_of_the_scan_alone) {
    const auto read = read_machine_identity(listed, task);
    BOOST_TEST(read.installation == "01234567-89ab-4cde-8f01-23456789abcd");
    BOOST_TEST(read.internet == "192.0.2.7");
    BOOST_TEST(read.intranet == "");
    const std::string other = "0000018a2b3c4d5e8000000000000008";
    BOOST_CHECK_THROW((void)read_machine_identity(listed, other), Malformed);
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"192.0.2.7", "192.0.2.700"},
                                   {"192.0.2.7", "host.example"},
                                   {"23456789abcd", "23456789ABCD"},
                                   {"-4cde", "4-cde"},
                                   {"[{", "[{},{"}})
        BOOST_CHECK_THROW((void)read_machine_identity(with(listed, from, to), task), Malformed);
    BOOST_CHECK_THROW((void)read_machine_identity(R"({"List":[]})", task), Malformed);
}

BOOST_AUTO_TEST_CASE(finds_are_read_with_the_bytes_of_their_paths) {
    const auto read = read_machine_findings(finds, 20);
    BOOST_TEST(read.total == 1U);
    BOOST_REQUIRE(read.findings.size() == 1U);
    BOOST_TEST(read.findings[0].event == 7U);
    BOOST_TEST(read.findings[0].virus == "Eicar-Test");
    BOOST_TEST(read.findings[0].path == "/home/a/\xffx");
    BOOST_TEST(read.findings[0].found_ms == 1681145862000);
    BOOST_CHECK_THROW((void)read_machine_findings(finds, 0), Malformed);
}

BOOST_AUTO_TEST_CASE(finds_with_what_no_database_or_terminal_takes_are_refused) {
    refuse_finds("Eicar-Test", "");
    refuse_finds("Eicar-Test", "a\\u0000b");
    refuse_finds("Eicar-Test", "a\\u001b[2Jb");
    refuse_finds("Eicar-Test", "a\\udcffb");
    refuse_finds("Eicar-Test", "a\\u007fb");
    refuse_finds("Eicar-Test", "a\\u009b2Jb");
    refuse_finds("Eicar-Test", "a\xff");
    refuse_finds("Eicar-Test", std::string(longest_virus_name + 1, 'a'));
    refuse_finds("/home/a/", "home/a/");
    refuse_finds("\\udcffx", "\\u0000x");
    refuse_finds("\\udcffx", "\\ud800x");
    refuse_finds("\\udcffx", std::string(longest_path + 1, 'a'));
    refuse_finds("\"EventId\":7", "\"EventId\":9223372036854775808");
    refuse_finds("\"EventId\":7", "\"EventId\":\"7\"");
    refuse_finds("\"Path\"", "\"Other\"");
    refuse_finds("\"TotalCount\":1", "\"TotalCount\":-1");
}

// Numbers take eight times their text in memory, and a text of separators takes none.
BOOST_AUTO_TEST_CASE(more_values_than_any_page_has_are_refused_before_they_are_read) {
    std::string numbers;
    for (int number = 0; number < 256 * 21; ++number) numbers += "1,";
    refuse_finds("\"Level\"", "\"More\":[" + numbers + "1],\"Level\"");
    const auto commas = with(finds, "/home/a/", "/home/a/\\\"" + std::string(256 * 21, ','));
    BOOST_TEST(read_machine_findings(commas, 20).findings.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_code_of_a_refusal_is_letters_and_dots) {
    BOOST_TEST(read_refusal_code(R"({"Code":"InvalidTimeStamp.Expired"})") == "InvalidTimeStamp.Expired");
    for (const char* text : {"", "<html>", "[]", "{}", R"({"Code":7})", R"({"Code":"a b"})", R"({"Code":"\u001b[2J"})"})
        BOOST_TEST(read_refusal_code(text) == "");
}
