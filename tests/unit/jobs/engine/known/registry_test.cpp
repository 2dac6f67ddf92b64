// Tests the registry with a real judge and the real libclamav: what makes a content known to be clean, and what never
// does.
#include "jobs/engine/known/registry.h"

#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include "auth/base/random.h"
#include "jobs/engine/known/content_table.h"
#include "jobs/engine/known/judge_of_new.h"
#include "jobs/engine/known/new_signatures.h"
#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/engine/worker/sandbox.h"
#include "tests/unit/jobs/engine/known/started_registry.h"
#include "tests/unit/process_state.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

boost::test_tools::assertion_result judges_here(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result here(landlock_version() > 0 && own_tmpfs_works("/tmp"));
    here.message() << "no Landlock or no user namespaces here, so nothing is judged";
    return here;
}

struct Fixture : StartedRegistry {
    // Two other accounts have met it.
    void meet_twice(const std::string& content) {
        for (int by = 101; by <= 102; ++by) BOOST_TEST((Meetings(*this, by).meet(content) == Meeting::Unknown));
    }
    // Whether it is known after a third one has.
    bool becomes_known(const std::string& content) {
        meet_twice(content);
        return third(content);
    }
    bool third(const std::string& content) {
        Meetings meetings(*this, 103);
        const bool known = meetings.judge(content);
        BOOST_TEST((Meetings(*this, 104).meet(content) == Meeting::Known) == known);
        return known;
    }
    void wait_until_ready() {
        // The first contents that a third account meets before the judge is ready are scanned by that account.
        for (int number = 0;; ++number) {
            const auto content = "first content " + std::to_string(++first_contents);
            for (int by = 101; by <= 102; ++by) static_cast<void>(Meetings(*this, by).meet(content));
            Meetings meetings(*this, 103);
            const auto answer = meetings.meet(content);
            if (answer == Meeting::Send) return;
            BOOST_TEST_REQUIRE(number < 500);
            std::this_thread::sleep_for(20ms);
        }
    }
    // Where one account's meeting is enough.
    void wait_until_judging() {
        for (int number = 0;; ++number) {
            Meetings meetings(*this, 101);
            if (meetings.meet("first content " + std::to_string(++first_contents)) == Meeting::Send) return;
            BOOST_TEST_REQUIRE(number < 500);
            std::this_thread::sleep_for(20ms);
        }
    }
    pid_t child_of_judge() const {
        std::vector<pid_t> children;
        wait_for([&] { return !(children = children_of(judge.pid())).empty(); });
        return children[0];
    }
    int first_contents = 0;
    // Many small scripts keep the library busy for long, within the limits.
    static std::string slow_content(std::size_t size = 7'000'000) {
        std::string content;
        for (int i = 0; content.size() < size; ++i)
            content += "<script>var a" + std::to_string(i) + " = unescape('%41" + std::to_string(i) + "');</script>\n";
        return "<html><body>" + content;
    }
};

BOOST_AUTO_TEST_SUITE(registry, *boost::unit_test::precondition(judges_here))

BOOST_FIXTURE_TEST_CASE(a_clean_content_is_known_once_three_accounts_have_met_it, Fixture) {
    start();
    wait_until_ready();
    BOOST_TEST(becomes_known("harmless text"));
    BOOST_TEST(becomes_known(stored_zip("text", "harmless text in an archive")));
    BOOST_TEST(becomes_known(""));
}

BOOST_FIXTURE_TEST_CASE(what_is_not_clean_is_never_known, Fixture) {
    config.engine.max_recursion = 3;
    config.engine.max_scan_bytes = 1024 * 1024;
    start();
    wait_until_ready();
    BOOST_TEST(!becomes_known(test_virus()));
    BOOST_TEST(!becomes_known(zipped_test_virus()));
    const auto deep = stored_zip("4", stored_zip("3", stored_zip("2", stored_zip("1", "harmless text"))));
    BOOST_TEST(!becomes_known(deep), "a limit");
    BOOST_TEST(!becomes_known(stored_zip("large", std::string(2 * 1024 * 1024, 'x'))), "another limit");
    BOOST_TEST(!becomes_known(zipped_test_virus().substr(0, 70)), "damaged");
    BOOST_TEST(becomes_known("harmless text"), "and the judge still works");
}

BOOST_FIXTURE_TEST_CASE(a_content_that_fills_its_temporary_files_is_not_known, Fixture) {
    const auto large = stored_zip("large", std::string(4 * 1024 * 1024, 'x'));
    {
        Fixture roomy;
        roomy.start();
        roomy.wait_until_ready();
        BOOST_TEST(roomy.becomes_known(large), "with room enough it is");
    }
    config.engine.max_temporary_bytes = 1024 * 1024;
    start();
    wait_until_ready();
    BOOST_TEST(!becomes_known(large));
    BOOST_TEST(becomes_known(stored_zip("small", "harmless text")));
}

#ifndef CLAMSCANNER_SANITIZED
BOOST_FIXTURE_TEST_CASE(a_content_that_fills_its_memory_is_not_known, Fixture) {
    const auto large = stored_zip("large", std::string(7 * 1024 * 1024, 'x'));
    config.engine.max_worker_memory_bytes = 6 * 1024 * 1024;
    start();
    wait_until_ready();
    BOOST_TEST(!becomes_known(large));
    BOOST_TEST(becomes_known(stored_zip("small", "harmless text")));
}
#endif

BOOST_FIXTURE_TEST_CASE(contents_of_one_account_that_take_long_do_not_come_before_those_of_another, Fixture) {
    constexpr int many = most_open_cases;
    config.engine.scan_workers = 1;
    config.engine.known_contents_accounts = 1;
    start();
    wait_until_judging();
    std::vector<std::string> contents;
    // Not so large that a sanitizer's copies make forks of this process slow, in all further tests, too.
    constexpr std::size_t size = 1'000'000;
    for (int number = 0; number < many; ++number) contents.push_back(slow_content(size) + std::to_string(number));
    Meetings slow(*this, 1);
    slow.send_copies(contents, slow.open_cases(contents));
    Meetings quick(*this, 2);
    BOOST_TEST(quick.judge("harmless text"));
    // Only those that were begun before it are judged by now.
    int judged = 0;
    for (; slow.has_been_told(); ++judged) static_cast<void>(slow.is_known());
    BOOST_TEST(judged < many / 2);
    for (; judged < many; ++judged) static_cast<void>(slow.is_known());
}

BOOST_FIXTURE_TEST_CASE(a_content_whose_process_is_killed_is_not_known, Fixture) {
    start();
    wait_until_ready();
    const auto slow = slow_content();
    meet_twice(slow);
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet(slow) == Meeting::Send));
    meetings.send_copy(slow);
    std::this_thread::sleep_for(30ms);
    ::kill(child_of_judge(), SIGKILL);
    BOOST_TEST(!meetings.is_known());
    BOOST_TEST((meetings.meet(slow) == Meeting::Unknown), "and it is not judged again");
    BOOST_TEST(becomes_known("harmless text"));
}

BOOST_FIXTURE_TEST_CASE(a_content_that_takes_too_long_is_not_known, Fixture) {
    config.engine.max_scan_seconds = 1;
    start();
    wait_until_ready();
    const auto slow = slow_content();
    meet_twice(slow);
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet(slow) == Meeting::Send));
    meetings.send_copy(slow);
    stop_process(child_of_judge());
    BOOST_TEST(becomes_known("harmless text"), "nobody waits for it");
    BOOST_TEST(!meetings.is_known());
    BOOST_TEST(children_of(judge.pid()).empty());
}

BOOST_FIXTURE_TEST_CASE(other_bytes_than_those_of_the_hash_are_not_judged, Fixture) {
    start();
    wait_until_ready();
    meet_twice("one text");
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet("one text") == Meeting::Send));
    meetings.send_copy("two text");
    BOOST_TEST(!meetings.is_known());
    BOOST_TEST((meetings.meet("two text") == Meeting::Unknown));
    // A file that can be changed is no copy.
    BOOST_REQUIRE((meetings.meet("one text") == Meeting::Send));
    place.write("file", "one text");
    const UniqueFd file(::open((place.path + "/file").c_str(), O_RDONLY | O_CLOEXEC));
    meetings.send_file(file.get());
    BOOST_TEST(!meetings.is_known());
    BOOST_REQUIRE((meetings.meet("one text") == Meeting::Send));
    const UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    BOOST_REQUIRE(::write(unsealed.get(), "one text", 8) == 8);
    meetings.send_file(unsealed.get());
    BOOST_TEST(!meetings.is_known());
    BOOST_REQUIRE((meetings.meet("one text") == Meeting::Send));
    meetings.send_nothing();
    BOOST_TEST(!meetings.is_known());
    BOOST_TEST(meetings.judge("one text"));
}

BOOST_FIXTURE_TEST_CASE(a_content_is_judged_once_for_all_who_wait, Fixture) {
    start();
    wait_until_ready();
    meet_twice("harmless text");
    Meetings first(*this, 103);
    Meetings second(*this, 104);
    BOOST_REQUIRE((first.meet("harmless text") == Meeting::Send));
    BOOST_REQUIRE((second.meet("harmless text") == Meeting::Wait));
    first.send_copy("harmless text");
    BOOST_TEST(first.is_known());
    BOOST_TEST(second.is_known());
}

BOOST_FIXTURE_TEST_CASE(a_job_that_does_not_read_for_a_while_is_told_everything_later, Fixture) {
    config.engine.known_contents_accounts = 1;
    start();
    wait_until_judging();
    const auto content = [](std::size_t number) { return "another text, number " + std::to_string(number); };
    Meetings first(*this, 1);
    Meetings second(*this, 2, {}, 1);
    std::vector<std::string> contents;
    for (std::size_t number = 0; number < most_open_cases; ++number) contents.push_back(content(number));
    const auto token = first.open_cases(contents);
    for (const auto& one : contents) BOOST_TEST((second.meet(one) == Meeting::Wait));
    first.send_copies(contents, token);
    for (std::size_t number = 0; number < most_open_cases; ++number) BOOST_TEST(first.is_known());
    for (std::size_t number = 0; number < most_open_cases; ++number) BOOST_TEST(second.is_known());
    BOOST_TEST((second.meet(content(0)) == Meeting::Known));
}

BOOST_FIXTURE_TEST_CASE(a_job_has_only_so_many_contents_judged_at_a_time_and_asks_again_for_the_others, Fixture) {
    start();
    wait_until_ready();
    const auto content = [](std::size_t number) {
        return "a text that everybody has, number " + std::to_string(number);
    };
    for (int by = 1; by <= 2; ++by) {
        Meetings earlier(*this, by);
        for (std::size_t number = 0; number <= most_open_cases; ++number)
            BOOST_TEST((earlier.meet(content(number)) == Meeting::Unknown));
    }
    Meetings third(*this, 3);
    for (std::size_t number = 0; number < most_open_cases; ++number)
        BOOST_TEST((third.meet(content(number)) == Meeting::Send));
    BOOST_TEST((third.meet(content(most_open_cases)) == Meeting::Later));
    // It holds up nobody else.
    Meetings fourth(*this, 4);
    BOOST_TEST(fourth.judge(content(most_open_cases)));
    BOOST_TEST((third.meet(content(most_open_cases)) == Meeting::Known));
}

// ---- After an update -----------------------------------------------------------------------------------------------

struct AfterUpdate : Fixture {
    // Begun and known with the signatures of before, and of each account in `known`; then there is a new signature, and
    // a judge with that alone.
    void update(const std::vector<std::string>& known) {
        write_new_signatures_now();
        start();
        wait_until_ready();
        for (const auto& content : known) BOOST_TEST(becomes_known(content));
        place.write("no_signatures/new.ndb", "New:0:*:" + hex(bad.data(), bad.size()) + "\n");
        end_judge();
        load();
        start_judge();
        wait_until_ready();
    }
    void write_new_signatures_now() const {
        const auto directory = place.path + "/tmp/before";
        std::filesystem::create_directory(directory);
        BOOST_REQUIRE(!write_new_signatures(config, directory));
    }
    void start_judge_of_new() {
        auto [registrys, judges] = socket_pair(SOCK_SEQPACKET);
        BOOST_REQUIRE(send_message(socket.get(), OpenJudge{}, {registrys.get()}) == Sent::Yes);
        registrys.reset();
        const auto directory = place.path + "/tmp/judge_of_new";
        std::filesystem::create_directory(directory);
        judge_of_new = in_child(std::move(judges), [&](UniqueFd end) {
            socket.reset();
            run_judge_of_new(config, directory, std::move(end));
        });
        wait_until_idle({judge_of_new.pid(), registry.pid()});
    }
    const std::string bad = "a text that is bad from now on";
    ChildProcess judge_of_new;
};

BOOST_FIXTURE_TEST_CASE(what_was_clean_before_an_update_is_judged_with_what_is_new_alone, AfterUpdate) {
    update({"harmless text", "another harmless text"});
    start_judge_of_new();
    // The other judge answers nothing, and is not asked.
    stop_process(judge.pid());
    BOOST_TEST(third("harmless text"));
    meet_twice("a text that is new, too");
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet("a text that is new, too") == Meeting::Send));
    meetings.send_copy("a text that is new, too");
    BOOST_TEST(third("another harmless text"), "one that is asked nobody waits for");
    BOOST_REQUIRE(::kill(judge.pid(), SIGCONT) == 0);
    BOOST_TEST(meetings.is_known());
}

BOOST_FIXTURE_TEST_CASE(what_a_new_signature_finds_is_no_longer_known, AfterUpdate) {
    update({bad, "prefix " + bad, "harmless text"});
    start_judge_of_new();
    BOOST_TEST(!third(bad));
    BOOST_TEST(!third("prefix " + bad));
    BOOST_TEST(third("harmless text"));
}

BOOST_FIXTURE_TEST_CASE(without_a_judge_of_what_is_new_the_other_one_judges, AfterUpdate) {
    update({"one text", "two texts", "three texts", bad});
    BOOST_TEST(third("one text"), "before it has begun");
    start_judge_of_new();
    stop_process(judge_of_new.pid());
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet("two texts") == Meeting::Send));
    meetings.send_copy("two texts");
    wait_until_idle({registry.pid()});
    judge_of_new = ChildProcess();
    BOOST_TEST(meetings.is_known(), "when it ended with a content");
    BOOST_TEST(third("three texts"), "when it is gone");
    BOOST_TEST(!third(bad));
}

BOOST_FIXTURE_TEST_CASE(nobody_waits_for_long_for_another_jobs_copy, Fixture) {
    start();
    wait_until_ready();
    for (const bool ends : {true, false}) {
        const std::string content = ends ? "one text" : "another text";
        meet_twice(content);
        Meetings first(*this, 103);
        Meetings second(*this, 104);
        const auto begun = Clock::now();
        BOOST_REQUIRE((first.meet(content) == Meeting::Send));
        BOOST_REQUIRE((second.meet(content) == Meeting::Wait));
        if (ends) first.close();
        BOOST_TEST(!second.is_known());
        // The registry gives a job two seconds to send its copy.
        BOOST_TEST((Clock::now() - begun < (ends ? 1900ms : 5000ms)));
        BOOST_TEST(second.judge(content), "then it sends its own");
    }
}

BOOST_FIXTURE_TEST_CASE(without_a_judge_of_these_signatures_nothing_is_known, Fixture) {
    start();
    wait_until_ready();
    BOOST_TEST(becomes_known("harmless text"));
    BOOST_TEST((Meetings(*this, 1, "others").meet("harmless text") == Meeting::Unknown));
    end_judge();
    std::this_thread::sleep_for(100ms);
    BOOST_TEST((Meetings(*this, 1).meet("harmless text") == Meeting::Unknown));
    start_judge();
    wait_until_ready();
    BOOST_TEST((Meetings(*this, 1).meet("harmless text") == Meeting::Known));
}

#ifndef CLAMSCANNER_SANITIZED
BOOST_FIXTURE_TEST_CASE(a_judge_whose_forks_are_slow_says_so_and_judges_nothing, Fixture) {
    load();
    auto [registrys, judges] = socket_pair(SOCK_SEQPACKET);
    const auto directory = place.path + "/tmp/slow";
    std::filesystem::create_directory(directory);
    auto slow = in_child(std::move(judges), [&](UniqueFd end) {
        registrys.reset();
        // A gigabyte in small pages: each fork copies half a million entries of the table.
        constexpr std::size_t bytes = std::size_t{1} << 30U;
        void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || ::madvise(memory, bytes, MADV_NOHUGEPAGE) != 0) ::_exit(1);
        std::memset(memory, 1, bytes);
        run_judge(config, *engine, {engine->fingerprint(), {}}, directory, std::move(end));
    });
    const auto ending = slow.wait();
    BOOST_TEST(!ending.by_signal);
    BOOST_TEST(ending.code == judge_forks_slowly);
    Packet packet;
    BOOST_TEST((receive_packet(registrys.get(), packet) == Got::PeerGone));
}
#endif

BOOST_FIXTURE_TEST_CASE(the_end_of_a_judge_makes_nothing_known, Fixture) {
    start();
    wait_until_ready();
    const auto slow = slow_content();
    meet_twice(slow);
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet(slow) == Meeting::Send));
    meetings.send_copy(slow);
    static_cast<void>(child_of_judge());
    end_judge();
    BOOST_TEST(!meetings.is_known());
    start_judge();
    wait_until_ready();
    BOOST_TEST(meetings.judge(slow), "another one judges it");
}

// The signature host keeps the connection, and with it what the one that ended had not taken yet.
BOOST_FIXTURE_TEST_CASE(a_judge_that_takes_anothers_place_answers_nothing_that_it_was_not_asked, Fixture) {
    start();
    wait_until_ready();
    meet_twice("harmless text");
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet("harmless text") == Meeting::Send));
    stop_process(judge.pid());
    meetings.send_copy("harmless text");
    wait_until_idle({registry.pid()});
    judge = ChildProcess();
    start_another_judge();
    BOOST_TEST(!meetings.is_known());
    BOOST_TEST(becomes_known("another harmless text"));
    BOOST_TEST(becomes_known("a third one"));
}

BOOST_FIXTURE_TEST_CASE(a_registry_that_is_killed_knows_what_it_had_written_down, Fixture) {
    start();
    wait_until_ready();
    BOOST_TEST(becomes_known("harmless text"));
    BOOST_TEST(!becomes_known(test_virus()));
    std::this_thread::sleep_for(4s);
    registry = ChildProcess();
    end_judge();
    start_registry();
    start_judge();
    wait_until_ready();
    BOOST_TEST((Meetings(*this, 1).meet("harmless text") == Meeting::Known));
    BOOST_TEST((Meetings(*this, 1).meet(test_virus()) == Meeting::Unknown));
}

BOOST_FIXTURE_TEST_CASE(a_table_that_turns_out_to_be_damaged_is_removed, Fixture) {
    const auto file = config.engine.memory_directory + "/known_contents.db";
    static_cast<void>(ContentTable(file, {1000, 3, 7}));
    // Of a damaged page SQLite tells as late, when it comes to it.
    Database(file).execute(
        "CREATE TRIGGER damage BEFORE INSERT ON contents BEGIN SELECT RAISE(ABORT, 'as if it were damaged'); END");
    start();
    wait_for([&] {
        BOOST_TEST((Meetings(*this, 1).meet("harmless text") == Meeting::Unknown));
        return !std::filesystem::exists(file);
    });
}

BOOST_FIXTURE_TEST_CASE(without_room_on_the_disk_nothing_is_known, Fixture) {
    load();
    config.engine.memory_directory = place.path + "/nowhere";
    start_registry();
    start_judge();
    std::this_thread::sleep_for(500ms);
    for (int by = 1; by <= 5; ++by) BOOST_TEST((Meetings(*this, by).meet("harmless text") == Meeting::Unknown));
}

BOOST_FIXTURE_TEST_CASE(judging_many_contents_at_once, Fixture) {
    start();
    wait_until_ready();
    std::vector<std::unique_ptr<Meetings>> all;
    for (int number = 0; number < 40; ++number) {
        const auto name = std::to_string(number);
        const auto content = stored_zip(name, number % 4 == 0 ? test_virus() : "harmless text");
        meet_twice(content);
        all.push_back(std::make_unique<Meetings>(*this, 103));
        BOOST_REQUIRE((all.back()->meet(content) == Meeting::Send));
        all.back()->send_copy(content);
    }
    for (int number = 0; number < 40; ++number)
        BOOST_TEST(all[static_cast<std::size_t>(number)]->is_known() == (number % 4 != 0));
}

// What a process that reads a content can reach.
BOOST_FIXTURE_TEST_CASE(a_judge_and_its_children_have_no_file_of_the_host, Fixture) {
    start();
    wait_until_ready();
    const auto slow = slow_content();
    meet_twice(slow);
    Meetings meetings(*this, 103);
    BOOST_REQUIRE((meetings.meet(slow) == Meeting::Send));
    meetings.send_copy(slow);
    const auto child = child_of_judge();
    const auto says = [&](const std::string& line) {
        std::ifstream status("/proc/" + std::to_string(child) + "/status");
        return std::string{std::istreambuf_iterator<char>(status), {}}.find(line) != std::string::npos;
    };
    wait_for([&] { return says("Seccomp_filters:\t2"); });  // it has locked itself in
    stop_process(child);
    for (const pid_t pid : {judge.pid(), child}) {
        const auto proc = "/proc/" + std::to_string(pid);
        std::set<std::string> mounts;
        std::ifstream list(proc + "/mountinfo");
        for (std::string line; std::getline(list, line);) {
            std::istringstream fields(line);
            std::string id, parent, device, root, point;
            fields >> id >> parent >> device >> root >> point;
            mounts.insert(point);
            BOOST_TEST(line.find(" tmpfs ") != std::string::npos, line);
        }
        BOOST_TEST((mounts == std::set<std::string>{"/", "/room"}));
        std::size_t descriptors = 0;
        for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd")) {
            const auto number = std::stoi(entry.path().filename().string());
            const auto target = std::filesystem::read_symlink(entry.path()).string();
            if (number > 2) ++descriptors;
            if (number > 2 && pid == child)
                BOOST_TEST((target.starts_with("/memfd:") || target.starts_with("/room/")), target);
        }
        BOOST_TEST(descriptors >= 2U);
    }
    BOOST_TEST(says("CapEff:\t0000000000000000"));
    ::kill(child, SIGCONT);
    BOOST_TEST(meetings.is_known());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
