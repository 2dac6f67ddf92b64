#include "jobs/runner/mail_store.h"

#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

using namespace std::string_literals;

const std::string letter = "Return-Path: <a@example.org>\nFrom: a@example.org\nSubject: one\n\nGood news.\n";
const std::string postmark = "From a@example.org Thu Nov 29 22:33:52 2001\n";

unsigned count_mail(std::string_view text) {
    MailCounter counter;
    counter.read(text);
    counter.end();
    return counter.count();
}

struct Home {
    [[nodiscard]] UniqueFd opened(const std::string& path, const std::string& content) const {
        home.write(path, content);
        return UniqueFd(checked(::open((home.path + "/" + path).c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
    }
    [[nodiscard]] bool holds_mail(const std::string& path, const std::string& content, bool in_mail = false) const {
        return may_hold_mail(home.fd.get(), path, opened(path, content).get(), in_mail);
    }
    [[nodiscard]] bool mailbox(const std::string& path, const std::string& content) const {
        return is_mailbox(home.fd.get(), path, opened(path, content).get());
    }
    void make_maildir(const std::string& path) const {
        for (const char* part : {"cur", "new", "tmp"})
            std::filesystem::create_directories(home.path + "/" + path + "/" + part);
    }
    TemporaryDirectory home;
};

BOOST_FIXTURE_TEST_SUITE(mail_store, Home)

BOOST_AUTO_TEST_CASE(beginnings_of_messages_are_counted) {
    BOOST_TEST(count_mail("") == 0U);
    BOOST_TEST(count_mail(letter) == 1U);
    BOOST_TEST(count_mail(letter + letter) == 2U);
    BOOST_TEST(count_mail(postmark + letter + "\n" + postmark + letter) == 2U);
    BOOST_TEST(count_mail("Subject: only this\n\nx\nDate: and this\r\n\r\ny") == 2U);
    BOOST_TEST(count_mail("From: a@example.org\n folded\n\tonce more: and again\nTo: b@example.org") == 1U);
    BOOST_TEST(count_mail(postmark + "X: y\n\nhallo\n" + postmark + "X: y\n\nhallo\n") == 2U);
    BOOST_TEST(count_mail("\x01\x02N\nFrom: a\rTo: b\r\rtext\x1f\nSubject: c\nTo: d\x01") == 2U);
}

BOOST_AUTO_TEST_CASE(other_texts_have_no_mail_headers) {
    for (const char* text : {"<?php\n$headers = 'From: x';\nmail($to, 'Subject: y', $headers);\n",
                             "color: red;\nbackground: blue;\n\nfont: x;\n", "HTTP: a\nhost: b\n\n",
                             "From here on\nSubject to change: yes\n\n", "> From: quoted\n> To: me\n\n"})
        BOOST_TEST(count_mail(text) == 0U, text);
}

BOOST_AUTO_TEST_CASE(stores_are_recognised_by_their_first_bytes) {
    for (const auto& head : {"\x01\x01\x01\x01\nFrom: a"s, "*mbx*\r\n"s, "BABYL OPTIONS: -*- rmail -*-"s,
                             "2 M1e C5f3a1b2c\n\x01\x02"s, "!BDN\0\0"s, "CRYPTED\x03\x07\x02"s})
        BOOST_TEST(begins_as_mail_store(head), head);
    for (const auto& head : {""s, "From here on"s, "<?php"s, "2 M C5\n"s, "2 Mx C5\n"s, "MZ"s, "\x7f" + "ELF"s})
        BOOST_TEST(!begins_as_mail_store(head), head);
}

BOOST_AUTO_TEST_CASE(stores_are_recognised_by_their_names) {
    for (const char* path :
         {"mdbox/storage/m.1", "mail/storage/m.17", "mail/mailboxes/INBOX/dbox-Mails/u.3", "mbox", "mail/Mailbox",
          "docs/old.mbox", "x/Outlook.PST", "mail/dovecot.index.cache", "mail/.mix0123abcd", "Mail/cyrus.cache"})
        BOOST_TEST(is_named_as_mail_store(path), path);
    for (const char* path : {"storage/m.php", "storage/m.", "m.1", "public_html/index.php", "mboxes.php", ".mbox.php",
                             "storage/sub/m.1", "a.pst.txt"})
        BOOST_TEST(!is_named_as_mail_store(path), path);
}

BOOST_AUTO_TEST_CASE(a_maildir_file_is_one_message_whatever_it_begins_with) {
    make_maildir("Maildir");
    const std::string many = postmark + letter + "\n" + postmark + letter;
    for (const char* path : {"Maildir/cur/1.M1P1.host:2,S", "Maildir/new/1.M1P1.host"}) {
        BOOST_TEST(!holds_mail(path, many, true), path);
        BOOST_TEST(!mailbox(path, many), path);
    }
    BOOST_TEST(holds_mail("Maildir/folder", many, true));
    BOOST_TEST(mailbox("Maildir/folder", many));
    // A Maildir has all three directories: a home with a "tmp" and a "new" is not one.
    for (const char* missing : {"tmp", "new"}) {
        make_maildir("Maildir");
        std::filesystem::remove_all(home.path + "/Maildir/" + missing);
        BOOST_TEST(holds_mail("Maildir/cur/1.M1P1.host:2,S", many, true), missing);
    }
}

BOOST_AUTO_TEST_CASE(only_a_parsable_mbox_is_a_mailbox) {
    BOOST_TEST(mailbox("mail/inbox", postmark + letter));
    BOOST_TEST(mailbox("mail/inbox", "\n\r\n" + postmark + letter));
    for (const auto& text : {""s, letter, "\xef\xbb\xbf" + postmark + letter, "# mine\n" + postmark + letter,
                             "From a@example.org 29/11/01\n" + letter, postmark + "<?php evil(); ?>\n"})
        BOOST_TEST(!mailbox("mail/inbox", text), text);
}

BOOST_AUTO_TEST_CASE(other_files_may_still_hold_mail) {
    for (const auto& text :
         {postmark + letter, postmark + "no headers\n", "\xef\xbb\xbf" + postmark + letter + "\n" + postmark + letter,
          "# mine\n" + postmark + letter + "\n" + postmark + letter,
          "From a 29/11/01\n" + letter + "\nFrom b 30/11/01\n" + letter, "\x01\x01\x01\x01\n" + letter, letter + letter,
          "some text\n" + letter + "more\n" + letter})
        BOOST_TEST(holds_mail("docs/file", text), text);
    for (const auto& text : {""s, letter, "<?php evil(); ?>"s, "From the desk of Alice\nSubject: you\n\nevil\n"s})
        BOOST_TEST(!holds_mail("docs/file", text), text);
}

BOOST_AUTO_TEST_CASE(below_mail_one_message_or_compression_is_enough) {
    BOOST_TEST(holds_mail("mail/Sent", letter, true));
    BOOST_TEST(holds_mail("mail/Sent", "\x1f\x8b\x08", true));
    BOOST_TEST(holds_mail("backup/inbox.gz", "\x1f\x8b\x08"));
    BOOST_TEST(!holds_mail("backup/site.gz", "\x1f\x8b\x08"));
    for (const char* head : {"PK\x03\x04", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07", "LZIP\x01", "\x1f\x9d\x90"})
        BOOST_TEST(holds_mail("mail/old", head, true), head);
    BOOST_TEST(!holds_mail("mail/evil.php", "<?php evil(); ?>", true));
    BOOST_TEST(!holds_mail("mail/new/1.M1P1.host", letter, true));
}

BOOST_AUTO_TEST_CASE(a_store_larger_than_the_buffer_is_read_on) {
    const std::string padding(200'000, 'x');
    BOOST_TEST(holds_mail("docs/file", letter + padding + "\n" + letter));
    BOOST_TEST(!holds_mail("docs/file", letter + padding));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
