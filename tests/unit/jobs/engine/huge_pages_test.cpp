#include "jobs/engine/huge_pages.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>

namespace {

constexpr int collapse = 25;  // MADV_COLLAPSE
int refusal = 0;              // what it fails with

}  // namespace

// Instead of libc's.
extern "C" int madvise(void* begin, size_t bytes, int advice) noexcept {
    if (advice == collapse && refusal != 0) {
        errno = refusal;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_madvise, begin, bytes, advice));
}

namespace clamscanner {
namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

void move_all(HugePages& pages) {
    while (pages.move_some()) {
    }
}

struct Refusing {
    explicit Refusing(int error) { refusal = error; }
    ~Refusing() { refusal = 0; }
    Refusing(const Refusing&) = delete;
    Refusing& operator=(const Refusing&) = delete;
};

}  // namespace

BOOST_AUTO_TEST_CASE(memory_keeps_its_content_in_huge_pages) {
    std::string much(64 * mebibyte, '\0');
    for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 31 % 251);
    HugePages pages;
    move_all(pages);
    bool same = true;
    for (std::size_t i = 0; i < much.size(); ++i) same = same && much[i] == static_cast<char>(i * 31 % 251);
    BOOST_TEST(same);
    BOOST_TEST_MESSAGE(pages.moved_bytes() << " bytes moved");
}

BOOST_AUTO_TEST_CASE(what_no_page_was_free_for_is_moved_later) {
    const std::string more_than_one_try(320 * mebibyte, 'x');
    HugePages with_enough;
    move_all(with_enough);
    HugePages pages;
    {
        const Refusing refusing(ENOMEM);
        move_all(pages);
        BOOST_TEST(pages.moved_bytes() == 0U);
        BOOST_TEST(pages.try_again());
        move_all(pages);
        BOOST_TEST(pages.moved_bytes() == 0U);
    }
    BOOST_TEST(pages.try_again());
    move_all(pages);
    // A busy machine may have fewer.
    BOOST_TEST(pages.moved_bytes() >= with_enough.moved_bytes() / 2);
}

BOOST_AUTO_TEST_CASE(an_older_kernel_is_not_asked_again) {
    const std::string much(64 * mebibyte, 'x');
    const Refusing refusing(EINVAL);
    HugePages pages;
    move_all(pages);
    BOOST_TEST(!pages.try_again());
}

}  // namespace clamscanner
