#include "jobs/runner/cleansing.h"

#include <boost/test/unit_test.hpp>

#include "jobs/runner/restoration.h"
#include "tests/unit/mailbox_home.h"

namespace clamscanner {
namespace {

using Names = std::vector<std::string>;

struct stat status_of(const std::string& path) {
    struct stat status {};
    checked(::lstat(path.c_str(), &status), "examine a file");
    return status;
}

struct Home : MailboxHome {
    Names saved_names() const {
        Names names;
        for (const auto& cut : cuts) {
            names.push_back(cut.opaque);
            names.push_back(cut.opaque + ".json");
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    Acted restore(const CutMail& cut) const {
        Act back = order;
        back.action = Action::Restore;
        back.again = true;
        back.opaque = cut.opaque;
        back.sha256 = cut.sha256;
        back.identity.size = 1'000'000;  // at most
        return Restoration(home.fd.get(), home.path).restore(back);
    }
};

BOOST_FIXTURE_TEST_SUITE(cleansing, Home)

BOOST_AUTO_TEST_CASE(infected_mail_is_quarantined_and_the_rest_unchanged) {
    const auto before = status_of(path());
    const auto cleansed = cleanse();
    BOOST_TEST((cleansed.acted.state == RecordState::MailboxCleansed), cleansed.acted.message);
    BOOST_TEST(cleansed.acted.token == 3U);
    BOOST_TEST((mailbox() == rest()));
    BOOST_REQUIRE(cleansed.saved.size() == 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(cleansed.saved[i].opaque == cuts[i].opaque);
        BOOST_TEST(cleansed.saved[i].size == messages[bad[i]].size());
        BOOST_TEST((in_quarantine(cuts[i].opaque) == messages[bad[i]]));
    }
    BOOST_TEST((quarantine() == saved_names()));
    BOOST_TEST(in_quarantine(cuts[0].opaque + ".json").find(cuts[0].sha256) != std::string::npos);
    const auto after = status_of(path());
    BOOST_TEST(after.st_ino == before.st_ino);
    BOOST_TEST(after.st_mode == before.st_mode);
    BOOST_TEST(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
    BOOST_TEST(!home.has("mail/inbox.lock"));
}

BOOST_AUTO_TEST_CASE(a_mailbox_of_only_infected_mail_becomes_empty) {
    cuts.clear();
    for (std::size_t i = 0; i < messages.size(); ++i)
        cuts.push_back({"0123456789abcdef0123456789a" + std::to_string(i) + ".eml", sha256_hex(messages[i]), "Eicar"});
    BOOST_TEST(cleanse().saved.size() == 5U);
    BOOST_TEST(mailbox().empty());
}

BOOST_AUTO_TEST_CASE(identical_messages_are_both_taken_out_if_both_were_found) {
    home.write("mail/inbox", messages[1] + messages[0] + messages[1] + messages[1]);
    cuts = {cuts[0], {"second.eml", cuts[0].sha256, "Eicar"}};
    const auto cleansed = cleanse();
    BOOST_TEST(cleansed.saved.size() == 2U);
    BOOST_TEST((mailbox() == messages[0] + messages[1]));
}

BOOST_AUTO_TEST_CASE(mail_that_no_scan_found_infected_stays) {
    // The infected messages were deleted or changed after their scan.
    home.write("mail/inbox", messages[0] + mail("number 1", "something else"));
    const auto cleansed = cleanse();
    BOOST_TEST((cleansed.acted.state == RecordState::MailboxCleansed));
    BOOST_TEST(cleansed.saved.empty());
    BOOST_TEST((mailbox() == messages[0] + mail("number 1", "something else")));
    BOOST_TEST(quarantine().empty());
}

BOOST_AUTO_TEST_CASE(mail_delivered_after_the_scan_stays) {
    home.write("mail/inbox", all() + mail("new", "fresh"));
    BOOST_TEST(cleanse().saved.size() == 2U);
    BOOST_TEST((mailbox() == rest() + mail("new", "fresh")));
}

BOOST_AUTO_TEST_CASE(without_a_usable_quarantine_nothing_is_taken_out) {
    home.write(quarantine_directory, "a file where the directory should be");
    const auto cleansed = cleanse();
    BOOST_TEST((cleansed.acted.state == RecordState::Error));
    BOOST_TEST(!cleansed.acted.message.empty());
    BOOST_TEST((mailbox() == all()));
}

BOOST_AUTO_TEST_CASE(a_mailbox_too_large_to_be_read_is_left_alone) {
    constexpr std::uintmax_t size = 512ULL * 1024 * 1024 + 1;
    std::filesystem::resize_file(path(), size);  // a hole: it takes no room
    const auto cleansed = cleanse();
    BOOST_TEST((cleansed.acted.state == RecordState::Error));
    BOOST_TEST(cleansed.acted.message.find("read so large a mailbox") != std::string::npos, cleansed.acted.message);
    BOOST_TEST(cleansed.saved.empty());
    BOOST_TEST(quarantine().empty());
    BOOST_TEST(std::filesystem::file_size(path()) == size);
    BOOST_TEST(!home.has("mail/inbox.lock"));
    std::filesystem::resize_file(path(), all().size());
    BOOST_TEST((mailbox() == all()));
}

BOOST_AUTO_TEST_CASE(a_link_is_not_followed) {
    home.write("elsewhere", all());
    std::filesystem::remove(path());
    std::filesystem::create_symlink(home.path + "/elsewhere", path());
    BOOST_TEST((cleanse().acted.state == RecordState::Error));
    BOOST_TEST((home.read("elsewhere") == all()));
}

// ---- Putting messages back ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_message_goes_back_to_the_end_of_its_mailbox) {
    static_cast<void>(cleanse());
    const auto acted = restore(cuts[0]);
    BOOST_TEST((acted.state == RecordState::Restored), acted.message);
    BOOST_TEST((mailbox() == rest() + messages[1]));
    BOOST_TEST((quarantine() == Names{cuts[1].opaque, cuts[1].opaque + ".json"}));
    BOOST_TEST((restore(cuts[1]).state == RecordState::Restored));
    BOOST_TEST((mailbox() == rest() + messages[1] + messages[3]));
    BOOST_TEST(quarantine().empty());
}

BOOST_AUTO_TEST_CASE(a_message_that_is_back_already_is_not_added_twice) {
    static_cast<void>(cleanse());
    home.write("mail/inbox", rest() + messages[1] + mail("new", "fresh"));
    BOOST_TEST((restore(cuts[0]).state == RecordState::Restored));
    BOOST_TEST((mailbox() == rest() + messages[1] + mail("new", "fresh")));
    BOOST_TEST(!home.has(std::string(quarantine_directory) + "/" + cuts[0].opaque));
}

BOOST_AUTO_TEST_CASE(a_missing_mailbox_is_created) {
    static_cast<void>(cleanse());
    std::filesystem::remove_all(home.path + "/mail");
    BOOST_TEST((restore(cuts[0]).state == RecordState::Restored));
    BOOST_TEST((mailbox() == messages[1]));
    BOOST_TEST((status_of(path()).st_mode & 07777) == 0640U);
}

BOOST_AUTO_TEST_CASE(an_empty_line_precedes_a_restored_message) {
    static_cast<void>(cleanse());
    for (const std::string ending : {"", "\n"}) {
        const std::string last =
            "From sender@example.org Thu Nov 29 22:33:52 2001\nSubject: last\n\nlast line" + ending;
        home.write("mail/inbox", last);
        const auto cut = cuts[ending.empty() ? 0 : 1];
        BOOST_TEST((restore(cut).state == RecordState::Restored));
        BOOST_TEST(mailbox().starts_with(
            "From sender@example.org Thu Nov 29 22:33:52 2001\nSubject: last\n\nlast line\n\nFrom "));
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_longer_a_mailbox_is_left_alone) {
    static_cast<void>(cleanse());
    home.write("mail/inbox", "a picture");
    const auto acted = restore(cuts[0]);
    BOOST_TEST((acted.state == RecordState::Error));
    BOOST_TEST(mailbox() == "a picture");
    BOOST_TEST(home.has(std::string(quarantine_directory) + "/" + cuts[0].opaque));
}

BOOST_AUTO_TEST_CASE(a_message_edited_in_the_quarantine_stays_there) {
    static_cast<void>(cleanse());
    const std::string kept = home.path + "/" + quarantine_directory + "/" + cuts[0].opaque;
    ::chmod(kept.c_str(), 0600);
    home.write(std::string(quarantine_directory) + "/" + cuts[0].opaque, "From forged");
    BOOST_TEST((restore(cuts[0]).state == RecordState::Error));
    BOOST_TEST((mailbox() == rest()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
