#include "auth/commands/uapi_arguments.h"

#include <boost/test/unit_test.hpp>

using clamscanner::UapiArguments;
using clamscanner::UsageError;

using Words = std::vector<std::string>;

BOOST_AUTO_TEST_CASE(arguments_without_a_user_are_passed_on_unchanged) {
    const Words given = {"--output=json", "ClamScanner", "start_scan", "scan_type=home"};
    const UapiArguments arguments(given);
    BOOST_TEST(!arguments.user);
    BOOST_TEST(arguments.passed_on == given, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_user_is_taken_out_in_either_form) {
    for (const Words& given :
         {Words{"--output=json", "--user=bob", "M", "f"}, Words{"--output=json", "--user", "bob", "M", "f"},
          Words{"--user=bob", "--user=bob", "--output=json", "M", "f"}}) {
        const UapiArguments arguments(given);
        BOOST_TEST(arguments.user.value() == "bob");
        BOOST_TEST(arguments.passed_on == (Words{"--output=json", "M", "f"}), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(what_follows_the_module_belongs_to_the_function) {
    const Words given = {"ClamScanner", "disinfect_files", "--user=eve", "--user", "eve"};
    const UapiArguments arguments(given);
    BOOST_TEST(!arguments.user);
    BOOST_TEST(arguments.passed_on == given, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_value_of_another_option_is_not_taken_for_the_module) {
    const UapiArguments arguments(Words{"--output", "json", "--user=bob", "M", "f"});
    BOOST_TEST(arguments.user.value() == "bob");
    BOOST_TEST(arguments.passed_on == (Words{"--output", "json", "M", "f"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(two_dashes_end_the_options) {
    const UapiArguments arguments(Words{"--", "--user=eve", "M"});
    BOOST_TEST(!arguments.user);
}

BOOST_AUTO_TEST_CASE(the_configuration_counts_only_as_the_first) {
    const UapiArguments first(Words{"--config=/etc/x.toml", "M", "f"});
    BOOST_TEST(first.config.value() == "/etc/x.toml");
    BOOST_TEST(first.passed_on == (Words{"--config=/etc/x.toml", "M", "f"}), boost::test_tools::per_element());
    BOOST_TEST(!UapiArguments(Words{"--output=json", "--config=/etc/x.toml", "M"}).config);
}

BOOST_AUTO_TEST_CASE(a_missing_an_empty_and_a_second_user_are_refused) {
    for (const Words& given : {Words{"--user"}, Words{"--user=", "M"}, Words{"--user", "", "M"},
                               Words{"--user=bob", "--user=eve", "M"}, Words{"--output"}})
        BOOST_CHECK_THROW(UapiArguments{given}, UsageError);
}
