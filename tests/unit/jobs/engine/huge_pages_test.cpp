#include "jobs/engine/huge_pages.h"

#include <boost/test/unit_test.hpp>
#include <string>

namespace clamscanner {

BOOST_AUTO_TEST_CASE(memory_keeps_its_content_in_huge_pages) {
    constexpr std::size_t mebibyte = 1024 * 1024;
    std::string much(64 * mebibyte, '\0');
    for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 31 % 251);
    HugePages pages;
    while (pages.move_some()) {
    }
    bool same = true;
    for (std::size_t i = 0; i < much.size(); ++i) same = same && much[i] == static_cast<char>(i * 31 % 251);
    BOOST_TEST(same);
    BOOST_TEST_MESSAGE(pages.moved_bytes() << " bytes moved");
}

}  // namespace clamscanner
