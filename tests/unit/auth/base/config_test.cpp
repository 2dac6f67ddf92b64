#include "jobs/shared/settings.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <sstream>

#include "auth/base/config_rules.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

std::string refusal_of(const std::string& text) {
    try {
        (void)parse_settings(text, "test.toml");
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

std::string sample() {
    std::ifstream file(SAMPLE_CONFIG);
    return {std::istreambuf_iterator<char>(file), {}};
}

// "section.key" and the value of each line of a simple configuration.
std::map<std::string, std::string> lines_of(const std::string& text) {
    std::map<std::string, std::string> lines;
    std::istringstream input(text);
    std::string section;
    for (std::string line; std::getline(input, line);) {
        if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1);
        const auto equals = line.find(" = ");
        if (!line.starts_with('#') && equals != std::string::npos)
            lines[section + "." + line.substr(0, equals)] = line.substr(equals + 3);
    }
    return lines;
}

// A valid value that is not this one.
std::string another(const std::string& name, const std::string& value) {
    if (name == "audit.directory" || name == "notifications.hook" || name == "fleet.ca_file") return "\"/another\"";
    if (name == "notifications.sender" || name == "notifications.administrator") return "\"another@example.com\"";
    if (name == "notifications.page_url") return "\"https://another.example/\"";
    if (name == "schedules.last_hour") return "22";
    if (name == "quarantine.automatic") return "\"certain\"";
    if (value == "false" || value == "true") return value == "true" ? "false" : "true";
    if (value.starts_with("[")) return "[\"another\"]";
    if (value.starts_with("\"/")) return "\"/another\"";
    if (value.starts_with("\"")) return "\"another\"";
    return std::to_string(std::stoull(value) + 1);
}

std::string everything_of(const Settings& c) {
    std::ostringstream all;
    const auto& [run, state, programs, signatures, embedded] = c.paths;
    all << run << '\n' << state << '\n' << programs << '\n' << signatures << '\n' << embedded << '\n';
    const auto& r = c.responder;
    for (const auto& user : r.users) all << user << ' ';
    all << r.allow_shared_web_user << r.socket << ' ' << r.socket_group << ' ' << r.threads << ' ' << r.max_body_bytes
        << ' ' << r.max_disinfect_body_bytes << ' ' << r.read_seconds << ' ' << r.reply_seconds << ' ' << r.realm << ' '
        << r.page_directory << ' ' << r.frame_ancestors << '\n';
    const auto& l = c.login;
    all << l.pam_service;
    for (const auto number :
         {l.uid_floor, l.pam_processes, l.pam_seconds, l.failure_milliseconds, l.cache_seconds, l.remote_cache_seconds,
          l.account_failures, l.address_failures, l.window_seconds, l.penalty_seconds, l.max_waiting})
        all << ' ' << number;
    const auto& [max_agents, idle_seconds, request_seconds, max_requests] = c.agents;
    all << '\n' << max_agents << ' ' << idle_seconds << ' ' << request_seconds << ' ' << max_requests << '\n';
    const auto& j = c.jobs;
    all << j.user;
    for (const auto number : {j.max_running, j.turn_minutes, j.stall_seconds, j.abandon_seconds, j.retry_seconds,
                              j.max_job_hours, j.max_connections_per_account})
        all << ' ' << number;
    for (const auto& user : j.host_users) all << ' ' << user;
    const auto& [access_keys, nonces, max_nonces] = c.statistics;
    all << '\n' << access_keys << ' ' << nonces << ' ' << max_nonces;
    const auto& [tokens_enabled, most_tokens, token_days, suspend] = c.tokens;
    all << '\n' << tokens_enabled << ' ' << most_tokens << ' ' << token_days << ' ' << suspend;
    all << '\n' << c.audit_directory;
    const auto& f = c.fleet;
    all << '\n' << f.database << ' ' << f.user << ' ' << f.keys_directory << ' ' << f.ca_file;
    for (const auto number : {f.look_seconds, f.task_look_seconds, f.deadline_minutes}) all << ' ' << number;
    const auto& e = c.engine;
    all << '\n'
        << e.user << ' ' << e.memory_directory << ' ' << e.rescan_days << ' ' << e.known_contents << ' '
        << c.quarantine_days << ' ' << c.history_days << ' ' << c.brake.files_percent << ' ' << c.brake.accounts_percent
        << ' ' << c.schedules.allowed << ' ' << c.schedules.first_hour << ' ' << c.schedules.last_hour << ' '
        << static_cast<int>(c.automatic_quarantine);
    for (const auto number :
         {e.scan_workers, e.idle_minutes, e.max_scan_bytes, e.max_file_bytes, e.max_recursion, e.max_files,
          e.max_scan_seconds, e.pcre_match_limit, e.pcre_recursion_limit, e.max_worker_memory_bytes,
          e.max_temporary_bytes, e.known_contents_accounts, e.known_contents_limit})
        all << ' ' << number;
    const auto& n = c.notifications;
    all << '\n'
        << n.user << ' ' << n.owners << ' ' << n.max_mails_a_day << ' ' << n.page_url << ' ' << n.sender << ' '
        << n.smtp_port << ' ' << n.administrator << ' ' << n.digest_hour << ' ' << n.hook << ' ' << n.hook_seconds;
    for (const auto& scan : c.scan) all << '\n' << scan.allowed << scan.directory;
    return all.str();
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_empty_configuration_is_the_default) {
    const auto config = parse_settings("", "test.toml");
    BOOST_TEST(config.login.uid_floor == 1000U);
    BOOST_TEST(config.login_socket() == "/run/clamscanner/authd/login.sock");
    BOOST_TEST(config.program("x") == config.paths.program_directory + "/x");
    BOOST_TEST(config.scan[1].directory == "mail");
}

BOOST_AUTO_TEST_CASE(an_unknown_key_is_refused_with_file_line_and_name) {
    BOOST_TEST(refusal_of("[login]\n\nuid_flor = 5\n") == "test.toml, line 3: login.uid_flor: is not known here");
    BOOST_TEST(refusal_of("[logon]\n") == "test.toml, line 1: logon: is not known here");
    BOOST_TEST(refusal_of("x = 1\n") == "test.toml, line 1: x: is not known here");
}

// What stops one daemon must stop none of them alone: an administrator looks at the first that starts.
BOOST_AUTO_TEST_CASE(roots_programs_check_the_sections_of_other_programs_too) {
    for (const char* text : {"[scan]\nmail = true", "[engine]\nmax_files = -1", "[login]\nuid_flor = 5", "engine = 1"})
        BOOST_CHECK_THROW((void)parse_config(text, ""), ConfigError);
}

BOOST_AUTO_TEST_CASE(all_that_is_wrong_is_said_at_once_in_the_order_of_the_lines) {
    BOOST_TEST(refusal_of("[scan]\nmail = \"/var\"\n[login]\nuid_flor = 5\nuid_floor = 0\n[logon]\nx = 1") ==
               "test.toml, line 2: scan.mail: must be a directory below the home (no leading slash, no . or ..), or "
               "false\n"
               "test.toml, line 4: login.uid_flor: is not known here\n"
               "test.toml, line 5: login.uid_floor: must be a whole number from 1 to 4294967294\n"
               "test.toml, line 6: logon: is not known here");
}

BOOST_AUTO_TEST_CASE(a_setting_knows_where_it_was_given) {
    const auto config = parse_config("[jobs]\nuser = \"nobody-of-that-name\"\n", "test.toml");
    BOOST_TEST(config.name_of("jobs.user") == "test.toml, line 2: jobs.user");
    BOOST_TEST(config.name_of("engine.user") == "test.toml: engine.user (its default)");
}

BOOST_AUTO_TEST_CASE(a_value_out_of_range_or_of_another_type_is_refused) {
    const std::string wanted = "test.toml, line 2: login.uid_floor: must be a whole number from 1 to 4294967294";
    BOOST_TEST(refusal_of("[login]\nuid_floor = 0") == wanted);
    BOOST_TEST(refusal_of("[login]\nuid_floor = -1") == wanted);
    BOOST_TEST(refusal_of("[login]\nuid_floor = 1000.0") == wanted);
    BOOST_TEST(refusal_of("[login]\nuid_floor = \"1000\"") == wanted);
    BOOST_TEST(refusal_of("[responder]\nusers = []").ends_with("must be a list of names, at least one"));
    BOOST_TEST(refusal_of("[responder]\nallow_shared_web_user = 1").ends_with("must be true or false"));
    BOOST_TEST(refusal_of("[paths]\nrun_directory = \"run\"").ends_with("must be an absolute path"));
    for (const auto* wrong : {"a", "a@", "@b", "a b@c.example", "a@b.example\\u0085", "a@b.example>", "a@-b", "a@b..c"})
        BOOST_TEST(refusal_of("[notifications]\nsender = \"" + std::string(wrong) + "\"")
                       .ends_with("must be a mail address, or \"\""),
                   wrong);
    BOOST_TEST(refusal_of("[notifications]\npage_url = \"javascript:x\"").find("https://") != std::string::npos);
    BOOST_TEST(refusal_of("[jobs]\nuser = \"a\\nb\"").ends_with("must be a string of one line"));
}

// Everybody may read the configuration.
BOOST_AUTO_TEST_CASE(a_password_of_the_fleets_database_is_refused) {
    BOOST_TEST(refusal_of("[fleet]\ndatabase = \"host=db password=secret\"")
                   .starts_with("test.toml, line 2: fleet.database has a password"));
    BOOST_TEST(refusal_of("[fleet]\ndatabase = \"postgresql://a:b@db/c\"").find("has a password") != std::string::npos);
    BOOST_TEST(parse_config("[fleet]\ndatabase = \"host=db passfile=/etc/x\"", "").fleet.is_centre());
    BOOST_TEST(!parse_config("", "").fleet.is_centre());
}

BOOST_AUTO_TEST_CASE(invalid_toml_is_refused_with_its_line) {
    BOOST_TEST(refusal_of("[login]\nuid_floor = = 5").starts_with("test.toml, line 2: "));
    BOOST_TEST(refusal_of("[login]\nuid_floor = 5\nuid_floor = 6").starts_with("test.toml, line 3: "));
}

BOOST_AUTO_TEST_CASE(a_scan_directory_stays_below_the_home) {
    for (const auto* value : {"\"/etc\"", "\"../other\"", "\"a/../b\"", "\"./a\"", "\"a//b\"", "\"a/\"", "true", "1"})
        BOOST_TEST(refusal_of(std::string("[scan]\nmail = ") + value).find("below the home") != std::string::npos);
    BOOST_TEST(!parse_settings("[scan]\nmail = false", "").scan[1].allowed);
    BOOST_TEST(parse_settings("[scan]\nmail = \"Maildir/new\"", "").scan[1].directory == "Maildir/new");
}

BOOST_AUTO_TEST_CASE(a_configuration_that_others_can_write_is_refused) {
    const TemporaryDirectory directory;
    const auto file = directory.path + "/clamscanner.toml";
    directory.write("clamscanner.toml", "[login]\nuid_floor = 2000\n");
    ::chmod(file.c_str(), 0644);
    BOOST_TEST(read_config(file).login.uid_floor == 2000U);
    for (const mode_t mode : {0664, 0646}) {
        ::chmod(file.c_str(), mode);
        BOOST_CHECK_THROW((void)read_config(file), ConfigError);
    }
    BOOST_CHECK_THROW((void)read_config(directory.path), ConfigError);
    BOOST_CHECK_THROW((void)read_config(directory.path + "/nowhere"), std::system_error);
}

BOOST_FIXTURE_TEST_SUITE(additions, TemporaryDirectory)

BOOST_AUTO_TEST_CASE(a_later_file_of_the_directory_beside_it_counts) {
    write("clamscanner.toml", "[login]\nuid_floor = 2000\ncache_seconds = 1\n");
    write("conf.d/20-later.toml", "[login]\nuid_floor = 4000\n");
    write("conf.d/10-earlier.toml", "[login]\nuid_floor = 3000\n[jobs]\nmax_running = 7\n");
    write("conf.d/30-not-this.toml.bak", "[login]\nuid_floor = 5000\n");
    write("conf.d/.hidden.toml", "[login]\nuid_floor = 6000\n");
    const auto config = read_settings(path + "/clamscanner.toml");
    BOOST_TEST(config.login.uid_floor == 4000U);
    BOOST_TEST(config.login.cache_seconds == 1U);
    BOOST_TEST(config.jobs.max_running == 7U);
    BOOST_TEST(config.name_of("login.uid_floor") == path + "/conf.d/20-later.toml, line 2: login.uid_floor");
}

BOOST_AUTO_TEST_CASE(mistakes_in_all_files_are_said_at_once) {
    write("clamscanner.toml", "[login]\nuid_floor = 0\n");
    write("conf.d/a.toml", "[scan]\nmail = 1\n");
    write("conf.d/b.toml", "[[\n");
    try {
        (void)read_config(path + "/clamscanner.toml");
        BOOST_FAIL("accepted");
    } catch (const ConfigError& error) {
        const std::string said = error.what();
        for (const char* part : {"clamscanner.toml, line 2: login.uid_floor", "conf.d/a.toml, line 2: scan.mail",
                                 "conf.d/b.toml, line 1: "})
            BOOST_TEST(said.find(part) != std::string::npos, part);
    }
}

BOOST_AUTO_TEST_CASE(a_directory_that_others_can_write_is_refused) {
    write("clamscanner.toml", "");
    write("conf.d/a.toml", "");
    BOOST_CHECK_NO_THROW((void)read_config(path + "/clamscanner.toml"));
    ::chmod((path + "/conf.d").c_str(), 0777);
    BOOST_CHECK_THROW((void)read_config(path + "/clamscanner.toml"), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(the_shipped_sample_names_every_key) {
    const auto lines = lines_of(sample());
    std::set<std::string> in_sample;
    for (const auto& line : lines) in_sample.insert(line.first);
    std::set<std::string> known;
    for (const auto& rule : config_rules) known.emplace(rule.key);
    BOOST_TEST(in_sample == known, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_shipped_sample_has_the_defaults) {
    const auto shipped = parse_settings(sample(), "sample");
    const auto standard = parse_settings("", "nothing");
    BOOST_TEST(everything_of(shipped) == everything_of(standard));

    // The comparison notices every key: another value makes a difference.
    for (const auto& [name, value] : lines_of(sample())) {
        const auto dot = name.find('.');
        const auto text = "[" + name.substr(0, dot) + "]\n" + name.substr(dot + 1) + " = " + another(name, value);
        BOOST_TEST(everything_of(parse_settings(text, name)) != everything_of(standard), name);
    }
}
