#include "fcgi/document_roots.h"

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

struct Fixture {
    TemporaryDirectory directory;
    std::string passwd = directory.path + "/passwd";

    Fixture() {
        directory.write("passwd",
                        "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n"
                        "alice:x:1001:1001::/home/alice:/bin/sh\nshop:x:1002:1002::/var/www/vhosts/shop.example/:\n"
                        "empty:x:1003:1003:::\nall:x:1004:1004::/:\nnobody:x:65534:65534::/nonexistent:\n");
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_home_of_an_account_and_what_is_below_are_an_accounts, Fixture) {
    DocumentRoots roots(1000, passwd);
    for (const char* path : {"/home/alice", "/home/alice/", "/home/alice/public_html", "/home//alice/x",
                             "/home/bob/../alice/public_html", "/var/www/vhosts/shop.example/httpdocs"})
        BOOST_TEST(roots.is_an_accounts(path), path);
    for (const char* path : {"", "/", "/home", "/home/alice2", "/home/bob", "/var/www", "/var/www/html", "/root",
                             "/home/alice/../bob", "/nonexistent", "home/alice", "/usr/share/panel"})
        BOOST_TEST(!roots.is_an_accounts(path), path);
}

BOOST_FIXTURE_TEST_CASE(an_account_has_a_uid_from_the_floor_on, Fixture) {
    DocumentRoots roots(1002, passwd);
    BOOST_TEST(!roots.is_an_accounts("/home/alice"));
    BOOST_TEST(roots.is_an_accounts("/var/www/vhosts/shop.example"));
}
