#include "jobs/shared/quarantine_json.h"

#include <boost/test/unit_test.hpp>

#include "auth/base/wire.h"

using namespace clamscanner;

namespace {

QuarantineRecord some_record() {
    QuarantineRecord record{
        "/home/a/public_html/\xff x.php", "Eicar", std::string(64, 'a'), {}, {}, 1'700'000'000, "/home/a"};
    record.identity.size = UINT64_MAX;
    record.identity.mtime_ns = -1;
    record.metadata = {
        1001, 1002, 0640, 1'500'000'000'123'456'789, {{"user.x", std::string("\0\xff", 2)}, {"user.y", ""}}};
    return record;
}

bool is_refused(const std::string& json) {
    try {
        static_cast<void>(read_quarantine_json(json));
        return false;
    } catch (const Malformed&) {
        return true;
    }
}

// The text of some_record() with one part replaced.
std::string with(const std::string& part, const std::string& other) {
    auto json = quarantine_json(some_record());
    const auto at = json.find(part);
    BOOST_REQUIRE(at != std::string::npos);
    return json.replace(at, part.size(), other);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_quarantine_record)

BOOST_AUTO_TEST_CASE(is_read_as_it_was_written) {
    for (const std::int64_t time : {std::int64_t{-1'000'000'001}, std::int64_t{-1}, std::int64_t{0}, INT64_MAX - 1}) {
        auto record = some_record();
        record.identity.mtime_ns = time;
        const auto read = read_quarantine_json(quarantine_json(record));
        BOOST_TEST(quarantine_json(read) == quarantine_json(record));
        BOOST_TEST(read.path == record.path);
        BOOST_TEST(read.home == record.home);
        BOOST_TEST((read.identity == record.identity));
        BOOST_TEST(read.metadata.mode == record.metadata.mode);
        BOOST_TEST(read.metadata.attributes.size() == 2U);
        BOOST_TEST(read.metadata.attributes[0].value == record.metadata.attributes[0].value);
    }
}

BOOST_AUTO_TEST_CASE(needs_no_home_and_may_hold_more) {
    const auto read = read_quarantine_json(with(R"("home":"/home/a",)", R"("more":[{}],)"));
    BOOST_TEST(read.home == "");
}

BOOST_AUTO_TEST_CASE(with_a_wrong_member_is_refused) {
    BOOST_TEST(!is_refused(with("\"0640\"", "\"640\"")));
    for (const auto& [part, other] : {std::pair<std::string, std::string>{"\"0640\"", "\"17777\""},
                                      {"\"0640\"", "416"},
                                      {"\"0640\"", "\"8\""},
                                      {"\"0640\"", "\"-1\""},
                                      {"00ff", "00f"},
                                      {"00ff", "zz"},
                                      {std::string(64, 'a'), std::string(63, 'a')},
                                      {std::string(64, 'a'), std::string(64, 'A')},
                                      {"18446744073709551615", "18446744073709551616"},
                                      {"18446744073709551615", "-1"},
                                      {"1001", "4294967296"},
                                      {"1500000000.123456789", "1500000000.1234567890"},
                                      {"1500000000.123456789", "9223372037"},
                                      {"1500000000.123456789", ""},
                                      {"Eicar", std::string(longest_virus_name + 1, 'v')},
                                      {"x.php", "\\u0000"},
                                      {"x.php", "\\ud800"},
                                      {"\"file\"", "\"path\""},
                                      {"/home/a\"", "\\udc00\""},
                                      {"x.php", std::string(longest_path, 'x')}})
        BOOST_TEST(is_refused(with(part, other)), part << " " << other.substr(0, 20));
}

BOOST_AUTO_TEST_CASE(that_is_none_is_refused) {
    for (const std::string& text :
         {std::string(), std::string("{"), std::string("[]"), std::string("\"x\""), std::string(100, '\xff'),
          std::string(500'000, '['), std::string(longest_quarantine_json + 1, ' '),
          quarantine_json(some_record()) + "{}"})
        BOOST_TEST(is_refused(text), text.substr(0, 20));
}

BOOST_AUTO_TEST_CASE(keeps_the_limits_of_attributes) {
    std::string many;
    for (std::size_t i = 0; i <= most_attributes; ++i) many += "\"user." + std::to_string(i) + "\":\"00\",";
    BOOST_TEST(is_refused(with("\"user.y\":\"\"", many + "\"user.y\":\"\"")));
    const std::string half(most_attribute_bytes + 2, '0');
    BOOST_TEST(is_refused(with("\"user.y\":\"\"", "\"user.y\":\"" + half + "\",\"user.z\":\"" + half + '"')));
    BOOST_TEST(is_refused(with("user.y", std::string(longest_attribute_name + 1, 'n'))));
}

BOOST_AUTO_TEST_SUITE_END()
