#include "jobs/shared/json_text.h"

#include <boost/test/unit_test.hpp>

#include "jobs/shared/record_json.h"

using namespace clamscanner;
using namespace std::string_literals;

BOOST_AUTO_TEST_CASE(valid_utf8_is_written_unchanged) {
    BOOST_TEST(json_text("a/\xc3\xa4/\xe2\x82\xac/\xf0\x9f\xa6\xa0") == "\"a/\xc3\xa4/\xe2\x82\xac/\xf0\x9f\xa6\xa0\"");
}

BOOST_AUTO_TEST_CASE(quotes_backslashes_and_control_characters_are_escaped) {
    BOOST_TEST(json_text("a\"b\\c\nd\x01"s) == R"("a\"b\\c\nd\u0001")");
    BOOST_TEST(json_text("a\0b"s) == R"("a\u0000b")");
}

BOOST_AUTO_TEST_CASE(a_byte_outside_utf8_becomes_a_lone_surrogate_in_lower_case) {
    BOOST_TEST(json_text("\x80") == R"("\udc80")");
    BOOST_TEST(json_text("x\xff\"\n") == R"("x\udcff\"\u000a")");
    BOOST_TEST(json_text("\xed\xb2\x80") == R"("\udced\udcb2\udc80")");            // a surrogate as bytes is no UTF-8
    BOOST_TEST(json_text("\xc0\xaf") == R"("\udcc0\udcaf")");                      // nor is an overlong slash
    BOOST_TEST(json_text("\xf4\x90\x80\x80") == R"("\udcf4\udc90\udc80\udc80")");  // nor what is beyond U+10FFFF
    BOOST_TEST(json_text("\xe2\x82") == R"("\udce2\udc82")");                      // nor a character cut short
}

BOOST_AUTO_TEST_CASE(every_byte_survives_escaping_and_parsing) {
    for (unsigned byte = 0x80; byte <= 0xff; ++byte) {
        const char decoded[] = {'\xed', static_cast<char>(0xb2 | ((byte >> 6) & 1)),
                                static_cast<char>(0x80 | (byte & 0x3f))};
        const auto bytes = bytes_of_json_text({decoded, 3});
        BOOST_REQUIRE(bytes.has_value());
        BOOST_TEST(*bytes == std::string(1, static_cast<char>(byte)));
    }
}

BOOST_AUTO_TEST_CASE(other_surrogates_are_refused) {
    for (const char* decoded :
         {"\xed\xa0\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xb1\xbf", "\xed\xb4\x80", "\xed\xbf\xbf"})
        BOOST_TEST(!bytes_of_json_text(decoded).has_value());
}

BOOST_AUTO_TEST_CASE(a_step_has_its_keys_in_alphabetical_order) {
    const Record step{7, RecordType::Step, RecordState::Quarantined, "/home/u/\xff", "moved"};
    BOOST_TEST(record_line(step) ==
               R"({"file":"/home/u/\udcff","id":7,"message":"moved","state":"quarantined","type":"step"})");
}

BOOST_AUTO_TEST_CASE(an_issue_has_no_file) {
    const Record issue{1, RecordType::Issue, RecordState::Warning, "ignored", ""};
    BOOST_TEST(record_line(issue) == R"({"id":1,"message":"","state":"warning","type":"issue"})");
}

BOOST_AUTO_TEST_CASE(the_last_record_is_done_by_type_and_by_status) {
    const Record done{2, RecordType::Done, RecordState::Success, "", ""};
    BOOST_TEST(record_line(done) == R"({"id":2,"message":"","state":"success","status":"done","type":"done"})");
}
