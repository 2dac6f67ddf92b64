#include "handlers/shared/envelope.h"

#include <boost/test/unit_test.hpp>

#include "jobs/shared/refusal.h"

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(the_documented_form_has_every_field_in_alphabetical_order) {
    const Address address{EnvelopeForm::Documented, "ClamScanner", "start_scan"};
    BOOST_TEST(envelope(address, {}) ==
               R"({"apiversion":3,"func":"start_scan","module":"ClamScanner","result":)"
               R"({"data":null,"errors":null,"messages":null,"metadata":{},"status":1,"warnings":null}})");
}

BOOST_AUTO_TEST_CASE(the_live_form_is_the_inner_object_alone) {
    const Address address{EnvelopeForm::Live, "ClamScanner", "get_scan_paths"};
    Answer answer;
    answer.data = R"([{"id":"home"}])";
    answer.metadata = R"({"paginate":{}})";
    answer.messages = {"one", "two"};
    answer.warnings = {"careful"};
    BOOST_TEST(envelope(address, answer) ==
               R"({"data":[{"id":"home"}],"errors":null,"messages":["one","two"],"metadata":{"paginate":{}},)"
               R"("status":1,"warnings":["careful"]})");
}

BOOST_AUTO_TEST_CASE(a_failure_has_no_data_and_one_error) {
    const Address address{EnvelopeForm::Live, "ClamScanner", "start_scan"};
    BOOST_TEST(
        failure_envelope(address, "no \"such\" thing") ==
        R"({"data":null,"errors":["no \"such\" thing"],"messages":null,"metadata":{},"status":0,"warnings":null})");
}

BOOST_AUTO_TEST_CASE(names_are_given_back_cut_at_128_characters) {
    std::string name;
    for (int i = 0; i < 200; ++i) name += "\xc3\xa4";
    const auto json = failure_envelope({EnvelopeForm::Documented, name, "\xff\"" + std::string(500, 'x')}, "");
    const auto count = [&](std::string_view part) {
        std::size_t found = 0;
        for (auto at = json.find(part); at != std::string::npos; at = json.find(part, at + part.size())) ++found;
        return found;
    };
    BOOST_TEST(count("\xc3\xa4") == 128U);
    BOOST_TEST(json.find(R"("func":"\udcff\")" + std::string(126, 'x') + "\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_sentence_holds_the_reference_but_no_internals) {
    const auto sentence = with_reference("Something failed.", "/secret/path: No such file");
    BOOST_TEST(sentence.starts_with("Something failed. (reference "));
    BOOST_TEST(sentence.find("secret") == std::string::npos);
    BOOST_TEST(with_reference("Something failed.", "") != sentence);
}
