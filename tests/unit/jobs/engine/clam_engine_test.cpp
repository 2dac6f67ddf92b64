// Tests the real libclamav with the signatures that we ship: what it finds, and when it reports "clean" without having
// scanned. The coordinator's self-tests rely on this.
#include "jobs/engine/clam_engine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "jobs/engine/library_messages.h"
#include "jobs/engine/test_virus.h"
#include "tests/unit/eicar.h"
#include "tests/unit/md5_twins.h"

namespace clamscanner {
namespace {

struct Place {
    Place() {
        std::string pattern = (std::filesystem::temp_directory_path() / "clam_engine_test.XXXXXX").string();
        directory = ::mkdtemp(pattern.data());
        std::filesystem::create_directory(directory + "/signatures");
        std::filesystem::create_directory(directory + "/tmp");
        std::filesystem::create_directories(directory + "/engine");
        config.paths.run_directory = directory;
        config.paths.signature_directory = directory + "/signatures";
        config.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
    }
    ~Place() { std::filesystem::remove_all(directory); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    std::string directory;
    Settings config;
};

std::string bytes_of(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
}

struct LoadedEngine : Place {
    LoadedEngine() : engine(config, directory + "/engine") { engine.use_temporary_directory(directory + "/tmp"); }
    ScanAnswer scan(const std::string& content) const { return engine.scan(sealed_file(content).get()); }
    ClamEngine engine;
};

BOOST_FIXTURE_TEST_SUITE(clam_engine, LoadedEngine)

BOOST_AUTO_TEST_CASE(the_test_virus_is_found_plain_and_in_an_archive) {
    BOOST_TEST((scan(test_virus()).verdict == Verdict::Infected));
    BOOST_TEST(scan(test_virus()).virus == "Eicar-Test-Signature.UNOFFICIAL");
    BOOST_TEST((scan(zipped_test_virus()).verdict == Verdict::Infected));
}

BOOST_AUTO_TEST_CASE(its_own_test_virus_is_found_plain_and_in_an_archive) {
    const auto& [name, content] = engine.test_virus();
    BOOST_TEST(scan(content).virus == name + ".UNOFFICIAL");
    BOOST_TEST(scan(stored_zip("test.com", content)).virus == name + ".UNOFFICIAL");
    BOOST_TEST(std::filesystem::is_empty(directory + "/engine"));
}

BOOST_AUTO_TEST_CASE(each_load_has_another_test_virus_but_the_same_fingerprint) {
    const ClamEngine next(config, directory + "/engine");
    BOOST_TEST(next.test_virus().name != engine.test_virus().name);
    BOOST_TEST((scan(next.test_virus().content).verdict == Verdict::Clean));
    BOOST_TEST(next.fingerprint() == engine.fingerprint());
}

BOOST_AUTO_TEST_CASE(other_options_have_another_fingerprint) {
    using Options = decltype(Settings::engine);
    std::set<std::string> fingerprints{engine.fingerprint()};
    for (const auto option :
         {&Options::max_scan_bytes, &Options::max_file_bytes, &Options::max_recursion, &Options::max_files,
          &Options::max_scan_seconds, &Options::pcre_match_limit, &Options::pcre_recursion_limit}) {
        auto changed = config;
        ++(changed.engine.*option);
        BOOST_TEST(fingerprints.insert(ClamEngine(changed, directory + "/engine").fingerprint()).second);
    }
}

BOOST_AUTO_TEST_CASE(a_harmless_text_is_clean) {
    const auto answer = scan("nothing to see here, only a longer line of plain text\n");
    BOOST_TEST((answer.verdict == Verdict::Clean));
    BOOST_TEST(answer.virus.empty());
}

BOOST_AUTO_TEST_CASE(it_reports_having_only_embedded_signatures) {
    BOOST_TEST(engine.embedded_only());
    BOOST_TEST(engine.signatures() >= 2U);
}

BOOST_AUTO_TEST_CASE(a_database_that_appears_makes_the_engine_outdated) {
    BOOST_TEST(!engine.outdated());
    std::ofstream(directory + "/signatures/new.hdb") << "44d88612fea8a8f36de82e1278abb02f:68:Another-Name\n";
    BOOST_TEST(engine.outdated());
}

// While freshclam makes an update, it keeps it in such a directory beside the databases.
BOOST_AUTO_TEST_CASE(an_update_that_is_being_made_changes_nothing) {
    std::filesystem::create_directories(directory + "/signatures/tmp.53c0ffee/clamav-1.tmp");
    std::ofstream(directory + "/signatures/tmp.53c0ffee/daily.ndb") << "half of an update";
    BOOST_TEST(!engine.outdated());
    BOOST_TEST(ClamEngine(config, directory + "/engine").fingerprint() == engine.fingerprint());
    std::filesystem::remove_all(directory + "/signatures/tmp.53c0ffee");
    BOOST_TEST(!engine.outdated());
}

BOOST_AUTO_TEST_CASE(without_its_temporary_directory_the_self_test_fails) {
    std::filesystem::remove(directory + "/tmp");
    const bool plain = scan(test_virus()).verdict == Verdict::Infected;
    const bool zipped = scan(zipped_test_virus()).verdict == Verdict::Infected;
    BOOST_TEST(!(plain && zipped));
}

BOOST_AUTO_TEST_CASE(a_file_is_not_clean_if_unpacking_ran_out_of_room) {
    // HTML is split into temporary files, for which there is no room here.
    const std::string page =
        "<html><body><p>" + std::string(300'000, 'x') + "<script>var a = 1;</script></body></html>";
    const UniqueFd file = sealed_file(page);
    const pid_t pid = checked(::fork(), "fork a scanner");
    if (pid == 0) {
        // Writes fail under RLIMIT_FSIZE as on a full file system.
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit little{4096, 4096};
        ::setrlimit(RLIMIT_FSIZE, &little);
        ::_exit(engine.scan(file.get()).verdict == Verdict::Clean ? 1 : 0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    BOOST_TEST(WEXITSTATUS(status) == 0);
    BOOST_TEST((engine.scan(file.get()).verdict == Verdict::Clean));
}

BOOST_AUTO_TEST_CASE(a_failure_of_the_library_taints_the_engine) {
    BOOST_TEST(!engine.is_tainted());
    static_cast<void>(scan(zipped_test_virus()));
    BOOST_TEST(!engine.is_tainted());
    std::filesystem::remove(directory + "/tmp");
    static_cast<void>(scan(stored_zip("text", "harmless text")));
    BOOST_TEST(engine.is_tainted());
}

// Forty lines of plain text, as xz packs them.
std::string harmless_xz() {
    return bytes_of(
        "fd377a585a000004e6d6b4460200210116000000742fe5a3e004d7002c5d0034184aab8f92e97c7084f9f3b6b15b25b742a17a62deff19"
        "cf"
        "b34a643f2a7ae1a80ab7aa53090b89f691ae000013ee0f91f0589706000148d809000000ce27d3e4b1c467fb020000000004595a");
}

// With some bytes in the middle changed.
std::string damaged_xz() {
    std::string damaged = harmless_xz();
    for (std::size_t i = 40; i < 60; ++i) damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    return damaged;
}

BOOST_AUTO_TEST_CASE(a_whole_xz_file_is_clean) {
    BOOST_TEST((scan(harmless_xz()).verdict == Verdict::Clean));
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_damaged_and_does_not_taint_the_engine) {
    for (const auto& damaged : {damaged_xz(), harmless_xz().substr(0, 60), stored_zip("inner.xz", damaged_xz())}) {
        const auto answer = scan(damaged);
        BOOST_TEST((answer.verdict == Verdict::Unscanned));
        BOOST_TEST((answer.reason == UnscannedReason::Damaged));
        BOOST_TEST(!engine.is_tainted());
    }
}

BOOST_AUTO_TEST_CASE(without_its_temporary_directory_no_archive_is_clean) {
    std::filesystem::remove(directory + "/tmp");
    BOOST_TEST((scan(stored_zip("text", "harmless text")).verdict == Verdict::Unscanned));
}

BOOST_AUTO_TEST_CASE(a_file_that_hits_a_limit_is_neither_infected_nor_clean) {
    config.engine.max_file_bytes = 1024;
    ClamEngine limited(config, directory + "/engine");
    limited.use_temporary_directory(directory + "/tmp");
    const auto answer = limited.scan(sealed_file(std::string(4096, 'x')).get());
    BOOST_TEST((answer.verdict == Verdict::Unscanned));
    BOOST_TEST((answer.reason == UnscannedReason::TooLarge));
}

BOOST_AUTO_TEST_SUITE_END()

struct DirectoryWithABadFile : Place {
    DirectoryWithABadFile() {
        write("good.ndb", "Test-Good:0:0:" + hex("found in spite of it", 20) + "\n");
        write("allowed.fp", "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n");
    }
    void write(const std::string& name, const std::string& content) const {
        std::ofstream(directory + "/signatures/" + name) << content;
    }
    void check_left_out(const std::string& name, Trial trial = Trial::IfNeeded) const {
        BOOST_TEST_CONTEXT(name) {
            ClamEngine engine(config, directory + "/engine", trial);
            engine.use_temporary_directory(directory + "/tmp");
            BOOST_TEST(!engine.embedded_only());
            BOOST_REQUIRE(engine.left_out().size() == 1U);
            BOOST_TEST(engine.left_out()[0].name == name);
            BOOST_TEST(engine.problem().find(name + " (") != std::string::npos, engine.problem());
            const auto scan = [&](const std::string& content) { return engine.scan(sealed_file(content).get()); };
            BOOST_TEST(scan("found in spite of it").virus == "Test-Good.UNOFFICIAL");
            const bool is_allowed = scan(test_virus()).verdict == Verdict::Clean;
            BOOST_TEST(is_allowed == !engine.may_lack_allow_list());
            BOOST_TEST((scan("harmless text").verdict == Verdict::Clean));
            BOOST_TEST(!engine.outdated());
            BOOST_TEST(!engine.fingerprint().empty());
            BOOST_TEST(std::filesystem::is_empty(directory + "/engine"));
        }
        std::filesystem::remove_all(directory + "/signatures/" + name);
    }
};

BOOST_FIXTURE_TEST_SUITE(of_the_signature_files, DirectoryWithABadFile)

BOOST_AUTO_TEST_CASE(all_are_loaded_if_none_is_bad) {
    const ClamEngine engine(config, directory + "/engine");
    BOOST_TEST(engine.left_out().empty());
    BOOST_TEST(engine.problem() == "");
    BOOST_TEST(!engine.may_lack_allow_list());
}

BOOST_AUTO_TEST_CASE(a_bad_one_is_left_out_and_the_others_are_loaded) {
    for (const char* name : {"bad.ndb", "bad.hdb", "bad.hsb", "bad.ldb", "bad.cdb", "bad.mdb", "bad.db"}) {
        write(name, "this is no signature\n");
        check_left_out(name);
    }
}

BOOST_AUTO_TEST_CASE(an_empty_one_is_left_out) {
    write("lmd.user.hdb", "");
    check_left_out("lmd.user.hdb");
}

BOOST_AUTO_TEST_CASE(one_that_is_not_a_file_is_left_out) {
    std::filesystem::create_directory(directory + "/signatures/bad.ldb");
    check_left_out("bad.ldb");
    BOOST_REQUIRE(::mkfifo((directory + "/signatures/bad.ndb").c_str(), 0600) == 0);
    check_left_out("bad.ndb");
}

BOOST_AUTO_TEST_CASE(half_a_signed_database_is_left_out) {
    write("daily.cvd", "ClamAV-VDB:01 Jan 2026 00-00 +0000:27000:1:90:0123456789abcdef0123456789abcdef:x:x:1\n");
    check_left_out("daily.cvd");
    write("daily.cld", std::string(600, ' '));
    check_left_out("daily.cld");
}

BOOST_AUTO_TEST_CASE(they_are_tried_out_before_the_others_are_loaded_if_asked_to) {
    write("bad.ndb", "this is no signature\n");
    check_left_out("bad.ndb", Trial::First);
}

BOOST_AUTO_TEST_CASE(several_of_both_kinds_are_left_out) {
    write("bad.ndb", "this is no signature\n");
    write("daily.cvd", "half");
    const ClamEngine engine(config, directory + "/engine");
    BOOST_TEST(engine.left_out().size() == 2U);
    BOOST_TEST(!engine.embedded_only());
}

BOOST_AUTO_TEST_CASE(a_bad_allow_list_may_have_too_much_found) {
    write("more.fp", "this is no allow-list\n");
    ClamEngine engine(config, directory + "/engine");
    BOOST_REQUIRE(engine.left_out().size() == 1U);
    BOOST_TEST(engine.may_lack_allow_list());
}

BOOST_AUTO_TEST_CASE(none_is_left_if_all_are_bad) {
    std::filesystem::remove(directory + "/signatures/good.ndb");
    write("bad.ndb", "this is no signature\n");
    const ClamEngine engine(config, directory + "/engine");
    BOOST_TEST(engine.embedded_only());
    BOOST_TEST(engine.problem().find("bad.ndb") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(a_directory_that_cannot_be_read_is_named, Place) {
    config.paths.signature_directory = directory + "/missing";
    const ClamEngine engine(config, directory + "/engine");
    BOOST_TEST(engine.embedded_only());
    BOOST_TEST(engine.problem().find("cannot be read") != std::string::npos, engine.problem());
    BOOST_TEST(!engine.outdated());
    std::filesystem::create_directory(directory + "/missing");
    BOOST_TEST(engine.outdated());
    BOOST_TEST(ClamEngine(config, directory + "/engine").problem() == "");
}

struct EngineThatKnowsATwin : Place {
    EngineThatKnowsATwin() : engine(signed_config(), directory + "/engine") {
        engine.use_temporary_directory(directory + "/tmp");
    }
    const Settings& signed_config() const {
        write_twin_signature(directory + "/signatures");
        return config;
    }
    // Scans all of them in one process, in this order.
    void check_told_apart(const std::string& clean, const std::string& infected) const {
        for (const int round : {1, 2}) {
            BOOST_TEST_CONTEXT("round " << round) {
                BOOST_TEST((engine.scan(sealed_file(clean).get()).verdict == Verdict::Clean));
                BOOST_TEST((engine.scan(sealed_file(infected).get()).verdict == Verdict::Infected));
            }
        }
    }
    ClamEngine engine;
};

BOOST_FIXTURE_TEST_SUITE(texts_of_one_md5, EngineThatKnowsATwin)

BOOST_AUTO_TEST_CASE(are_told_apart) {
    check_told_apart(clean_twin(), infected_twin());
}

BOOST_AUTO_TEST_CASE(are_told_apart_the_infected_one_first) {
    BOOST_TEST((engine.scan(sealed_file(infected_twin()).get()).verdict == Verdict::Infected));
    check_told_apart(clean_twin(), infected_twin());
}

BOOST_AUTO_TEST_CASE(are_told_apart_inside_archives) {
    check_told_apart(stored_zip("twin", clean_twin()), stored_zip("twin", infected_twin()));
}

BOOST_AUTO_TEST_CASE(are_told_apart_two_archives_deep) {
    check_told_apart(stored_zip("inner.zip", stored_zip("twin", clean_twin())),
                     stored_zip("inner.zip", stored_zip("twin", infected_twin())));
}

BOOST_AUTO_TEST_CASE(are_told_apart_inside_an_archive_and_beside_it) {
    check_told_apart(stored_zip("twin", clean_twin()), infected_twin());
    check_told_apart(clean_twin() + "more", stored_zip("twin", infected_twin() + "more"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(messages_about_damaged_input_are_told_from_failures_of_the_machine) {
    BOOST_TEST(is_about_the_input("cli_scanxz: premature end of compressed stream\n"));
    BOOST_TEST(is_about_the_input("JPEG: Failed to read marker, file corrupted?\n"));
    BOOST_TEST(is_about_the_input("cli_egg_deflate_decompress: failed to decompress data\n"));
    BOOST_TEST(!is_about_the_input("cli_scanxz: Can't write to file.\n"));
    BOOST_TEST(!is_about_the_input("cli_writen: write error: No space left on device\n"));
    BOOST_TEST(!is_about_the_input("HWP5.x: Can't stat file descriptor\n"));
    BOOST_TEST(!is_about_the_input("HWP3.x: Failed to get fmap for uncompressed stream\n"));
    BOOST_TEST(!is_about_the_input("anything else\n"));
}

BOOST_AUTO_TEST_CASE(names_for_limits_and_encryption_become_reasons) {
    BOOST_TEST((reason_in(nullptr) == UnscannedReason::TooLarge));
    BOOST_TEST((reason_in("Heuristics.Limits.Exceeded.MaxScanTime") == UnscannedReason::TimeLimit));
    BOOST_TEST((reason_in("Heuristics.Limits.Exceeded.MaxRecursion") == UnscannedReason::LimitExceeded));
    BOOST_TEST((reason_in("Heuristics.Limits.Exceeded.MaxFileSize") == UnscannedReason::TooLargeInside));
    BOOST_TEST((reason_in("Heuristics.Encrypted.Zip") == UnscannedReason::Encrypted));
    BOOST_TEST(!reason_in("Heuristics.Phishing.Email.SpoofedDomain").has_value());
    BOOST_TEST(!reason_in("Win.Test.EICAR_HDB-1").has_value());
}

}  // namespace
}  // namespace clamscanner
