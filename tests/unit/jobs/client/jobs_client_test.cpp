#include "jobs/client/jobs_client.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <optional>

#include "jobs/shared/refusal.h"
#include "tests/unit/fake_jobd.h"
#include "tests/unit/started_program.h"

using namespace clamscanner;

namespace {

struct Fixture {
    TestDirectory directory;
    std::string socket = directory.path("jobs.sock");
    std::optional<FakeJobd> jobd;
    JobsClient jobs{socket};

    void start(FakeJobd::Answer answer) { jobd.emplace(socket, std::move(answer)); }
};

std::string answer_all(std::string_view question) {
    if (is<AskScanStatus>(question)) return encoded_reply(ScanStatus{});
    if (is<StartScan>(question)) return encoded_reply(Accepted{});
    if (is<AskInfectedFiles>(question)) return encoded_reply(InfectedFiles{});
    if (is<AskDisinfection>(question)) return encoded_reply(DisinfectionStatus{});
    return encoded_reply(DisinfectionQueued{});
}

template <class Call>
void check_gone(Call call) {
    BOOST_CHECK_EXCEPTION(call(), Refusal, [](const Refusal& refusal) {
        const std::string sentence = refusal.what();
        return refusal.status() == 503 && sentence.find("(reference ") != std::string::npos &&
               sentence.find("sock") == std::string::npos;
    });
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(jobs_client, Fixture)

BOOST_AUTO_TEST_CASE(questions_and_answers_arrive_unchanged) {
    start([](std::string_view question) {
        if (is<StartScan>(question))
            return decode<StartScan>(question).scan_type == ScanType::Mail ? encoded_reply(Accepted{}) : "";
        if (is<AskDisinfection>(question)) {
            DisinfectionStatus status;
            status.records = {
                {decode<AskDisinfection>(question).last_id + 1, RecordType::Issue, RecordState::Error, "", "m"}};
            return encoded_reply(status);
        }
        const auto actions = decode<Disinfect>(question).actions;
        return encoded_reply(DisinfectionQueued{std::to_string(actions.size()), actions.back().path});
    });
    jobs.ask(StartScan{ScanType::Mail});
    BOOST_TEST(jobs.ask(AskDisinfection{41}).records.at(0).id == 42U);
    const auto queued = jobs.ask(Disinfect{{{"/a", Action::Ignore}, {"/b", Action::Delete}}});
    BOOST_TEST(queued.task_id == "2");
    BOOST_TEST(queued.log == "/b");
}

BOOST_AUTO_TEST_CASE(a_declined_question_is_a_refusal_with_jobds_sentence) {
    start([](std::string_view) { return encoded_reply(Declined{"A scan is running."}); });
    BOOST_CHECK_EXCEPTION(jobs.ask(StartScan{ScanType::Home}), Refusal, [](const Refusal& refusal) {
        return refusal.status() == 200 && std::string(refusal.what()) == "A scan is running.";
    });
}

BOOST_AUTO_TEST_CASE(without_jobd_the_scanner_is_starting_or_gone) {
    check_gone([&] { static_cast<void>(jobs.ask(AskScanStatus{})); });
    start(answer_all);
    BOOST_TEST(!jobs.ask(AskScanStatus{}).ever_started);
}

BOOST_AUTO_TEST_CASE(it_reconnects_to_a_restarted_jobd) {
    for (int i = 0; i < 3; ++i) {
        start(answer_all);
        static_cast<void>(jobs.ask(AskScanStatus{}));
        jobd.reset();
    }
    start(answer_all);
    // This holds for a question that changes something, too: one that was not written completely had no effect.
    jobs.ask(StartScan{ScanType::Home});
}

BOOST_AUTO_TEST_CASE(only_a_question_that_changes_nothing_is_asked_twice) {
    std::atomic<int> asked = 0;
    const auto answer_first_of_each_two = [&](std::string_view question) {
        return asked++ % 2 == 0 ? answer_all(question) : std::string();
    };
    start(answer_first_of_each_two);
    static_cast<void>(jobs.ask(AskScanStatus{}));
    static_cast<void>(jobs.ask(AskScanStatus{}));  // not answered, so it is asked again
    BOOST_TEST(asked == 3);
    check_gone([&] { jobs.ask(StartScan{ScanType::Home}); });
    BOOST_TEST(asked == 4);
}

BOOST_AUTO_TEST_CASE(a_jobd_that_never_answers_is_given_up) {
    start([](std::string_view) { return std::string(); });
    check_gone([&] { static_cast<void>(jobs.ask(AskScanStatus{})); });
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_kind_is_no_answer) {
    start([](std::string_view) { return encoded_reply(Accepted{}); });
    BOOST_CHECK_THROW(static_cast<void>(jobs.ask(AskScanStatus{})), Malformed);
}

BOOST_AUTO_TEST_CASE(a_question_too_long_for_jobd_is_refused_here) {
    std::vector<FileAction> actions(400, {std::string(longest_path, 'x'), Action::Ignore});
    BOOST_CHECK_EXCEPTION(static_cast<void>(jobs.ask(Disinfect{std::move(actions)})), Refusal,
                          [](const Refusal& refusal) { return refusal.status() == 200; });
}

BOOST_AUTO_TEST_SUITE_END()
