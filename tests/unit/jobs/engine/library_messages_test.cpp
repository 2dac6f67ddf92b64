#include "jobs/engine/library_messages.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(a_message_of_the_library_is_one_line_without_its_frame) {
    BOOST_TEST(loggable("LibClamAV Error: it fails\n") == "LibClamAV Error: it fails");
    BOOST_TEST(loggable("***  The virus database is older than 7 days!  ***\n") ==
               "The virus database is older than 7 days!");
    BOOST_TEST(loggable("*****************************\n").empty());
    BOOST_TEST(loggable("a name with \n<2>a line of its own\n") == "a name with \\x0a<2>a line of its own");
}
