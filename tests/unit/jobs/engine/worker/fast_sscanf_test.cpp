// Checks that the engine's sscanf() gives the same results as libc's.
#include <dlfcn.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <climits>
#include <string>

namespace {

using Sscanf = int (*)(const char*, const char*, ...);

template <class... Numbers>
void expect_same(const std::string& text, const char* format, Numbers... initial) {
    static const auto ours = reinterpret_cast<Sscanf>(::dlsym(RTLD_DEFAULT, "sscanf"));
    static const auto libcs = reinterpret_cast<Sscanf>(::dlsym(RTLD_NEXT, "sscanf"));
    BOOST_REQUIRE(ours != libcs);
    std::tuple<Numbers...> mine(initial...);
    std::tuple<Numbers...> theirs(initial...);
    const auto read = [&](Sscanf function, auto& numbers) {
        return std::apply([&](auto&... each) { return function(text.c_str(), format, &each...); }, numbers);
    };
    BOOST_TEST_CONTEXT("'" << text << "' by " << format) {
        BOOST_TEST(read(ours, mine) == read(libcs, theirs));
        BOOST_TEST((mine == theirs));
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(numbers) {
    for (const char* text : {"0",
                             "7",
                             "0&1",
                             "12|3",
                             "00012",
                             "999999999",
                             "999999999x",
                             "1000000000",
                             "4294967295",
                             "4294967296",
                             "99999999999999999999",
                             "0000000000000001",
                             "",
                             " ",
                             " 5",
                             "\t\n6",
                             "+7",
                             "-8",
                             "- 8",
                             "x",
                             "&1",
                             "0x10",
                             "12.5",
                             "1e3",
                             "\xb2",
                             "("})
        expect_same(text, "%u", 4711U);
}

BOOST_AUTO_TEST_CASE(every_short_text) {
    const std::string bytes = "09 +-x\n/:";  // the last two are the digits' neighbours
    for (const char first : bytes)
        for (const char second : bytes)
            for (const char third : bytes) expect_same({first, second, third}, "%u", 4711U);
}

BOOST_AUTO_TEST_CASE(other_formats) {
    for (const char* text : {"12,34", "12,", "12", ",34", "", "{12}", "a12b"}) {
        expect_same(text, "%u,%u", 1U, 2U);
        expect_same(text, "%c%zu%c", 'x', std::size_t{1}, 'y');
        expect_same(text, "%ux", 1U);
        expect_same(text, "%d", 1);
        expect_same(text, "%hu", static_cast<unsigned short>(1));
        expect_same(text, "%lu", 1UL);
    }
    expect_same("anything", "");
    expect_same("anything", "%%u");
    expect_same("%u", "%%u");
    expect_same("5", "%*u");
    expect_same("5", " %u", 1U);
}
