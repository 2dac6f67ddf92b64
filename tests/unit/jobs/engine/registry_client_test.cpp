// Tests coordinators of several accounts that ask one registry of known contents, with real workers, a real judge and
// the real libclamav.
#include "jobs/engine/registry_client.h"

#include <algorithm>
#include <map>
#include <set>

#include "jobs/engine/worker/own_tmpfs.h"
#include "jobs/engine/worker/sandbox.h"
#include "tests/unit/jobs/engine/known/jobs_of_accounts.h"

namespace clamscanner {
namespace {

boost::test_tools::assertion_result judges_here(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result here(landlock_version() > 0 && own_tmpfs_works("/tmp"));
    here.message() << "no Landlock or no user namespaces here, so nothing is judged";
    return here;
}

struct Fixture : JobsOfAccounts {
    void start_all() {
        start();
        wait_until_ready();
    }
    void write_application(int account) const {
        for (int number = 0; number < 40; ++number)
            write(account, "page" + std::to_string(number), "the same page number " + std::to_string(number));
        write(account, "virus", test_virus());
        write(account, "own", "a text of account " + std::to_string(account));
    }
    bool is_known(const std::string& content) {
        Meetings meetings(*this, 1);  // it has met it already
        return meetings.meet(content) == Meeting::Known;
    }
    static constexpr std::uint64_t clean_files = 41;
    // Its scan takes a good part of a second.
    static std::string slow_text(const std::string& name) {
        std::string slow = "<html><body>";
        for (int i = 0; slow.size() < 3'000'000; ++i)
            slow +=
                "<script>var " + name + std::to_string(i) + " = unescape('%41" + std::to_string(i) + "');</script>\n";
        return slow;
    }
};

BOOST_AUTO_TEST_SUITE(registry_client, *boost::unit_test::precondition(judges_here))

BOOST_FIXTURE_TEST_CASE(contents_of_three_accounts_are_judged_and_count_as_scanned, Fixture) {
    start_all();
    for (int account = 1; account <= 5; ++account) write_application(account);
    wait_until_old();
    for (int account = 1; account <= 5; ++account) {
        BOOST_TEST_CONTEXT("account " << account) {
            const auto result = scan(account);
            BOOST_TEST((result.infected == std::set<std::string>{"virus"}));
            BOOST_TEST(result.unscanned.empty());
            BOOST_TEST(result.clean == clean_files);
            // Nothing tells an account what others have.
            BOOST_TEST(result.known == 0U);
            BOOST_TEST(result.progress.scanned_files == clean_files + 1);
            BOOST_TEST(result.progress.settled.known_files == 0U);
            BOOST_TEST(result.progress.settled.files == clean_files + 1);
            BOOST_TEST(is_known("the same page number 7") == (account >= 3));
        }
    }
    BOOST_TEST(!is_known(test_virus()));
    BOOST_TEST(!is_known("a text of account 3"));
    // An account's own memory holds what was known from others, too.
    BOOST_TEST(scan(5).known == clean_files);
}

BOOST_FIXTURE_TEST_CASE(a_full_scan_passes_over_what_is_known, Fixture) {
    start_all();
    const auto slow = slow_text("a");
    write(9, "text", slow);
    wait_until_old();
    for (int by = 101; by <= 102; ++by) static_cast<void>(Meetings(*this, by).meet(slow));
    BOOST_TEST(Meetings(*this, 103).judge(slow));
    // What workers are given shows in their working time, of which a scan of this file takes a good part of a second.
    BOOST_TEST(scan(9).progress.worker_ms == 0U);
    const auto full = scan(9, true);
    BOOST_TEST(full.clean == 1U);
    BOOST_TEST(full.known == 0U);
    BOOST_TEST(full.progress.worker_ms > 0U);
}

// In a process of its own: a registry that knows these contents when they are asked about once more, and not before.
// It ends with the number of those that were.
[[noreturn]] void know_when_asked_again(const UniqueFd& job, const std::set<std::string>& contents) {
    try {
        std::map<std::string, int> asked;
        Packet packet;
        while (receive_packet(job.get(), packet) == Got::Packet) {
            if (!is<MeetContents>(packet.bytes)) continue;
            ContentsMet answers;
            for (const auto& content : decode<MeetContents>(packet.bytes).contents) {
                const bool known = contents.contains(content.sha256) && ++asked[content.sha256] == 2;
                answers.answers.push_back({content.token, known ? Meeting::Known : Meeting::Unknown});
            }
            static_cast<void>(send_message(job.get(), answers));
        }
        ::_exit(static_cast<int>(std::ranges::count_if(asked, [](const auto& one) { return one.second == 2; })));
    } catch (...) {
        ::_exit(100);
    }
}

BOOST_FIXTURE_TEST_CASE(a_file_that_waits_for_its_scan_is_asked_about_again, Fixture) {
    config.engine.scan_workers = 1;
    load();
    for (const char* name : {"a0", "a1"}) write(9, name, slow_text(name));
    // More than a worker is sent ahead.
    for (int number = 10; number < 30; ++number) write(9, "b" + std::to_string(number), std::to_string(number));
    std::set<std::string> shared;
    for (const std::string name : {"c0", "c1", "c2"}) {
        write(9, name, "what others have, too: " + name);
        shared.insert(sha256_hex("what others have, too: " + name));
    }
    wait_until_old();
    auto [registrys, coordinators] = socket_pair(SOCK_SEQPACKET);
    const pid_t pid = checked(::fork(), "fork a registry");
    if (pid == 0) {
        coordinators.reset();
        know_when_asked_again(registrys, shared);
    }
    ChildProcess asked(pid);
    registrys.reset();
    const auto result = scan(9, false, std::move(coordinators));
    BOOST_TEST(result.clean == 25U);
    const auto ending = asked.wait();
    BOOST_TEST(!ending.by_signal);
    BOOST_TEST(ending.code == 3);
}

struct Outcomes final : RegistryClient::Owner {
    void accept_known(const FilePtr& file) override { known.push_back(file); }
    void scan_unknown(FilePtr file) override { unknown.push_back(std::move(file)); }
    std::vector<FilePtr> known;
    std::vector<FilePtr> unknown;
};

// Contents of others that take long may be before them.
BOOST_AUTO_TEST_CASE(files_whose_judgement_does_not_come_are_scanned) {
    Outcomes outcomes;
    auto [registrys, clients] = socket_pair(SOCK_SEQPACKET);
    RegistryClient client(std::move(clients), "fingerprint", outcomes);
    Packet packet;
    const auto next = [&] { BOOST_REQUIRE((receive_packet(registrys.get(), packet) == Got::Packet)); };
    next();
    static_cast<void>(decode<BeginMeetings>(packet.bytes));
    const auto tell = [&](const auto& message) {
        BOOST_REQUIRE((send_message(registrys.get(), message) == Sent::Yes));
        client.take_answers();
    };
    const std::vector<Meeting> answers{Meeting::Wait, Meeting::Wait, Meeting::Later};
    for (std::size_t number = 0; number < answers.size(); ++number) {
        auto file = std::make_shared<ScannedFile>();
        file->content = Content{number, std::string(sha256_digits, 'a')};
        BOOST_TEST(client.ask(file));
    }
    client.send();
    next();
    ContentsMet met;
    for (const auto& asked : decode<MeetContents>(packet.bytes).contents)
        met.answers.push_back({asked.token, answers.at(asked.size)});
    BOOST_TEST(client.asked() == answers.size());
    BOOST_TEST(client.unanswered() == answers.size());
    tell(ContentsMet{{met.answers[0], met.answers[1]}});
    BOOST_TEST(client.answered() == client.asked() - 1);
    tell(ContentsMet{{met.answers[2]}});
    BOOST_TEST(client.answered() == client.asked());
    BOOST_TEST(client.unanswered() == 0U);
    tell(ContentJudged{met.answers[0].token, true});
    BOOST_TEST(outcomes.known.size() == 1U);
    const auto begun = Clock::now();
    while (outcomes.unknown.empty() && Clock::now() - begun < std::chrono::seconds(60)) {
        client.check_deadline();
        ::usleep(10'000);
    }
    BOOST_TEST((Clock::now() - begun > std::chrono::seconds(5)), "it had its time");
    BOOST_TEST(outcomes.unknown.size() == 2U);
    BOOST_TEST(client.can_be_asked());
    BOOST_TEST(client.waiting() + client.put_off() == 0U);
    // It is too late now.
    tell(ContentJudged{met.answers[1].token, true});
    BOOST_TEST(outcomes.known.size() == 1U);
    BOOST_TEST(client.can_be_asked());
}

BOOST_FIXTURE_TEST_CASE(without_a_registry_files_are_scanned, Fixture) {
    load();
    write_application(1);
    const auto result = scan(1);
    BOOST_TEST(result.clean == clean_files);
    BOOST_TEST(result.infected.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(when_the_registry_or_the_judge_dies_in_the_middle_files_are_scanned, Fixture) {
    start_all();
    for (int account = 1; account <= 12; ++account) write_application(account);
    for (int account = 1; account <= 2; ++account) BOOST_TEST(scan(account).clean == clean_files);
    for (int account = 3; account <= 12; ++account) {
        std::thread killer([&, account] {
            std::this_thread::sleep_for(std::chrono::milliseconds(20 * account));
            ::kill(account % 2 == 0 ? registry.pid() : judge.pid(), SIGKILL);
        });
        const auto result = scan(account);
        killer.join();
        BOOST_TEST(result.clean == clean_files);
        BOOST_TEST(result.infected.size() == 1U);
        BOOST_TEST(result.unscanned.empty());
        if (account % 2 == 0) {
            registry = ChildProcess();
            judge = ChildProcess();
            start_registry();
        }
        start_judge();
        wait_until_ready();
        BOOST_TEST(!is_known(test_virus()));
    }
}

// Owners that rewrite their files all the time: whatever their scans make of that, no content is known that is
// infected, and none of the others gets a wrong verdict.
BOOST_FIXTURE_TEST_CASE(racing_owners_make_nothing_known_but_what_is_clean, Fixture) {
    start_all();
    const auto clean = std::string(test_virus().size(), 'x');
    for (int account = 1; account <= 3; ++account)
        for (int number = 0; number < 20; ++number) write(account, std::to_string(number), clean);
    const pid_t pid = checked(::fork(), "fork the owners");
    if (pid == 0) {
        std::vector<UniqueFd> files;
        for (int account = 1; account <= 3; ++account)
            for (int number = 0; number < 20; ++number)
                files.emplace_back(
                    ::open((place.path + "/home" + std::to_string(account) + "/" + std::to_string(number)).c_str(),
                           O_RDWR | O_CLOEXEC));
        for (;;)
            for (const auto& content : {test_virus(), clean})
                for (const auto& file : files)
                    static_cast<void>(::pwrite(file.get(), content.data(), content.size(), 0) < 0);
    }
    const ChildProcess owners(pid);
    for (int round = 0; round < 12; ++round) {
        for (int account = 1; account <= 3; ++account) {
            const auto result = scan(account);
            BOOST_TEST(result.files == 20U);
        }
        BOOST_TEST(!is_known(test_virus()));
    }
    write(4, "virus", test_virus());
    BOOST_TEST(scan(4).infected.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
