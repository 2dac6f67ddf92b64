#include "jobs/jobd/change_texts.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace clamscanner {
namespace {

BOOST_AUTO_TEST_SUITE(change_texts)

BOOST_AUTO_TEST_CASE(what_is_ignored_has_path_signature_time_and_reason) {
    Ignoring ignoring;
    BOOST_TEST(ignored_text("/home/u/a.php", "Eicar", ignoring) == "/home/u/a.php (Eicar); for ever");
    ignoring.reason = "ours";
    ignoring.expires_ms = 1'700'000'000'000;
    BOOST_TEST(ignored_text("/home/u/a.php", "Eicar", ignoring) ==
               "/home/u/a.php (Eicar); until 2023-11-14 22:13 UTC; reason: ours");
    BOOST_TEST(unignored_text("/home/u/a.php", "Eicar") == "that of /home/u/a.php (Eicar)");
    BOOST_TEST(time_is_over_text("/home/u/a.php", "Eicar") == "that of /home/u/a.php (Eicar); its time is over");
    BOOST_TEST(ignored_for_all_text("/home/u/a.php", "Eicar", ignoring) ==
               "in all accounts; in this one first /home/u/a.php (Eicar); until 2023-11-14 22:13 UTC; reason: ours");
    BOOST_TEST(found_again_for_all_text("/home/u/a.php", "Eicar") ==
               "in all accounts; in this one /home/u/a.php (Eicar) is found again");
}

BOOST_AUTO_TEST_CASE(the_longest_names_fit_and_no_character_is_cut) {
    std::string path = "/home/u";
    std::string reason;
    for (int i = 0; i < 20'000; ++i) path += "/中";
    while (reason.size() + 3 <= longest_ignore_reason) reason += "中";
    const std::string virus(longest_virus_name, 'V');
    const Ignoring ignoring{reason, 1'700'000'000'000, {}};
    const auto is_whole = [](const std::string& text) {
        // Each character of three bytes that begins ends, and no other byte has its highest bit set.
        for (std::size_t i = 0; i < text.size();) {
            const auto byte = static_cast<unsigned char>(text[i]);
            const std::size_t length = byte < 0x80 ? 1 : (byte & 0xf0) == 0xe0 ? 3 : 0;
            if (length == 0 || i + length > text.size()) return false;
            i += length;
        }
        return true;
    };
    // Wherever the cut comes to lie in a character.
    std::vector<std::string> texts{time_is_over_text(path, virus), found_again_for_all_text(path, virus)};
    for (const auto* shift : {"", "V", "VV"}) {
        texts.push_back(ignored_text(path, shift + virus.substr(2), ignoring));
        texts.push_back(ignored_for_all_text(path, shift + virus.substr(2), ignoring));
    }
    for (const auto& text : texts) {
        BOOST_TEST(text.size() <= longest_message);
        BOOST_TEST(text.find("…") != std::string::npos);
        BOOST_TEST(is_whole(text));
    }
    BOOST_TEST(ignored_text(path, "Eicar", ignoring).ends_with(reason));
    BOOST_TEST(unignored_text("/" + std::string(300, 'a') + "/name.php", "Eicar").find("a/name.php (Eicar)") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_schedule_is_told_with_what_was_before) {
    const Schedule daily{true, ScanType::Home, ScheduleDay::Every, 23};
    const Schedule weekly{true, ScanType::Mail, ScheduleDay::Monday, 3};
    BOOST_TEST(schedule_text({}, daily) == "daily from 23:00 to 00:00, scan of home; before: never");
    BOOST_TEST(schedule_text(daily, weekly) ==
               "weekly on monday from 03:00 to 04:00, scan of mail; before: daily from 23:00 to 00:00, scan of home");
    BOOST_TEST(schedule_text(daily, {}) == "never; before: daily from 23:00 to 00:00, scan of home");
}

BOOST_AUTO_TEST_CASE(where_mails_go_is_told_whole_and_nothing_when_nothing_changes) {
    Notifications local;
    Notifications set;
    set.address = "old@example.com";
    BOOST_TEST(
        address_asked_text(local, "new@example.com") ==
        "a code was sent to new@example.com; until it is confirmed, mails go to the account's mailbox on this host");
    BOOST_TEST(address_asked_text(set, "new@example.com") ==
               "a code was sent to new@example.com; until it is confirmed, mails go to old@example.com");
    BOOST_TEST(address_asked_text(set, "") ==
               "mails go to the account's mailbox on this host; before: old@example.com");
    BOOST_TEST(address_asked_text(local, "").empty());
    BOOST_TEST(address_asked_text(set, "old@example.com").empty());
    set.unconfirmed = "new@example.com";
    BOOST_TEST(address_asked_text(set, "old@example.com") ==
               "mails go on to old@example.com; the code that was sent to new@example.com is good no longer");
    BOOST_TEST(address_confirmed_text(local, set) ==
               "mails go to old@example.com; before: the account's mailbox on this host");
    Notifications off;
    off.enabled = false;
    BOOST_TEST(mails_text(local, off) == "mails about infected files are switched off");
    BOOST_TEST(mails_text(off, local) == "mails about infected files are switched on");
    BOOST_TEST(mails_text(local, local).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
