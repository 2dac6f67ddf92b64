// Tests what counts as new in the signatures, with files as administrators and freshclam put them there, and with the
// library, which loads what is written.
#include "jobs/engine/known/new_signatures.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>
#include <sstream>

#include "auth/base/random.h"
#include "auth/base/sha256.h"
#include "auth/base/write_all.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/known/signature_reader.h"
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
    // The signatures that the last update() wrote, but our own.
    Names written() const {
        Names names;
        for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
            if (file.is_directory() || file.path().filename().string().starts_with("clamscanner.")) continue;
            std::ifstream lines(file.path());
            for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find_first_of(":;")));
        }
        return names;
    }
    // Of an engine with what the last update() wrote.
    ClamEngine engine_of_new() {
        with_new = config;
        with_new.paths.signature_directory = directory + new_in;
        with_new.paths.embedded_signature_directory = directory + others_in;
        return ClamEngine(with_new, place.path + "/tmp");
    }
    ClamEngine engine_of_all() { return ClamEngine(config, place.path + "/tmp"); }
    bool is_clean(ClamEngine&& engine, const std::string& text) const {
        engine.use_temporary_directory(place.path + "/tmp");
        const UniqueFd file(::memfd_create("text", MFD_CLOEXEC));
        BOOST_REQUIRE(write_all(file.get(), text));
        return engine.scan(file.get()).verdict == Verdict::Clean;
    }
    // A database as ClamAV packs them, but unsigned.
    void write_database(const std::string& name, const std::string& option) const {
        const auto command = "cd " + place.path + "/members && { printf '%-512s' 'ClamAV-VDB:'; tar " + option +
                             " -f - *; } > " + place.path + "/signatures/" + name;
        BOOST_REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
    }

    TemporaryDirectory place;
    Settings config;
    Settings with_new;
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
    BOOST_TEST(is_clean(engine_of_new(), "here is one text that is bad"));
    BOOST_TEST(!is_clean(engine_of_new(), "and here another bad text"));
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
    for (const std::string list : {"a.fp", "a.sfp", "a.wdb"}) {
        write("a.ndb", finds("One", "one text"));
        write(list, "first\nsecond\n");
        static_cast<void>(update());
        write(list, "second\nthird\nfirst\n");
        BOOST_TEST(counts(), list);
        BOOST_TEST((written() == Names{"first", "second", "third"}), "they are needed with the new ones");
        write(list, "second\nfirst\n");
        BOOST_TEST(!counts(), list);
        BOOST_TEST(std::filesystem::is_empty(directory), "nothing is left of it");
        remove(list);
        BOOST_TEST(!counts(), list);
    }
}

BOOST_AUTO_TEST_CASE(what_changes_how_all_is_looked_at_makes_everything_new) {
    const std::string logical = "One;Engine:51-255,Target:0;0;6f6e65\n";
    for (const std::string name :
         {"a.ftm", "a.yara", "a.cfg", "a.crb", "a.pdb", "a.idb", "a.cbc", "a.db", "a.ign", "a.ign2", "a.pwdb"}) {
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
    std::string gaps;
    for (std::size_t bytes = 0; bytes <= longest_plain_pattern; bytes += 100) gaps += "{100}";
    for (const std::string& rule :
         {std::string("Two;Engine:81-255,Target:0,HandlerType:CL_TYPE_MAIL;0;6f6e65\n"),
          std::string("Two;Engine:51-255,Target:1,IconGroup1:X;0;6f6e65\n"),
          std::string("Two;Engine:51-255,Target:0;0;6f6e65${6-7}1$\n"),
          std::string("Two;Engine:51-255,Target:0;0;$1:6f6e65\n"),
          "Two;Engine:51-255,Target:0;0;" + std::string(2 * longest_plain_pattern + 2, '1') + "\n",
          "Two;Engine:51-255,Target:0;0;" + std::string(longest_plain_pattern + 2, '1') + "::w\n",
          "Two;Engine:51-255,Target:0;0;6f6e65" + gaps + "6f\n"}) {
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

BOOST_AUTO_TEST_CASE(patterns_of_usual_length_change_nothing_for_others) {
    const std::string pattern(2 * (longest_plain_pattern - 20), '1');
    const std::string logical = ";Engine:51-255,Target:0;0&1;";
    write("a.ldb", "One" + logical + "6f6e65;6f\n");
    BOOST_TEST(!counts());
    write("b.ldb",
          "Two" + logical + pattern + "{1-200}" + pattern + "{-9}" + pattern + "*" + pattern + ";" + pattern + "\n");
    write("b.ndb", "Three:0:*:" + pattern + "\nFour:0:EOF-5:6f6e65\n");
    BOOST_TEST(counts());
    BOOST_TEST((written() == Names{"Two", "Three", "Four"}));
}

BOOST_AUTO_TEST_CASE(clamavs_own_databases_are_read_line_by_line) {
    place.write("members/daily.ndb", finds("One", "one text"));
    place.write("members/daily.info", "a list of checksums, of no signatures");
    place.write("members/daily.ftm", "0:0:4d5a:Type:CL_TYPE_ANY:CL_TYPE_MSEXE\n");
    write_database("daily.cvd", "-cz");
    write("bytecode.cvd", "signed, so it stays as it is");
    BOOST_TEST(!counts());
    place.write("members/daily.ndb", finds("One", "one text") + finds("Two", std::string(500, 'x')));
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
    const std::string begin = "signatures that judgements were made with, 2\n";
    const std::string key = std::string(32, '1') + "\n";
    for (const std::string& text : {std::string(), begin, begin + std::string(32, 'x') + "\nx\n\n", begin + key + key,
                                    begin + key + "x\n\n" + std::string(16, '\xff')})
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

// ---- How the library treats one signature because of others --------------------------------------------------------

BOOST_AUTO_TEST_CASE(new_ones_of_imports_alone_are_loaded) {
    write("a.imp", "d41d8cd98f00b204e9800998ecf8427e:*:One\n");
    BOOST_TEST(!counts());
    write("b.imp", "d41d8cd98f00b204e9800998ecf8427f:*:Two\n");
    BOOST_REQUIRE(counts());
    BOOST_TEST((written() == Names{"d41d8cd98f00b204e9800998ecf8427f"}));
    const auto loaded = engine_of_new().signatures();
    std::filesystem::remove(directory + new_in + "/lines.imp");
    BOOST_TEST(engine_of_new().signatures() + 1 == loaded);
}

// With any of them the library reads a program's imports, and stops at what is damaged there.
BOOST_AUTO_TEST_CASE(the_first_and_the_last_one_of_imports_make_everything_new) {
    write("a.ndb", finds("One", "one text"));
    BOOST_TEST(!counts());
    write("a.imp", "d41d8cd98f00b204e9800998ecf8427e:*:Two\n");
    BOOST_TEST(!counts());
    write("b.imp", "d41d8cd98f00b204e9800998ecf8427f:*:Three\n");
    BOOST_TEST(counts());
    remove("a.imp");
    BOOST_TEST(counts());
    remove("b.imp");
    BOOST_TEST(!counts());
}

// An entry of an allow-list that is to be ignored no longer keeps its file from being called infected.
BOOST_AUTO_TEST_CASE(nothing_counts_while_an_allow_list_is_to_be_ignored) {
    const std::string text = "here is one text";
    const std::string entry = sha256_hex(text) + ":" + std::to_string(text.size()) + ":Good";
    write("a.ndb", finds("One", "one text"));
    write("b.sfp", entry + "\n");
    BOOST_TEST(!counts());
    BOOST_TEST(is_clean(engine_of_all(), text));
    write("c.ign2", "Good\n");
    BOOST_TEST(!is_clean(engine_of_all(), text), "this is how the library takes it");
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
    write("c.ign2", "Good:d41d8cd98f00b204e9800998ecf8427e\n");
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
    write("c.ign2", "Other\n");
    BOOST_TEST(!counts());
    write("d.ndb", finds("Two", "two texts"));
    BOOST_TEST(counts());
}

// Whether it is ignored depends on what is loaded first, and that on the order of names in a directory.
BOOST_AUTO_TEST_CASE(what_is_to_be_ignored_is_new_each_time_and_found) {
    write("a.ndb", finds("One", "one text") + finds("Two", "two texts"));
    write("a.ldb", "Three.{X};Engine:51-255,Target:0;0;" + hex("three", 5) + "\n");
    write("a.hdb", "d41d8cd98f00b204e9800998ecf8427e:5:Four.UNOFFICIAL:73\n");
    write("a.ign2", "# a comment\nOne\r\nThree\nfile:7:Four\n");
    BOOST_TEST(!counts());
    write("b.ndb", finds("Five", "five texts"));
    BOOST_TEST(counts());
    BOOST_TEST((written() == Names{"One", "Three.{X}", "d41d8cd98f00b204e9800998ecf8427e", "Five", "# a comment",
                                   "One\r", "Three", "file"}));
    BOOST_TEST(is_clean(engine_of_all(), "here is one text"));
    BOOST_TEST(!is_clean(engine_of_new(), "here is one text"), "so all of them judge it");
    write("a.ign2", "# a comment\nThree\nfile:7:Four\n");
    BOOST_TEST(!counts(), "the list is another one");
}

BOOST_AUTO_TEST_CASE(a_rule_that_is_to_be_ignored_lets_nothing_count) {
    write("a.ldb", "One;Engine:81-255,Target:0,HandlerType:CL_TYPE_MAIL;0;6f6e65\n");
    write("a.ign2", "One\n");
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
}

// With a signature for the end of a text, the library makes a file of what it brought into a common form: its size and
// its hash count then, and what regular expressions find is looked for in the whole of it.
BOOST_AUTO_TEST_CASE(texts_are_looked_at_in_the_same_way_with_new_ones_alone) {
    const std::string text = "Hello" + std::string(300, ' ') + "WORLD again and again\n";
    const std::string small = ";Engine:51-255,Target:7,FileSize:10-60;0;" + hex("hello world", 11) + "\n";
    const std::string end = ":EOF-5:" + hex("other", 5);
    write("a.ldb", "One" + small);
    BOOST_TEST(!counts());
    BOOST_TEST(is_clean(engine_of_all(), text));
    for (const std::string& with_end :
         {"Two:7" + end + "\n", "Two:07" + end + "\n", "#\nTwo:0" + end + "\nThree:7" + end + "\n"}) {
        write("b.ndb", with_end);
        BOOST_TEST(!is_clean(engine_of_all(), text), "this is how the library takes it");
        BOOST_TEST(!counts(), "the first one: " << with_end);
        write("c.ldb", "Four" + small);
        BOOST_REQUIRE(counts());
        BOOST_TEST(!is_clean(engine_of_new(), text));
        remove("c.ldb");
        remove("b.ndb");
        BOOST_TEST(!counts(), "the last one: " << with_end);
    }
    write("b.ldb", "Two;Engine:51-255,Target:07;0;EOF-5:" + hex("other", 5) + "\n");
    BOOST_TEST(!is_clean(engine_of_all(), text));
    BOOST_TEST(!counts());
    write("b.ndb", "Five:0" + end + "\n");
    BOOST_TEST(counts(), "it is for other files");
}

// The library reads large files in pieces that overlap by the length of the longest pattern, and may count twice what
// is in two of them.
BOOST_AUTO_TEST_CASE(large_files_are_read_in_the_same_pieces_with_new_ones_alone) {
    constexpr std::size_t piece = 131'072;
    const auto text = [](std::size_t before_end) {
        return std::string(piece - before_end, 'a') + "needXXle!!" + std::string(5000, 'b');
    };
    write("a.ndb", finds("One", std::string(longest_plain_pattern - 20, 'x')));
    BOOST_TEST(!counts());
    write("b.ldb", "Two;Engine:51-255,Target:0;0>1;" + hex("need", 4) + "{1-3}" + hex("le!!", 4) + "\n");
    BOOST_REQUIRE(counts());
    BOOST_TEST(!is_clean(engine_of_all(), text(200)), "it is counted twice");
    BOOST_TEST(!is_clean(engine_of_new(), text(200)));
    for (const std::size_t before_end : {20U, 200U, 500U, 511U, 512U, 513U, 700U})
        BOOST_TEST(is_clean(engine_of_all(), text(before_end)) == is_clean(engine_of_new(), text(before_end)));
}

// ---- What the library does not load, or loads by an order that we do not see ---------------------------------------

BOOST_AUTO_TEST_CASE(what_the_library_passes_over_is_an_error) {
    const auto is_an_error = [&](const std::string& lines) {
        place.write("members/daily.ndb", lines);
        write_database("daily.cvd", "-cz");
        try {
            static_cast<void>(update());
            return false;
        } catch (const std::runtime_error&) {
            return true;
        }
    };
    const auto line = finds("One", "one text");
    BOOST_TEST(!is_an_error(line));
    BOOST_TEST(is_an_error(line.substr(0, line.size() - 1)), "the last line has no end");
    BOOST_TEST(is_an_error(line + std::string("Two\0:", 5) + line));
    BOOST_TEST(!is_an_error(line + "#" + std::string(8'189, 'x') + "\n"));
    BOOST_TEST(is_an_error(line + "#" + std::string(8'190, 'x') + "\n"));
    BOOST_TEST(!is_an_error(line));
    write_database("daily.cld", "-c");
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);  // only the newer one is loaded
    remove("daily.cvd");
    BOOST_CHECK_NO_THROW(static_cast<void>(update()));
    BOOST_REQUIRE(::mkfifo((config.paths.signature_directory + "/a.ndb").c_str(), 0600) == 0);
    BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(rules_that_include_a_file_let_nothing_count) {
    for (const std::string rules : {"include \"x\"\n", "// a comment\ninclude\t \"x\"\n", "include\"x\"\n"}) {
        write("a.yara", rules);
        BOOST_CHECK_THROW(static_cast<void>(update()), std::runtime_error);
    }
    write("a.yara", "// what they include\nrule include_it { condition: false }\n");
    BOOST_CHECK_NO_THROW(static_cast<void>(update()));
}

// Of two rules with one name the library takes the one that it comes to first.
BOOST_AUTO_TEST_CASE(another_order_of_the_files_of_rules_makes_everything_new) {
    const auto order = [&] {
        std::string names;
        for (const auto& entry : std::filesystem::directory_iterator(config.paths.signature_directory))
            if (entry.path().extension() == ".yara") names += entry.path().filename().string();
        return names;
    };
    const auto write_rules = [&](const std::string& name) {
        write(name, "rule Same { condition: filesize == " + std::to_string(name.front()) + " }\n");
    };
    for (const char* name : {"a.yara", "b.yara", "c.yara", "d.yara"}) write_rules(name);
    static_cast<void>(update());
    for (const char* name : {"a.yara", "c.yara", "b.yara", "d.yara", "a.yara"}) {
        const auto before = order();
        remove(name);
        write_rules(name);
        write("c.ndb", finds(std::string("One") + name, "one text"));
        BOOST_TEST(counts() == (order() == before), before << " became " << order());
    }
}

// An attacker may write what becomes a part of a signature, such as an address.
BOOST_AUTO_TEST_CASE(which_lines_have_the_same_hash_cannot_be_known) {
    write("a.ndb", finds("One", "one text"));
    BOOST_TEST(!counts());
    const auto record = place.read("memory/signatures_before");
    std::filesystem::remove(place.path + "/memory/signatures_before");
    BOOST_TEST(!counts());
    const auto another = place.read("memory/signatures_before");
    const auto lines = [](const std::string& text) { return text.substr(text.find("\n\n")).substr(0, 26); };
    BOOST_TEST(lines(record) != lines(another));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
