#include "jobs/runner/mbox.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

using Ranges = std::vector<MailRange>;

const std::string alice = "From alice@example.org Sat Jan  3 01:05:34 1996\n";
const std::string bob = "From bob@example.org  Thu Nov 29 22:33:52 2001 +0100\n";

// A file in memory with these bytes.
UniqueFd file_of(std::string_view bytes) {
    UniqueFd file(checked(::memfd_create("mailbox", MFD_CLOEXEC), "make the test's mailbox"));
    if (checked(::pwrite(file.get(), bytes.data(), bytes.size(), 0), "write the test's mailbox") !=
        static_cast<ssize_t>(bytes.size()))
        throw_errno("write the test's mailbox", EIO);
    return file;
}

Ranges rest_of(MboxReader& reader) {
    Ranges ranges;
    while (const auto message = reader.next()) ranges.push_back(*message);
    return ranges;
}

// Empty if the bytes are not a mailbox.
Ranges ranges_of(std::string_view bytes, std::size_t buffer = MboxReader::usual_buffer) {
    const UniqueFd file = file_of(bytes);
    auto reader = MboxReader::open(file.get(), buffer);
    return reader ? rest_of(*reader) : Ranges{};
}

std::vector<std::string> mail_in(const std::string& bytes) {
    std::vector<std::string> messages;
    for (const auto& range : ranges_of(bytes)) messages.push_back(bytes.substr(range.begin, range.end - range.begin));
    return messages;
}

bool cover_exactly(const Ranges& ranges, std::size_t size) {
    std::uint64_t at = 0;
    for (const auto& range : ranges) {
        if (range.begin != at || range.end <= range.begin) return false;
        at = range.end;
    }
    return at == size;
}

BOOST_AUTO_TEST_SUITE(postmarks)

BOOST_AUTO_TEST_CASE(postmarks_of_programs_are_recognised) {
    for (const char* line : {
             "From alice@example.org Sat Jan  3 01:05:34 1996",                 // RFC 4155
             "From alice@example.org  Sat Jan  3 01:05:34 1996",                // sendmail, postfix, procmail
             "From alice@example.org Sat Jan 03 01:05:34 1996",                 // dovecot
             "From alice@example.org Sat Jan 3 01:05:34 1996",                  // one digit without padding
             "From alice@example.org Sat Jan  3 01:05 1996",                    // no seconds
             "From alice@example.org Sat Jan  3 01:05 1996 +0100",              //
             "From alice@example.org Sat Jan  3 01:05:34 1996 +0100",           // pine
             "From alice@example.org Sat Jan  3 01:05:34 MET 1996",             // elm
             "From alice@example.org Sat Jan  3 01:05:34 MET DST 1996",         //
             "From alice@example.org Sat Jan  3 01:05:34 1996 MET DST",         //
             "From 1234567890@xxx Sat Jan 03 01:05:34 +0000 1996",              // Google Takeout
             "From host!alice Sat Jan  3 01:05:34 1996 remote from elsewhere",  // UUCP
             "From alice Sat Jan  3 01:05 EST 1996 remote from elsewhere",      //
             "From alice Sat Jan  3 01:05:34 96",                               // accepted by mutt
             "From alice@example.org Sat, 3 Jan 1996 01:05:34 +0100",           // accepted by dovecot
             "From alice@example.org Sat, 03 Jan 1996 01:05",                   //
             "From - Sat Jan  3 01:05:34 1996",                                 // Mozilla
             "From ???@??? Sat Jan 03 01:05:34 1996",                           // Eudora
             "From MAILER-DAEMON Sat Jan  3 01:05:34 1996",                     // bounces
             "From  Sat Jan  3 01:05:34 1996",                                  // no sender
             "From Sat Jan  3 01:05:34 1996",                                   // and no second blank
             "From \"alice of example\"@example.org Sat Jan  3 01:05:34 1996",  //
             "From \"a \\\" b\"@example.org Sat Jan  3 01:05:34 1996",          //
             "From alice at example.org  Sat Jan  3 01:05:34 1996",             // Mailman's archives
             "From alice of example Sat Jan  3 01:05:34 1996 +0100",            //
             "From Sat Sat Jan  3 01:05:34 1996",                               // a user of this name
             "From alice@example.org Sam Jan  3 01:05:34 1996",                 // a weekday of another language
             "From alice@example.org SAT JAN  3 01:05:34 1996",                 //
             "From alice@example.org Sat Jan  3 01:05:34 1996\r",               //
             "From alice@example.org\tSat Jan  3 01:05:34 1996",                //
             "From alice@example.org Sat ??? 13 01:05:34 1996",
         })
        BOOST_TEST(is_postmark(line), line);
}

BOOST_AUTO_TEST_CASE(sentences_are_not_taken_for_postmarks) {
    for (const char* line : {
             "",
             "From",
             "From ",
             "From \n",
             "From:",
             "From: alice@example.org",
             ">From alice Sat Jan  3 01:05:34 1996",
             "from alice Sat Jan  3 01:05:34 1996",
             " From alice Sat Jan  3 01:05:34 1996",
             "From here on we go by train.",
             "From Monday on",
             "From Sat Jan 3 on, all is well",
             "From alice on Sat Jan  3 01:05:34 1996 we have heard nothing",
             "From what she wrote on Sat Jan  3 01:05:34 1996, I gather",
             "From alice@example.org",
             "From alice@example.org Sat Jan",
             "From alice@example.org Sat Jan  3",
             "From alice Sat Foo  3 01:05:34 1996",
             "From alice Sat Jan  x 01:05:34 1996",
             "From alice Sat Jan  3 xx:05:34 1996",
             "From alice Sat Jan  3 01: 1996",
             "From alice Sat Jan  3 01:05:34",
             "From alice Sat Jan  3 01:05:34 +0100",
             "From alice 1996-01-03 01:05:34",
             "From \"alice Sat Jan  3 01:05:34",
             "From alice Sat, 3 Foo 1996 01:05:34",
         })
        BOOST_TEST(!is_postmark(line), line);
}

BOOST_AUTO_TEST_CASE(only_the_first_bytes_of_a_postmark_count) {
    const std::string date = " Sat Jan  3 01:05:34 1996";
    BOOST_TEST(is_postmark("From " + std::string(longest_postmark - 5 - date.size(), 'a') + date));
    BOOST_TEST(!is_postmark("From " + std::string(longest_postmark - 4 - date.size(), 'a') + date));
    BOOST_TEST(is_postmark("From a" + date + " " + std::string(100'000, 'a')));
    BOOST_TEST(!is_postmark("From alice\nb" + date));
    BOOST_TEST(!is_postmark(std::string("From a\0b", 8)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reading)

BOOST_AUTO_TEST_CASE(each_message_ends_where_the_next_begins) {
    const std::string first = alice + "Subject: one\n\nHello.\n\n";
    const std::string second = bob + "Subject: two\n\nFrom here on we go by train.\n\nFrom Monday on, too.\n\n";
    const std::string third = alice + "Subject: three\n\n";
    BOOST_TEST(mail_in(first + second + third) == (std::vector<std::string>{first, second, third}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_postmark_begins_a_message_only_after_an_empty_line) {
    BOOST_TEST(ranges_of(alice + "A: b\n\nbody\n" + bob + "A: b\n\nbody\n").size() == 1U);
    BOOST_TEST(ranges_of(alice + "A: b\n\nbody\n \n" + bob + "A: b\n").size() == 1U);
    BOOST_TEST(ranges_of(alice + "A: b\n\nbody\n\r\n" + bob + "A: b\n").size() == 2U);
    BOOST_TEST(ranges_of(alice + bob).size() == 1U);
    BOOST_TEST(ranges_of(alice + "\n" + bob).size() == 2U);
    BOOST_TEST(ranges_of(alice + "A: b\n\n>" + bob).size() == 1U);
}

BOOST_AUTO_TEST_CASE(lines_may_end_in_crlf) {
    const std::string first = "From a Sat Jan  3 01:05:34 1996\r\nA: b\r\n\r\nbody\r\n\r\n";
    const std::string second = "From b Sat Jan  3 01:05:34 1996\r\nA: b\r\n\r\n";
    BOOST_TEST(mail_in(first + second) == (std::vector<std::string>{first, second}), boost::test_tools::per_element());
    BOOST_TEST(ranges_of(alice + "A: b\n\r\r\n" + bob).size() == 1U);
}

BOOST_AUTO_TEST_CASE(empty_lines_before_the_first_message_belong_to_it) {
    BOOST_TEST(mail_in("\n\r\n\n" + alice + "A: b\n\n" + bob) ==
                   (std::vector<std::string>{"\n\r\n\n" + alice + "A: b\n\n", bob}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_that_does_not_begin_with_a_message_is_no_mailbox) {
    for (const std::string& bytes :
         {std::string(), std::string("\n\n"), std::string("\r\n"), std::string("\0", 1), std::string("Subject: x\n\n"),
          "A: b\n\n" + alice, " \n" + alice, "From here to there\n\n" + alice, std::string(1, '\0') + alice,
          std::string(100'000, '\n')}) {
        const UniqueFd file = file_of(bytes);
        BOOST_TEST(!MboxReader::open(file.get()).has_value(), bytes.substr(0, 80));
    }
}

BOOST_AUTO_TEST_CASE(a_last_line_without_a_line_end_counts) {
    BOOST_TEST(ranges_of(alice.substr(0, alice.size() - 1)).size() == 1U);
    BOOST_TEST(ranges_of(alice + "A: b\n\n" + bob.substr(0, bob.size() - 1)).size() == 2U);
    BOOST_TEST(ranges_of(alice + "A: b\n\nbody").size() == 1U);
    BOOST_TEST(ranges_of(alice + "A: b\n\n\r").size() == 1U);
}

BOOST_AUTO_TEST_CASE(content_length_does_not_move_a_boundary) {
    const std::string first = alice + "Content-Length: 1000000\n\nbody\n\n";
    const std::string second = bob + "Content-Length: 0\n\nbody\n\n";
    BOOST_TEST(mail_in(first + second) == (std::vector<std::string>{first, second}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(long_lines_and_zero_bytes_are_ordinary_content) {
    const std::string first = alice + std::string(300'000, '\0') + "\n\n";
    const std::string second = bob + std::string(3, '\0') + "\n\n" + std::string(200'000, 'x') + "From \n\n";
    const std::string third = "From a Sat Jan  3 01:05:34 1996 " + std::string(100'000, '\0') + "\n";
    for (const std::size_t buffer : {std::size_t{1}, std::size_t{4096}, MboxReader::usual_buffer})
        BOOST_TEST((ranges_of(first + second + third, buffer) ==
                    Ranges{{0, first.size()},
                           {first.size(), first.size() + second.size()},
                           {first.size() + second.size(), first.size() + second.size() + third.size()}}));
}

BOOST_AUTO_TEST_CASE(the_descriptors_offset_is_neither_used_nor_changed) {
    const UniqueFd file = file_of(alice + "\n" + bob);
    BOOST_REQUIRE(::lseek(file.get(), 7, SEEK_SET) == 7);
    auto reader = MboxReader::open(file.get());
    BOOST_REQUIRE(reader.has_value());
    BOOST_TEST(rest_of(*reader).size() == 2U);
    BOOST_TEST(::lseek(file.get(), 0, SEEK_CUR) == 7);
}

BOOST_AUTO_TEST_CASE(a_file_truncated_while_it_is_read_is_an_error) {
    const std::string first = alice + std::string(10'000, 'x') + "\n\n";
    const UniqueFd file = file_of(first + bob + std::string(10'000, 'x'));
    auto reader = MboxReader::open(file.get(), 64);
    BOOST_REQUIRE(reader.has_value());
    BOOST_TEST((reader->next() == MailRange{0, first.size()}));
    BOOST_REQUIRE(::ftruncate(file.get(), 12'000) == 0);
    BOOST_CHECK_EXCEPTION(static_cast<void>(reader->next()), std::system_error,
                          [](const auto& error) { return error.code().value() == ENODATA; });
    BOOST_TEST(!reader->next().has_value());
}

BOOST_AUTO_TEST_CASE(bytes_appended_meanwhile_are_not_read) {
    const std::string before = alice + "A: b\n\n";
    const UniqueFd file = file_of(before);
    auto reader = MboxReader::open(file.get());
    BOOST_REQUIRE(reader.has_value());
    BOOST_REQUIRE(::pwrite(file.get(), bob.data(), bob.size(), static_cast<off_t>(before.size())) > 0);
    BOOST_TEST((rest_of(*reader) == Ranges{{0, before.size()}}));
    BOOST_TEST(reader->size() == before.size());
}

BOOST_AUTO_TEST_CASE(an_unreadable_file_is_an_error) {
    const UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    BOOST_CHECK_THROW(static_cast<void>(MboxReader::open(directory.get())), std::system_error);
    BOOST_CHECK_THROW(static_cast<void>(MboxReader::open(-1)), std::system_error);
}

// Random mailboxes, made of the pieces that matter.
struct RandomMailboxes {
    std::string next() {
        static const std::vector<std::string> pieces{alice,
                                                     bob,
                                                     "\n",
                                                     "\n",
                                                     "\r\n",
                                                     "\r",
                                                     "From ",
                                                     "From x\n",
                                                     "A: b\n",
                                                     "x",
                                                     std::string(1, '\0'),
                                                     "Sat Jan  3",
                                                     " 01:05:34 1996",
                                                     std::string(2000, 'y')};
        std::string mailbox = random() % 8 != 0 ? alice : "";
        for (auto count = random() % 24; count > 0; --count) mailbox += pieces[random() % pieces.size()];
        return mailbox;
    }
    std::mt19937 random{20240229};
};

BOOST_AUTO_TEST_CASE(messages_cover_any_file_exactly_with_any_buffer) {
    RandomMailboxes mailboxes;
    std::size_t several = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::string mailbox = mailboxes.next();
        const Ranges ranges = ranges_of(mailbox);
        BOOST_REQUIRE((ranges.empty() || cover_exactly(ranges, mailbox.size())));
        BOOST_REQUIRE((ranges_of(mailbox, 1 + mailboxes.random() % 70) == ranges));
        if (ranges.size() > 1) ++several;
    }
    BOOST_TEST(several > 200U);  // otherwise the test has tested nothing
}

BOOST_AUTO_TEST_CASE(the_remaining_messages_form_a_mailbox_of_the_same_messages) {
    RandomMailboxes mailboxes;
    for (int i = 0; i < 1000; ++i) {
        std::string mailbox;
        std::vector<std::string> kept;
        for (const std::string& message : mail_in(mailboxes.next())) {
            if (mailboxes.random() % 2 != 0) continue;
            mailbox += message;
            kept.push_back(message);
        }
        BOOST_REQUIRE((mail_in(mailbox) == kept));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
