#include "auth/authd/access_keys.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "auth/base/config.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Fixture {
    TemporaryDirectory directory;
    const std::string file = directory.path + "/access_keys";

    void write(const std::string& text, mode_t mode = 0600) const {
        directory.write("access_keys", text);
        BOOST_REQUIRE(::chmod(file.c_str(), mode) == 0);
    }
    [[nodiscard]] std::string refusal() const {
        try {
            static_cast<void>(read_access_keys(file));
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "accepted";
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(access_keys, Fixture)

BOOST_AUTO_TEST_CASE(written_keys_are_read_back_and_nobody_else_can_read_them) {
    std::vector<AccessKey> keys;
    keys.push_back({"b", Secret("sb"), "bob", false});
    keys.push_back({"a", Secret("sa"), "alice", true, std::string(64, 'f')});
    write_access_keys(file, keys);
    struct stat status {};
    BOOST_REQUIRE(::stat(file.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600U);
    const auto read = read_access_keys(file);
    BOOST_REQUIRE(read.size() == 2U);
    BOOST_TEST(read[0].id == "a");
    BOOST_TEST(read[0].secret.reveal() == "sa");
    BOOST_TEST(read[0].user == "alice");
    BOOST_TEST(read[0].active);
    BOOST_TEST(read[0].generation == std::string(64, 'f'));
    BOOST_TEST(read[1].generation.empty());
    BOOST_TEST(!read[1].active);
}

BOOST_AUTO_TEST_CASE(without_a_file_there_are_no_keys) {
    BOOST_TEST(read_access_keys(file).empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_others_can_read_is_refused) {
    for (const mode_t mode : {0640, 0604, 0620, 0602}) {
        write("a s alice active\n", mode);
        BOOST_TEST(refusal().find("nobody else may read or write it") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(an_error_names_its_line) {
    for (const auto* line : {"a", "a s alice", "a s alice yes", "a s alice active more"}) {
        write(std::string("# a comment\n\n") + line + "\n");
        BOOST_TEST(refusal() == file + ", line 3: expected KEY-ID SECRET USER active|disabled GENERATION");
    }
    write("a s alice active\na t bob active\n");
    BOOST_TEST(refusal().ends_with("the key a is listed twice"));
}

BOOST_AUTO_TEST_CASE(a_change_takes_effect_at_once_and_a_broken_file_has_no_valid_key) {
    AccessKeys keys(file);
    BOOST_TEST(keys.find("a") == nullptr);
    write("a s alice active\n");
    BOOST_REQUIRE(keys.find("a") != nullptr);
    BOOST_TEST(keys.find("a")->user == "alice");
    BOOST_TEST(keys.find("b") == nullptr);
    write("a s alice disabled\nb t bob active\n");
    BOOST_TEST(!keys.find("a")->active);
    BOOST_TEST(keys.find("b")->user == "bob");
    write("a s alice active\nb\n");
    BOOST_TEST(keys.find("a") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
