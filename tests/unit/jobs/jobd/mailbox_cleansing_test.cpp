#include "jobs/jobd/mailbox_cleansing.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

ScanResult result_of(Verdict verdict) {
    ScanResult result;
    result.verdict = verdict;
    result.sha256 = std::string(64, 'a');
    result.virus = verdict == Verdict::Infected ? "Some.Virus" : "";
    return result;
}

Saved saved_as(const std::string& opaque) {
    Saved saved;
    saved.opaque = opaque;
    return saved;
}

}  // namespace

BOOST_AUTO_TEST_CASE(it_is_scanned_when_each_message_has_its_result_in_whatever_order_the_count_comes) {
    MailboxCleansing mailbox;
    mailbox.begin_scan();
    mailbox.take_result(result_of(Verdict::Infected));
    BOOST_TEST(!mailbox.is_scanned());
    mailbox.take_count(2);
    BOOST_TEST(!mailbox.is_scanned());
    mailbox.take_result(result_of(Verdict::Clean));
    BOOST_TEST(mailbox.is_scanned());
    BOOST_TEST(mailbox.take_cuts().size() == 1U);
}

BOOST_AUTO_TEST_CASE(more_results_than_messages_are_malformed) {
    MailboxCleansing mailbox;
    mailbox.begin_scan();
    mailbox.take_count(0);
    mailbox.take_result(result_of(Verdict::Clean));
    BOOST_CHECK_THROW(static_cast<void>(mailbox.is_scanned()), Malformed);
}

BOOST_AUTO_TEST_CASE(a_second_scan_begins_with_nothing_of_the_first) {
    MailboxCleansing mailbox;
    mailbox.begin_scan();
    mailbox.take_count(1);
    mailbox.take_result(result_of(Verdict::Infected));
    mailbox.begin_scan();
    BOOST_TEST(!mailbox.knows_count());
    mailbox.take_count(0);
    BOOST_TEST(mailbox.is_scanned());
    BOOST_TEST(mailbox.take_cuts().empty());
}

BOOST_AUTO_TEST_CASE(no_more_messages_are_cut_than_one_order_may_name) {
    MailboxCleansing mailbox;
    mailbox.begin_scan();
    for (std::size_t i = 0; i <= most_mail_cut; ++i) mailbox.take_result(result_of(Verdict::Infected));
    BOOST_TEST(mailbox.take_cuts().size() == most_mail_cut);
}

BOOST_AUTO_TEST_CASE(only_what_was_to_be_taken_out_is_saved_and_only_once) {
    const std::vector<CutMail> cuts = {{"one.eml", "", ""}, {"two.eml", "", ""}};
    MailboxCleansing mailbox;
    mailbox.begin_cutting();
    mailbox.take_saved(saved_as("one.eml"), cuts);
    BOOST_CHECK_THROW(mailbox.take_saved(saved_as("one.eml"), cuts), Malformed);
    BOOST_CHECK_THROW(mailbox.take_saved(saved_as("three.eml"), cuts), Malformed);
    BOOST_TEST(mailbox.has_saved());
    // After a crash the same is ordered again, and reported again.
    mailbox.begin_cutting();
    BOOST_TEST(!mailbox.has_saved());
    mailbox.take_saved(saved_as("one.eml"), cuts);
}

BOOST_AUTO_TEST_CASE(the_summary_says_how_many_were_taken_out_and_what_the_rest_is) {
    const std::vector<CutMail> cuts = {{"one.eml", "", ""}};
    MailboxCleansing mailbox;
    mailbox.begin_cutting();
    mailbox.take_saved(saved_as("one.eml"), cuts);
    BOOST_TEST(
        mailbox.summary(result_of(Verdict::Clean)) ==
        "1 infected message was taken out of the mailbox and kept in the quarantine; the others are as they were");
    BOOST_TEST(mailbox.summary(result_of(Verdict::Infected)).find("(Some.Virus)") != std::string::npos);
    BOOST_TEST(mailbox.summary(result_of(Verdict::Unscanned)).find("could not be scanned again") != std::string::npos);
}
