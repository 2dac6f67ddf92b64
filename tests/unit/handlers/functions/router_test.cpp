#include "handlers/functions/router.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "auth/base/sha256.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"

#include "tests/unit/fake_jobs.h"

using namespace clamscanner;
using namespace std::string_literals;

namespace {

// jobd, played by each test; records what it was asked.
struct Fixture {
    Settings config;
    std::string home = make_home();
    FakeJobs jobs;

    // The host's own signatures have no part in it.
    Fixture() { config.paths.signature_directory = home; }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { std::filesystem::remove_all(home); }

    static std::string make_home() {
        std::string name = "/tmp/clamscanner-router-XXXXXX";
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        return name;
    }

    Reply ask(const std::string& method, const std::string& target, const std::string& body = "",
              const std::string& type = "application/json") {
        Request request;
        const auto question = target.find('?');
        request.method = method;
        request.path = target.substr(0, question);
        if (question != std::string::npos) request.query = target.substr(question + 1);
        request.content_type = body.empty() ? "" : type;
        request.body = body;
        return answer_request({config, home, jobs}, request);
    }
    // The data of a successful answer, or the error of another.
    std::string outcome(const std::string& method, const std::string& function, const std::string& body = "") {
        const auto reply = ask(method, "/execute/ClamScanner/" + function, body);
        BOOST_TEST(reply.status == 200);
        const auto between = [&](const std::string& begin, const std::string& end) {
            const auto at = reply.body.find(begin) + begin.size();
            return reply.body.substr(at, reply.body.rfind(end) - at);
        };
        if (reply.body.find("\"status\":1,\"warnings\"") == std::string::npos)
            return between("\"errors\":[\"", "\"],\"messages\"");
        return between("{\"data\":", ",\"errors\":null");
    }
};

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(router, Fixture)

BOOST_AUTO_TEST_CASE(an_unknown_function_is_404_in_the_form_that_was_asked_for) {
    const auto documented = ask("GET", "/ClamScanner/no_such");
    BOOST_TEST(documented.status == 404);
    BOOST_TEST(holds(documented.body, R"("func":"no_such","module":"ClamScanner","result":{"data":null,"errors":[)"));
    const auto live = ask("GET", "/cpsess1/execute/Other/start_scan");
    BOOST_TEST(live.status == 404);
    BOOST_TEST(live.body.starts_with(R"({"data":null,"errors":[)"));
}

BOOST_AUTO_TEST_CASE(an_unknown_module_is_404_and_the_known_ones_are_named) {
    for (const char* path :
         {"/execute/Email/list_pops", "/cpsess1/execute/Email/list_pops", "/execute/Email", "/Email/x"}) {
        const auto reply = ask("POST", path);
        BOOST_TEST(reply.status == 404, path);
        BOOST_TEST(holds(reply.body, R"(There is no module \"Email\" here. Accepted: ClamScanner)"), reply.body);
    }
    for (const char* path : {"/execute", "/execute/", "/cpsess1/execute", "/cpsess1/execute/", "/execute//"})
        BOOST_TEST(ask("GET", path).body.starts_with(R"({"data":null,"errors":["There is no module \"\" here.)"), path);
    BOOST_TEST(holds(ask("GET", "/execute/ClamScanner/x").body, R"(There is no function \"x\" in the module)"));
}

BOOST_AUTO_TEST_CASE(a_method_that_is_not_accepted_is_405_with_those_that_are) {
    const auto reply = ask("GET", "/ClamScanner/disinfect_files");
    BOOST_TEST(reply.status == 405);
    BOOST_TEST(reply.allow == "POST");
    BOOST_TEST(holds(reply.body, "\"status\":0"));
    BOOST_TEST(ask("HEAD", "/ClamScanner/start_scan").allow == "GET, POST");
    BOOST_TEST(ask("DELETE", "/ClamScanner/get_scan_status").allow == "GET, HEAD, POST");
}

BOOST_AUTO_TEST_CASE(a_fault_is_500_with_a_reference_and_nothing_from_inside) {
    jobs.before_answering = [] { throw std::runtime_error("/var/lib/clamscanner/jobs.db is broken"); };
    const auto reply = ask("GET", "/ClamScanner/get_scan_status");
    BOOST_TEST(reply.status == 500);
    BOOST_TEST(holds(reply.body, "(reference "));
    BOOST_TEST(!holds(reply.body, "jobs.db"));
}

BOOST_AUTO_TEST_CASE(a_refusal_of_jobd_is_the_functions_own_refusal) {
    jobs.before_answering = [] { throw Refusal(200, "A scan is running."); };
    BOOST_TEST(outcome("GET", "start_scan?scan_type=home") == "A scan is running.");
    BOOST_TEST(outcome("POST", "disinfect_files", R"({"actions":{"/a":"delete"}})") == "A scan is running.");
}

BOOST_AUTO_TEST_CASE(a_body_of_an_unknown_type_is_415) {
    BOOST_TEST(ask("POST", "/ClamScanner/get_scan_status", "x", "text/plain").status == 415);
}

BOOST_AUTO_TEST_CASE(a_status_has_exactly_the_fields_of_the_contract) {
    jobs.status.ever_started = true;
    jobs.status.complete = false;
    jobs.status.time_started = 1608593571;
    jobs.status.scanned_files = 135;
    jobs.status.scanned_bytes = 6022;
    jobs.status.total_files = 200;
    jobs.status.total_bytes = 3 * 1024 * 1024 + 1;
    jobs.status.current_file = "/home/u/\xff";
    jobs.infected.files = {{"/home/u/b", "Eicar"}, {"/home/u/a\"\n", "Eicar"}};
    BOOST_TEST(outcome("GET", "get_scan_status") ==
               R"({"current_file":"/home/u/\udcff","infected_files":["/home/u/b","/home/u/a\"\n"],"scan_complete":0,)"
               R"("scanned_file_count":135,"scanned_file_size":6022,"time_started":"1608593571",)"
               R"("total_file_count":200,"total_file_size_MiB":4})");
}

BOOST_AUTO_TEST_CASE(before_the_first_scan_everything_is_empty_and_a_message_says_so) {
    const auto reply = ask("POST", "/execute/ClamScanner/get_scan_status");
    BOOST_TEST(reply.body ==
               R"({"data":{"current_file":"","infected_files":[],"scan_complete":1,"scanned_file_count":0,)"
               R"("scanned_file_size":0,"time_started":"","total_file_count":0,"total_file_size_MiB":0},)"
               R"("errors":null,"messages":["No scan has been started."],"metadata":{},"status":1,"warnings":null})");
}

BOOST_AUTO_TEST_CASE(warnings_of_jobd_reach_the_client) {
    jobs.status.ever_started = true;
    jobs.status.warnings = {"2 files could not be read"};
    BOOST_TEST(holds(ask("GET", "/ClamScanner/get_scan_status").body, R"("warnings":["2 files could not be read"])"));
}

BOOST_AUTO_TEST_CASE(each_warning_is_a_message_too) {
    jobs.status.ever_started = true;
    jobs.status.warnings = {"The scan ended early", "2 files could not be read"};
    jobs.status.messages = {"36 scanned"};
    for (const char* path : {"/ClamScanner/get_scan_status", "/execute/ClamScanner/get_scan_status"}) {
        const auto body = ask("GET", path).body;
        BOOST_TEST(
            holds(body, R"("messages":["The scan ended early","2 files could not be read","36 scanned"],"metadata")"));
        BOOST_TEST(holds(body, R"("warnings":["The scan ended early","2 files could not be read"])"));
    }
}

BOOST_AUTO_TEST_CASE(a_status_says_how_old_the_signatures_are) {
    jobs.status.ever_started = true;
    jobs.status.messages = {"36 scanned"};
    std::string header = "ClamAV-VDB:14 Nov 2023 17-13 -0500:27093:42:90:0123:abcd:neo:1700000000";
    header.resize(512, ' ');
    std::ofstream(home + "/daily.cld") << header << "the database";
    BOOST_TEST(holds(ask("GET", "/ClamScanner/get_scan_status").body,
                     R"("messages":["36 scanned","The newest signatures on this server were made on 2023-11-14 )"
                     R"((daily.cld, version 27093)."])"));
}

BOOST_AUTO_TEST_CASE(sizes_are_rounded_up_to_mebibytes) {
    const auto size_of = [&](std::uint64_t bytes) {
        jobs.status.total_bytes = bytes;
        const auto data = outcome("GET", "get_scan_status");
        const std::string key = "\"total_file_size_MiB\":";
        return data.substr(data.find(key) + key.size());
    };
    BOOST_TEST(size_of(1) == "1}");
    BOOST_TEST(size_of(1024 * 1024) == "1}");
    BOOST_TEST(size_of(UINT64_MAX) == "17592186044416}");
}

BOOST_AUTO_TEST_CASE(a_scan_needs_a_scan_type) {
    for (const char* call : {"start_scan", "start_scan?scan_type=", "start_scan?scan_type=HOME",
                             "start_scan?scan_type=home%00", "start_scan?scan_type=..%2f"}) {
        const auto error = outcome("GET", call);
        BOOST_TEST(holds(error, R"(\"scan_type\")"), call);
        BOOST_TEST(holds(error, "Accepted: home, mail, public_html, public_ftp."), call);
    }
    BOOST_TEST(holds(outcome("POST", "start_scan", R"({"scan_type":1})"), "is not a text"));
    BOOST_TEST(jobs.started.empty());
}

BOOST_AUTO_TEST_CASE(a_scan_of_a_directory_that_is_there_is_started) {
    std::filesystem::create_directory(home + "/mail");
    BOOST_TEST(outcome("GET", "start_scan?scan_type=home") == "null");
    BOOST_TEST(outcome("POST", "start_scan", R"({"scan_type":"mail"})") == "null");
    BOOST_TEST((jobs.started == std::vector{ScanType::Home, ScanType::Mail}));
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_scanned_is_named_with_the_reason) {
    BOOST_TEST(holds(outcome("GET", "start_scan?scan_type=mail"),
                     home + "/mail, which is what \\\"mail\\\" scans, does not exist."));
    std::filesystem::create_symlink("/etc", home + "/public_ftp");
    BOOST_TEST(holds(outcome("GET", "start_scan?scan_type=public_ftp"), "symbolic link"));
    std::filesystem::create_symlink(home + "/public_ftp", home + "/link");
    config.scan[1].directory = "link/ssl";
    BOOST_TEST(holds(outcome("GET", "start_scan?scan_type=mail"), "symbolic link"));
    BOOST_REQUIRE(::mkfifo((home + "/public_html").c_str(), 0600) == 0);
    BOOST_TEST(holds(outcome("GET", "start_scan?scan_type=public_html"), "is not a directory"));
    BOOST_TEST(jobs.started.empty());
}

BOOST_AUTO_TEST_CASE(a_scan_type_that_is_switched_off_is_refused_and_not_listed) {
    config.scan[0].allowed = false;
    BOOST_TEST(holds(outcome("GET", "start_scan?scan_type=home"), "switched off"));
    BOOST_TEST(outcome("GET", "get_scan_paths") == "[]");
    BOOST_TEST(jobs.started.empty());
}

BOOST_AUTO_TEST_CASE(only_directories_that_are_there_are_listed) {
    std::filesystem::create_directories(home + "/sites/www");
    std::filesystem::create_symlink("sites", home + "/mail");
    config.scan[2].directory = "sites/www";
    BOOST_TEST(outcome("GET", "get_scan_paths") == R"([{"id":"home","message":"Scan the entire home directory"},)"
                                                   R"({"id":"public_html","message":"Scan the public web space"}])");
}

BOOST_AUTO_TEST_CASE(the_list_of_directories_is_filtered_sorted_and_paged) {
    for (const char* name : {"/mail", "/public_html", "/public_ftp"}) std::filesystem::create_directory(home + name);
    BOOST_TEST(outcome("GET",
                       "get_scan_paths?api.filter_column=id&api.filter_type=begins&api.filter_term=public"
                       "&api.sort_column=id&api.sort_reverse=1&api.columns=id") ==
               R"([{"id":"public_html"},{"id":"public_ftp"}])");
    BOOST_TEST(outcome("GET",
                       "get_scan_paths?api.sort_column=id&api.paginate_start=2&api.paginate_size=1"
                       "&api.columns_0=id") == R"([{"id":"mail"}])");
    BOOST_TEST(holds(outcome("GET", "get_scan_paths?api.sort_column=file"), "api.sort_column"));
}

BOOST_AUTO_TEST_CASE(infected_files_are_listed_with_their_virus) {
    jobs.infected.files = {{"/home/u/a", "Eicar-Test-Signature", {68, 1'999, 3'000, 2'000}}, {"/home/u/\x80", "X"}};
    // Of the other one nothing else is known.
    BOOST_TEST(outcome("GET", "list_infected_files") ==
               R"([{"changed":"1","file":"/home/u/a","first_found":"2","size":"68","time":"3",)"
               R"("virus_type":"Eicar-Test-Signature"},)"
               R"({"changed":"","file":"/home/u/\udc80","first_found":"","size":"","time":"","virus_type":"X"}])");
}

BOOST_AUTO_TEST_CASE(infected_files_are_sorted_and_filtered_by_size_and_time) {
    jobs.infected.files = {{"/a", "X", {9, 1'000, 30'000, 5'000}},
                           {"/b", "X"},
                           {"/c", "X", {10'000'000'000, 1'000, 20'000, 100'000}},
                           {"/d", "X", {100, 1'000, 10'000, 20'000}}};
    const auto files = [&](const std::string& shaping) {
        return outcome("GET", "list_infected_files?api.columns=file&" + shaping);
    };
    BOOST_TEST(files("api.sort_column=size&api.sort_method=numeric") ==
               R"([{"file":"/b"},{"file":"/a"},{"file":"/d"},{"file":"/c"}])");
    BOOST_TEST(files("api.sort_column=first_found&api.sort_method=numeric&api.sort_reverse=1&api.paginate_start=2"
                     "&api.paginate_size=2") == R"([{"file":"/d"},{"file":"/a"}])");
    BOOST_TEST(files("api.filter_column=size&api.filter_type=gt&api.filter_term=99") ==
               R"([{"file":"/c"},{"file":"/d"}])");
    BOOST_TEST(files("api.filter_column=time&api.filter_type=eq&api.filter_term=20") == R"([{"file":"/c"}])");
    BOOST_TEST(files("api.filter_column=size&api.filter_type=eq&api.filter_term=") == R"([{"file":"/b"}])");
}

BOOST_AUTO_TEST_CASE(a_list_too_long_for_an_answer_is_cut_and_says_so) {
    // Bytes that take six times their number in JSON, so that jobd's own limit does not help.
    const std::size_t count = 1200;
    jobs.infected.files.assign(count, {std::string(5000, '\xff'), "X"});
    const auto reply = ask("GET", "/ClamScanner/list_infected_files");
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(reply.body.size() <= answer_budget + 4096);
    BOOST_TEST(reply.body.size() > answer_budget - 60000);
    BOOST_TEST(holds(reply.body, "of 1200 entries are in it."));
}

// Else an agent could be made to hold gigabytes.
BOOST_AUTO_TEST_CASE(a_list_without_end_is_cut_and_says_so) {
    jobs.infected = {{{"/home/u/a", "X"}}, 1, 7};
    jobs.unscanned = {{{"/home/u/a", UnscannedReason::Vanished}}, 1, 7, {}};
    jobs.quarantined.files.resize(1);
    jobs.quarantined.next = 7;
    for (const std::string function : {"list_infected_files", "list_unscanned_files", "list_quarantined_files"}) {
        const auto reply = ask("GET", "/ClamScanner/" + function + "?api.paginate_size=100");
        BOOST_TEST(holds(reply.body, "than can be listed at a time."), reply.body);
        BOOST_TEST(holds(reply.body, "\"total_results\":256"), reply.body);
    }
}

BOOST_AUTO_TEST_CASE(the_quarantine_says_until_when_a_file_is_kept) {
    jobs.quarantined.files = {{"0123", "/home/u/a", "X", "", 1, 1'700'000'000'999, false}};
    const auto kept = [&](std::uint64_t days, bool clean) {
        config.quarantine_days = days;
        jobs.quarantined.files[0].clean = clean;
        return outcome("GET", "list_quarantined_files?api.columns=kept_until");
    };
    BOOST_TEST(kept(30, false) == R"([{"kept_until":"1702592000"}])");
    BOOST_TEST(kept(30, true) == R"([{"kept_until":"0"}])");
    BOOST_TEST(kept(0, false) == R"([{"kept_until":"0"}])");
}

BOOST_AUTO_TEST_CASE(the_history_says_who_asked_for_what_and_what_came_of_it) {
    HistoryEntry scan{9,
                      AskedFor::Scan,
                      ScanType::Mail,
                      {AskedBy::Token, "ci", "192.0.2.1"},
                      1000,
                      5000,
                      TaskPhase::EndedEarly,
                      "it was tired",
                      12,
                      3,
                      2,
                      1,
                      {}};
    HistoryEntry disinfection{8,
                              AskedFor::Disinfection,
                              ScanType::Home,
                              {AskedBy::Administrator},
                              900,
                              0,
                              TaskPhase::Running,
                              "",
                              0,
                              0,
                              0,
                              0,
                              {{RecordState::Deleted, 2}, {RecordState::Error, 1}}};
    jobs.history = {{scan}, 9};
    jobs.more_history = {{disinfection}, 0};
    const auto reply = ask("GET", "/ClamScanner/list_history");
    BOOST_TEST(
        holds(reply.body,
              R"([{"action":"scan of mail","by":"token ci","ended":"5","from":"192.0.2.1",)"
              R"("message":"12 files, 3 infected, 2 ignored, 1 not scanned; it was tired","result":"ended early",)"
              R"("time":"1"},{"action":"disinfection","by":"administrator","ended":"","from":"",)"
              R"("message":"2 deleted, 1 error","result":"running","time":"0"}])"),
        reply.body);
    jobs.more_history.next = 8;
    jobs.more_history.entries.assign(most_history_entries, disinfection);
    BOOST_TEST(holds(ask("GET", "/ClamScanner/list_history?api.paginate_size=100").body, "only the latest entries"));
}

BOOST_AUTO_TEST_CASE(the_history_tells_changes_by_the_names_of_the_functions_that_make_them) {
    const auto change = [](AskedFor what, std::uint64_t files, const char* text, AskedBy by = AskedBy::Owner) {
        HistoryEntry entry;
        entry.what = what;
        entry.asker.by = by;
        entry.asked_ms = entry.ended_ms = 7000;
        entry.phase = TaskPhase::Completed;
        entry.files = files;
        entry.why = text;
        return entry;
    };
    const auto row_of = [&](const HistoryEntry& entry) {
        jobs.history = {{entry}, 0};
        return outcome("GET", "list_history?api.columns_0=action&api.columns_1=by&api.columns_2=message");
    };
    BOOST_TEST(row_of(change(AskedFor::IgnoreFiles, 1, "/a (X); for ever")) ==
               R"([{"action":"ignore_files","by":"owner","message":"1 file: /a (X); for ever"}])");
    BOOST_TEST(row_of(change(AskedFor::IgnoreFiles, 3, "/a (X); for ever")) ==
               R"([{"action":"ignore_files","by":"owner","message":"3 files, the first: /a (X); for ever"}])");
    BOOST_TEST(row_of(change(AskedFor::IgnoreFiles, 0, "in all accounts", AskedBy::Administrator)) ==
               R"([{"action":"ignore_files","by":"administrator","message":"in all accounts"}])");
    BOOST_TEST(row_of(change(AskedFor::UnignoreFiles, 1, "that of /a", AskedBy::Time)) ==
               R"([{"action":"unignore_files","by":"time","message":"1 content: that of /a"}])");
    BOOST_TEST(row_of(change(AskedFor::UnignoreFiles, 2, "that of /a")) ==
               R"([{"action":"unignore_files","by":"owner","message":"2 contents, the first: that of /a"}])");
    BOOST_TEST(row_of(change(AskedFor::SetSchedule, 0, "never; before: daily")) ==
               R"([{"action":"set_schedule","by":"owner","message":"never; before: daily"}])");
    BOOST_TEST(row_of(change(AskedFor::SetNotifications, 0, "off")) ==
               R"([{"action":"set_notifications","by":"owner","message":"off"}])");
    BOOST_TEST(row_of(change(AskedFor::ConfirmNotifications, 0, "mails go to a@b.cd")) ==
               R"([{"action":"confirm_notifications","by":"owner","message":"mails go to a@b.cd"}])");
    const auto all = outcome("GET", "list_history");
    BOOST_TEST(holds(all, R"("ended":"7")"));
    BOOST_TEST(holds(all, R"("result":"completed","time":"7")"));
}

// The page asks for the scans so.
BOOST_AUTO_TEST_CASE(only_scans_have_names_that_begin_as_theirs_do) {
    jobs.history = {};
    for (int what = 0; what <= static_cast<int>(last_asked_for); ++what) {
        HistoryEntry entry;
        entry.what = static_cast<AskedFor>(what);
        jobs.history.entries.push_back(entry);
    }
    BOOST_TEST(outcome("GET",
                       "list_history?api.filter_column=action&api.filter_type=begins&api.filter_term=scan&"
                       "api.columns=action") == R"([{"action":"scan of home"}])");
}

BOOST_AUTO_TEST_CASE(what_waits_for_its_turn_says_how_many_come_before_it) {
    for (const auto& [function, what] :
         {std::pair("get_scan_status", "The scan"), std::pair("check_disinfection_status", "The disinfection")}) {
        const auto told = [&, function = function](bool waits, std::uint64_t before) {
            jobs.status.place = jobs.disinfection_status.place = {waits, before};
            return ask("GET", "/execute/ClamScanner/"s + function).body;
        };
        const auto sentence = std::string(what) + " waits for its turn: at the moment ";
        BOOST_TEST(holds(told(true, 0), sentence + "it is the next."));
        BOOST_TEST(holds(told(true, 1), sentence + "1 job comes before it."));
        BOOST_TEST(holds(told(true, 12), sentence + "12 jobs come before it."));
        BOOST_TEST(holds(told(true, 12), R"("metadata":{"jobs_before":12})"));
        BOOST_TEST(!holds(told(false, 12), "turn"));
        BOOST_TEST(holds(told(false, 12), R"("metadata":{})"));
    }
}

BOOST_AUTO_TEST_CASE(actions_are_handed_on_as_asked) {
    const auto data = outcome("POST", "disinfect_files",
                              R"({"actions":{"home/virus1":"delete","/home/\udcff":"quarantine","/x":"ignore"}})");
    BOOST_TEST(data == R"({"log":"/home/u/.clamavconnector.disinfection.log","task_id":"00000001/0123456789abcd"})");
    BOOST_REQUIRE(jobs.actions.size() == 3U);
    BOOST_TEST(jobs.actions[0].path == "home/virus1");
    BOOST_TEST((jobs.actions[0].action == Action::Delete));
    BOOST_TEST(jobs.actions[1].path == "/home/\xff");
    BOOST_TEST((jobs.actions[1].action == Action::Quarantine));
    BOOST_TEST((jobs.actions[2].action == Action::Ignore));
}

BOOST_AUTO_TEST_CASE(many_actions_go_to_jobd_in_pieces) {
    constexpr std::size_t count = 2 * most_actions_in_piece + 1;
    std::string actions;
    for (std::size_t i = 0; i < count; ++i) actions += (i == 0 ? "\"/" : ",\"/") + std::to_string(i) + R"(":"delete")";
    const auto data = outcome("POST", "disinfect_files", R"({"actions":{)" + actions + "}}");
    BOOST_TEST(holds(data, "task_id"), data);
    BOOST_REQUIRE(jobs.disinfected.size() == 3U);
    BOOST_TEST(jobs.actions.size() == count);
    BOOST_TEST(jobs.actions.back().path == "/" + std::to_string(count - 1));
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(jobs.disinfected[i].task == (i == 0 ? 0U : 9U));
        BOOST_TEST(jobs.disinfected[i].more == (i < 2));
    }
}

BOOST_AUTO_TEST_CASE(actions_may_come_in_a_form) {
    const auto reply = ask("POST", "/ClamScanner/disinfect_files", "actions=%7B%22/a%22%3A%22delete%22%7D",
                           "application/x-www-form-urlencoded");
    BOOST_TEST(holds(reply.body, "\"status\":1"));
    BOOST_REQUIRE(jobs.actions.size() == 1U);
    BOOST_TEST(jobs.actions[0].path == "/a");
}

BOOST_AUTO_TEST_CASE(actions_may_be_the_whole_body) {
    const auto data =
        outcome("POST", "disinfect_files",
                R"({"home/virus1":"delete","/home/\udcff":"quarantine","/x":"ignore","/m":"cleanse_mailbox"})");
    BOOST_TEST(data.starts_with("{\"log\""));
    BOOST_REQUIRE(jobs.actions.size() == 4U);
    BOOST_TEST(jobs.actions[0].path == "home/virus1");
    BOOST_TEST((jobs.actions[0].action == Action::Delete));
    BOOST_TEST(jobs.actions[1].path == "/home/\xff");
    BOOST_TEST((jobs.actions[2].action == Action::Ignore));
    BOOST_TEST((jobs.actions[3].action == Action::CleanseMailbox));
}

BOOST_AUTO_TEST_CASE(the_whole_body_may_hold_as_many_actions_and_as_long_paths_as_actions_may) {
    std::string body = "{\"/" + std::string(5000, 'x') + "\":\"delete\"";
    for (std::size_t i = 0; i < 2 * most_arguments; ++i) body += ",\"/" + std::to_string(i) + "\":\"ignore\"";
    BOOST_TEST(outcome("POST", "disinfect_files", body + "}").starts_with("{\"log\""));
    BOOST_TEST(jobs.actions.size() == 2 * most_arguments + 1);
    for (std::size_t i = 2 * most_arguments; i <= most_actions; ++i)
        body += ",\"/" + std::to_string(i) + "\":\"ignore\"";
    BOOST_TEST(holds(outcome("POST", "disinfect_files", body + "}"), "more than 500000 members"));
}

BOOST_AUTO_TEST_CASE(a_body_is_not_taken_for_actions_unless_each_value_is_one) {
    for (const char* body :
         {R"({"/a":"destroy"})", R"({"/a":"delete","/b":"Delete"})", R"({"/a":"delete","dry_run":1})",
          R"({"/a":"delete","dry_run":"1"})", R"({"/a":"delete","/b":{}})", R"({"/a":"delete","/b":null})",
          R"({"/a":["delete"]})", R"({"dry_run":"delete"})", R"({"action":{"/a":"delete"}})"}) {
        BOOST_TEST(holds(outcome("POST", "disinfect_files", body), "is missing"), body);
        BOOST_TEST(jobs.actions.empty(), body);
    }
    for (const char* body :
         {R"({"actions":"delete"})", R"({"/a":"delete","actions":"delete"})", R"({"/a":"delete"}x)",
          R"({"/a":"delete")", R"({"/a":"delete","/a":"delete"})", R"({"/a":"delete","/a":"ignore"})",
          R"({"":"delete"})", R"(["/a"])", R"("delete")", "{\"/\xff\":\"delete\"}"}) {
        BOOST_TEST(ask("POST", "/ClamScanner/disinfect_files", body).body.find("\"status\":0") != std::string::npos,
                   body);
        BOOST_TEST(jobs.actions.empty(), body);
    }
    // Elsewhere such a body is arguments that are not known.
    BOOST_TEST(holds(outcome("POST", "restore_quarantined_files", R"({"/a":"delete"})"), R"(\"ids\" is missing)"));
}

BOOST_AUTO_TEST_CASE(a_dry_run_of_a_whole_body_is_asked_for_in_the_query) {
    BOOST_TEST(outcome("POST", "disinfect_files?dry_run=1", R"({"/a":"delete"})") ==
               R"([{"file":"/a","message":"","state":"error"}])");
    BOOST_TEST(jobs.actions.size() == 1U);
    BOOST_TEST(holds(outcome("POST", "disinfect_files?actions=%7B%7D", R"({"/a":"delete"})"), "more than once"));
}

BOOST_AUTO_TEST_CASE(actions_may_come_in_pieces) {
    const auto send = [&](const std::string& query, const std::string& body) {
        return ask("POST", "/ClamScanner/disinfect_files?" + query, body, "application/x-www-form-urlencoded").body;
    };
    BOOST_TEST(holds(send("", "actions%5B%2Fa%5B1%5D%5D=delete&actions[b]=cleanse_mailbox"), "\"status\":1"));
    BOOST_REQUIRE(jobs.actions.size() == 2U);
    BOOST_TEST(jobs.actions[0].path == "/a[1]");
    BOOST_TEST((jobs.actions[1].action == Action::CleanseMailbox));
    BOOST_TEST(holds(send("actions[/q]=ignore", ""), "\"status\":1"));
    BOOST_TEST(jobs.actions[0].path == "/q");
    jobs.actions.clear();
    for (const char* body : {"actions[/a]=destroy", "actions[/a]=delete&actions[/a]=delete", "actions[]=delete",
                             "actions[/a]=delete&actions[/b", "actions[/a]=", "actions[/a]=delete&actions=%7B%7D"})
        BOOST_TEST(holds(send("", body), "\"status\":0"), body);
    BOOST_TEST(jobs.actions.empty());
}

BOOST_AUTO_TEST_CASE(ids_may_come_in_pieces) {
    const std::string one(32, 'a');
    const std::string two(32, 'b');
    for (const auto& body : {"ids[]=" + one + "&ids[]=" + two, "ids%5B0%5D=" + one + "&ids%5B1%5D=" + two}) {
        static_cast<void>(
            ask("POST", "/ClamScanner/restore_quarantined_files", body, "application/x-www-form-urlencoded"));
        BOOST_TEST((jobs.changed_ids == std::vector{one, two}), body);
        jobs.changed_ids.clear();
    }
}

BOOST_AUTO_TEST_CASE(each_file_to_ignore_has_a_result) {
    const auto answer =
        outcome("POST", "ignore_files", R"({"files":["/h/fine","/h/no-find","/h/changed","/h/fine"],"reason":"ours"})");
    BOOST_TEST(holds(answer, R"({"file":"/h/fine","message":"its content is ignored)"));
    BOOST_TEST(holds(answer, R"({"file":"/h/no-find","message":"the last scan found nothing there)"));
    BOOST_TEST(holds(answer, R"({"file":"/h/changed","message":"its content is not known)"));
    BOOST_REQUIRE(jobs.ignoring.size() == 1U);
    BOOST_TEST(jobs.ignoring[0].paths.size() == 3U);
    BOOST_TEST(jobs.ignoring[0].ignoring.reason == "ours");
    BOOST_TEST(jobs.ignoring[0].ignoring.expires_ms == 0);
    BOOST_TEST(jobs.ignoring[0].voucher.seal.empty());
    BOOST_TEST(!holds(outcome("POST", "ignore_files", R"({"files":["/h/fine"],"expires_at":4102444800})"), "error"));
    BOOST_TEST(jobs.ignoring[1].ignoring.expires_ms == 4'102'444'800'000);
}

BOOST_AUTO_TEST_CASE(many_files_to_ignore_go_to_jobd_in_pieces) {
    std::string files;
    for (int i = 0; i < 250; ++i) files += (i == 0 ? "\"/f" : ",\"/f") + std::to_string(i) + "\"";
    BOOST_TEST(!holds(outcome("POST", "ignore_files", "{\"files\":[" + files + "]}"), "error"));
    BOOST_REQUIRE(jobs.ignoring.size() == 5U);
    BOOST_TEST(jobs.ignoring[4].paths.front() == "/f200");
    BOOST_TEST(jobs.ignoring[4].paths.size() == 50U);
    for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(jobs.ignoring[i].continues == (i > 0));
}

// The account's history goes by it: a piece continues one of the same request that did something.
BOOST_AUTO_TEST_CASE(a_piece_continues_no_other_request) {
    std::string files;
    for (int i = 0; i < 100; ++i) files += (i == 0 ? "\"/no-find" : ",\"/no-find") + std::to_string(i) + "\"";
    static_cast<void>(outcome("POST", "ignore_files", R"({"files":["/f"]})"));
    static_cast<void>(outcome("POST", "ignore_files", "{\"files\":[" + files + "]}"));
    BOOST_REQUIRE(jobs.ignoring.size() == 3U);
    for (const auto& piece : jobs.ignoring) BOOST_TEST(!piece.continues);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_ignored_says_what_is_accepted) {
    const std::string wrong[] = {R"({})",
                                 R"({"files":[]})",
                                 R"({"files":["h/fine"]})",
                                 R"({"files":["/h/\u0000"]})",
                                 R"({"files":{"/h":"x"}})",
                                 R"({"files":["/h"],"expires_at":1})",
                                 R"({"files":["/h"],"expires_at":"soon"})",
                                 R"({"files":["/h"],"reason":")" + std::string(501, 'x') + "\"}"};
    for (const auto& body : wrong) BOOST_TEST(holds(outcome("POST", "ignore_files", body), "Accepted: "), body);
    for (const auto* body : {R"({})", R"({"ids":[]})", R"({"ids":["x"]})", R"({"ids":["0"]})"})
        BOOST_TEST(holds(outcome("POST", "unignore_files", body), "Accepted: "), body);
    BOOST_TEST(jobs.ignoring.empty());
    BOOST_TEST(jobs.unignored.empty());
}

BOOST_AUTO_TEST_CASE(each_entry_that_is_ignored_no_longer_has_a_result) {
    const auto answer = outcome("POST", "unignore_files", R"({"ids":["3","4","5","3"]})");
    BOOST_TEST(holds(answer, R"({"id":"3","message":"what it ignored is found again; of the last scan )"
                             R"(it is in the list within moments","state":"ended"})"));
    BOOST_TEST(holds(answer, R"({"id":"4","message":"there is no such id)"));
    BOOST_TEST(holds(answer, R"({"id":"5","message":"the administrator ignores it for all accounts)"));
    BOOST_TEST((jobs.unignored == std::vector<std::uint64_t>{3, 4, 5}));
}

BOOST_AUTO_TEST_CASE(where_the_mails_go_is_told_and_set) {
    jobs.notifications = {true, "a@example.com", "b@example.com", 3};
    BOOST_TEST(outcome("GET", "get_notifications") ==
               R"({"address":"a@example.com","enabled":1,"mails_per_day":3,"unconfirmed_address":"b@example.com"})");
    const auto reply = ask("GET", "/execute/ClamScanner/get_notifications");
    BOOST_TEST(holds(reply.body, "A mail with a code was sent to b@example.com."));
    static_cast<void>(outcome("POST", "set_notifications", R"({"address":"b@example.com"})"));
    static_cast<void>(outcome("POST", "set_notifications", R"({"address":"","enabled":0})"));
    BOOST_TEST(jobs.notifications_set.size() == 2U);
    BOOST_TEST((jobs.notifications_set.at(0).sets_address && !jobs.notifications_set.at(0).sets_enabled));
    BOOST_TEST(jobs.notifications_set.at(0).address == "b@example.com");
    BOOST_TEST((jobs.notifications_set.at(1).sets_enabled && !jobs.notifications_set.at(1).enabled));
    static_cast<void>(outcome("POST", "confirm_notifications", R"({"code":"0123456789abcdef0123"})"));
    BOOST_TEST(jobs.code == "0123456789abcdef0123");
}

BOOST_AUTO_TEST_CASE(an_address_that_is_none_says_what_is_accepted) {
    const std::string long_label(64, 'a');
    const std::vector<std::string> wrong = {"a",
                                            "a@b",
                                            "bob@localhost",
                                            "a b@example.com",
                                            "a@example.com\\nBcc: x@y.example",
                                            "@example.com",
                                            "a@-b.com",
                                            "a@b..com",
                                            ".a@b.com",
                                            "a@b.com>",
                                            "a@b.com, c@d.com",
                                            R"(\"a\"@b.com)",
                                            "\u00e4@b.com",
                                            "a@" + long_label + ".com"};
    for (const auto& address : wrong)
        BOOST_TEST(holds(outcome("POST", "set_notifications", R"({"address":")" + address + "\"}"), "Accepted: "),
                   address);
    BOOST_TEST(holds(outcome("POST", "set_notifications", "{}"), "is missing, and so is address"));
    BOOST_TEST(holds(outcome("POST", "set_notifications", R"({"enabled":"maybe"})"), "Accepted: "));
    BOOST_TEST(holds(outcome("POST", "confirm_notifications", R"({"code":""})"), "Accepted: "));
    BOOST_TEST(jobs.notifications_set.empty());
}

BOOST_AUTO_TEST_CASE(ignored_files_are_listed_with_reason_who_and_when) {
    jobs.ignored.files.push_back({7,
                                  "/h/fine",
                                  "Wrong",
                                  std::string(64, 'a'),
                                  true,
                                  false,
                                  5000,
                                  {"ours", 9000, {AskedBy::Token, "panel", "192.0.2.1"}}});
    BOOST_TEST(outcome("GET", "list_ignored_files") ==
               R"([{"by":"token panel","expires":"9","file":"/h/fine","found":"1","from":"192.0.2.1","id":"7",)"
               R"("reason":"ours","sha256":")" +
                   std::string(64, 'a') + R"(","time":"5","virus_type":"Wrong"}])");
}

BOOST_AUTO_TEST_CASE(one_wrong_action_refuses_them_all) {
    const std::string good = R"("/good":"delete",)";
    const std::pair<std::string, std::string> wrong[] = {
        {R"("/a":"destroy")", R"(unknown action \"destroy\" for \"/a\")"},
        {R"("/a":"Delete")", "unknown action"},
        {R"("/a":"")", "unknown action"},
        {R"("/a":"restore")", "unknown action"},
        {R"("/a":"discard")", "unknown action"},
        {R"("/a":1)", R"(is not a text, for \"/a\")"},
        {R"("/a":null)", "is not a text"},
        {R"("":"delete")", "empty path"},
        {R"("/a\u0000b":"delete")", "NUL"},
        {R"("/good":"delete")", R"(the key \"/good\" twice)"},
        {R"("/good":"ignore")", R"(the key \"/good\" twice)"},
        {"\"/" + std::string(longest_path, 'x') + R"(":"delete")", "more than"},
    };
    for (const auto& [member, reason] : wrong) {
        const auto error = outcome("POST", "disinfect_files", R"({"actions":{)" + good + member + "}}");
        BOOST_TEST(holds(error, reason), error.substr(0, 300));
        BOOST_TEST(holds(error, R"(\"actions\")"));
        BOOST_TEST(holds(error, "Accepted: an object"));
    }
    BOOST_TEST(jobs.actions.empty());
}

BOOST_AUTO_TEST_CASE(missing_or_empty_actions_are_refused) {
    BOOST_TEST(holds(outcome("POST", "disinfect_files"), "is missing"));
    BOOST_TEST(holds(outcome("POST", "disinfect_files", "{}"), "is missing"));
    BOOST_TEST(holds(outcome("POST", "disinfect_files", R"({"actions":{}})"), "is empty"));
    BOOST_TEST(holds(outcome("POST", "disinfect_files", R"({"actions":["/a"]})"), "is not a JSON object"));
    BOOST_TEST(holds(outcome("POST", "disinfect_files", R"({"actions":)"), "The body is not well-formed JSON"));
    BOOST_TEST(jobs.actions.empty());
}

BOOST_AUTO_TEST_CASE(more_actions_than_may_be_asked_are_refused) {
    std::string body = R"({"actions":{)";
    for (std::size_t i = 0; i <= most_actions; ++i)
        body += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"ignore")";
    BOOST_TEST(holds(outcome("POST", "disinfect_files", body + "}}"), "more than 500000 members"));
    BOOST_TEST(jobs.actions.empty());
}

BOOST_AUTO_TEST_CASE(a_disinfection_is_reported_record_by_record) {
    jobs.disinfection_status.state = DisinfectionState::Done;
    jobs.disinfection_status.log = "/home/u/.clamavconnector.disinfection.log";
    jobs.disinfection_status.records = {{1, RecordType::Step, RecordState::Deleted, "/home/u/a", ""},
                                        {2, RecordType::Done, RecordState::Success, "", ""}};
    BOOST_TEST(outcome("GET", "check_disinfection_status?last_id=1") ==
               R"({"details":[{"file":"/home/u/a","id":1,"message":"","state":"deleted","type":"step"},)"
               R"({"id":2,"message":"","state":"success","status":"done","type":"done"}],)"
               R"("log":"/home/u/.clamavconnector.disinfection.log","status":"done"})");
    BOOST_TEST((jobs.last_ids == std::vector<std::uint64_t>{1}));
}

BOOST_AUTO_TEST_CASE(every_state_of_a_disinfection_has_its_name) {
    const std::pair<DisinfectionState, const char*> words[] = {{DisinfectionState::None, "none"},
                                                               {DisinfectionState::Queued, "queued"},
                                                               {DisinfectionState::Running, "running"},
                                                               {DisinfectionState::Done, "done"}};
    for (const auto& [state, word] : words) {
        jobs.disinfection_status.state = state;
        BOOST_TEST(outcome("GET", "check_disinfection_status") ==
                   R"({"details":[],"log":"","status":")" + std::string(word) + "\"}");
    }
}

BOOST_AUTO_TEST_CASE(a_disinfection_is_reported_as_done_only_with_its_last_record) {
    jobs.disinfection_status.state = DisinfectionState::Done;
    jobs.disinfection_status.records.assign(600,
                                            {1, RecordType::Step, RecordState::Error, std::string(10000, '\xff'), ""});
    const auto reply = ask("GET", "/ClamScanner/check_disinfection_status");
    BOOST_TEST(reply.body.size() <= answer_budget + 4096);
    BOOST_TEST(holds(reply.body, R"(,"status":"running"})"));
}

BOOST_AUTO_TEST_CASE(last_id_is_a_whole_number_in_range) {
    for (const char* good : {"1", "10", "9007199254740991"}) {
        static_cast<void>(outcome("GET", "check_disinfection_status?last_id="s + good));
        static_cast<void>(outcome("POST", "check_disinfection_status", R"({"last_id":)"s + good + "}"));
    }
    BOOST_TEST(jobs.last_ids.size() == 6U);
    BOOST_TEST(jobs.last_ids.back() == 9007199254740991U);
    jobs.last_ids.clear();
    for (const char* bad : {"", "0", "-1", "+1", "1.0", "1e2", "01", "x", "1x", "%201", "1%20", "1%00",
                            "9007199254740992", "18446744073709551617", "99999999999999999999999"}) {
        const auto error = outcome("GET", "check_disinfection_status?last_id="s + bad);
        BOOST_TEST(holds(error, R"(\"last_id\")"), bad);
        BOOST_TEST(holds(error, "Accepted: a whole number from 1 to 9007199254740991."), bad);
    }
    for (const char* bad : {"1.0", "1e2", "0", "-1", "true", "null", "[1]", "{}", "\"\""})
        BOOST_TEST(holds(outcome("POST", "check_disinfection_status", R"({"last_id":)"s + bad + "}"), "last_id"), bad);
    BOOST_TEST(jobs.last_ids.empty());
}

BOOST_AUTO_TEST_CASE(arguments_a_function_does_not_know_are_ignored) {
    BOOST_TEST(outcome("GET", "check_disinfection_status?api.version=1&x=y").starts_with("{\"details\""));
}

BOOST_AUTO_TEST_CASE(a_call_that_did_not_come_over_http_is_answered_or_refused) {
    Arguments arguments;
    arguments.add("scan_type", {ArgumentForm::Text, "home"});
    const Address address{EnvelopeForm::Documented, "ClamScanner", "start_scan"};
    BOOST_TEST(answer_call({config, home, jobs}, address, arguments).data == "");
    BOOST_CHECK_THROW(static_cast<void>(answer_call({config, home, jobs}, {EnvelopeForm::Documented, "X", "y"}, {})),
                      Refusal);
}

BOOST_AUTO_TEST_CASE(a_schedule_is_told_whole) {
    jobs.schedule = {true, {true, ScanType::Mail, ScheduleDay::Tuesday, 3}, 1767666600, "2026-01-06 03:30:00 CET"};
    BOOST_TEST(outcome("GET", "get_schedule") ==
               R"({"allowed":1,"day":"tuesday","frequency":"weekly","hour":3,"next_time":1767666600,)"
               R"("next_time_local":"2026-01-06 03:30:00 CET","scan_type":"mail"})");
    jobs.schedule = {};
    BOOST_TEST(
        outcome("GET", "get_schedule") ==
        R"({"allowed":0,"day":"","frequency":"never","hour":0,"next_time":0,"next_time_local":"","scan_type":""})");
    BOOST_TEST(holds(ask("GET", "/ClamScanner/get_schedule").body, "switched off on this server"));
}

BOOST_AUTO_TEST_CASE(a_schedule_is_set_as_it_was_asked_for) {
    BOOST_TEST(ask("GET", "/ClamScanner/set_schedule?frequency=never").allow == "POST");
    static_cast<void>(
        outcome("POST", "set_schedule", R"({"frequency":"weekly","day":"friday","hour":23,"scan_type":"home"})"));
    BOOST_TEST((jobs.schedule.schedule == Schedule{true, ScanType::Home, ScheduleDay::Friday, 23}));
    static_cast<void>(outcome("POST", "set_schedule?frequency=daily&hour=0&scan_type=home"));
    BOOST_TEST((jobs.schedule.schedule == Schedule{true, ScanType::Home, ScheduleDay::Every, 0}));
    static_cast<void>(outcome("POST", "set_schedule?frequency=never"));
    BOOST_TEST((jobs.schedule.schedule == Schedule{}));
}

BOOST_AUTO_TEST_CASE(a_schedule_that_makes_no_sense_is_refused_with_what_is_accepted) {
    const std::pair<const char*, const char*> refusals[] = {
        {"", "frequency"},
        {"frequency=hourly", "never, daily, weekly"},
        {"frequency=daily&hour=3", "scan_type"},
        {"frequency=daily&hour=3&scan_type=x", "home, mail, public_html, public_ftp"},
        {"frequency=daily&scan_type=home", "hour"},
        {"frequency=daily&scan_type=home&hour=24", "0 to 23"},
        {"frequency=daily&scan_type=home&hour=-1", "0 to 23"},
        {"frequency=daily&scan_type=home&hour=x", "0 to 23"},
        {"frequency=daily&scan_type=home&hour=3&day=monday", "day"},
        {"frequency=weekly&scan_type=home&hour=3", "day"},
        {"frequency=weekly&scan_type=home&hour=3&day=someday", "monday, tuesday"},
        {"frequency=daily&scan_type=mail&hour=3", "does not exist"},
    };
    for (const auto& [arguments, part] : refusals) {
        const auto why = outcome("POST", std::string("set_schedule?") + arguments);
        BOOST_TEST(holds(why, part), arguments << ": " << why);
    }
    BOOST_TEST(!jobs.schedule.schedule.on);
}

// ---- A look inside
// ---------------------------------------------------------------------------------------------------

namespace {

struct Viewed : Fixture {
    // What view_infected_file says of a file of this content, which jobd has in its list.
    std::string view(const std::string& content) {
        std::ofstream(home + "/find") << content;
        return view_path(home + "/find");
    }
    std::string view_path(const std::string& path) {
        jobs.steps = {{1, RecordType::Step, RecordState::NoAction, path, ""}};
        return outcome("POST", "view_infected_file", json_object([&](JsonWriter& json) { json.member("path", path); }));
    }
    [[nodiscard]] std::string seen(const std::string& content, const std::string& encoding, std::size_t size,
                                   bool is_cut = false) const {
        return R"({"content":)" + content + R"(,"cut":)" + (is_cut ? "1" : "0") + R"(,"encoding":")" + encoding +
               R"(","file":")" + home + R"(/find","size":)" + std::to_string(size) + "}";
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_text_is_shown_as_text_and_anything_else_as_hex, Viewed) {
    BOOST_TEST(view("<?php eval(\"\xc3\xa9\");\n") == seen(R"("<?php eval(\"é\");\n")", "text", 18));
    BOOST_TEST(view("") == seen(R"("")", "text", 0));
    BOOST_TEST(view("a\0b"s) == seen(R"("610062")", "hex", 3));
    BOOST_TEST(view("\xff\x01z") == seen(R"("ff017a")", "hex", 3));
    BOOST_TEST(view("half \xe2\x82") == seen(R"("68616c6620e282")", "hex", 7));
}

BOOST_FIXTURE_TEST_CASE(of_a_long_file_the_first_64_kib_are_shown, Viewed) {
    const std::string kept(65536, 'a');
    BOOST_TEST((view(kept) == seen('"' + kept + '"', "text", 65536)));
    BOOST_TEST((view(kept + "b") == seen('"' + kept + '"', "text", 65537, true)));
    // The cut goes through a character.
    const std::string before(65534, 'a');
    BOOST_TEST((view(before + "\xe2\x82\xac") == seen('"' + before + '"', "text", 65537, true)));
    std::string digits;
    for (int i = 0; i < 65536; ++i) digits += "ff";
    BOOST_TEST((view(std::string(70000, '\xff')) == seen('"' + digits + '"', "hex", 70000, true)));
}

BOOST_FIXTURE_TEST_CASE(another_content_than_what_was_found_is_told, Viewed) {
    const auto whole = [this](const std::string& content) {
        std::ofstream(home + "/find") << content;
        jobs.steps = {{1, RecordType::Step, RecordState::NoAction, home + "/find", ""}};
        return ask("GET", "/ClamScanner/view_infected_file?path=x").body;
    };
    jobs.found_sha256 = sha256_hex("malware");
    BOOST_TEST(!holds(whole("malware"), "has changed since"));
    BOOST_TEST(holds(whole("harmless"), "The file has changed since it was found"));
    BOOST_TEST(holds(whole("malware and more"), "The file has changed since it was found"));
    const std::string long_one(200'000, 'a');
    jobs.found_sha256 = sha256_hex(long_one);
    BOOST_TEST(!holds(whole(long_one), "has changed since"));
    BOOST_TEST(holds(whole(long_one + "b"), "has changed since"));
    std::filesystem::resize_file(home + "/find", 65ULL << 20);
    BOOST_TEST(holds(ask("GET", "/ClamScanner/view_infected_file?path=x").body, "too large"));
}

BOOST_FIXTURE_TEST_CASE(only_what_is_in_the_list_is_opened, Viewed) {
    std::ofstream(home + "/clean") << "a password";
    for (const auto& path : {home + "/clean", "/etc/passwd"s}) {
        const auto error =
            outcome("POST", "view_infected_file", json_object([&](JsonWriter& json) { json.member("path", path); }));
        BOOST_TEST(holds(error, R"(The argument \"path\" is)"), error);
        BOOST_TEST(holds(error, "which is not in the list of infected files"), error);
        BOOST_TEST(holds(error, "Accepted: the path of a file that list_infected_files gives."), error);
    }
    BOOST_TEST(jobs.actions.size() == 1U);
    BOOST_TEST((jobs.actions.at(0).action == Action::Ignore));
    BOOST_TEST(holds(view_path("/etc/passwd"), "is not below the home directory."));
}

BOOST_FIXTURE_TEST_CASE(a_path_must_be_given_and_be_one, Viewed) {
    for (const char* target : {"view_infected_file", "view_infected_file?path=", "view_infected_file?path=%2Fa%00"})
        BOOST_TEST(holds(outcome("GET", target), R"(\"path\")"), target);
    BOOST_TEST(holds(outcome("POST", "view_infected_file", R"({"path":["/a"]})"), R"(\"path\")"));
    BOOST_TEST(holds(outcome("POST", "view_infected_file", R"({"path":")" + std::string(longest_path + 1, 'a') + "\"}"),
                     "has more than"));
}

BOOST_FIXTURE_TEST_CASE(what_is_no_file_any_more_is_refused_and_nothing_waits_for_it, Viewed) {
    std::ofstream(home + "/outside") << "secret";
    std::filesystem::create_directory(home + "/directory");
    std::filesystem::create_symlink(home + "/outside", home + "/link");
    std::filesystem::create_directory_symlink(home, home + "/around");
    BOOST_REQUIRE(::mkfifo((home + "/fifo").c_str(), 0600) == 0);
    const std::pair<std::string, std::string> wanted[] = {{"/gone", "is not there any more."},
                                                          {"/outside/below", "is not there any more."},
                                                          {"/link", "is a symbolic link"},
                                                          {"/around/outside", "is a symbolic link"},
                                                          {"/fifo", "is not a regular file."},
                                                          {"/directory", "is not a regular file."},
                                                          {"/../etc/passwd", "is a symbolic link or lies behind one"}};
    for (const auto& [path, problem] : wanted) {
        const auto error = view_path(home + path);
        BOOST_TEST(holds(error, problem), path << ": " << error);
        BOOST_TEST(!holds(error, "secret"));
    }
}

BOOST_AUTO_TEST_SUITE_END()
