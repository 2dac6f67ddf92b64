#include "jobs/engine/library_build.h"

#include <clamav.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cctype>
#include <sstream>

using namespace clamscanner;

BOOST_AUTO_TEST_CASE(the_library_that_is_mapped_is_told_by_its_build_id) {
    BOOST_REQUIRE(::cl_init(CL_INIT_DEFAULT) == CL_SUCCESS);
    std::istringstream builds(mapped_library_builds());
    bool has_library = false;
    for (std::string name, build; builds >> name >> build;) {
        has_library = has_library || name.starts_with("libclamav.so");
        // SHA-1, as GNU ld and lld make it unless told otherwise.
        BOOST_TEST(build.size() == 40U);
        BOOST_TEST(std::all_of(build.begin(), build.end(), [](unsigned char c) { return std::isxdigit(c) != 0; }));
    }
    BOOST_TEST(has_library);
}

BOOST_AUTO_TEST_CASE(the_library_is_among_the_installed_files) {
    const auto files = installed_library_files();
    BOOST_TEST(files.find("libclamav.so") != std::string::npos);
    BOOST_TEST(files == installed_library_files());
}
