#include "jobs/administrator/health.h"

#include <boost/test/unit_test.hpp>

#include "jobs/administrator/report.h"

using namespace clamscanner;

namespace {

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_worst_problem_gives_the_verdict_and_all_are_shown_with_what_to_do) {
    Health health;
    BOOST_TEST(health_text(health, {}).starts_with("OK: all is well\n"));
    health.problems = {{Severeness::Critical, "one does not run", "start it"},
                       {Severeness::Warning, "old", "renew it"}};
    const auto text = health_text(health, {});
    BOOST_TEST(text.starts_with("CRITICAL: one does not run (and 1 more)\n"));
    for (const char* part : {"start it", "WARNING: old", "renew it"}) BOOST_TEST(holds(text, part), part);
    BOOST_TEST(static_cast<int>(health.worst()) == 2);
    BOOST_TEST(
        holds(health_json(health), R"("state":"CRITICAL","problems":[{"state":"CRITICAL","what":"one does not run")"));
}

BOOST_AUTO_TEST_CASE(metrics_are_grouped_by_family_and_end) {
    Health health;
    health.figures = {{"clamscanner_jobs_total{kind=\"scan\",result=\"completed\"}", 3},
                      {"clamscanner_jobs_running", 1},
                      {"clamscanner_jobs_total{kind=\"scan\",result=\"cancelled\"}", 2}};
    const auto text = metrics(health);
    BOOST_TEST(holds(text,
                     "# TYPE clamscanner_jobs counter\n# HELP clamscanner_jobs Jobs that have ended.\n"
                     "clamscanner_jobs_total{kind=\"scan\",result=\"cancelled\"} 2\n"
                     "clamscanner_jobs_total{kind=\"scan\",result=\"completed\"} 3\n"
                     "# TYPE clamscanner_jobs_running gauge\n"));
    BOOST_TEST(text.ends_with("# EOF\n"));
}

BOOST_AUTO_TEST_CASE(a_scan_of_all_accounts_has_an_exit_status) {
    SystemScanProgress scan;
    BOOST_TEST(status_of(scan) == 0);
    scan.left_out = 1;
    BOOST_TEST(status_of(scan) == 2);
    scan.infected_files = 1;
    BOOST_TEST(status_of(scan) == 1);
}

BOOST_AUTO_TEST_CASE(a_path_that_others_chose_makes_no_line_of_its_own) {
    const FindOfAccount find{1, "bob", "/home/bob/a\nb\xff", "X", {68, 1'000, 3'000, 2'000}};
    BOOST_TEST(find_text(find) == "X\tbob\t/home/bob/a\\x0ab\\xff\n");
    BOOST_TEST(find_json(find) == R"({"account":"bob","changed":"1","file":"/home/bob/a\u000ab\udcff",)"
                                  R"("first_found":"2","size":"68","time":"3","virus_type":"X"})"
                                  "\n");
}
