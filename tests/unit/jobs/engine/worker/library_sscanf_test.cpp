// Checks that the engine still needs its own sscanf() (jobs/engine/worker/fast_sscanf.cpp). This program has a counting
// one instead: unlike times, the number of calls is the same on every machine.
#include <clamav.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"
#include "tests/unit/temporary_directory.h"

namespace {

int numbers_read = 0;

}  // namespace

// Under each name that libclamav may have been compiled with, so that calls under another name are not missed.
extern "C" {
__attribute__((visibility("default"))) int counting_sscanf(const char* text, const char* format, ...) noexcept
    __asm__("sscanf");
__attribute__((visibility("default"), alias("sscanf"))) int of_c99(const char* text, const char* format, ...) noexcept
    __asm__("__isoc99_sscanf");
__attribute__((visibility("default"), alias("sscanf"))) int of_c23(const char* text, const char* format, ...) noexcept
    __asm__("__isoc23_sscanf");
}

int counting_sscanf(const char* text, const char* format, ...) noexcept {
    if (std::strncmp(format, "%u", 2) == 0) ++numbers_read;
    va_list arguments;
    va_start(arguments, format);
    const int read = std::vsscanf(text, format, arguments);
    va_end(arguments);
    return read;
}

namespace clamscanner {
namespace {

constexpr int signatures = 100;

// Signatures that match nothing in the scanned file.
std::string logical_signatures() {
    std::string lines;
    for (int i = 100; i < 100 + signatures; ++i) {
        const std::string number = std::to_string(i);
        lines += "Test-" + number + ";Engine:51-255,Target:0;0&1;dead" + number + "0beef;beef" + number + "0dead\n";
    }
    return lines;
}

std::string plain_signatures() {
    return "Test:0:*:deadbeefdeadbeef\n";
}

class Engine {
 public:
    Engine(const std::string& name, const std::string& content) {
        BOOST_REQUIRE(::cl_init(CL_INIT_DEFAULT) == CL_SUCCESS);
        engine_.reset(::cl_engine_new());
        BOOST_REQUIRE(::cl_engine_set_num(engine_.get(), CL_ENGINE_DISABLE_CACHE, 1) == CL_SUCCESS);
        BOOST_REQUIRE(::cl_engine_set_str(engine_.get(), CL_ENGINE_TMPDIR, place_.path.c_str()) == CL_SUCCESS);
        place_.write(name, content);
        unsigned loaded = 0;
        BOOST_REQUIRE(::cl_load((place_.path + "/" + name).c_str(), engine_.get(), &loaded, CL_DB_STDOPT) ==
                      CL_SUCCESS);
        BOOST_REQUIRE(::cl_engine_compile(engine_.get()) == CL_SUCCESS);
    }

    // How many numbers sscanf() reads in one scan of a file with one layer.
    [[nodiscard]] int numbers_read_in_a_scan() const {
        const UniqueFd file(checked(::memfd_create("scanned", MFD_CLOEXEC), "make a file"));
        const std::string bytes(1000, '\x01');
        checked(::write(file.get(), bytes.data(), bytes.size()), "fill the file");
        cl_scan_options options{};
        const char* virus = nullptr;
        unsigned long scanned = 0;
        numbers_read = 0;
        BOOST_REQUIRE(::cl_scandesc(file.get(), nullptr, &virus, &scanned, engine_.get(), &options) == CL_CLEAN);
        return numbers_read;
    }

 private:
    struct Free {
        void operator()(cl_engine* engine) const noexcept { ::cl_engine_free(engine); }
    };
    TemporaryDirectory place_;
    std::unique_ptr<cl_engine, Free> engine_;
};

BOOST_AUTO_TEST_CASE(every_scan_reads_the_numbers_of_all_logical_signatures) {
    const Engine engine("test.ldb", logical_signatures());
    for (int scan = 1; scan <= 2; ++scan)
        BOOST_TEST(engine.numbers_read_in_a_scan() >= 2 * signatures,
                   "libclamav no longer reads the numbers of logical signatures by sscanf() in every scan: "
                   "jobs/engine/worker/fast_sscanf.cpp and its tests may be deleted");
}

// Shows that the other test can fail: this is what it would count with a library that parses the expressions only once.
BOOST_AUTO_TEST_CASE(without_logical_signatures_none_is_read) {
    BOOST_TEST(Engine("test.ndb", plain_signatures()).numbers_read_in_a_scan() == 0);
}

}  // namespace
}  // namespace clamscanner
