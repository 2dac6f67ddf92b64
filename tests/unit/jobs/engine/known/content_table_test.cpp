#include "jobs/engine/known/content_table.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "auth/base/sha256.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

using State = ContentTable::State;

std::string account(int number) {
    return sha256_hex("account " + std::to_string(number));
}

std::string content(int number) {
    return sha256_hex("content " + std::to_string(number));
}

struct Fixture {
    Fixture() { begin(); }
    void begin() {
        table.reset();
        table.emplace(file, limits);
    }
    void begin_again() {
        table->commit();
        begin();
    }
    State meet(int number, int by, const std::string& fingerprint = "signatures") {
        return table->meet(content(number), 10, account(by), fingerprint).state;
    }
    void make_known(int number, const std::string& fingerprint = "signatures") {
        for (int by = 1; by <= 3; ++by) static_cast<void>(meet(number, by, fingerprint));
        table->store(content(number), 10, fingerprint, true);
    }
    void change(const std::string& statement) {
        table->commit();
        table.reset();
        Database(file).execute(statement.c_str());
        begin();
    }

    TemporaryDirectory place;
    const std::string file = place.path + "/known_contents.db";
    ContentTable::Limits limits{1000, 3, 7};
    std::optional<ContentTable> table;
};

BOOST_FIXTURE_TEST_SUITE(content_table, Fixture)

BOOST_AUTO_TEST_CASE(a_content_is_to_be_judged_once_three_accounts_have_met_it) {
    BOOST_TEST((meet(1, 1) == State::Unknown));
    for (int i = 0; i < 5; ++i) BOOST_TEST((meet(1, 1) == State::Unknown), "one account alone is one account");
    BOOST_TEST((meet(1, 2) == State::Unknown));
    BOOST_TEST((meet(1, 3) == State::ToBeJudged));
    BOOST_TEST((meet(1, 1) == State::ToBeJudged), "until it is judged");
    table->store(content(1), 10, "signatures", true);
    BOOST_TEST((meet(1, 4) == State::Known));
    BOOST_TEST((meet(1, 1) == State::Known));
    begin_again();
    BOOST_TEST((meet(1, 5) == State::Known));
}

BOOST_AUTO_TEST_CASE(size_and_hash_are_one_key) {
    make_known(1);
    BOOST_TEST((table->meet(content(1), 11, account(1), "signatures").state == State::Unknown));
    BOOST_TEST((meet(2, 1) == State::Unknown));
}

BOOST_AUTO_TEST_CASE(what_is_judged_not_to_be_clean_is_unknown_and_not_judged_again) {
    for (int by = 1; by <= 3; ++by) static_cast<void>(meet(1, by));
    table->store(content(1), 10, "signatures", false);
    for (int by = 1; by <= 5; ++by) BOOST_TEST((meet(1, by) == State::Unknown));
    BOOST_TEST((meet(1, 1, "newer signatures") == State::ToBeJudged));
}

BOOST_AUTO_TEST_CASE(what_was_known_is_judged_again_with_other_signatures) {
    make_known(1);
    BOOST_TEST((meet(1, 9, "newer signatures") == State::ToBeJudged), "at the first meeting, whoever meets it");
    BOOST_TEST((meet(1, 1) == State::Known), "a job that still has the old ones");
    table->store(content(1), 10, "newer signatures", true);
    BOOST_TEST((meet(1, 9, "newer signatures") == State::Known));
    BOOST_TEST((meet(1, 1) == State::ToBeJudged));
}

BOOST_AUTO_TEST_CASE(a_judgement_expires) {
    make_known(1);
    change("UPDATE contents SET judged_s = judged_s - 6 * 86400");
    BOOST_TEST((meet(1, 1) == State::Known));
    change("UPDATE contents SET judged_s = judged_s - 86400 - 60");
    BOOST_TEST((meet(1, 1) == State::ToBeJudged));
}

// Else a judgement from a day on which the clock was a year ahead would be good for a year.
BOOST_AUTO_TEST_CASE(a_judgement_of_the_future_counts_for_nothing) {
    make_known(1);
    change("UPDATE contents SET judged_s = judged_s + 3600");
    BOOST_TEST((meet(1, 1) == State::ToBeJudged));
}

BOOST_AUTO_TEST_CASE(a_judgement_of_what_was_never_met_is_not_kept) {
    table->store(content(1), 10, "signatures", true);
    BOOST_TEST((meet(1, 1) == State::Unknown));
}

BOOST_AUTO_TEST_CASE(it_begins_anew_when_it_is_damaged_or_of_another_version) {
    make_known(1);
    change("PRAGMA user_version = 7");
    BOOST_TEST((meet(1, 1) == State::Unknown));
    make_known(1);
    begin_again();
    BOOST_TEST((meet(1, 1) == State::Known));
    table.reset();
    place.write("known_contents.db", std::string(8192, 'x'));
    begin();
    BOOST_TEST((meet(1, 1) == State::Unknown));
}

// Whatever page it is; some are met only when a content is looked up.
BOOST_AUTO_TEST_CASE(it_begins_anew_when_one_page_of_it_is_damaged) {
    constexpr int contents = 300;
    constexpr std::size_t page_bytes = 4096;
    for (int i = 0; i < contents; ++i) make_known(i);
    table->commit();
    table.reset();
    std::ifstream whole(file, std::ios::binary);
    const std::string right{std::istreambuf_iterator<char>(whole), {}};
    BOOST_TEST_REQUIRE(right.size() > 5 * page_bytes);
    for (std::size_t page = 0; page < right.size(); page += page_bytes) {
        BOOST_TEST_CONTEXT("page " << page / page_bytes) {
            place.write("known_contents.db", std::string(right).replace(page, page_bytes, page_bytes, '\xff'));
            BOOST_CHECK_NO_THROW(begin());
            try {
                for (int i = 0; i < contents; ++i) static_cast<void>(meet(i, 1));
                make_known(contents, "new signatures");
            } catch (const DatabaseError& damaged) {
                BOOST_TEST(damaged.is_in_file, damaged.what());
                table.reset();
                ContentTable::remove(file);
                begin();
            }
            make_known(contents);
            BOOST_TEST((meet(contents, 1) == State::Known));
            table.reset();
            ContentTable::remove(file);
        }
    }
}

BOOST_AUTO_TEST_CASE(it_stays_as_it_is_when_another_process_has_it) {
    make_known(1);
    table->commit();
    BOOST_CHECK_EXCEPTION(ContentTable(file, limits), DatabaseError,
                          [](const auto& fault) { return !fault.is_in_file; });
    BOOST_TEST((meet(1, 1) == State::Known));
}

BOOST_AUTO_TEST_CASE(an_account_with_very_many_contents_flushes_nobody_elses) {
    make_known(1);
    for (int by = 1; by <= 2; ++by) static_cast<void>(meet(2, by));
    for (int number = 100; number < 100 + 5 * static_cast<int>(limits.contents); ++number)
        BOOST_TEST_REQUIRE((meet(number, 66) == State::Unknown));
    BOOST_TEST((meet(1, 3) == State::Known));
    BOOST_TEST((meet(2, 3) == State::ToBeJudged), "the third account");
    begin_again();
    BOOST_TEST((meet(1, 3) == State::Known), "the shares are those of before");
}

BOOST_AUTO_TEST_CASE(accounts_that_collude_flush_no_known_contents_of_others) {
    make_known(1);
    for (int number = 100; number < 100 + 3 * static_cast<int>(limits.contents); ++number) {
        for (int by = 66; by < 69; ++by) static_cast<void>(meet(number, by));
        table->store(content(number), 10, "signatures", true);
    }
    BOOST_TEST((meet(1, 3) == State::Known));
}

BOOST_AUTO_TEST_CASE(what_was_least_lately_met_goes_first) {
    for (int number = 0; number < 1000; ++number) static_cast<void>(meet(number, 1));
    change("UPDATE contents SET met_s = met_s - 7200");
    for (int number = 0; number < 500; ++number) static_cast<void>(meet(number, 2));
    for (int number = 1000; number < 1300; ++number) static_cast<void>(meet(number, 1));
    int kept = 0;
    for (int number = 0; number < 500; ++number) kept += meet(number, 3) == State::ToBeJudged ? 1 : 0;
    BOOST_TEST(kept == 500);
}

BOOST_AUTO_TEST_CASE(it_stays_within_its_limit) {
    for (int number = 0; number < 5000; ++number) static_cast<void>(meet(number, number % 50));
    table->commit();
    table.reset();
    Database database(file);
    BOOST_TEST(Statement(database.handle(), "SELECT count(*) FROM contents").number().value_or(0) <= 1000);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
