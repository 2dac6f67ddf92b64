// Whatever happens to the signatures, what was clean before and is clean with the new ones alone is clean with all of
// them: tried with the library, with random small sets of signatures that grow, shrink and change, and contents of
// several kinds that some of them find. same_verdicts_test -- SCENARIOS FIRST tries others than the usual few.
#include <fcntl.h>
#include <sys/mman.h>

#include <boost/test/unit_test.hpp>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "auth/base/random.h"
#include "auth/base/sha256.h"
#include "auth/base/write_all.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/known/new_signatures.h"
#include "jobs/engine/test_virus.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

std::string hex_of(const std::string& text) {
    return hex(text.data(), text.size());
}

class Chance {
 public:
    explicit Chance(unsigned seed) : generator_(seed) {}
    std::size_t below(std::size_t end) { return generator_() % end; }
    bool one_in(std::size_t count) { return below(count) == 0; }
    template <class Choices>
    auto one_of(const Choices& choices) {
        return *std::next(std::begin(choices), static_cast<std::ptrdiff_t>(below(std::size(choices))));
    }
    std::string one_of(std::initializer_list<const char*> choices) {
        return *(choices.begin() + below(choices.size()));
    }

 private:
    std::mt19937 generator_;
};

void append(std::string& bytes, std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
}

// A program of one section, as small as the library takes one.
std::string program(const std::string& section) {
    constexpr std::uint32_t raw = 0x200;
    const auto size = static_cast<std::uint32_t>((section.size() + raw - 1) / raw * raw);
    std::string bytes = "MZ" + std::string(58, '\0');
    append(bytes, 0x40, 4);
    bytes += std::string("PE\0\0", 4);
    append(bytes, 0x014c, 2);  // for the 80386
    append(bytes, 1, 2);
    bytes += std::string(12, '\0');
    append(bytes, 0xe0, 2);
    append(bytes, 0x0102, 2);
    append(bytes, 0x010b, 2);
    bytes += std::string(14, '\0');
    for (const std::uint32_t field : {0x1000U, 0x1000U, 0x2000U, 0x400000U, 0x1000U, raw}) append(bytes, field, 4);
    append(bytes, 4, 4);  // of the system
    append(bytes, 0, 4);
    append(bytes, 4, 4);  // of the subsystem
    append(bytes, 0, 4);
    append(bytes, 0x2000 + size, 4);
    append(bytes, raw, 4);
    append(bytes, 0, 4);
    append(bytes, 3, 2);
    append(bytes, 0, 2);
    for (const std::uint32_t field : {0x100000U, 0x1000U, 0x100000U, 0x1000U, 0U, 16U}) append(bytes, field, 4);
    bytes += std::string(128, '\0');
    bytes += std::string(".text\0\0\0", 8);
    for (const std::uint32_t field : {size, 0x1000U, size, raw, 0U, 0U, 0U, 0x60000020U}) append(bytes, field, 4);
    bytes.resize(raw, '\0');
    return bytes + section + std::string(size - section.size(), '\0');
}

std::string base64(const std::string& bytes) {
    static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t three = 0;
        for (std::size_t j = 0; j < 3; ++j)
            three = three << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j)
            text += i + j > bytes.size() ? '=' : letters[(three >> (18 - 6 * j)) & 0x3f];
        if (i % 57 == 54) text += "\r\n";
    }
    return text;
}

std::string mail(const std::string& text, const std::string& attached) {
    return "From: <a@example.org>\r\nTo: <b@example.org>\r\nSubject: a mail\r\nMIME-Version: 1.0\r\n"
           "Content-Type: multipart/mixed; boundary=\"=-b\"\r\n\r\n--=-b\r\nContent-Type: text/plain\r\n\r\n" +
           text +
           "\r\n--=-b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n"
           "Content-Transfer-Encoding: base64\r\n"
           "Content-Disposition: attachment; filename=\"a.bin\"\r\n\r\n" +
           base64(attached) + "\r\n--=-b--\r\n";
}

constexpr const char* words[] = {"marmalade", "quicksilver", "zeppelins", "bumblebee", "wheelbarrow", "xylophone"};

// ---- Contents: texts with some of the words, by themselves and in all that the library takes apart -----------------

class Contents {
 public:
    explicit Contents(Chance& chance) : chance_(chance) {
        for (int i = 0; i < 10; ++i) add(one(2));
        all_.push_back(large());
    }
    [[nodiscard]] const std::vector<std::string>& all() const { return all_; }
    [[nodiscard]] const std::vector<std::string>& parts() const { return parts_; }

 private:
    void add(std::string content) {
        parts_.push_back(content);
        all_.push_back(std::move(content));
    }
    std::string text() {
        std::string text = chance_.one_of({"", "#!/bin/sh\n", "<?php ", "  "});
        for (auto count = chance_.below(6) + 1; count > 0; --count) {
            text += chance_.one_of({"some ", "TEXT   and\n", "more\r\n", "\t"});
            std::string word = chance_.one_of(words);
            if (chance_.one_in(4))
                for (char& letter : word) letter = static_cast<char>(letter - 'a' + 'A');
            text += word;
        }
        return text + chance_.one_of({"\n", " the end", ""});
    }
    std::string part(int depth) {
        auto made = depth > 0 ? one(depth - 1) : text();
        parts_.push_back(made);
        return made;
    }
    std::string one(int depth) {
        switch (chance_.below(7)) {
            case 0:
                return stored_zip(chance_.one_of({"a.txt", "b.exe"}), part(depth));
            case 1:
                return "<html><head><title>a page</title></head><body><p>" + text() + "</p><script>var a = \"" +
                       text() + "\";</script></body></html>\n";
            case 2:
                return mail(text(), part(depth));
            case 3: {
                const auto section = text() + std::string(400, 'x') + text();
                parts_.push_back(section);
                return program(section);
            }
            case 4:
                return std::string("\x01\x02\xff\xfe\x00\x03", 6) + text();
            default:
                return text();
        }
    }
    // With something where one of the pieces ends that the library reads.
    std::string large() {
        constexpr std::size_t piece = 131'072;
        const std::string filling = chance_.one_of({"a ", "line\n", "\xfe\x01"});
        std::string bytes;
        while (bytes.size() < piece - chance_.below(3000)) bytes += filling;
        bytes += text() + text();
        while (bytes.size() < piece + 40'000) bytes += filling;
        return bytes + text();
    }

    Chance& chance_;
    std::vector<std::string> all_;
    std::vector<std::string> parts_;
};

// ---- Signatures ----------------------------------------------------------------------------------------------------

class Signatures {
 public:
    Signatures(Chance& chance, const Contents& contents) : chance_(chance), contents_(contents) {}

    // A file's ending and a line for it.
    std::pair<std::string, std::string> one() {
        const auto name = "S" + std::to_string(chance_.below(40));
        switch (chance_.below(14)) {
            case 0:
            case 1:
                return {"hdb", hash(name)};
            case 2: {
                const auto section = chance_.one_of(contents_.parts());
                const auto padded = section + std::string((512 - section.size() % 512) % 512, '\0');
                return {"msb", std::to_string(padded.size()) + ":" + sha256_hex(padded) + ":" + name};
            }
            case 3:
                return {"cdb", name + ":" + chance_.one_of({"CL_TYPE_ZIP", "*"}) +
                                   ":*:" + chance_.one_of({"a\\.txt", "b\\.", "c"}) +
                                   ":*:*:*:" + chance_.one_of({"1", "*"}) + ":*:*"};
            case 4:
                return {"sfp", hash(name)};
            case 5:
                if (chance_.one_in(3)) return {"ign2", name};
                [[fallthrough]];
            case 6:
                if (chance_.one_in(3))
                    return {"yara", "rule " + name + " { strings: $a = \"" + chance_.one_of(words) + "\" condition: " +
                                        chance_.one_of({"$a", "#a > 1", "not $a and filesize < 9"}) + " }"};
                [[fallthrough]];
            case 7:
            case 8:
            case 9:
                return {"ndb", name + ":" + chance_.one_of({"0", "0", "1", "3", "4", "7", "7"}) + ":" + offset() + ":" +
                                   pattern()};
            default:
                return {"ldb", logical(name)};
        }
    }

 private:
    std::string offset() { return chance_.one_of({"*", "*", "*", "0,400", "EOF-40,40", "EOF-9", "120000,40000", "5"}); }
    std::string pattern() {
        const std::string word = chance_.one_of(words);
        const auto at = 2 + chance_.below(word.size() - 5);
        const auto first = hex_of(word.substr(0, at));
        const auto rest = word.substr(at + 1);
        switch (chance_.below(8)) {
            case 0:
                return first + "??" + hex_of(rest);
            case 1:
                return first + "{1-3}" + hex_of(rest);
            case 2:
                return first + "*" + hex_of(rest);
            case 3:
                return first + "(" + hex_of(word.substr(at, 1)) + "|41)" + hex_of(rest);
            case 4:
                return first + "{1}" + hex_of(rest);
            case 5:
                return hex_of(word) + "*" + hex_of(chance_.one_of(words));
            case 6:
                return first + "{-200}" + hex_of(rest) +
                       (chance_.one_in(4) ? "{50-100}" + hex_of(std::string(400, 'q')) : "");
            default:
                return hex_of(word);
        }
    }
    std::string logical(const std::string& name) {
        const auto subsignature = [&] {
            auto text = (chance_.one_in(4) ? offset() + ":" : "") + pattern();
            if (chance_.one_in(4)) text += chance_.one_of({"::i", "::f", "::a"});
            return text;
        };
        static constexpr const char* conditions[] = {",Container:CL_TYPE_ZIP", ",FileSize:10-120", ",FileSize:0-60000",
                                                     ",Intermediates:CL_TYPE_ZIP>CL_TYPE_ANY"};
        const auto head = name + ";Engine:81-255,Target:" + chance_.one_of({"0", "0", "1", "3", "4", "7"}) +
                          (chance_.one_in(3) ? chance_.one_of(conditions) : "") + ";";
        switch (chance_.below(6)) {
            case 0:
                return head + chance_.one_of({"0", "0>1", "0=1", "0=2", "0>2"}) + ";" + subsignature();
            case 1:
                return head + chance_.one_of({"0&1", "0|1", "0=0&1", "(0|1)>1", "(0|1)>1,2", "(0&1)=2"}) + ";" +
                       subsignature() + ";" + subsignature();
            case 2:
                return head + "0&1;" + subsignature() + ";0/" + std::string(chance_.one_of(words)).substr(0, 5) +
                       chance_.one_of({".*", "[a-z]+", "\\w+\\s"}) + "/" + chance_.one_of({"", "i", "g"});
            case 3:
                return head + "0&(1|2);" + subsignature() + ";" + subsignature() + ";" + subsignature();
            case 4:
                return head + "0;" + hex_of(chance_.one_of(words)) + "::w";
            default:
                return head + "0>" + std::to_string(chance_.below(4)) + ";" + hex_of("mar") + "{" +
                       std::to_string(chance_.below(3) + 1) + "-" + std::to_string(3 + chance_.below(3)) + "}" +
                       hex_of("de");
        }
    }
    std::string hash(const std::string& name) {
        auto content = chance_.one_of(contents_.parts());
        if (chance_.one_in(3)) content = common_form(content);
        if (content.empty()) content = "x";
        return sha256_hex(content) +
               (chance_.one_in(2) ? ":*:" + name + ":73" : ":" + std::to_string(content.size()) + ":" + name);
    }
    // About what the library makes of a text.
    static std::string common_form(const std::string& text) {
        std::string made;
        for (const char letter : text) {
            const bool is_space = letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
            if (is_space && (made.empty() || made.back() == ' ')) continue;
            made += is_space ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
        }
        return made;
    }

    Chance& chance_;
    const Contents& contents_;
};

// ---- A scenario ----------------------------------------------------------------------------------------------------

struct Counts {
    std::size_t asked = 0;       // the new ones alone, about what was clean
    std::size_t found_new = 0;   // not clean with all of them, and not with the new ones
    std::size_t anew = 0;        // nothing that was judged before counted
    std::size_t not_loaded = 0;  // some of them, so that nothing is judged
    std::size_t missed = 0;
};

class Scenario {
 public:
    Scenario(unsigned seed, Counts& counts)
        : chance_(seed), contents_(chance_), signatures_(chance_, contents_), counts_(counts), seed_(seed) {
        for (const char* name : {"signatures", "memory", "tmp"})
            std::filesystem::create_directory(place_.path + "/" + name);
        config_.paths.signature_directory = place_.path + "/signatures";
        config_.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
        config_.engine.memory_directory = place_.path + "/memory";
    }

    void play() {
        for (auto count = 6 + chance_.below(12); count > 0; --count) add();
        for (int step = 0; step < 5; ++step) {
            write();
            try_out();
            change();
        }
    }

 private:
    void add() {
        auto [ending, line] = signatures_.one();
        files_[chance_.one_of({"a.", "b.", "c."}) + ending].push_back(std::move(line));
    }
    void change() {
        for (auto count = 1 + chance_.below(4); count > 0; --count) {
            if (files_.empty() || chance_.one_in(2)) {
                add();
                continue;
            }
            const auto name = chance_.one_of(files_).first;
            auto& lines = files_[name];
            const auto at = static_cast<std::ptrdiff_t>(chance_.below(lines.size()));
            const auto line = lines[static_cast<std::size_t>(at)];
            lines.erase(lines.begin() + at);
            if (lines.empty()) files_.erase(name);
            // Elsewhere, in another form, or gone.
            if (chance_.one_in(4)) files_["d" + name.substr(1)].push_back(line);
            if (chance_.one_in(4)) files_[name].push_back(line + "\r");
        }
    }
    void write() const {
        const auto& directory = config_.paths.signature_directory;
        for (const auto& entry : std::filesystem::directory_iterator(directory)) std::filesystem::remove(entry);
        for (const auto& [name, lines] : files_) {
            std::ofstream file(directory + "/" + name, std::ios::binary);
            for (const auto& line : lines) file << line << "\n";
        }
    }

    void try_out() {
        ClamEngine all(config_, place_.path + "/tmp");
        if (!all.problem().empty()) {
            ++counts_.not_loaded;
            return;
        }
        all.use_temporary_directory(place_.path + "/tmp");
        const auto found = update();
        if (!found) ++counts_.anew;
        std::set<std::string> clean;
        for (const auto& content : contents_.all())
            if (verdict(all, content) == Verdict::Clean) clean.insert(content);
        if (found) compare(*found, clean);
        clean_with_[all.fingerprint()] = clean;
    }

    std::optional<NewSignatures> update() {
        written_ = place_.path + "/new" + std::to_string(++updates_);
        std::filesystem::create_directory(written_);
        try {
            return write_new_signatures(config_, written_);
        } catch (const std::runtime_error&) {
            return std::nullopt;  // an entry of an allow-list is to be ignored
        }
    }

    void compare(const NewSignatures& found, const std::set<std::string>& clean) {
        auto with_new = config_;
        with_new.paths.signature_directory = written_ + new_in;
        with_new.paths.embedded_signature_directory = written_ + others_in;
        ClamEngine engine(with_new, place_.path + "/tmp");
        BOOST_TEST(engine.problem() == "");
        engine.use_temporary_directory(place_.path + "/tmp");
        std::set<std::string> before;
        for (const auto& base : found.bases) before.insert(clean_with_[base].begin(), clean_with_[base].end());
        for (const auto& content : before) {
            ++counts_.asked;
            const bool is_clean = verdict(engine, content) == Verdict::Clean;
            if (!clean.contains(content)) ++(is_clean ? counts_.missed : counts_.found_new);
            BOOST_TEST((!is_clean || clean.contains(content)), "scenario " << seed_ << ": " << content.substr(0, 400));
        }
    }

    static Verdict verdict(const ClamEngine& engine, const std::string& content) {
        const UniqueFd file(::memfd_create("content", MFD_CLOEXEC));
        BOOST_REQUIRE(write_all(file.get(), content));
        return engine.scan(file.get()).verdict;
    }

    Chance chance_;
    const Contents contents_;
    Signatures signatures_;
    Counts& counts_;
    const unsigned seed_;
    TemporaryDirectory place_{"/dev/shm"};
    Settings config_;
    std::map<std::string, std::vector<std::string>> files_;
    std::map<std::string, std::set<std::string>> clean_with_;  // by fingerprint
    std::string written_;
    int updates_ = 0;
};

BOOST_AUTO_TEST_CASE(what_the_new_ones_alone_call_clean_is_clean_with_all) {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    const auto argument = [&](int number, unsigned usual) {
        return suite.argc > number ? static_cast<unsigned>(std::strtoul(suite.argv[number], nullptr, 10)) : usual;
    };
    const auto scenarios = argument(1, 40);
    const auto first = argument(2, 30);
    Counts counts;
    for (unsigned seed = first; seed < first + scenarios; ++seed) Scenario(seed, counts).play();
    BOOST_TEST_MESSAGE(counts.asked << " asked, " << counts.found_new << " found by new ones, " << counts.missed
                                    << " missed, " << counts.anew << " times anew, " << counts.not_loaded
                                    << " times not loaded");
    // Or it would show nothing.
    BOOST_TEST(counts.asked > 5 * scenarios);
    BOOST_TEST(counts.found_new > scenarios / 8);
    BOOST_TEST(counts.not_loaded == 0U);
}

}  // namespace
}  // namespace clamscanner
