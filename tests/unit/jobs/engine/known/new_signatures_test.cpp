// Tests what counts as new in the signatures, with files as administrators and freshclam put them there, and with the
// library, which loads what is written.
#include "jobs/engine/known/new_signatures.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>
#include <sstream>

#include "auth/base/sha256.h"
#include "auth/base/write_all.h"
#include "jobs/engine/clam_engine.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

using Names = std::set<std::string>;

// A body signature that finds `text`.
std::string finds(const std::string& name, const std::string& text) {
    std::ostringstream line;
    line << name << ":0:*:" << std::hex;
    for (const char letter : text) line << static_cast<int>(letter);
    return line.str() + "\n";
}

struct Fixture {
    Fixture() {
        for (const char* name : {"signatures", "memory", "tmp"})
            std::filesystem::create_directory(place.path + "/" + name);
        config.paths.signature_directory = place.path + "/signatures";
        config.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
        config.engine.memory_directory = place.path + "/memory";
    }
    // What is new. Each time the directory is another one, as a fingerprint names the files' inodes and times.
    std::optional<NewSignatures> update() {
        directory = place.path + "/new" + std::to_string(++updates);
        std::filesystem::create_directory(directory);
        return write_new_signatures(config, directory);
    }
    bool counts() { return update().has_value(); }
    void write(const std::string& name, const std::string& content) const {
        place.write("signatures/" + name, content);
    }
    void remove(const std::string& name) const { std::filesystem::remove(place.path + "/signatures/" + name); }
    // The signatures that the last update() wrote.
    Names written() const {
        Names names;
        for (const auto& file : std::filesystem::directory_iterator(directory)) {
            std::ifstream lines(file.path());
            for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find_first_of(":;")));
        }
        return names;
    }
    // A database as ClamAV packs them, but unsigned.
    void write_database(const std::string& name, const std::string& option) const {
        const auto command = "cd " + place.path + "/members && { printf '%-512s' 'ClamAV-VDB:'; tar " + option +
                             " -f - *; } > " + place.path + "/signatures/" + name;
        BOOST_REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
    }

    TemporaryDirectory place;
    Settings config;
    std::string directory;
    int updates = 0;
};

BOOST_FIXTURE_TEST_SUITE(new_signatures, Fixture)

BOOST_AUTO_TEST_CASE(only_what_was_added_is_new) {
    write("a.ndb", finds("One", "one text") + finds("Two", "two texts"));
    BOOST_TEST(!counts(), "there was nothing before");
    const auto before = fingerprint_of(config, listing_of(config.paths.signature_directory));
    write("a.ndb", finds("Two", "two texts") + finds("Three", "three texts") + finds("One", "one text"));
    write("b.hdb", "d41d8cd98f00b204e9800998ecf8427e:5:Four\n");
    const auto found = update();
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->bases == std::vector<std::string>{before}, boost::test_tools::per_element());
    BOOST_TEST(found->fingerprint == fingerprint_of(config, listing_of(config.paths.signature_directory)));
    BOOST_TEST((written() == Names{"Three", "d41d8cd98f00b204e9800998ecf8427e"}));
    write("c.ndb", finds("Five", "five texts"));
    BOOST_TEST(update()->bases.size() == 2U);
    BOOST_TEST((written() == Names{"Three", "Five", "d41d8cd98f00b204e9800998ecf8427e"}), "since the first one");
}

BOOST_AUTO_TEST_CASE(the_library_finds_with_it_what_is_new_and_nothing_else) {
    write("a.ndb", finds("One", "one text that is bad"));
    BOOST_TEST(!counts());
    write("b.ndb", finds("Two", "another bad text"));
    BOOST_REQUIRE(counts());
    auto with_new = config;
    with_new.paths.signature_directory = directory;
    ClamEngine engine(with_new, place.path + "/tmp");
    engine.use_temporary_directory(place.path + "/tmp");
    const auto verdict = [&](const std::string& text) {
        const UniqueFd file(::memfd_create("text", MFD_CLOEXEC));
        BOOST_REQUIRE(write_all(file.get(), text));
        return engine.scan(file.get()).verdict;
    };
    BOOST_TEST((verdict("here is one text that is bad") == Verdict::Clean));
    BOOST_TEST((verdict("and here another bad text") == Verdict::Infected));
}

// What was judged while it was gone was judged without it.
BOOST_AUTO_TEST_CASE(what_was_gone_and_comes_back_is_new) {
    write("a.ndb", finds("One", "one text") + finds("Two", "two texts"));
    BOOST_TEST(!counts());
    write("a.ndb", finds("Two", "two texts"));
    BOOST_TEST(counts());
    BOOST_TEST(written().empty());
    write("a.ndb", finds("One", "one text") + finds("Two", "two texts"));
    BOOST_TEST(counts());
    BOOST_TEST((written() == Names{"One"}));
}

BOOST_AUTO_TEST_CASE(a_signature_of_another_kind_is_another_signature) {
    write("a.hdb", "d41d8cd98f00b204e9800998ecf8427e:5:One\n");
    BOOST_TEST(!counts());
    write("a.mdb", "d41d8cd98f00b204e9800998ecf8427e:5:One\n");
    BOOST_TEST(counts());
    BOOST_TEST(written().size() == 1U);
}

// What an allow-list kept from being found is not among the new signatures.
BOOST_AUTO_TEST_CASE(an_allow_list_may_grow_but_not_shrink) {
    for (const std::string list : {"a.fp", "a.sfp", "a.ign2", "a.wdb"}) {
        write("a.ndb", finds("One", "one text"));
        write(list, "first\nsecond\n");
        static_cast<void>(update());
        write(list, "second\nthird\nfirst\n");
        BOOST_TEST(counts(), list);
        BOOST_TEST((written() == Names{"first", "second", "third"}), "they are needed with the new ones");
        write(list, "second\nfirst\n");
        BOOST_TEST(!counts(), list);
        BOOST_TEST(!std::filesystem::exists(directory + "/lines.fp"), "nothing is left of it");
        remove(list);
        BOOST_TEST(!counts(), list);
    }
}

BOOST_AUTO_TEST_CASE(what_changes_how_all_is_looked_at_makes_everything_new) {
    const std::string logical = "One;Engine:51-255,Target:0;0;6f6e65\n";
    for (const std::string name : {"a.ftm", "a.yara", "a.cfg", "a.crb", "a.pdb", "a.idb", "a.cbc", "a.db", "a.ign"}) {
        write("a.ldb", logical);
        write(name, "first\n");
        static_cast<void>(update());
        write("b.ldb", "Two" + logical.substr(3));
        BOOST_TEST(counts(), name);
        BOOST_TEST((written() == Names{"Two", "first"}), "it is needed with the new ones");
        write(name, "first\nsecond\n");
        BOOST_TEST(!counts(), name);
        remove("b.ldb");
        remove(name);
    }
    for (const std::string rule :
         {"Two;Engine:81-255,Target:0,HandlerType:CL_TYPE_MAIL;0;6f6e65\n",
          "Two;Engine:51-255,Target:1,IconGroup1:X;0;6f6e65\n", "Two;Engine:51-255,Target:0;0;6f6e65${6-7}1$\n"}) {
        write("a.ldb", logical);
        static_cast<void>(update());
        write("a.ldb", logical + rule);
        BOOST_TEST(!counts(), rule);
        write("b.ldb", "Three" + logical.substr(3));
        BOOST_TEST(counts(), rule);
        BOOST_TEST((written() == Names{"Two", "Three"}), rule);
        remove("b.ldb");
    }
    static_cast<void>(update());
    config.engine.max_recursion -= 1;
    BOOST_TEST(!counts(), "an option");
}

BOOST_AUTO_TEST_CASE(clamavs_own_databases_are_read_line_by_line) {
    place.write("members/daily.ndb", finds("One", "one text"));
    place.write("members/daily.info", "a list of checksums, of no signatures");
    place.write("members/daily.ftm", "0:0:4d5a:Type:CL_TYPE_ANY:CL_TYPE_MSEXE\n");
    write_database("daily.cvd", "-cz");
    write("bytecode.cvd", "signed, so it stays as it is");
    BOOST_TEST(!counts());
    place.write("members/daily.ndb", finds("One", "one text") + finds("Two", std::string(100'000, 'x')));
    remove("daily.cvd");
    write_database("daily.cld", "-c");  // as after an update in parts
    BOOST_TEST(counts());
    BOOST_TEST((written() == Names{"Two", "0", "signed, so it stays as it is"}));
    place.write("members/daily.ftm", "0:0:4d5a:Other:CL_TYPE_ANY:CL_TYPE_MSEXE\n");
    write_database("daily.cld", "-c");
    BOOST_TEST(!counts());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_an_error) {
    place.write("members/daily.ndb", finds("One", "one text"));
    write_database("daily.cvd", "-cz");
    BOOST_TEST(!counts());
    const auto whole = place.read("signatures/daily.cvd");
    for (const auto cut : {whole.size() - 40, std::size_t{520}, std::size_t{512}, std::size_t{100}, std::size_t{0}}) {
        write("daily.cvd", whole.substr(0, cut));
        if (cut > 512) BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
    }
    place.write("members/daily.cbc", "bytecode");
    write_database("daily.cvd", "-cz");
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
    std::filesystem::remove_all(config.paths.signature_directory);
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_damaged_record_counts_for_nothing) {
    write("a.ndb", finds("One", "one text"));
    BOOST_TEST(!counts());
    const auto record = place.read("memory/signatures_before");
    const auto try_with = [&](const std::string& damaged) {
        place.write("memory/signatures_before", damaged);
        write("b.ndb", finds("Two", "two texts"));
        const bool does = counts();
        remove("b.ndb");
        return does;
    };
    BOOST_TEST(try_with(record));
    for (std::size_t at = 0; at < record.size(); at += 7) {
        auto damaged = record;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        BOOST_TEST(!try_with(damaged), "byte " << at);
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{63}, std::size_t{64}, record.size() - 1})
        BOOST_TEST(!try_with(record.substr(0, size)), size << " bytes");
    // With its own hash, but made of nothing.
    for (const std::string text : {"", "signatures that judgements were made with, 1\n",
                                   "signatures that judgements were made with, 1\nx\n\n\xff\xff\xff\xff\xff\xff\xff\xff"
                                   "\xff\xff\xff\xff\xff\xff\xff\xff"})
        BOOST_TEST(!try_with(text + sha256_hex(text)));
}

BOOST_AUTO_TEST_CASE(very_many_new_ones_make_everything_new) {
    write("a.ndb", finds("One", "one text"));
    BOOST_TEST(!counts());
    std::string many;
    for (std::size_t number = 0; number <= most_new_lines; ++number) many += std::to_string(number) + ":0:*:aabbccdd\n";
    write("b.ndb", many);
    BOOST_TEST(!counts());
    BOOST_TEST(std::filesystem::is_empty(directory));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
