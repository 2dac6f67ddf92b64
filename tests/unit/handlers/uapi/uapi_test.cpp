// The real uapi, as a user runs it, with a jobd played by the tests.
#include <boost/test/unit_test.hpp>
#include <optional>

#include "tests/unit/fake_jobd.h"
#include "tests/unit/started_program.h"

using namespace clamscanner;

namespace {

struct Outcome {
    int exit_status;
    std::string output;
};

struct Fixture {
    TestDirectory directory;
    std::optional<FakeJobd> jobd;

    Fixture() {
        std::filesystem::create_directory(directory.path("jobd"));
        std::ofstream(directory.path("clamscanner.toml"))
            << "[paths]\nrun_directory = \"" << directory.path("") << "\"\n";
        jobd.emplace(directory.path("jobd/jobs.sock"), [](std::string_view question) {
            if (is<AskDisinfection>(question)) {
                DisinfectionStatus status;
                status.records = {
                    {decode<AskDisinfection>(question).last_id + 1, RecordType::Step, RecordState::Error, "/\xff", ""}};
                return encoded_reply(status);
            }
            if (is<Disinfect>(question)) {
                std::string asked = "asked:";
                for (const auto& one : decode<Disinfect>(question).actions)
                    asked += " " + one.path + "=" + name_of(one.action);
                return encoded_reply(Declined{asked});
            }
            return encoded_reply(Declined{"not now"});
        });
    }
    Outcome run(const std::vector<std::string>& words, const std::string& given = "") const {
        const auto input = directory.path("input");
        std::ofstream(input, std::ios::binary) << given;
        const UniqueFd in(checked(::open(input.c_str(), O_RDONLY | O_CLOEXEC), "open the input"));
        const auto output = directory.path("output");
        const UniqueFd file(
            checked(::open(output.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "open the output"));
        StartedProgram uapi({.program = UAPI_PROGRAM,
                             .config_file = "",
                             .descriptors = {{in.get(), 0}, {file.get(), 1}},
                             .environment = {},
                             .handed_over_by_systemd = false,
                             .as_root = false,
                             .arguments = words});
        const auto ending = uapi.wait();
        std::ifstream stream(output, std::ios::binary);
        return {ending.by_signal ? -1 : ending.code, {std::istreambuf_iterator<char>(stream), {}}};
    }
    [[nodiscard]] std::string config() const { return "--config=" + directory.path("clamscanner.toml"); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(uapi_program, Fixture)

BOOST_AUTO_TEST_CASE(the_documented_envelope_is_printed) {
    const auto outcome = run({config(), "--output=json", "ClamScanner", "check_disinfection_status", "last_id=%34"});
    BOOST_TEST(outcome.exit_status == 0);
    BOOST_TEST(
        outcome.output ==
        R"({"apiversion":3,"func":"check_disinfection_status","module":"ClamScanner","result":{"data":{"details":)"
        R"([{"file":"/\udcff","id":5,"message":"","state":"error","type":"step"}],"log":"","status":"none"},)"
        R"("errors":null,"messages":null,"metadata":{},"status":1,"warnings":null}})"
        "\n");
}

BOOST_AUTO_TEST_CASE(the_envelope_can_be_pretty_printed) {
    const auto outcome = run({config(), "--output=jsonpretty", "ClamScanner", "check_disinfection_status"});
    BOOST_TEST(outcome.exit_status == 0);
    BOOST_TEST(outcome.output.starts_with("{\n  \"apiversion\": 3,\n  \"func\": \"check_disinfection_status\",\n"));
    BOOST_TEST(outcome.output.find(R"("file": "/\udcff",)") != std::string::npos);
    BOOST_TEST(outcome.output.ends_with("    \"warnings\": null\n  }\n}\n"));
}

BOOST_AUTO_TEST_CASE(options_are_taken_in_either_form_and_order) {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"--output", "jsonpretty", config(), "ClamScanner", "check_disinfection_status"},
             {config(), "--output", "jsonpretty", "--", "ClamScanner", "check_disinfection_status"}}) {
        const auto outcome = run(words);
        BOOST_TEST(outcome.exit_status == 0);
        BOOST_TEST(outcome.output.starts_with("{\n  \"apiversion\": 3,\n"));
    }
}

BOOST_AUTO_TEST_CASE(a_refusal_is_printed_too_and_the_exit_status_tells) {
    const auto check = [&](const std::vector<std::string>& words, const std::string& part) {
        auto all = words;
        all.insert(all.begin(), config());
        const auto outcome = run(all);
        BOOST_TEST(outcome.exit_status == 1);
        BOOST_TEST(outcome.output.find(part) != std::string::npos);
        BOOST_TEST(outcome.output.find("\"status\":0") != std::string::npos);
    };
    check({"ClamScanner", "disinfect_files", R"(actions={"/a%25":"delete"})"}, R"("errors":["asked: /a%=delete"])");
    check({"ClamScanner", "cancel_scan"}, R"("errors":["not now"])");
    check({"ClamScanner", "check_disinfection_status", "last_id=0"}, "last_id");
    check({"ClamScanner", "check_disinfection_status", "last_id=1", "last_id=2"}, "more than once");
    check({"ClamScanner", "no_such"}, R"("func":"no_such")");
    check({"Email", "list_pops"}, R"("module":"Email")");
    jobd.reset();
    check({"ClamScanner", "check_disinfection_status"}, "starting or gone");
}

BOOST_AUTO_TEST_CASE(arguments_may_come_on_standard_input) {
    const auto json = "--input=json";
    const auto run_with = [&](const std::string& given, std::vector<std::string> words) {
        words.insert(words.begin(), {config(), json, "ClamScanner"});
        return run(words, given).output;
    };
    const auto holds = [](const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    };
    const std::vector<std::string> disinfect = {"disinfect_files"};
    BOOST_TEST(holds(run_with(R"({"actions":{"/a b":"delete","/m":"cleanse_mailbox"}})", disinfect),
                     "asked: /a b=delete /m=cleanse_mailbox"));
    BOOST_TEST(holds(run_with("{\"home/x%25\":\"quarantine\"}\n", disinfect), "asked: home/x%25=quarantine"));
    BOOST_TEST(holds(run_with("", {"disinfect_files", "actions[/a%25]=ignore"}), "asked: /a%=ignore"));
    BOOST_TEST(holds(run_with(R"({"last_id":4})", {"check_disinfection_status"}), "\"id\":5"));
    BOOST_TEST(holds(run_with(R"({"last_id":4})", {"check_disinfection_status", "last_id=4"}), "\"id\":5"));
    BOOST_TEST(holds(run_with(R"({"last_id":4})", {"check_disinfection_status", "last_id=3"}), "more than once"));
    for (const char* wrong : {"[]", "{", "{} {}", " ", "x", "\xff"})
        BOOST_TEST(holds(run_with(wrong, disinfect), "Accepted: a JSON object"), wrong);
    BOOST_TEST(holds(run_with("", disinfect), "is missing"));
    // Without the option it is not read.
    BOOST_TEST(holds(run({config(), "ClamScanner", "check_disinfection_status"}, "[]").output, "\"id\":1"));
}

BOOST_AUTO_TEST_CASE(a_wrong_command_line_exits_with_64_and_prints_nothing) {
    const std::vector<std::vector<std::string>> wrong = {
        {},
        {"ClamScanner"},
        {"--output=yaml", "ClamScanner", "get_scan_status"},
        {config(), "--input=yaml", "ClamScanner", "get_scan_status"},
        {config(), "--input", "ClamScanner", "get_scan_status"},
        {"--user=somebody-else", "ClamScanner", "get_scan_status"},
        {config(), "ClamScanner", "get_scan_status", "no-equals-sign"},
        {config(), "ClamScanner", "get_scan_status", "a=%zz"},
    };
    for (const auto& words : wrong) {
        const auto outcome = run(words);
        BOOST_TEST(outcome.exit_status == 64);
        BOOST_TEST(outcome.output == "");
    }
}

BOOST_AUTO_TEST_SUITE_END()
