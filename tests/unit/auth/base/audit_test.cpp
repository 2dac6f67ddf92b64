#include "auth/base/audit.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "tests/unit/matches.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(an_event_is_one_json_object_that_begins_with_its_name_and_the_time) {
    const auto line = AuditEvent("login").text("account", "bob").number("uid", 1001).line();
    const std::string time = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z";
    BOOST_TEST(matches(line, R"(\{"event":"login","time":")" + time + R"(","account":"bob","uid":1001\})"), line);
}

BOOST_AUTO_TEST_CASE(whatever_a_text_holds_it_stays_one_line_of_utf8) {
    const auto text_of = [](const std::string& text) {
        const auto line = AuditEvent("x").text("t", text).line();
        return line.substr(line.find("\"t\":") + 4);
    };
    BOOST_TEST(text_of("a\"b\\c\n\x7f") == R"("a\"b\\c\u000a\u007f"})");
    BOOST_TEST(text_of("\xc3\xa4\xf0\x9f\x98\x80") == "\"\xc3\xa4\xf0\x9f\x98\x80\"}");
    // No UTF-8: a byte alone, one that is cut, an overlong form, a surrogate.
    BOOST_TEST(text_of("\xff") == R"("\udcff"})");
    BOOST_TEST(text_of("\xc3") == R"("\udcc3"})");
    BOOST_TEST(text_of("\xc0\x80") == R"("\udcc0\udc80"})");
    BOOST_TEST(text_of("\xed\xa0\x80") == R"("\udced\udca0\udc80"})");
}

BOOST_FIXTURE_TEST_SUITE(a_file, TemporaryDirectory)

BOOST_AUTO_TEST_CASE(gets_each_event_and_may_be_moved_away) {
    const auto file = path + "/audit.jsonl";
    audit_to_file(file);
    AuditEvent("one").write();
    AuditEvent("two").write();
    struct stat status {};
    BOOST_REQUIRE(::stat(file.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777) == 0640U);
    const auto both = read("audit.jsonl");
    BOOST_TEST(both.starts_with("{\"event\":\"one\""));
    BOOST_TEST(both.find("\n{\"event\":\"two\"") != std::string::npos);
    std::filesystem::rename(file, file + ".1");
    AuditEvent("three").write();
    BOOST_TEST(read("audit.jsonl").starts_with("{\"event\":\"three\""));
    audit_to_file("");
}

BOOST_AUTO_TEST_CASE(that_is_a_link_is_not_written) {
    write("elsewhere", "");
    std::filesystem::create_symlink(path + "/elsewhere", path + "/symbolic");
    std::filesystem::create_hard_link(path + "/elsewhere", path + "/hard");
    for (const char* name : {"/symbolic", "/hard"}) {
        audit_to_file(path + name);
        AuditEvent("x").write();
    }
    BOOST_TEST(read("elsewhere").empty());
    audit_to_file("");
}

BOOST_AUTO_TEST_SUITE_END()
