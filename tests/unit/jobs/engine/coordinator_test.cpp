// Tests a coordinator with real workers and the real libclamav; the test acts as jobd and the runner. Nothing that it
// breaks on purpose may make a file clean.
#include "jobs/engine/coordinator.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "auth/base/random.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/test_virus.h"
#include "jobs/engine/worker/own_tmpfs.h"
#include "tests/unit/eicar.h"
#include "tests/unit/md5_twins.h"
#include "tests/unit/process_state.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

constexpr std::uint64_t slow_bytes = 200'000'000;

struct StartedCoordinator {
    StartedCoordinator() {
        std::filesystem::create_directories(place.path + "/engine/tmp");
        std::filesystem::create_directory(place.path + "/no_signatures");
        config.paths.run_directory = place.path;
        config.paths.signature_directory = place.path + "/no_signatures";
        config.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
        config.engine.scan_workers = 2;
        config.engine.max_file_bytes = config.engine.max_scan_bytes = 2 * slow_bytes;
    }
    void start() {
        auto [jobd_end, coordinators_jobd] = socket_pair(SOCK_SEQPACKET);
        auto [runner_end, coordinators_runner] = socket_pair(SOCK_SEQPACKET);
        auto [registry_end, coordinators_registry] = socket_pair(SOCK_SEQPACKET);
        if (!has_registry) coordinators_registry.reset();
        const pid_t pid = checked(::fork(), "fork a coordinator");
        if (pid == 0) {
            jobd_end.reset();
            runner_end.reset();
            registry_end.reset();
            try {
                ClamEngine engine(config, place.path + "/engine");
                const UniqueFd jobd_copy(::dup(coordinators_jobd.get()));
                try {
                    Coordinator(config, engine, jobs, job, place.path + "/engine/tmp", "", std::move(coordinators_jobd),
                                std::move(coordinators_runner), -1, std::move(coordinators_registry))
                        .run();
                } catch (const SignatureError& error) {
                    static_cast<void>(send_message(jobd_copy.get(), ScannerFailed{error.what(), false}));
                }
            } catch (const std::exception&) {
                ::_exit(1);
            }
            ::_exit(0);
        }
        process = ChildProcess(pid);
        jobd = std::move(jobd_end);
        runner = std::move(runner_end);
        registry = std::move(registry_end);
    }
    void hand_over(const std::string& name, const std::string& content, bool wants_result = false) {
        place.write(name, content);
        const UniqueFd file(checked(::open((place.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
        hand_over_descriptor(name, file.get(), wants_result);
    }
    void hand_over_descriptor(const std::string& name, int fd, bool wants_result = false) {
        // Sending fails if the coordinator has given up; then it has sent the reason, or has just ended.
        const auto token = next_token++;
        if (wants_result)
            static_cast<void>(send_message(runner.get(), HandOver{token, "/home/" + name}, {fd}));
        else if (send_message(runner.get(), HandOverFiles{{"/home/" + name}}, {fd}) == Sent::Yes)
            ++handed_over;
    }
    // A clean file that takes long to scan.
    void hand_over_slow(const std::string& name) {
        place.write(name, "");
        std::filesystem::resize_file(place.path + "/" + name, slow_bytes);
        const UniqueFd file(checked(::open((place.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
        hand_over_descriptor(name, file.get());
    }
    // The same, and waits until a worker is in the middle of it.
    void hand_over_slow_and_wait(const std::string& name) {
        constexpr std::uint64_t has_computed = 3;  // ticks
        const auto before = ticks_of_workers();
        hand_over_slow(name);
        wait_for([&] { return ticks_of_workers() >= before + has_computed; });
    }
    std::uint64_t ticks_of_workers() const {
        std::uint64_t ticks = 0;
        for (const pid_t worker : workers()) ticks += state_of(worker).ticks;
        return ticks;
    }
    void miss(const std::string& name) {
        if (send_message(runner.get(), NotHandedOver{"/home/" + name, UnscannedReason::Vanished}) == Sent::Yes)
            ++handed_over;
    }
    // Receives everything that jobd gets, up to the last packet.
    void receive_all() {
        static_cast<void>(send_message(runner.get(), HandOverEnd{handed_over}));
        Packet packet;
        while (!all && failure.empty() && receive_packet(jobd.get(), packet) == Got::Packet) receive(packet);
    }
    void receive(const Packet& packet) {
        if (is<FoundInfected>(packet.bytes)) {
            const auto found = decode<FoundInfected>(packet.bytes);
            infected[found.path] = found.virus;
            sizes[found.path] = found.size;
            changes[found.path] = found.changed_ms;
        } else if (is<FoundUnscanned>(packet.bytes)) {
            const auto found = decode<FoundUnscanned>(packet.bytes);
            unscanned.emplace(found.path, found.reason);
            place_of[found.path] = found.place;
        } else if (is<ScannerFailed>(packet.bytes)) {
            failure = decode<ScannerFailed>(packet.bytes).why;
        } else if (is<ScanCompleted>(packet.bytes)) {
            all = decode<ScanCompleted>(packet.bytes);
        } else if (is<ScanResult>(packet.bytes)) {
            result = decode<ScanResult>(packet.bytes);
        } else if (is<ScannerReady>(packet.bytes)) {
            ready = true;
        } else if (is<ScanProgress>(packet.bytes)) {
            progress = decode<ScanProgress>(packet.bytes);
        } else if (is<TurnEnded>(packet.bytes)) {
            turn_ended = true;
        }
    }
    template <class Condition>
    void receive_until(Condition condition) {
        Packet packet;
        while (!condition() && receive_packet(jobd.get(), packet) == Got::Packet) receive(packet);
    }
    void receive_for(std::chrono::milliseconds time) {
        pollfd watched{jobd.get(), POLLIN, 0};
        Packet packet;
        const auto until = Clock::now() + time;
        do {
            if (::poll(&watched, 1, 100) == 1 && receive_packet(jobd.get(), packet) == Got::Packet) receive(packet);
        } while (Clock::now() < until);
    }
    // Of receive_until(), for each packet. Zero: as long as it takes.
    void wait_at_most(std::chrono::milliseconds limit) const {
        const timeval patience{limit.count() / 1000, limit.count() % 1000 * 1000};
        checked(::setsockopt(jobd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "limit a wait");
    }
    // When both missing files are reported, the files handed over before have been sent to workers.
    void wait_until_asked() {
        for (const char* name : {"missing", "missing too"}) {
            miss(name);
            receive_until([&] { return unscanned.contains(std::string("/home/") + name); });
        }
    }
    // Workers start once there are files to scan. These are not of the scan's list; and they come together and are more
    // than the workers that there may be, so that all of those start.
    void wait_until_a_worker_is_tested() {
        constexpr int many = 8;
        stop_process(process.pid());
        for (int i = 0; i < many; ++i) hand_over("of no scan " + std::to_string(i), "harmless text", true);
        ::kill(process.pid(), SIGCONT);
        for (int i = 0; i < many; ++i) {
            receive_until([&] { return result || !failure.empty(); });
            result.reset();
        }
    }
    // That the others are tested, too, is not reported. A worker that is stopped during its test has no file.
    void wait_until_all_are_tested() const {
        wait_until_idle([&] {
            auto all = workers();
            all.push_back(process.pid());
            return all;
        });
    }
    // Writes a file old enough for its verdict to be cached and shared with copies.
    void write_old(const std::string& name, const std::string& content) const {
        place.write(name, content);
        wait_until_old(name);
    }
    void wait_until_old(const std::string& name) const {
        struct stat status {};
        checked(::stat((place.path + "/" + name).c_str(), &status), "see how old a file is");
        const auto changed = std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::seconds(2);
        while (std::chrono::system_clock::now().time_since_epoch() < changed)
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    // Overwrites the file with as many other bytes, and resets its modification time.
    void rewrite(const std::string& name, const std::string& content) const {
        const UniqueFd file(checked(::open((place.path + "/" + name).c_str(), O_WRONLY | O_CLOEXEC), "open a file"));
        struct stat before {};
        checked(::fstat(file.get(), &before), "see a file's time");
        BOOST_REQUIRE(static_cast<std::size_t>(before.st_size) == content.size());
        BOOST_REQUIRE(::pwrite(file.get(), content.data(), content.size(), 0) == before.st_size);
        const timespec times[] = {before.st_atim, before.st_mtim};
        checked(::futimens(file.get(), times), "set a file's time back");
    }
    void hand_over_again(const std::string& name) {
        const UniqueFd file(checked(::open((place.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
        hand_over_descriptor(name, file.get());
    }
    // As the registry of known contents: answers the questions about so many files.
    void answer_meetings(int files, Meeting answer) const {
        Packet packet;
        for (int asked = 0; asked < files;) {
            BOOST_REQUIRE((receive_packet(registry.get(), packet) == Got::Packet));
            if (is<BeginMeetings>(packet.bytes)) continue;
            ContentsMet met;
            for (const auto& content : decode<MeetContents>(packet.bytes).contents)
                met.answers.push_back({content.token, answer});
            asked += static_cast<int>(met.answers.size());
            BOOST_REQUIRE((send_message(registry.get(), met) == Sent::Yes));
        }
    }
    // The coordinator's present children.
    std::vector<pid_t> workers() const {
        std::ifstream list("/proc/" + std::to_string(process.pid()) + "/task/" + std::to_string(process.pid()) +
                           "/children");
        return {std::istream_iterator<pid_t>(list), {}};
    }

    TemporaryDirectory place;
    Settings config;
    JobCount jobs;
    NewJob job;
    ChildProcess process;
    UniqueFd jobd;
    UniqueFd runner;
    bool has_registry = false;  // of known contents, which is the test's
    UniqueFd registry;
    std::uint64_t next_token = 1;
    std::uint64_t handed_over = 0;
    bool ready = false;
    std::map<std::string, std::string> infected;
    std::map<std::string, std::uint64_t> sizes;   // of these
    std::map<std::string, std::int64_t> changes;  // the same
    std::map<std::string, UnscannedReason> unscanned;
    std::map<std::string, std::uint64_t> place_of;
    ScanProgress progress;
    bool turn_ended = false;
    std::string failure;
    std::optional<ScanCompleted> all;
    std::optional<ScanResult> result;
};

BOOST_FIXTURE_TEST_SUITE(coordinator, StartedCoordinator)

BOOST_AUTO_TEST_CASE(every_file_handed_over_gets_its_verdict) {
    start();
    hand_over("virus", test_virus());
    hand_over("virus.zip", zipped_test_virus());
    for (int i = 0; i < 600; ++i) hand_over("clean" + std::to_string(i), "harmless text number " + std::to_string(i));
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 602U);
    BOOST_TEST(all->clean_files == 600U);
    BOOST_TEST(infected.size() == 2U);
    BOOST_TEST(infected.contains("/home/virus.zip"));
    BOOST_TEST(unscanned.empty());
}

// It answers the first questions, and then it hangs.
BOOST_AUTO_TEST_CASE(beside_a_registry_that_does_not_answer_every_file_gets_its_verdict) {
    constexpr int many = 400;
    has_registry = true;
    start();
    wait_until_a_worker_is_tested();
    wait_until_all_are_tested();
    for (const pid_t worker : workers()) stop_process(worker);
    for (int i = 0; i < many; ++i) hand_over("file" + std::to_string(i), "the text of number " + std::to_string(i));
    static_cast<void>(send_message(runner.get(), HandOverEnd{handed_over}));
    answer_meetings(many, Meeting::Unknown);
    // By now it is worth asking again.
    std::this_thread::sleep_for(std::chrono::seconds(1));
    for (const pid_t worker : workers()) ::kill(worker, SIGCONT);
    receive_until([&] { return all || !failure.empty(); });
    BOOST_REQUIRE(all);
    BOOST_TEST(all->clean_files == static_cast<std::uint64_t>(many));
}

BOOST_AUTO_TEST_CASE(a_worker_is_started_for_a_file_that_must_be_scanned_and_for_no_other) {
    constexpr int many = 100;
    has_registry = true;
    start();
    for (int i = 0; i < many; ++i) place.write("file" + std::to_string(i), "the text of number " + std::to_string(i));
    wait_until_old("file" + std::to_string(many - 1));
    for (int i = 0; i < many; ++i) hand_over_again("file" + std::to_string(i));
    answer_meetings(many, Meeting::Known);
    receive_until([&] { return progress.settled.files == many || !failure.empty(); });
    BOOST_TEST(ready);
    BOOST_TEST(progress.clean_files == static_cast<std::uint64_t>(many));
    BOOST_TEST(workers().empty());
    hand_over("virus", test_virus());
    answer_meetings(1, Meeting::Unknown);
    receive_until([&] { return infected.contains("/home/virus"); });
    BOOST_TEST(workers().size() == 1U);
}

BOOST_AUTO_TEST_CASE(another_worker_is_started_for_a_file_that_would_wait_for_one) {
    start();
    hand_over_slow_and_wait("slow");
    BOOST_TEST(workers().size() == 1U);
    hand_over("virus", test_virus());
    receive_until([&] { return infected.contains("/home/virus"); });
    BOOST_TEST(workers().size() == 2U);
    BOOST_TEST(progress.settled.files == 0U);  // the slow one is still scanned
}

BOOST_AUTO_TEST_CASE(size_and_change_of_a_find_are_what_the_kernel_says_of_the_open_file) {
    start();
    wait_until_a_worker_is_tested();
    place.write("dated", test_virus() + "more");
    const auto path = place.path + "/dated";
    // The account may say that it was modified long ago.
    const timespec long_ago[] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    checked(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), "set a file's time back");
    struct stat status {};
    checked(::stat(path.c_str(), &status), "see a file's time");
    const UniqueFd file(checked(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
    for (const auto* name : {"one", "another"}) hand_over_descriptor(name, file.get());
    receive_all();
    const auto changed_ms = std::int64_t{status.st_ctim.tv_sec} * 1000 + status.st_ctim.tv_nsec / 1'000'000;
    for (const auto* name : {"/home/one", "/home/another"}) {
        BOOST_REQUIRE(infected.contains(name));
        BOOST_TEST(sizes[name] == test_virus().size() + 4);
        BOOST_TEST(changes[name] == changed_ms);
    }
}

// As administrators' allow-lists often do.
BOOST_AUTO_TEST_CASE(lists_that_allow_eicar_do_not_turn_the_scanner_off) {
    place.write("no_signatures/one.ndb", "Test-One:0:0:" + hex("found by name", 13) + "\n");
    place.write("no_signatures/allowed.fp", "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n");
    place.write("no_signatures/allowed.sfp",
                "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f:68:Eicar-Test-Signature\n");
    place.write("no_signatures/ignored.ign2", "Eicar-Test-Signature\nEicar-Signature\n");
    start();
    hand_over("allowed", test_virus());
    hand_over("found", "found by name, like any other");
    receive_all();
    BOOST_TEST(failure == "");
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 1U);
    BOOST_TEST(infected["/home/found"] == "Test-One.UNOFFICIAL");
}

BOOST_AUTO_TEST_CASE(an_unreadable_descriptor_is_never_clean) {
    start();
    const UniqueFd directory(::open(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd write_only(::open((place.path + "/new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const UniqueFd path_only(::open((place.path + "/new").c_str(), O_PATH | O_CLOEXEC));
    int pipe_ends[2];
    BOOST_REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
    const UniqueFd reading(pipe_ends[0]);
    const UniqueFd writing(pipe_ends[1]);
    hand_over_descriptor("directory", directory.get());
    hand_over_descriptor("write_only", write_only.get());
    hand_over_descriptor("path_only", path_only.get());
    hand_over_descriptor("pipe", reading.get());
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 0U);
    BOOST_TEST(unscanned.size() == 4U);
    // It may have been replaced since it was listed.
    BOOST_TEST((unscanned["/home/pipe"] == UnscannedReason::Vanished));
    BOOST_TEST((unscanned["/home/path_only"] == UnscannedReason::Unreadable));
}

BOOST_AUTO_TEST_CASE(of_files_that_come_together_each_has_its_own_verdict) {
    start();
    place.write("clean", "hello");
    place.write("virus", test_virus());
    std::vector<UniqueFd> files;
    for (const char* name : {"clean", "virus", "."})
        files.emplace_back(::open((place.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    const auto encoded = encode(HandOverFiles{{"/home/clean", "/home/virus", "/home/directory"}});
    BOOST_REQUIRE((send_packet(runner.get(), encoded.bytes(), files) == Sent::Yes));
    handed_over = 3;
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 1U);
    BOOST_TEST(infected.contains("/home/virus"));
    BOOST_TEST(unscanned.contains("/home/directory"));
    BOOST_TEST(place_of["/home/directory"] == 2U);
}

BOOST_AUTO_TEST_CASE(a_packet_with_too_few_descriptors_ends_the_job) {
    start();
    place.write("clean", "hello");
    const UniqueFd file(::open((place.path + "/clean").c_str(), O_RDONLY | O_CLOEXEC));
    BOOST_REQUIRE(send_message(runner.get(), HandOverFiles{{"/home/clean", "/home/other"}}, {file.get()}) == Sent::Yes);
    receive_all();
    BOOST_TEST(!all.has_value());
}

BOOST_AUTO_TEST_CASE(a_file_above_the_limit_is_reported_as_too_large) {
    config.engine.max_file_bytes = 1024;
    start();
    hand_over("large", std::string(2000, 'x'));
    receive_all();
    BOOST_REQUIRE(unscanned.contains("/home/large"));
    BOOST_TEST((unscanned["/home/large"] == UnscannedReason::TooLarge));
}

BOOST_AUTO_TEST_CASE(a_file_with_two_names_is_reported_under_both) {
    start();
    place.write("virus", test_virus());
    std::filesystem::create_hard_link(place.path + "/virus", place.path + "/other");
    for (const char* name : {"virus", "other"}) {
        const UniqueFd file(::open((place.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        hand_over_descriptor(name, file.get());
    }
    receive_all();
    BOOST_TEST(infected.contains("/home/virus"));
    BOOST_TEST(infected.contains("/home/other"));
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 2U);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_rewritten_between_its_two_names_is_scanned_again) {
    // On the second file system, files have no stamp.
    const TemporaryDirectory in_memory("/dev/shm");
    for (const std::string& directory : {std::string("."), in_memory.path}) {
        BOOST_TEST_CONTEXT(directory) {
            StartedCoordinator one;
            one.config.engine.scan_workers = 1;
            std::filesystem::create_directory_symlink(directory, one.place.path + "/home");
            one.place.write("home/one", std::string(test_virus().size(), 'x'));
            std::filesystem::create_hard_link(one.place.path + "/home/one", one.place.path + "/home/other");
            one.wait_until_old("home/one");
            one.start();
            one.hand_over_again("home/one");
            one.receive_until([&] { return one.progress.scanned_files == 1; });
            one.rewrite("home/one", test_virus());
            one.hand_over_again("home/other");
            one.receive_all();
            BOOST_TEST(one.infected.contains("/home/home/other"));
            BOOST_TEST(!one.infected.contains("/home/home/one"));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_could_not_be_opened_has_its_place_among_the_others) {
    start();
    hand_over("first", "harmless text");
    miss("second");
    hand_over("third", test_virus());
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 3U);
    BOOST_TEST(all->clean_files == 1U);
    BOOST_TEST(place_of.at("/home/second") == 1U);
    BOOST_TEST((progress.settled == Settled{3, 13 + 68, 1, 0}));
}

BOOST_AUTO_TEST_CASE(files_are_settled_in_order) {
    config.engine.scan_workers = 2;
    start();
    wait_until_a_worker_is_tested();
    wait_until_all_are_tested();
    stop_process(workers()[0]);
    for (int i = 0; i < 20; ++i) hand_over("virus" + std::to_string(i), test_virus());
    receive_until([&] { return infected.size() >= 19 && progress.scanned_files >= 19; });
    // One of the first two files is held: nothing after it counts as settled.
    BOOST_TEST(progress.settled.files <= 1U);
    ::kill(workers()[0], SIGCONT);
    receive_all();
    BOOST_TEST(infected.size() == 20U);
    BOOST_TEST(progress.settled.files == 20U);
}

BOOST_AUTO_TEST_CASE(at_the_end_of_a_turn_begun_files_are_finished_and_no_more_begun) {
    start();
    wait_until_a_worker_is_tested();
    wait_until_all_are_tested();
    // The stopped worker never reads what it is sent.
    stop_process(workers()[1]);
    hand_over_slow_and_wait("slow");
    const auto scans = workers()[0];
    stop_process(scans);
    for (int i = 0; i < 20; ++i) hand_over("virus" + std::to_string(i), test_virus());
    BOOST_REQUIRE(send_message(jobd.get(), EndTurn{}) == Sent::Yes);
    ::kill(scans, SIGCONT);
    receive_until([&] { return turn_ended; });
    BOOST_TEST(turn_ended);
    // Every settled file has been reported; the others will be handed over again.
    BOOST_TEST(progress.clean_files == 1U);
    BOOST_TEST(progress.settled.files >= 1U);
    BOOST_TEST(progress.settled.files <= 1 + infected.size());
    BOOST_TEST(infected.size() < 20U);
    BOOST_TEST(!all.has_value());
}

// What it is told of and what it says while jobd has not the whole list of files.
struct BeforeTheList : StartedCoordinator {
    BeforeTheList() {
        job.awaits_list = true;
        start();
        receive_until([&] { return ready; });
    }
    void list() const { BOOST_REQUIRE(send_message(jobd.get(), Listed{}) == Sent::Yes); }
    // Beside ScannerReady and the results of single files.
    [[nodiscard]] bool has_said_nothing() const {
        return infected.empty() && unscanned.empty() && !all && progress.scanned_files == 0 &&
               progress.current_file.empty();
    }
};

BOOST_FIXTURE_TEST_CASE(it_scans_and_says_nothing_before_the_list_is_whole, BeforeTheList) {
    hand_over("virus", test_virus());
    miss("missing");
    hand_over_slow_and_wait("clean");
    static_cast<void>(send_message(runner.get(), HandOverEnd{handed_over}));
    wait_until_idle([&] { return workers(); });
    receive_for(std::chrono::seconds(1));
    BOOST_TEST(has_said_nothing());
    list();
    receive_until([&] { return all || !failure.empty(); });
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 3U);
    BOOST_TEST(all->clean_files == 1U);
    BOOST_TEST(infected.contains("/home/virus"));
    BOOST_TEST(place_of.at("/home/missing") == 1U);
    BOOST_TEST(progress.settled.files == 3U);
}

BOOST_FIXTURE_TEST_CASE(the_time_of_its_workers_counts_before_the_list_is_whole, BeforeTheList) {
    for (int i = 0; i < 10; ++i) hand_over_slow("slow" + std::to_string(i));
    receive_until([&] { return progress.worker_ms >= 1000; });
    BOOST_TEST(progress.worker_ms >= 1000U);
    BOOST_TEST(has_said_nothing());
}

BOOST_FIXTURE_TEST_CASE(single_files_get_their_results_before_the_list_is_whole, BeforeTheList) {
    hand_over("listed", test_virus());
    hand_over("quarantined", test_virus(), true);
    receive_until([&] { return result || !failure.empty(); });
    BOOST_REQUIRE(result.has_value());
    BOOST_TEST((result->verdict == Verdict::Infected));
    BOOST_TEST(has_said_nothing());
}

BOOST_FIXTURE_TEST_CASE(it_withholds_only_so_much, BeforeTheList) {
    // As many as it withholds, what it takes at a time, and what its socket holds.
    constexpr std::uint64_t many = 20'000;
    constexpr int buffer_bytes = 104 * 1024;
    checked(::setsockopt(runner.get(), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes), "limit a buffer");
    set_blocking(runner.get(), false);
    const auto hand_over_some = [&] {
        while (handed_over < many && send_message(runner.get(), NotHandedOver{"/home/" + std::to_string(handed_over),
                                                                              UnscannedReason::Vanished}) == Sent::Yes)
            ++handed_over;
    };
    wait_until_idle([&] {
        hand_over_some();
        return std::vector<pid_t>{process.pid()};
    });
    BOOST_TEST(handed_over >= 1000U);
    BOOST_TEST(handed_over < 2000U);
    receive_for(std::chrono::milliseconds(300));
    BOOST_TEST(has_said_nothing());
    list();
    const auto before = handed_over;
    receive_until([&] { return unscanned.size() == before; });
    BOOST_TEST(unscanned.size() == before);
    for (const auto& [path, place] : place_of) BOOST_TEST(path == "/home/" + std::to_string(place));
    set_blocking(runner.get(), true);
    hand_over("virus", test_virus());
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == before + 1);
    BOOST_TEST(infected.contains("/home/virus"));
}

BOOST_FIXTURE_TEST_CASE(a_turn_that_ends_before_the_list_is_whole_leaves_nothing, BeforeTheList) {
    hand_over("virus", test_virus());
    hand_over_slow_and_wait("clean");
    wait_until_idle([&] { return workers(); });
    BOOST_REQUIRE(send_message(jobd.get(), EndTurn{}) == Sent::Yes);
    receive_until([&] { return turn_ended; });
    BOOST_TEST(turn_ended);
    BOOST_TEST(has_said_nothing());
}

BOOST_AUTO_TEST_CASE(killing_workers_loses_no_verdict) {
    start();
    wait_until_a_worker_is_tested();
    for (int i = 0; i < 200; ++i) hand_over("clean" + std::to_string(i), "harmless text number " + std::to_string(i));
    const auto killed = workers();
    BOOST_TEST(!killed.empty());
    for (const pid_t worker : killed) ::kill(worker, SIGKILL);
    hand_over("virus", test_virus());
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 201U);
    BOOST_TEST(infected.size() == 1U);
    BOOST_TEST(all->clean_files + unscanned.size() == 200U);
}

BOOST_AUTO_TEST_CASE(without_temporary_directories_no_file_is_called_clean) {
    start();
    wait_until_a_worker_is_tested();
    // As if the file system were lost; no account can reach the coordinator's directory.
    std::filesystem::rename(place.path + "/engine/tmp", place.path + "/lost");
    hand_over("virus", test_virus());
    hand_over("clean", "harmless text");
    receive_all();
    // Either the scanner reports that it does not work, or the files are reported as unscanned; none is clean.
    BOOST_TEST(!infected.contains("/home/clean"));
    BOOST_TEST((!all.has_value() || all->clean_files == 0U));
}

// Further cases in which libclamav reports "clean" without having scanned. Unreadable descriptors are tested above.

BOOST_AUTO_TEST_CASE(no_two_workers_share_a_temporary_directory) {
    config.engine.scan_workers = 4;
    start();
    wait_until_a_worker_is_tested();
    wait_until_all_are_tested();
    std::set<std::string> directories;
    for (const auto& directory : std::filesystem::directory_iterator(place.path + "/engine/tmp"))
        directories.insert(directory.path());
    BOOST_TEST(directories.size() == 4U);
    if (!own_tmpfs_works("/tmp")) return;
    // Each worker has its own file system there, as the device numbers show; to the others the directory is empty.
    std::set<std::string> devices;
    for (const pid_t worker : workers()) {
        std::ifstream mounts("/proc/" + std::to_string(worker) + "/mountinfo");
        std::string id, parent, device, root, point;
        for (std::string line; std::getline(mounts, line);) {
            std::istringstream(line) >> id >> parent >> device >> root >> point;
            if (directories.contains(point)) devices.insert(device);
        }
    }
    BOOST_TEST(devices.size() == 4U);
}

BOOST_AUTO_TEST_CASE(scanning_a_virus_repeatedly_does_not_make_it_clean) {
    config.engine.scan_workers = 1;
    start();
    const auto zip = zipped_test_virus();
    for (int i = 0; i < 50; ++i) {
        hand_over("virus" + std::to_string(i), i % 2 == 0 ? test_virus() : zip);
        hand_over("clean" + std::to_string(i), "harmless text");
    }
    receive_all();
    BOOST_TEST(infected.size() == 50U);
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 50U);
}

struct Limited {
    const char* what;
    void (*set)(Settings&);
    std::string content;
};

BOOST_AUTO_TEST_CASE(a_file_that_hits_a_limit_is_never_clean) {
    const auto twice = stored_zip("inner.zip", zipped_test_virus());
    const auto deep = stored_zip("4.zip", stored_zip("3.zip", stored_zip("2.zip", twice)));
    const std::vector<Limited> limits = {
        {"MaxRecursion", [](Settings& settings) { settings.engine.max_recursion = 3; }, deep},
        {"MaxFiles", [](Settings& settings) { settings.engine.max_files = 2; }, deep},
        {"MaxScanSize", [](Settings& settings) { settings.engine.max_scan_bytes = 1024; },
         stored_zip("large.txt", std::string(8192, 'x') + test_virus())},
        {"MaxFileSize", [](Settings& settings) { settings.engine.max_file_bytes = 2048; },
         stored_zip("large.txt", std::string(8192, 'x') + test_virus())},
    };
    for (const auto& limit : limits) {
        BOOST_TEST_CONTEXT(limit.what) {
            StartedCoordinator limited;
            limit.set(limited.config);
            limited.start();
            limited.hand_over("archive.zip", limit.content);
            limited.receive_all();
            BOOST_TEST(limited.unscanned.contains("/home/archive.zip"));
            BOOST_TEST((!limited.all || limited.all->clean_files == 0U));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_hung_worker_is_killed_and_its_file_reported_as_unscanned) {
    config.engine.max_scan_seconds = 1;
    config.engine.scan_workers = 1;
    start();
    wait_until_a_worker_is_tested();
    stop_process(workers()[0]);
    hand_over("slow", "harmless text");
    hand_over("next", "harmless text");
    receive_all();
    BOOST_REQUIRE(unscanned.contains("/home/slow"));
    BOOST_TEST((unscanned["/home/slow"] == UnscannedReason::TimeLimit));
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 1U);
}

BOOST_AUTO_TEST_CASE(a_file_that_a_worker_died_on_is_scanned_once_more_and_alone) {
    constexpr int most_attempts = 5;
    for (int attempt = 1;; ++attempt) {
        StartedCoordinator one;
        one.start();
        one.wait_until_a_worker_is_tested();
        one.wait_until_all_are_tested();
        const auto both = one.workers();
        stop_process(both[1]);
        one.hand_over_slow_and_wait("first");
        stop_process(both[0]);
        wait_until_idle({one.process.pid()});
        one.receive_for(std::chrono::milliseconds(100));
        if (one.progress.scanned_files != 0) {  // it was done with it before it was stopped
            BOOST_REQUIRE(attempt < most_attempts);
            for (const pid_t worker : both) ::kill(worker, SIGKILL);
            continue;
        }
        one.hand_over("second", test_virus());
        ::kill(both[0], SIGKILL);
        one.receive_for(std::chrono::milliseconds(1500));
        // The other worker is still scanning, so the retry waits.
        BOOST_TEST(one.progress.scanned_files == 0U);
        ::kill(both[1], SIGCONT);
        one.receive_all();
        BOOST_TEST(one.infected.size() == 1U);
        BOOST_TEST(one.unscanned.empty());
        BOOST_REQUIRE(one.all.has_value());
        BOOST_TEST(one.all->clean_files == 1U);
        return;
    }
}

BOOST_AUTO_TEST_CASE(files_that_a_dead_worker_had_not_begun_are_not_blamed) {
    start();
    wait_until_a_worker_is_tested();
    wait_until_all_are_tested();
    const auto both = workers();
    for (const pid_t worker : both) stop_process(worker);
    hand_over("first", test_virus());
    hand_over("second", zipped_test_virus());
    wait_until_asked();
    ::kill(both[0], SIGKILL);
    // A file that is blamed would be scanned alone: after the one that the other worker still has.
    wait_at_most(std::chrono::seconds(20));
    receive_until([&] { return infected.size() == 1; });
    BOOST_TEST(infected.size() == 1U);
    wait_at_most(std::chrono::seconds(0));
    ::kill(both[1], SIGCONT);
    receive_all();
    BOOST_TEST(infected.size() == 2U);
    BOOST_TEST(unscanned.size() == 2U);  // the missing ones
}

BOOST_AUTO_TEST_CASE(a_free_worker_gets_files_queued_for_a_busy_one) {
    start();
    wait_until_a_worker_is_tested();
    wait_until_all_are_tested();
    const auto held = workers()[0];
    stop_process(held);
    for (int i = 0; i < 40; ++i) hand_over("virus" + std::to_string(i), test_virus());
    // At most one file is still with the stopped worker.
    receive_until([&] { return infected.size() >= 39; });
    ::kill(held, SIGCONT);
    receive_all();
    BOOST_TEST(infected.size() == 40U);
    BOOST_TEST(unscanned.empty());
}

BOOST_AUTO_TEST_CASE(beside_another_job_it_uses_only_its_share_of_workers) {
    jobs.set(2);
    start();
    wait_until_a_worker_is_tested();
    // Its only worker is stopped; there is no other one as long as there is another job.
    const auto only = workers();
    BOOST_REQUIRE(only.size() == 1U);
    stop_process(only[0]);
    hand_over("first", test_virus(), true);
    hand_over("second", test_virus(), true);
    receive_for(std::chrono::milliseconds(1500));
    BOOST_TEST(!result.has_value());
    jobs.set(1);
    Packet packet;
    while (!result && receive_packet(jobd.get(), packet) == Got::Packet) receive(packet);
    BOOST_REQUIRE(result.has_value());
    BOOST_TEST((result->verdict == Verdict::Infected));
    BOOST_TEST(workers().size() == 2U);
    ::kill(only[0], SIGCONT);
}

BOOST_AUTO_TEST_CASE(a_share_is_at_least_one_worker) {
    BOOST_TEST(jobs.share_of(4) == 4U);
    jobs.set(2);
    BOOST_TEST(jobs.share_of(4) == 2U);
    BOOST_TEST(jobs.share_of(3) == 1U);
    jobs.set(100);
    BOOST_TEST(jobs.share_of(4) == 1U);
}

// ---- Copies of one content

BOOST_AUTO_TEST_CASE(texts_of_one_md5_and_size_are_told_apart_by_one_worker) {
    for (const bool clean_first : {true, false}) {
        BOOST_TEST_CONTEXT("the clean one first: " << clean_first) {
            StartedCoordinator one;
            one.config.engine.scan_workers = 1;
            write_twin_signature(one.place.path + "/no_signatures");
            one.place.write("clean", clean_twin());
            one.place.write("infected", infected_twin());
            one.place.write("clean.zip", stored_zip("twin", clean_twin()));
            one.place.write("infected.zip", stored_zip("twin", infected_twin()));
            one.wait_until_old("infected.zip");
            one.start();
            const std::string first = clean_first ? "clean" : "infected";
            const std::string second = clean_first ? "infected" : "clean";
            for (const auto& name : {first, second, first + ".zip", second + ".zip"}) one.hand_over_again(name);
            one.receive_all();
            BOOST_TEST((one.infected ==
                        std::map<std::string, std::string>{{"/home/infected", "Infected-Twin.UNOFFICIAL"},
                                                           {"/home/infected.zip", "Infected-Twin.UNOFFICIAL"}}));
            BOOST_REQUIRE(one.all.has_value());
            BOOST_TEST(one.all->clean_files == 2U);
        }
    }
}

// While the only worker is stopped, nothing is scanned.
struct WithOneWorker : StartedCoordinator {
    WithOneWorker() {
        config.engine.scan_workers = 1;
        config.engine.max_scan_seconds = 5;
    }
    void stop_worker() {
        stopped = workers().at(0);
        stop_process(stopped);
    }
    void continue_worker() const {
        BOOST_TEST(workers().at(0) == stopped, "the worker was replaced, so it was sent a file");
        ::kill(stopped, SIGCONT);
    }
    const std::string harmless = std::string(test_virus().size(), 'x');
    pid_t stopped = 0;
};

BOOST_FIXTURE_TEST_CASE(a_copy_of_an_infected_file_is_infected_without_a_scan, WithOneWorker) {
    place.write("as long", harmless);
    place.write("virus", test_virus());
    write_old("copy", test_virus());
    start();
    hand_over_again("as long");
    hand_over_again("virus");
    receive_until([&] { return infected.contains("/home/virus"); });
    stop_worker();
    hand_over_again("copy");
    receive_until([&] { return infected.contains("/home/copy") || unscanned.contains("/home/copy"); });
    continue_worker();
    receive_all();
    BOOST_TEST(infected["/home/copy"] == infected["/home/virus"]);
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 3U);
    BOOST_TEST(progress.scanned_files == 3U);
    BOOST_TEST((progress.settled == Settled{3, 3 * 68, 1, 0}));
}

BOOST_FIXTURE_TEST_CASE(a_copy_of_a_confirmed_clean_file_is_clean_without_a_scan, WithOneWorker) {
    place.write("as long", std::string(harmless.size(), 'y'));
    place.write("text", harmless);
    write_old("copy", harmless);
    start();
    hand_over_again("as long");
    hand_over_again("text");
    // Enough files for the worker to be tested again meanwhile.
    for (int i = 0; i < 300; ++i) hand_over(std::to_string(i), std::to_string(i) + " is another text");
    receive_until([&] { return progress.clean_files > 1 && progress.scanned_files == 302; });
    stop_worker();
    hand_over_again("copy");
    receive_until([&] { return progress.scanned_files == 303; });
    continue_worker();
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 303U);
    BOOST_TEST(progress.settled.files == 303U);
}

BOOST_FIXTURE_TEST_CASE(a_large_copy_is_scanned_itself, WithOneWorker) {
    const std::string large(8 * 1024 * 1024 + 1, 'x');
    place.write("as long", std::string(large.size(), 'y'));
    place.write("text", large);
    write_old("copy", large);
    start();
    hand_over_again("as long");
    hand_over_again("text");
    for (int i = 0; i < 300; ++i) hand_over(std::to_string(i), std::to_string(i) + " is another text");
    receive_until([&] { return progress.clean_files > 1 && progress.scanned_files == 302; });
    stop_worker();
    hand_over_again("copy");
    wait_until_asked();
    // Long enough for a verdict that takes no worker.
    wait_at_most(std::chrono::milliseconds(500));
    receive_until([&] { return progress.scanned_files > 304; });
    BOOST_TEST(progress.scanned_files <= 304U);
    wait_at_most(std::chrono::seconds(0));
    continue_worker();
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 303U);
}

BOOST_FIXTURE_TEST_CASE(a_copy_that_is_rewritten_before_the_verdict_is_scanned_itself, WithOneWorker) {
    place.write("text", harmless);
    write_old("copy", harmless);
    start();
    wait_until_a_worker_is_tested();
    stop_worker();
    hand_over_again("text");
    hand_over_again("copy");
    wait_until_asked();
    rewrite("copy", test_virus());
    continue_worker();
    receive_all();
    BOOST_TEST(infected.contains("/home/copy"));
    BOOST_TEST(infected.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_file_rewritten_after_its_scan_vouches_for_no_copy, WithOneWorker) {
    place.write("text", harmless);
    write_old("virus", test_virus());
    start();
    wait_until_a_worker_is_tested();
    stop_worker();
    hand_over_again("text");
    wait_until_asked();
    stop_process(process.pid());
    ::kill(stopped, SIGCONT);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    // The worker called it clean, but the coordinator has not read the answer yet.
    rewrite("text", test_virus());
    ::kill(process.pid(), SIGCONT);
    hand_over_again("virus");
    receive_all();
    BOOST_TEST(infected.contains("/home/virus"));
}

BOOST_FIXTURE_TEST_CASE(each_copy_of_an_unscannable_file_is_reported, WithOneWorker) {
    config.engine.max_scan_bytes = 1024;
    const auto large = stored_zip("large.txt", std::string(8192, 'x') + test_virus());
    for (const char* name : {"one", "two", "three"}) place.write(name, large);
    wait_until_old("three");
    start();
    for (const char* name : {"one", "two", "three"}) hand_over_again(name);
    receive_all();
    BOOST_TEST(unscanned.size() == 3U);
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->clean_files == 0U);
}

BOOST_AUTO_TEST_CASE(many_copies_are_reported_under_every_name) {
    place.write("virus0", test_virus());
    for (int i = 0; i < 400; ++i) place.write("copy" + std::to_string(i), "harmless text of which there are many");
    for (int i = 0; i < 40; ++i) place.write("virus" + std::to_string(i), test_virus());
    write_old("last", "harmless text of which there are many");
    start();
    for (int i = 0; i < 400; ++i) hand_over_again("copy" + std::to_string(i));
    for (int i = 0; i < 40; ++i) hand_over_again("virus" + std::to_string(i));
    hand_over_again("last");
    receive_all();
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->files == 441U);
    BOOST_TEST(all->clean_files == 401U);
    BOOST_TEST(infected.size() == 40U);
    BOOST_TEST(unscanned.empty());
    BOOST_TEST(progress.settled.files == 441U);
}

BOOST_AUTO_TEST_CASE(a_result_contains_the_hash_of_the_scanned_bytes) {
    start();
    hand_over("virus", test_virus(), true);
    Packet packet;
    while (!result && receive_packet(jobd.get(), packet) == Got::Packet) receive(packet);
    BOOST_REQUIRE(result.has_value());
    BOOST_TEST((result->verdict == Verdict::Infected));
    BOOST_TEST(result->sha256 == "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f");
    BOOST_TEST(result->identity.size == 68U);
}

// Requests are taken back while an answer is unread and the worker is scanning its next file.
BOOST_AUTO_TEST_CASE(no_request_is_lost_when_it_is_taken_back) {
    for (int attempt = 0; attempt < 5; ++attempt) {
        StartedCoordinator one;
        one.config.engine.scan_workers = 1;
        one.start();
        one.wait_until_a_worker_is_tested();
        one.hand_over("first", test_virus());
        one.hand_over_slow("second");
        for (int i = 0; i < 6; ++i) one.hand_over("virus" + std::to_string(i), test_virus());
        std::this_thread::sleep_for(std::chrono::milliseconds(2 * attempt));
        const auto begun = Clock::now();
        BOOST_REQUIRE(send_message(one.jobd.get(), EndTurn{}) == Sent::Yes);
        one.receive_until([&] { return one.turn_ended; });
        BOOST_TEST(one.turn_ended);
        // If the coordinator waited for a request that it has taken back, it would run into the time limit.
        BOOST_REQUIRE((Clock::now() - begun < std::chrono::seconds(60)));
        BOOST_TEST(one.unscanned.empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
