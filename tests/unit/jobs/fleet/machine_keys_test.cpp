#include "jobs/fleet/machine_keys.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "auth/base/config.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(a_key_is_read_as_clamscanner_keys_prints_it_or_bare) {
    for (const char* text :
         {"AccessKeyId: cs01\nAccessKeySecret: abc\n", "cs01\nabc", "cs01\r\nabc\r\n", "cs01\nabc\n\n"}) {
        const auto key = read_machine_key(text);
        BOOST_TEST(key.id == "cs01");
        BOOST_TEST(key.secret.reveal() == "abc");
    }
}

BOOST_AUTO_TEST_CASE(anything_else_is_refused) {
    for (const char* text : {"", "cs01", "cs01\n", "\nabc", "cs01\nabc\nmore", "cs 01\nabc", "cs01\na\"b"})
        BOOST_CHECK_THROW((void)read_machine_key(text), ConfigError);
    BOOST_CHECK_THROW((void)read_machine_key("cs01\n" + std::string(129, 'a')), ConfigError);
}

BOOST_FIXTURE_TEST_SUITE(files, TemporaryDirectory)

BOOST_AUTO_TEST_CASE(a_key_is_kept_in_a_file_for_its_owner_alone) {
    const MachineKeys keys(path);
    BOOST_TEST(!keys.find("web1"));
    keys.store("web1", {"cs01", Secret("abc")});
    struct stat status {};
    BOOST_REQUIRE(::stat((path + "/web1.key").c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777) == 0600U);
    BOOST_TEST(keys.find("web1")->secret.reveal() == "abc");
    keys.store("web1", {"cs02", Secret("def")});
    BOOST_TEST(keys.find("web1")->id == "cs02");
    ::chmod((path + "/web1.key").c_str(), 0640);
    BOOST_CHECK_THROW((void)keys.find("web1"), ConfigError);
    keys.remove("web1");
    BOOST_TEST(!keys.find("web1"));
    keys.remove("web1");
}

BOOST_AUTO_TEST_CASE(a_name_is_never_a_path) {
    for (const char* name : {"", ".", "..", ".web", "a/b", "../a", "a\nb", "w\xc3\xa4"}) {
        BOOST_TEST(!is_machine_name(name));
        BOOST_CHECK_THROW((void)MachineKeys(path).find(name), ConfigError);
    }
    for (const char* name : {"web1", "web-1.example.com", "A_b"}) BOOST_TEST(is_machine_name(name));
    BOOST_TEST(!is_machine_name(std::string(65, 'a')));
}

BOOST_AUTO_TEST_SUITE_END()
