#include "handlers/shared/address.h"

#include <boost/test/unit_test.hpp>

#include "handlers/shared/functions.h"

using namespace clamscanner;

namespace {

void check(std::string_view path, EnvelopeForm form, std::string_view module, std::string_view function) {
    BOOST_TEST_CONTEXT(path) {
        const auto address = address_of(path);
        BOOST_TEST((address.form == form));
        BOOST_TEST(address.module == module);
        BOOST_TEST(address.function == function);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(both_forms_are_known_by_their_path) {
    check("/ClamScanner/start_scan", EnvelopeForm::Documented, "ClamScanner", "start_scan");
    check("/execute/ClamScanner/start_scan", EnvelopeForm::Live, "ClamScanner", "start_scan");
    check("/cpsess0123456789/execute/ClamScanner/start_scan", EnvelopeForm::Live, "ClamScanner", "start_scan");
}

BOOST_AUTO_TEST_CASE(session_digits_count_only_as_digits_before_execute) {
    check("/cpsess12x/execute/ClamScanner/f", EnvelopeForm::Documented, "cpsess12x", "execute/ClamScanner/f");
    check("/cpsess/execute/ClamScanner/f", EnvelopeForm::Documented, "cpsess", "execute/ClamScanner/f");
    check("/cpsess1/ClamScanner/f", EnvelopeForm::Documented, "cpsess1", "ClamScanner/f");
    check("/cpsess1/cpsess2/execute/ClamScanner/f", EnvelopeForm::Documented, "cpsess1",
          "cpsess2/execute/ClamScanner/f");
}

BOOST_AUTO_TEST_CASE(every_path_is_an_address) {
    check("", EnvelopeForm::Documented, "", "");
    check("/", EnvelopeForm::Documented, "", "");
    check("//", EnvelopeForm::Documented, "", "");
    check("/ClamScanner", EnvelopeForm::Documented, "ClamScanner", "");
    check("/execute", EnvelopeForm::Live, "", "");
    check("/cpsess1/execute", EnvelopeForm::Live, "", "");
    check("/cpsess1/execute/", EnvelopeForm::Live, "", "");
    check("/cpsess1/executes", EnvelopeForm::Documented, "cpsess1", "executes");
    check("/ClamScanner/a/b", EnvelopeForm::Documented, "ClamScanner", "a/b");
    check("/ClamScanner/get_scan_status/", EnvelopeForm::Documented, "ClamScanner", "get_scan_status/");
}

BOOST_AUTO_TEST_CASE(a_name_is_percent_decoded_once_and_a_broken_one_stays_as_asked) {
    check("/Clam%53canner/get%5Fscan_paths", EnvelopeForm::Documented, "ClamScanner", "get_scan_paths");
    check("/ClamScanner/a%2fb%252f+", EnvelopeForm::Documented, "ClamScanner", "a/b%2f+");
    check("/ClamScanner/a%2", EnvelopeForm::Documented, "ClamScanner", "a%2");
    check("/%65xecute/ClamScanner/f", EnvelopeForm::Documented, "execute", "ClamScanner/f");
}

BOOST_AUTO_TEST_CASE(functions_are_found_by_their_exact_name) {
    BOOST_TEST(find_module("ClamScanner") != nullptr);
    BOOST_TEST(find_module("clamscanner") == nullptr);
    BOOST_TEST(find_module("") == nullptr);
    BOOST_TEST(find_function("ClamScanner", "get_scan_status") != nullptr);
    BOOST_TEST(find_function("clamscanner", "get_scan_status") == nullptr);
    BOOST_TEST(find_function("ClamScanner", "get_scan_statu") == nullptr);
    BOOST_TEST(find_function("ClamScanner", "") == nullptr);
}

BOOST_AUTO_TEST_CASE(each_function_takes_its_methods_and_no_other) {
    const auto takes = [](std::string_view function, std::string_view method) {
        return takes_method(*find_function("ClamScanner", function), method);
    };
    for (const char* reading :
         {"get_scan_status", "list_infected_files", "get_scan_paths", "check_disinfection_status"}) {
        BOOST_TEST(takes(reading, "GET"));
        BOOST_TEST(takes(reading, "HEAD"));
        BOOST_TEST(takes(reading, "POST"));
        BOOST_TEST(find_function("ClamScanner", reading)->only_reads);
    }
    BOOST_TEST(takes("start_scan", "GET"));
    BOOST_TEST(takes("start_scan", "POST"));
    BOOST_TEST(!takes("start_scan", "HEAD"));
    BOOST_TEST(!find_function("ClamScanner", "start_scan")->only_reads);
    BOOST_TEST(takes("disinfect_files", "POST"));
    BOOST_TEST(!takes("disinfect_files", "GET"));
    BOOST_TEST(!find_function("ClamScanner", "disinfect_files")->only_reads);
    for (const char* other : {"", "get", "PUT", "GET, HEAD", "OPTIONS", "POS"})
        BOOST_TEST(!takes("get_scan_status", other));
}
