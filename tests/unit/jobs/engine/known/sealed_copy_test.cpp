// Sealed copies, and owners that change the file meanwhile in every way: no hash may stand for other bytes than those
// of the copy.
#include "jobs/engine/known/sealed_copy.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <set>

#include "auth/base/child_process.h"
#include "auth/base/sha256.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

constexpr std::size_t size = 300'000;  // several pieces
constexpr std::uint64_t limit = 8 * 1024 * 1024;
constexpr int rounds = 1500;  // for each way

std::string bytes_in(int fd) {
    std::string bytes(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    BOOST_REQUIRE(::pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
}

struct Fixture {
    Fixture() { place.write("file", std::string(size, 'a')); }
    [[nodiscard]] UniqueFd open_file(int flags = O_RDONLY) const {
        return UniqueFd(checked(::open((place.path + "/file").c_str(), flags | O_CLOEXEC), "open a file"));
    }
    // A process that does it over and over again.
    [[nodiscard]] ChildProcess racing(const std::function<void(int fd, char letter)>& change) const {
        const pid_t pid = checked(::fork(), "fork an owner");
        if (pid != 0) return ChildProcess(pid);
        const auto file = open_file(O_RDWR);
        for (char letter = 'a';; letter = letter == 'a' ? 'b' : 'a') change(file.get(), letter);
    }
    // How many different contents were copied.
    std::size_t copies_while(const std::function<void(int fd, char letter)>& change) const {
        ChildProcess owner = racing(change);
        std::set<std::string> contents;
        for (int round = 0; round < rounds; ++round) {
            const auto file = open_file();
            auto copy = sealed_copy(file.get(), limit);
            BOOST_REQUIRE(copy.has_value());
            const auto bytes = bytes_in(copy->file.get());
            BOOST_REQUIRE(copy->size == bytes.size());
            BOOST_REQUIRE(copy->sha256 == sha256_hex(bytes));
            // What the registry makes of it.
            const auto examined = examined_copy(std::move(copy->file), limit);
            BOOST_REQUIRE(examined.has_value());
            BOOST_REQUIRE(examined->sha256 == copy->sha256);
            BOOST_REQUIRE(examined->size == copy->size);
            contents.insert(copy->sha256);
        }
        return contents.size();
    }
    TemporaryDirectory place;
};

BOOST_FIXTURE_TEST_SUITE(sealed_copies, Fixture)

BOOST_AUTO_TEST_CASE(a_copy_is_of_the_bytes_under_its_hash) {
    const auto file = open_file();
    const auto copy = sealed_copy(file.get(), limit);
    BOOST_REQUIRE(copy.has_value());
    BOOST_TEST(copy->size == size);
    BOOST_TEST(copy->sha256 == sha256_hex(std::string(size, 'a')));
    BOOST_TEST((bytes_in(copy->file.get()) == std::string(size, 'a')));
}

BOOST_AUTO_TEST_CASE(nobody_can_change_a_copy) {
    const auto file = open_file();
    const auto copy = sealed_copy(file.get(), limit);
    const int fd = copy->file.get();
    BOOST_TEST(::pwrite(fd, "b", 1, 0) < 0);
    BOOST_TEST(::ftruncate(fd, 10) < 0);
    BOOST_TEST(::ftruncate(fd, 2 * size) < 0);
    BOOST_TEST(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0);
    BOOST_TEST((::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED));
    const UniqueFd again(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
    BOOST_TEST(::pwrite(again.get(), "b", 1, 0) < 0);
    BOOST_TEST((bytes_in(fd) == std::string(size, 'a')));
}

BOOST_AUTO_TEST_CASE(what_can_be_changed_is_no_copy) {
    BOOST_TEST(!examined_copy(open_file(), limit), "a file");
    UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    BOOST_TEST(!examined_copy(std::move(unsealed), limit));
    UniqueFd can_grow(::memfd_create("can grow", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    BOOST_REQUIRE(::fcntl(can_grow.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0);
    BOOST_TEST(!examined_copy(std::move(can_grow), limit));
    // One that is mapped for writing cannot be sealed.
    const UniqueFd mapped(::memfd_create("mapped", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    BOOST_REQUIRE(::ftruncate(mapped.get(), 4096) == 0);
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped.get(), 0);
    BOOST_REQUIRE(page != MAP_FAILED);
    BOOST_TEST(::fcntl(mapped.get(), F_ADD_SEALS, F_SEAL_WRITE) < 0);
    ::munmap(page, 4096);
}

BOOST_AUTO_TEST_CASE(what_is_too_long_or_unreadable_is_not_copied) {
    const auto file = open_file();
    BOOST_TEST(!sealed_copy(file.get(), size - 1));
    BOOST_TEST(sealed_copy(file.get(), size).has_value());
    BOOST_TEST(!sealed_copy(place.fd.get(), limit), "a directory");
}

BOOST_AUTO_TEST_CASE(an_owner_rewrites_the_file) {
    const auto contents = copies_while(
        [](int fd, char letter) { checked(::pwrite(fd, std::string(size, letter).data(), size, 0), "write"); });
    BOOST_TEST(contents > 1U, "the race was none");
}

BOOST_AUTO_TEST_CASE(an_owner_truncates_the_file) {
    const auto contents = copies_while([](int fd, char letter) {
        checked(::ftruncate(fd, letter == 'a' ? 70'000 : size), "truncate");
        checked(::pwrite(fd, std::string(1000, letter).data(), 1000, 69'500), "write");
    });
    BOOST_TEST(contents > 1U, "the race was none");
}

BOOST_AUTO_TEST_CASE(an_owner_stores_into_the_file_through_a_mapping) {
    const auto contents = copies_while([](int fd, char letter) {
        static char* const mapped =
            static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
        for (std::size_t at = 0; at < size; at += 4096) mapped[at] = letter;
    });
    BOOST_TEST(contents > 1U, "the race was none");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
