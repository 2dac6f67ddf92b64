// Mails and events whole, whatever bytes an attacker has put into the names that they tell.
#include "jobs/notify/mail.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "jobs/notify/event_json.h"
#include "jobs/notify/mail_text.h"

using namespace clamscanner;

namespace {

const MailSettings settings{"host.example", "clamscanner@host.example", "https://panel.example/ClamScanner/"};

Notice notice_of(const std::string& path, const std::string& virus = "Eicar") {
    Notice notice;
    notice.id = 7;
    notice.created_ms = 1'700'000'000'123;
    notice.account = "alice";
    notice.uid = 1001;
    notice.find_count = 1;
    notice.finds.push_back({path, virus, 1'700'000'000'000, false, RecordState::NoAction});
    return notice;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find("\r\n", at);
        BOOST_REQUIRE(end != std::string::npos);
        lines.push_back(text.substr(at, end - at));
        at = end + 2;
    }
    return lines;
}

// What RFC 5321 and 5322 ask of every mail, and that the head holds what we put there alone.
void check_form(const Mail& mail) {
    const auto lines = lines_of(mail.text);
    static constexpr const char* heads[] = {"From: ",
                                            "To: ",
                                            "Subject: ",
                                            "Date: ",
                                            "Message-ID: ",
                                            "Auto-Submitted: auto-generated",
                                            "X-Auto-Response-Suppress: ",
                                            "MIME-Version: 1.0",
                                            "Content-Type: text/plain; charset=utf-8",
                                            "Content-Transfer-Encoding: "};
    std::size_t at = 0;
    for (const auto* head : heads) BOOST_TEST(lines.at(at++).starts_with(head));
    BOOST_TEST(lines.at(at) == "");
    for (const auto& line : lines) {
        BOOST_TEST(line.size() <= 998U);
        for (const char c : line) BOOST_TEST((c >= ' ' && c <= '~'));
    }
}

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_mail_to_an_owner_whole) {
    const auto mail = mail_of(notice_of("/home/alice/public_html/x.php"), settings);
    BOOST_TEST(mail.recipient == "alice@localhost");
    check_form(mail);
    BOOST_TEST(mail.text.substr(0, mail.text.find("What to do")) ==
               with_crlf("From: Virus scanner <clamscanner@host.example>\n"
                         "To: <alice@localhost>\n"
                         "Subject: 1 infected file in the account alice on host.example\n"
                         "Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
                         "Message-ID: <clamscanner.7.1700000000123@host.example>\n"
                         "Auto-Submitted: auto-generated\n"
                         "X-Auto-Response-Suppress: All\n"
                         "MIME-Version: 1.0\n"
                         "Content-Type: text/plain; charset=utf-8\n"
                         "Content-Transfer-Encoding: 7bit\n"
                         "\n"
                         "The virus scanner of host.example found 1 infected file in the account\n"
                         "alice that no mail has told you of yet:\n"
                         "\n"
                         "  /home/alice/public_html/x.php\n"
                         "      Eicar\n"
                         "      found on 2023-11-14 22:13 UTC; nothing has been done about it yet\n"
                         "\n"));
    BOOST_TEST(holds(mail.text, "https://panel.example/ClamScanner/"));
    BOOST_TEST(!holds(mail_of(notice_of("/x"), {"h", "a@h", ""}).text, "://"));
}

BOOST_AUTO_TEST_CASE(no_name_gets_out_of_its_line) {
    const std::string hostile[] = {"/a\r\nBcc: victim@example.com\r\n\r\nhello",
                                   "/a\n.\nQUIT",
                                   "\n.\r\n",
                                   std::string("/nul\0byte", 9),
                                   "/\xff\xfe\xc3",
                                   "/=41=\n",
                                   "/\xe2\x80\xae txt.exe",
                                   std::string(70'000, 'x'),
                                   std::string(70'000, '\n'),
                                   "/\xe2\x80\xa8new line"};
    for (const auto& name : hostile)
        for (const auto& notice : {notice_of(name), notice_of("/x", name)}) {
            const auto mail = mail_of(notice, settings);
            check_form(mail);
            BOOST_TEST(mail.text.size() < 10'000U);
            BOOST_TEST(!holds(mail.text, "\r\n.\r\n"));
        }
    auto notice = notice_of("/x");
    notice.account = "a\r\nBcc: <b@example.com>";
    check_form(mail_of(notice, settings));
    notice.kind = NoticeKind::Digest;
    notice.address = "root@example.com";
    notice.figures.push_back({"account \r\nBcc: x\r\n\r\n", 1});
    check_form(mail_of(notice, settings));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_seen_is_written_so_that_it_can) {
    BOOST_TEST(visible("a \xc3\xa4 \xe4\xb8\xad", 100) == "a \xc3\xa4 \xe4\xb8\xad");
    BOOST_TEST(visible("\xe2\x80\xae|\xff|\n|\x7f|\xc2\x85|\xef\xbb\xbf|\xf3\xa0\x80\x81", 100) ==
               "\\u202e|\\xff|\\u000a|\\u007f|\\u0085|\\ufeff|\\U000e0001");
    BOOST_TEST(visible(" a  b   c d ", 100) == R"(\x20a \x20b \x20\x20c d\x20)");
    BOOST_TEST(visible("abcdef", 3) == "abc…");
    BOOST_TEST(visible("\xc3\xa4\xc3\xa4", 3) == "\xc3\xa4…");
}

BOOST_AUTO_TEST_CASE(paragraphs_have_short_lines) {
    BOOST_TEST(wrapped("a b") == "a b\n");
    BOOST_TEST(wrapped("", "* ") == "* \n");
    const std::string long_word(100, 'x');
    BOOST_TEST(wrapped("a " + long_word + " b", "* ") == "* a\n  " + long_word + "\n  b\n");
    BOOST_TEST(wrapped("a\nb c", "* ") == "* a\n  b c\n");
    std::istringstream lines(mail_of(notice_of("/x"), settings).text);
    for (std::string line; std::getline(lines, line);) BOOST_TEST(line.size() <= 79U, line);
}

BOOST_AUTO_TEST_CASE(quoted_printable_lines_are_short_and_say_the_same) {
    BOOST_TEST(quoted_printable("a=\xc3\xa4 \nend ") == "a=3D=C3=A4=20\nend=20");
    std::istringstream lines(quoted_printable(std::string(200, '=')));
    for (std::string line; std::getline(lines, line);) BOOST_TEST(line.size() <= 76U);
}

BOOST_AUTO_TEST_CASE(text_beyond_ascii_is_quoted_printable) {
    const auto mail = mail_of(notice_of("/home/alice/\xc3\xa4"), settings);
    check_form(mail);
    BOOST_TEST(holds(mail.text, "Content-Transfer-Encoding: quoted-printable"));
    BOOST_TEST(holds(mail.text, "/home/alice/=C3=A4\r\n"));
}

BOOST_AUTO_TEST_CASE(without_names_it_tells_how_many) {
    auto notice = notice_of("/x");
    notice.finds.clear();
    notice.find_count = 3;
    const auto mail = mail_of(notice, settings);
    check_form(mail);
    BOOST_TEST(holds(mail.text, "  3 files, which the list has: with names, this mail was refused\r\n"));
}

BOOST_AUTO_TEST_CASE(a_local_mailbox_of_any_name_is_an_address) {
    auto notice = notice_of("/x");
    notice.account = "we ird\"name";
    BOOST_TEST(mail_of(notice, settings).recipient == R"("we ird\"name"@localhost)");
    // Never that of another account.
    notice.account = "j\xc3\xbcrgen";
    BOOST_TEST(mail_of(notice, settings).recipient == R"("j\\xc3\\xbcrgen"@localhost)");
    notice.address = "a@example.com";
    BOOST_TEST(mail_of(notice, settings).recipient == "a@example.com");
}

BOOST_AUTO_TEST_CASE(all_kinds_of_mails_have_the_right_form) {
    for (const auto kind : {NoticeKind::Finds, NoticeKind::ConfirmAddress, NoticeKind::AddressChanged,
                            NoticeKind::SwitchedOff, NoticeKind::Digest}) {
        auto notice = notice_of("/x");
        notice.kind = kind;
        notice.address = "a@example.com";
        notice.text = "0123456789";
        notice.figures = {{"new finds", 3}, {"account bob", 3}};
        check_form(mail_of(notice, settings));
    }
    auto event = notice_of("/x");
    event.kind = NoticeKind::Find;
    BOOST_CHECK_THROW(static_cast<void>(mail_of(event, settings)), Malformed);
}

BOOST_AUTO_TEST_CASE(an_event_is_one_line_of_json) {
    auto notice = notice_of("/a\n\"\xff\xe2\x80\xae", "V\"irus");
    notice.kind = NoticeKind::Find;
    notice.task = 5;
    BOOST_TEST(event_json(notice) ==
               "{\"event\":\"find\",\"id\":7,\"time\":1700000000,\"account\":\"alice\",\"uid\":1001,\"task\":5,"
               "\"file\":\"/a\\u000a\\\"\\udcff\xe2\x80\xae\",\"virus_type\":\"V\\\"irus\"}\n");
    Notice brake;
    brake.id = 8;
    brake.kind = NoticeKind::Brake;
    brake.text = "too much";
    brake.detail = "Eicar";
    BOOST_TEST(event_json(brake) ==
               "{\"event\":\"brake\",\"id\":8,\"time\":0,\"why\":\"too much\",\"signature\":\"Eicar\"}\n");
}
