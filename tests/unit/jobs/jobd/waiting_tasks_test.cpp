// Whose turn it is, and how many come before an owner's task: the number must be the one by which they really start.
#include "jobs/jobd/waiting_tasks.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

#include "tests/unit/processor_time.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

struct Queue {
    void add(TaskId id, bool scheduled = false, bool of_system_scan = false, Clock::duration delay = 0s) {
        AccountTask task;
        task.task.id = id;
        task.task.account = id;  // each task is another account's
        task.task.scheduled = scheduled;
        task.task.of_system_scan = of_system_scan;
        tasks.add(std::move(task), now + delay);
    }
    Task task_of(TaskId id) const { return tasks.find(id)->task; }
    std::optional<std::uint64_t> before(TaskId id) { return tasks.before(id, now); }
    std::optional<TaskId> next() const { return tasks.next(nobody_is_busy, now); }
    // As the dispatcher starts it.
    void start(TaskId id) {
        tasks.begin_check(id);
        const Task task = task_of(id);
        tasks.remove(id);
        tasks.note_start(task);
    }
    void used(AccountId account, Clock::duration time) {
        Task task;
        task.account = account;
        tasks.note_use(task, time, now);
    }
    // In the order in which they start.
    std::vector<TaskId> started() {
        std::vector<TaskId> order;
        while (const auto id = next()) {
            order.push_back(*id);
            start(*id);
        }
        return order;
    }

    const WaitingTasks::IsBusy nobody_is_busy = [](AccountId) { return false; };
    Deadline now = Clock::now();
    WaitingTasks tasks;
};

BOOST_FIXTURE_TEST_SUITE(waiting_tasks, Queue)

BOOST_AUTO_TEST_CASE(who_used_less_comes_first_and_schedules_come_last) {
    add(1, true);
    add(2);
    add(3);
    add(4);
    used(2, 60s);
    BOOST_TEST((before(3) == 0U && before(4) == 1U && before(2) == 2U && before(1) == 3U));
    BOOST_TEST((started() == std::vector<TaskId>{3, 4, 2, 1}));
}

BOOST_AUTO_TEST_CASE(the_number_follows_what_starts_and_what_is_cancelled) {
    for (const TaskId id : {1, 2, 3, 4}) add(id);
    BOOST_TEST((before(4) == 3U));
    tasks.remove(2);
    BOOST_TEST((before(4) == 2U));
    BOOST_TEST(!before(2));
    start(1);
    BOOST_TEST((before(4) == 1U && before(3) == 0U));
    BOOST_TEST(!before(1));
    // One that has used less is put before it.
    used(4, 60s);
    add(5);
    BOOST_TEST((before(4) == 2U));
    used(3, 120s);
    BOOST_TEST((before(3) == 2U && before(5) == 0U));
}

BOOST_AUTO_TEST_CASE(what_may_not_start_yet_has_no_place_and_takes_none) {
    add(1, false, false, 10s);
    add(2);
    BOOST_TEST(!before(1));
    BOOST_TEST((before(2) == 0U));
    now += 11s;
    BOOST_TEST((before(1) == 0U && before(2) == 1U));
    tasks.begin_check(1);
    BOOST_TEST((before(1) == 0U && before(2) == 0U));
    tasks.postpone(1, now + 10s);
    BOOST_TEST(!before(1));
    BOOST_TEST((next() == 2));
}

BOOST_AUTO_TEST_CASE(what_has_waited_for_long_comes_first) {
    add(1, true);
    add(2);
    used(2, 3000s);
    now += 61min;
    add(3);
    BOOST_TEST((before(1) == 0U && before(2) == 1U && before(3) == 2U));
    BOOST_TEST((started() == std::vector<TaskId>{1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(the_scan_of_all_accounts_is_one_customer) {
    for (const TaskId id : {1, 2, 3}) add(id, false, true);
    add(4);
    add(5);
    // Its second job comes after an owner who used as little.
    BOOST_TEST((before(1) == 0U && before(4) == 1U && before(5) == 2U && before(2) == 3U && before(3) == 4U));
    BOOST_TEST((started() == std::vector<TaskId>{1, 4, 5, 2, 3}));
}

// Whatever waits, and whatever was used: what is told is the order in which they start, if nothing else happens.
BOOST_AUTO_TEST_CASE(what_is_told_is_what_happens) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        Queue queue;
        std::vector<TaskId> ids;
        for (TaskId id = 1; id <= 12; ++id) {
            const bool of_system_scan = random() % 4 == 0;
            queue.add(id, !of_system_scan && random() % 4 == 0, of_system_scan);
            if (random() % 2 == 0) queue.used(id, std::chrono::seconds(random() % 40));
            if (random() % 3 == 0) queue.tasks.note_start(queue.task_of(id));
            ids.push_back(id);
        }
        if (random() % 2 == 0) queue.now += 61min;
        for (TaskId id = 13; id <= 16; ++id) {
            queue.add(id, random() % 2 == 0);
            ids.push_back(id);
        }
        std::vector<TaskId> told(ids.size());
        for (const TaskId id : ids) told.at(queue.before(id).value()) = id;
        BOOST_TEST(told == queue.started(), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(an_account_that_is_busy_does_not_start) {
    add(1);
    add(2);
    BOOST_TEST((tasks.next([](AccountId account) { return account == 1; }, now) == 2));
    BOOST_TEST(tasks.another_could_start(task_of(1), nobody_is_busy, now));
    BOOST_TEST(!tasks.another_could_start(
        task_of(1), [](AccountId account) { return account == 2; }, now));
}

// Thousands of owners wait, and all of them ask all the time.
BOOST_AUTO_TEST_CASE(asking_costs_next_to_nothing_however_many_wait) {
    constexpr TaskId many = 5000;
    constexpr int times = 20;
    for (TaskId id = 1; id <= many; ++id) {
        add(id);
        used(id, std::chrono::seconds(id % 1000));
    }
    std::uint64_t sum = 0;
    const auto cost = cost_of([&] {
        for (int i = 0; i < times; ++i)
            for (TaskId id = 1; id <= many; ++id) sum += before(id).value();
    });
    BOOST_TEST(sum == static_cast<std::uint64_t>(times * many * (many - 1) / 2));
    constexpr auto most_microseconds_a_poll = 20;
    BOOST_TEST(cost < many * times * most_microseconds_a_poll);
}

BOOST_AUTO_TEST_CASE(putting_many_in_order_delays_nobody_for_long) {
    constexpr TaskId many = 5000;
    for (TaskId id = 1; id <= many; ++id) {
        add(id);
        used(id, std::chrono::seconds(id % 1000));
    }
    BOOST_TEST(cost_of([&] { BOOST_TEST(before(many).has_value()); }) <
               std::chrono::microseconds(longest_turn).count());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
