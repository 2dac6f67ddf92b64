#include "auth/base/command_line.h"

#include <boost/test/unit_test.hpp>

#include "auth/base/command_forms.h"

using namespace clamscanner;

using Words = std::vector<std::string>;

namespace {

CommandLine read(const Words& words, const CommandForm& form = uapi_form) {
    return {form, words};
}

std::string refusal(const Words& words, const CommandForm& form = uapi_form) {
    try {
        read(words, form);
        return "";
    } catch (const UsageError& error) {
        return error.what();
    }
}

void check(const Words& found, const Words& wanted) {
    BOOST_TEST(found == wanted, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_CASE(options_have_two_forms_and_any_order) {
    for (const Words& given :
         {Words{"--output=json", "--user=bob", "M", "f"}, Words{"--user", "bob", "--output", "json", "M", "f"},
          Words{"--user=bob", "--user", "bob", "--output=json", "M", "f"}}) {
        const auto line = read(given);
        BOOST_TEST(line.value("user").value() == "bob");
        BOOST_TEST(line.value("output").value() == "json");
        check(line.operands(), {"M", "f"});
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_given_has_no_value) {
    const auto line = read({"M", "f"});
    BOOST_TEST(!line.value("user"));
    BOOST_TEST(!line.has("output"));
    BOOST_TEST(line.config_file() == installed_config_file());
}

BOOST_AUTO_TEST_CASE(every_program_takes_a_configuration) {
    BOOST_TEST(read({"--config", "/etc/x.toml"}, {"daemon"}).config_file() == "/etc/x.toml");
    BOOST_TEST(read({"--output=json", "--config=/etc/x.toml", "M"}).config_file() == "/etc/x.toml");
}

BOOST_AUTO_TEST_CASE(what_follows_the_module_belongs_to_the_function) {
    const auto line = read({"ClamScanner", "disinfect_files", "--user=eve", "--user", "eve", "--help"});
    BOOST_TEST(!line.value("user"));
    check(line.operands(), {"ClamScanner", "disinfect_files", "--user=eve", "--user", "eve", "--help"});
}

BOOST_AUTO_TEST_CASE(two_dashes_end_the_options) {
    const auto line = read({"--output=json", "--", "--user=eve", "M"});
    BOOST_TEST(!line.value("user"));
    check(line.operands(), {"--user=eve", "M"});
}

BOOST_AUTO_TEST_CASE(another_program_reads_the_same_but_for_what_is_left_out) {
    const Words operands = {"--user=eve", "M", ""};
    const auto line = read({"--user", "bob", "--output", "jsonpretty", "--config=x", "--", "--user=eve", "M", ""});
    check(line.words_without("user"), {"--config=x", "--output=jsonpretty", "--", "--user=eve", "M", ""});
    const auto again = read(line.words_without("user"));
    BOOST_TEST(!again.has("user"));
    BOOST_TEST(again.value("output").value() == "jsonpretty");
    check(again.operands(), operands);
    check(read({"--all", "--config=x"}, scan_form).words_without("config"), {"--all", "--"});
}

BOOST_AUTO_TEST_CASE(a_wrong_option_is_named) {
    BOOST_TEST(refusal({"--colour", "M"}) == "unknown option --colour");
    BOOST_TEST(refusal({"--colour=blue\x1b", "M"}) == "unknown option --colour");
    BOOST_TEST(refusal({"--user=bob", "-x", "M"}) == "unknown option -x");
    BOOST_TEST(refusal({"--user"}) == "--user wants a value");
    BOOST_TEST(refusal({"--output=json", "--user", ""}) == "--user wants a value");
    BOOST_TEST(refusal({"--user=", "M"}) == "--user wants a value");
    BOOST_TEST(refusal({"--user=bob", "--user=eve", "M"}) == "--user is given twice");
    BOOST_TEST(refusal({"--all=yes"}, scan_form) == "--all takes no value");
    BOOST_TEST(refusal({"--check", "now"}, status_form) == "too much: now");
    BOOST_TEST(refusal({"/etc/x.toml"}, {"daemon"}) == "too much: /etc/x.toml");
}

BOOST_AUTO_TEST_CASE(help_is_given_whatever_else_is_missing) {
    BOOST_CHECK_THROW(read({"--help"}), HelpWanted);
    BOOST_CHECK_THROW(read({"--output", "json", "--help", "--colour"}, uapi_form), HelpWanted);
    BOOST_CHECK_THROW(read({"--help=me"}), UsageError);
}

BOOST_AUTO_TEST_CASE(the_version_is_given_whatever_else_is_missing) {
    BOOST_CHECK_THROW(read({"--version"}), VersionWanted);
    BOOST_TEST(std::string(version()).find('.') != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_usage_names_all_that_is_accepted) {
    const auto usage = usage_of(scan_form);
    BOOST_TEST(usage.starts_with("usage: clamscanner-scan [OPTION ...]"));
    for (const char* part : {"\n  --all ", "\n  --list-held ", "\n  --allow SIGNATURE ", "\n  --config FILE ",
                             "\n  --check-config ", "\n  --help ", "\n  --version "})
        BOOST_TEST(usage.find(part) != std::string::npos, part);
}
