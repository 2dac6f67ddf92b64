// Tests in which order files are scanned, with a real worker: in that of the list, so that what is settled when a scan
// is interrupted is its beginning.
#include "jobs/engine/worker_pool.h"

#include <fcntl.h>
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

using Places = std::vector<std::uint64_t>;

class Record final : public WorkerPool::Owner {
 public:
    void begin(const ScannedFile& file) override { begun.push_back(file.names.front().place); }
    void take_answer(const FilePtr& /*file*/, bool /*written_out*/) override { ++answered; }
    void accept_clean(ScannedFile& /*file*/) override { ++accepted; }
    void give_up(ScannedFile& file, UnscannedReason /*reason*/) override {
        BOOST_ERROR("file " << file.names.front().place << " was given up");
    }
    void take_end_of_confirmed() override {}
    bool may_begin(const ScannedFile& file) const override { return !is_held || !is_held(file); }
    bool expects_more() const override { return is_more_expected; }
    bool delay_the_others(const std::vector<FilePtr>& /*unconfirmed*/) const override { return false; }

    std::function<bool(const ScannedFile&)> is_held;
    Places begun;
    std::size_t answered = 0;
    std::size_t accepted = 0;
    bool is_more_expected = true;
};

struct StartedPool {
    StartedPool() {
        std::filesystem::create_directory(place.path + "/no_signatures");
        std::filesystem::create_directory(place.path + "/tmp");
        config.paths.signature_directory = place.path + "/no_signatures";
        config.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
        config.engine.scan_workers = 1;
        engine.emplace(config, place.path);
        pool.emplace(config, *engine, jobs, place.path + "/tmp", -1, record);
    }

    void scan(const Places& places) {
        for (const auto number : places) {
            const auto name = "file" + std::to_string(number);
            place.write(name, "the text of " + name);
            auto file = std::make_shared<ScannedFile>();
            file->names.push_back({name, number});
            file->fd.reset(::open((place.path + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
            pool->scan(std::move(file));
        }
    }
    // As the coordinator does with files whose contents others may know by now, and do not.
    void take_and_scan_again(std::size_t next, const std::function<bool(const ScannedFile&)>& which) {
        for (auto& file : pool->take_of_next(next, which)) pool->scan(file);
    }
    [[nodiscard]] Places take_all() {
        Places places;
        for (const auto& file : pool->take_of_next(pool->waiting(), [](const ScannedFile&) { return true; }))
            places.push_back(file->names.front().place);
        return places;
    }
    void turn() {
        pool->assign_work();
        std::vector<pollfd> watched;
        const int timeout = pool->watch(watched);
        ::poll(watched.data(), watched.size(), timeout);
        pool->take_answers();
        pool->check_deadlines();
    }
    void run_until(const std::function<bool()>& done) {
        const auto until = Clock::now() + std::chrono::seconds(60);
        while (!done() && Clock::now() < until) turn();
        BOOST_TEST(done());
    }
    void run_until_answered(std::size_t count) {
        run_until([&] { return record.answered >= count; });
    }

    TemporaryDirectory place;
    Settings config;
    JobCount jobs;
    Record record;
    std::optional<ClamEngine> engine;
    std::optional<WorkerPool> pool;
};

bool is_even(const ScannedFile& file) {
    return file.names.front().place % 2 == 0;
}

Places first_places(std::uint64_t count) {
    Places places;
    for (std::uint64_t number = 0; number < count; ++number) places.push_back(number);
    return places;
}

BOOST_FIXTURE_TEST_SUITE(order_of_files, StartedPool)

BOOST_AUTO_TEST_CASE(files_wait_in_the_order_of_the_list_however_often_they_are_asked_about) {
    scan(first_places(12));
    for (int i = 0; i < 3; ++i) take_and_scan_again(8, &is_even);
    BOOST_TEST(take_all() == first_places(12), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_that_comes_late_waits_at_its_place) {
    scan({0, 2, 3, 7, 8});
    scan({6, 1, 5, 4});
    BOOST_TEST(take_all() == first_places(9), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_worker_is_given_them_in_the_order_of_the_list) {
    constexpr std::uint64_t count = 40;
    scan(first_places(count));
    for (int i = 0; i < 3; ++i) take_and_scan_again(count / 2, &is_even);
    run_until_answered(count / 4);
    take_and_scan_again(count, &is_even);
    run_until_answered(count);
    BOOST_TEST(record.begun == first_places(count), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_that_may_need_no_scan_is_not_begun_and_the_ones_behind_it_wait) {
    constexpr std::uint64_t held = 3;
    record.is_held = [](const ScannedFile& file) { return file.names.front().place == held; };
    scan(first_places(2 * held));
    run_until_answered(held);
    for (int i = 0; i < 3; ++i) pool->assign_work();
    BOOST_TEST(record.begun == first_places(held), boost::test_tools::per_element());
    BOOST_TEST(pool->any_of_next(1, record.is_held));
    BOOST_TEST(pool->take_of_next(1, record.is_held).size() == 1);
    BOOST_TEST(!pool->any_of_next(held, record.is_held), "it needed none");
    run_until_answered(2 * held - 1);
    BOOST_TEST(record.begun.size() == 2 * held - 1);
    BOOST_TEST(record.begun.back() == 2 * held - 1);
}

BOOST_AUTO_TEST_CASE(verdicts_wait_for_a_test_while_more_files_are_expected) {
    scan({0});
    run_until_answered(1);
    for (int i = 0; i < 3; ++i) turn();
    BOOST_TEST(record.accepted == 0);
    record.is_more_expected = false;
    run_until([&] { return record.accepted != 0; });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
