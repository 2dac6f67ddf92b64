// What goes into the outbox, what comes out of it, and that nothing is told twice, lost, or told to a stranger.
#include "jobs/jobd/outbox.h"

#include <boost/test/unit_test.hpp>
#include <map>

#include "jobs/jobd/brake.h"
#include "jobs/jobd/ledger.h"
#include "tests/unit/queued_tasks.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {
namespace {

constexpr std::int64_t later = 100 * day_ms;  // after everything here

struct Fixture {
    Fixture() { open(); }

    void open() {
        ledger.emplace(file);
        ledger->outbox().use(settings);
        account = ledger->tasks().account_of(alice);
    }
    void restart() {
        ledger->commit();
        ledger.reset();
        open();
    }
    Outbox& outbox() { return ledger->outbox(); }

    void scan(const std::vector<std::string>& names, ScanType type = ScanType::Home,
              Outcome outcome = Outcome::Completed) {
        const auto id = ledger->tasks().queue_scan(account, type, false).value();
        ledger->tasks().begin(id);
        for (const auto& name : names) {
            const FoundContent found{"/home/alice/" + name, "Eicar", std::string(64, 'a')};
            if (ledger->finds().add_infected(id, 1, found.path, found.virus, found.sha256))
                outbox().note_find(account, id, found);
        }
        if (outcome == Outcome::Completed)
            ledger->finds().complete_scan(id, names.size(), 0, 0);
        else
            ledger->finds().end_unfinished(id, outcome, "cancelled", 0);
        end_round();
    }
    void disinfect(const std::string& name, RecordState state) {
        std::vector<PlannedAction> planned;
        BOOST_REQUIRE(
            !ledger->finds().resolve(account, alice.home, {{alice.home + "/" + name, Action::Quarantine}}, planned));
        const auto id = queue_disinfection(*ledger, account, planned);
        const auto action = ledger->records().next_action(id.value());
        ledger->records().record_step(*id, action.value(), state, "");
        ledger->records().record_done(*id, RecordState::Success, "", Outcome::Completed);
        end_round();
    }
    void end_round() {
        for (const TaskId task : ledger->tasks().ended())
            outbox().note_ended(ledger->tasks().with_account(task), ledger->history().of_task(task).value());
        static_cast<void>(ledger->tasks().take_ended());
        ledger->commit();
    }
    // As jobd fetches it; id 0: none is due.
    Notice fetch(NoticeChannel channel = NoticeChannel::Mails, std::int64_t now = later) {
        const auto due = outbox().first_due(channel, now);
        if (!due) return {};
        if (!due->sealed) {
            if (due->kind == NoticeKind::Finds && outbox().next_mail_at(due->account, now) > now) return {};
            outbox().seal(*due, now);
        }
        return outbox().get(due->id);
    }
    std::vector<std::string> told(const Notice& notice) {
        std::vector<std::string> names;
        for (const auto& find : notice.finds) names.push_back(find.path.substr(12));
        return names;
    }
    // The names in the next mail, which is delivered.
    std::vector<std::string> next_mail(std::int64_t now = later) {
        const auto notice = fetch(NoticeChannel::Mails, now);
        if (notice.id != 0) deliver(notice);
        return told(notice);
    }
    void deliver(const Notice& notice) { outbox().settle(static_cast<std::int64_t>(notice.id), Delivered::Yes, later); }
    void prune() {
        while (ledger->prune(0, 0)) {
        }
    }

    const AccountFacts alice{1001, "alice", "/home/alice", 1, 1, 1};
    TemporaryDirectory directory;
    std::string file = directory.path + "/jobs.sqlite";
    Settings settings;
    std::optional<Ledger> ledger;
    AccountId account = 0;
};

using Names = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(outbox, Fixture)

BOOST_AUTO_TEST_CASE(a_find_is_told_once_at_the_end_of_its_scan) {
    scan({"a", "b"});
    BOOST_TEST(next_mail() == (Names{"a", "b"}));
    scan({"a", "b"});
    BOOST_TEST(next_mail().empty());
    scan({"a", "b", "c"});
    BOOST_TEST(next_mail() == Names{"c"});
    BOOST_TEST(next_mail().empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_told_while_the_scan_goes_on_nor_of_a_scan_that_found_nothing) {
    scan({});
    BOOST_TEST(fetch().id == 0U);
    const auto id = ledger->tasks().queue_scan(account, ScanType::Home, false).value();
    outbox().note_find(account, id, {"/home/alice/a", "Eicar", ""});
    BOOST_TEST(fetch().id == 0U);
    ledger->tasks().end(id, Outcome::Cancelled, "");
    end_round();
    BOOST_TEST(next_mail() == Names{"a"});
}

BOOST_AUTO_TEST_CASE(it_stays_and_stays_the_same_until_it_was_delivered) {
    scan({"a"});
    const auto first = fetch();
    scan({"a", "b"});
    restart();
    const auto again = fetch(NoticeChannel::Mails, later + day_ms);
    BOOST_TEST(again.id == first.id);
    BOOST_TEST(again.created_ms == first.created_ms);
    BOOST_TEST(told(again) == Names{"a"});
    deliver(again);
    BOOST_TEST(next_mail() == Names{"b"});
}

BOOST_AUTO_TEST_CASE(what_comes_after_the_days_limit_stands_in_the_next_mail) {
    settings.notifications.max_mails_a_day = 2;
    for (const auto* name : {"a", "b"}) {
        scan({name}, ScanType::Mail);
        BOOST_TEST(next_mail() == Names{name});
    }
    scan({"c"}, ScanType::Mail);
    scan({"d"}, ScanType::Mail);
    BOOST_TEST(next_mail(later + day_ms - 1).empty());
    BOOST_TEST(next_mail(later + day_ms) == (Names{"c", "d"}));
}

BOOST_AUTO_TEST_CASE(a_find_keeps_the_time_when_it_was_found_first) {
    const FoundContent found{"/home/alice/a", "Eicar", std::string(64, 'a')};
    const auto first = [&](const FoundContent& which) { return outbox().first_noted(account, which); };
    const auto find_at = [&](std::int64_t when, ScanType type = ScanType::Home) {
        const auto id = ledger->tasks().queue_scan(account, type, false).value();
        outbox().note_find(account, id, found, when);
        ledger->finds().complete_scan(id, 1, 0, 0);
        end_round();
    };
    BOOST_TEST(!first(found).has_value());
    find_at(1000);
    BOOST_TEST(first(found).value() == 1000);
    BOOST_TEST(fetch().finds[0].found_ms == 1000);
    scan({}, ScanType::Mail);  // which looks elsewhere
    prune();
    find_at(2000, ScanType::PublicHtml);
    restart();
    BOOST_TEST(first(found).value() == 1000);
    // Another file, signature, content or account is another find.
    BOOST_TEST(!first({"/home/alice/b", found.virus, found.sha256}).has_value());
    BOOST_TEST(!first({found.path, "Other", found.sha256}).has_value());
    BOOST_TEST(!first({found.path, found.virus, std::string(64, 'b')}).has_value());
    BOOST_TEST(!outbox().first_noted(account + 1, found).has_value());
    outbox().note_find(account, 1, {found.path, found.virus, ""}, 1000);
    BOOST_TEST(!first({found.path, found.virus, ""}).has_value());
    scan({});
    prune();
    BOOST_TEST(!first(found).has_value());
    find_at(3000);
    BOOST_TEST(first(found).value() == 3000);
}

BOOST_AUTO_TEST_CASE(a_find_that_was_gone_and_is_back_is_told_again) {
    scan({"a"});
    static_cast<void>(next_mail());
    scan({}, ScanType::Mail);  // which looks elsewhere
    prune();
    scan({"a"});
    BOOST_TEST(next_mail().empty());
    scan({}, ScanType::Home, Outcome::Cancelled);
    prune();
    scan({"a"});
    BOOST_TEST(next_mail().empty());
    scan({});
    prune();
    scan({"a"});
    BOOST_TEST(next_mail(later + day_ms) == Names{"a"});
}

BOOST_AUTO_TEST_CASE(what_is_gone_or_was_not_told_is_new_at_once) {
    scan({"a"});
    static_cast<void>(next_mail());
    scan({});
    scan({"a"});  // before anything was pruned
    BOOST_TEST(next_mail(later + day_ms) == Names{"a"});
    BOOST_TEST(outbox().set_enabled(account, false, later));
    deliver(fetch());
    scan({"a", "b"});
    BOOST_TEST(outbox().set_enabled(account, true, later));
    scan({"a", "b"});
    BOOST_TEST(next_mail(later + 2 * day_ms) == (Names{"a", "b"}));
    prune();
    scan({"a", "b"});
    BOOST_TEST(next_mail(later + 3 * day_ms).empty());
}

BOOST_AUTO_TEST_CASE(of_many_finds_the_first_are_named_and_all_are_counted) {
    Names names;
    for (int i = 0; i < 1000; ++i) names.push_back(std::to_string(i));
    scan(names);
    const auto notice = fetch();
    BOOST_TEST(notice.find_count == 1000U);
    BOOST_TEST(notice.finds.size() == most_noticed_finds);
}

BOOST_AUTO_TEST_CASE(what_was_done_before_the_mail_goes_is_told) {
    scan({"a", "b"});
    outbox().note_step(account, "/home/alice/b", RecordState::Quarantined);
    outbox().note_step(account, "/home/alice/a", RecordState::Quarantined);
    outbox().note_step(account, "/home/alice/a", RecordState::Restored);
    const auto notice = fetch();
    BOOST_TEST((notice.finds.at(0).settled && notice.finds.at(0).state == RecordState::Restored));
    BOOST_TEST((notice.finds.at(1).settled && notice.finds.at(1).state == RecordState::Quarantined));
}

BOOST_AUTO_TEST_CASE(ignored_finds_are_not_told) {
    scan({"a"});
    static_cast<void>(next_mail());
    static_cast<void>(ledger->finds().ignore(account, "/home/alice/a", {}));
    scan({"a", "b"});  // the same content
    BOOST_TEST(next_mail().empty());
}

BOOST_AUTO_TEST_CASE(an_address_counts_once_its_code_has_come_and_the_old_one_is_told) {
    BOOST_TEST(outbox().set_address(account, "new@example.com", 1000));
    BOOST_TEST(outbox().settings_of(account).address == "");
    BOOST_TEST(outbox().settings_of(account).unconfirmed == "new@example.com");
    const auto asked = fetch();
    BOOST_TEST((asked.kind == NoticeKind::ConfirmAddress));
    BOOST_TEST(asked.address == "new@example.com");
    deliver(asked);

    BOOST_TEST(!outbox().confirm(account, "", 2000));
    BOOST_TEST(!outbox().confirm(account, "0" + asked.text.substr(1) + "0", 2000));
    BOOST_TEST(!outbox().confirm(account, asked.text, 1000 + day_ms));  // too late
    const auto other = ledger->tasks().account_of({1002, "bob", "/home/bob", 1, 1, 1});
    BOOST_TEST(!outbox().confirm(other, asked.text, 2000));
    BOOST_TEST(outbox().confirm(account, asked.text, 2000));
    BOOST_TEST(!outbox().confirm(account, asked.text, 2000));  // once
    const auto changed = fetch();
    BOOST_TEST((changed.kind == NoticeKind::AddressChanged));
    BOOST_TEST(changed.address == "");  // the account's mailbox
    BOOST_TEST(changed.text == "new@example.com");
    deliver(changed);
    scan({"a"});
    const auto mail = fetch();
    BOOST_TEST(mail.address == "new@example.com");
    deliver(mail);

    BOOST_TEST(outbox().set_address(account, "", 3000));
    const auto back = fetch();
    BOOST_TEST((back.kind == NoticeKind::AddressChanged && back.address == "new@example.com" && back.text.empty()));
}

BOOST_AUTO_TEST_CASE(only_the_code_that_was_sent_last_counts) {
    std::vector<std::string> codes;
    for (const auto* address : {"first@example.com", "second@example.com"}) {
        BOOST_TEST(outbox().set_address(account, address, 1000));
        const auto asked = fetch();
        codes.push_back(asked.text);
        deliver(asked);
    }
    BOOST_TEST(!outbox().confirm(account, codes.at(0), 2000));
    BOOST_TEST(outbox().set_address(account, "", 2000));  // it is not wanted any more
    BOOST_TEST(!outbox().confirm(account, codes.at(1), 2000));
    BOOST_TEST(outbox().settings_of(account).address == "");
}

BOOST_AUTO_TEST_CASE(nobody_is_sent_many_codes) {
    int accepted = 0;
    for (int i = 0; i < 100; ++i) accepted += outbox().set_address(account, "victim@example.com", 1000) ? 1 : 0;
    BOOST_TEST(accepted == 10);
    BOOST_TEST(outbox().set_address(account, "victim@example.com", 1000 + day_ms));
}

BOOST_AUTO_TEST_CASE(while_mails_are_off_none_is_sent_and_then_what_is_there_is_told) {
    scan({"a"});
    BOOST_TEST(outbox().set_enabled(account, false, later));
    const auto off = fetch();
    BOOST_TEST((off.kind == NoticeKind::SwitchedOff));
    deliver(off);
    scan({"a", "b"});
    BOOST_TEST(fetch().id == 0U);
    BOOST_TEST(outbox().set_enabled(account, true, later));
    prune();
    scan({"a", "b"});
    BOOST_TEST(next_mail() == (Names{"a", "b"}));
}

BOOST_AUTO_TEST_CASE(a_mail_that_is_refused_goes_to_the_accounts_mailbox_and_is_tried_again_there) {
    BOOST_TEST(outbox().set_address(account, "new@example.com", 1000));
    BOOST_TEST(outbox().confirm(account, fetch().text, 2000));
    while (const auto notice = fetch().id) outbox().settle(static_cast<std::int64_t>(notice), Delivered::Yes, later);
    scan({"a"});
    const auto id = static_cast<std::int64_t>(fetch().id);
    outbox().settle(id, Delivered::NotNow, later);
    BOOST_TEST(fetch().id == 0U);
    BOOST_TEST(fetch(NoticeChannel::Mails, later + day_ms).address == "new@example.com");
    // It may be refused for the names in it, so it is tried without them before the address is given up, and there,
    // too.
    for (const char* address : {"new@example.com", ""}) {
        BOOST_TEST(fetch(NoticeChannel::Mails, later + day_ms).address == address);
        BOOST_TEST(told(fetch(NoticeChannel::Mails, later + day_ms)) == Names{"a"});
        outbox().settle(id, Delivered::Refused, later + day_ms);
        BOOST_TEST(fetch(NoticeChannel::Mails, later + day_ms).address == address);
        BOOST_TEST(fetch(NoticeChannel::Mails, later + day_ms).finds.empty());
        BOOST_TEST(fetch(NoticeChannel::Mails, later + day_ms).find_count == 1U);
        outbox().settle(id, Delivered::Refused, later + day_ms);
    }
    BOOST_TEST(fetch(NoticeChannel::Mails, later + day_ms).id == 0U);
    BOOST_TEST(fetch(NoticeChannel::Mails, later + 2 * day_ms).id == static_cast<std::uint64_t>(id));
}

BOOST_AUTO_TEST_CASE(of_an_account_that_is_gone_nothing_is_told) {
    scan({"a"});
    outbox().forget(account);
    BOOST_TEST(fetch().id == 0U);
    prune();
    scan({"a"});
    BOOST_TEST(next_mail() == Names{"a"});
}

BOOST_AUTO_TEST_CASE(the_hook_gets_each_event_in_order_and_none_without_a_hook) {
    scan({"a"});
    BOOST_TEST(fetch(NoticeChannel::Hook).id == 0U);
    settings.notifications.hook = "/hook";
    scan({"a", "b"});
    outbox().note_brake("Eicar", "too much");
    outbox().note_signatures(Outbox::Problem::Old, "8 days old");
    outbox().note_signatures(Outbox::Problem::Old, "9 days old");
    std::vector<NoticeKind> kinds;
    for (auto event = fetch(NoticeChannel::Hook); event.id != 0; event = fetch(NoticeChannel::Hook)) {
        kinds.push_back(event.kind);
        BOOST_TEST(fetch(NoticeChannel::Hook).id == event.id);
        deliver(event);
    }
    BOOST_TEST(
        (kinds == std::vector{NoticeKind::Find, NoticeKind::ScanEnded, NoticeKind::Brake, NoticeKind::Signatures}));
}

BOOST_AUTO_TEST_CASE(events_beyond_the_limit_are_counted) {
    settings.notifications.hook = "/hook";
    settings.notifications.owners = false;
    Names names;
    for (int i = 0; i < Outbox::most_events_of_account; ++i) names.push_back(std::to_string(i));
    for (unsigned uid = 1002; uid < 1012; ++uid) {
        account = ledger->tasks().account_of({uid, "bob", "/home/bob", 1, uid, 1});
        scan(names);
    }
    account = ledger->tasks().account_of({1001, "alice", "/home/alice", 1, 1, 1});
    scan({"1", "2", "3", "4", "5"});
    restart();
    Notice left_out;
    std::int64_t events = 0;
    for (auto event = fetch(NoticeChannel::Hook); event.id != 0; event = fetch(NoticeChannel::Hook)) {
        ++events;
        if (event.kind == NoticeKind::LeftOut) left_out = event;
        deliver(event);
    }
    BOOST_TEST(events == Outbox::most_events);
    BOOST_REQUIRE(left_out.figures.size() == 2U);  // ends of scans, and finds
    BOOST_TEST(left_out.figures.at(0).number == 11U);
    BOOST_TEST(left_out.figures.at(1).number == 6U);  // what tells of them needs room, too
    scan({"more"});
    BOOST_TEST((fetch(NoticeChannel::Hook).kind == NoticeKind::Find));
}

BOOST_AUTO_TEST_CASE(no_account_takes_the_room_for_the_events_of_others) {
    settings.notifications.hook = "/hook";
    const auto alice = account;
    const auto mallory = ledger->tasks().account_of({1002, "mallory", "/home/mallory", 1, 2, 1});
    Names names;
    for (int i = 0; i < Outbox::most_events + 5; ++i) names.push_back(std::to_string(i));
    account = mallory;
    scan(names);
    restart();
    scan({"a"});
    account = mallory;
    scan({"one more"});
    std::map<std::string, std::int64_t> events;
    std::uint64_t left_out = 0;
    for (auto event = fetch(NoticeChannel::Hook); event.id != 0; event = fetch(NoticeChannel::Hook)) {
        ++events[event.account];
        for (const auto& figure : event.figures)
            if (event.kind == NoticeKind::LeftOut && figure.name == "finds") left_out = figure.number;
        deliver(event);
    }
    BOOST_TEST(events["mallory"] == Outbox::most_events_of_account);
    BOOST_TEST(events["alice"] == 2);  // the find, and the scan's end
    BOOST_TEST(left_out == names.size() + 1 - std::size_t{Outbox::most_events_of_account});
    scan({"again"});
    BOOST_TEST(fetch(NoticeChannel::Hook).account == "mallory");
    account = alice;
}

BOOST_AUTO_TEST_CASE(an_event_that_the_hook_cannot_take_lets_those_of_others_pass) {
    settings.notifications.hook = "/hook";
    const auto alice = account;
    account = ledger->tasks().account_of({1002, "mallory", "/home/mallory", 1, 2, 1});
    scan({"\xff", "b"});
    account = alice;
    scan({"a"});
    const auto now = now_ms();
    const auto first = fetch(NoticeChannel::Hook, now);
    BOOST_TEST(first.account == "mallory");
    outbox().settle(static_cast<std::int64_t>(first.id), Delivered::NotNow, now);
    for (const auto kind : {NoticeKind::Find, NoticeKind::ScanEnded}) {
        const auto next = fetch(NoticeChannel::Hook, now);
        BOOST_TEST(next.account == "alice");
        BOOST_TEST((next.kind == kind));
        deliver(next);
    }
    BOOST_TEST(fetch(NoticeChannel::Hook, now).id == 0U);
    // Then the account's own, and that one at last; it stays so however often it fails.
    const auto soon = now + 20'000;
    for (int i = 0; i < 2; ++i) {
        const auto next = fetch(NoticeChannel::Hook, soon);
        BOOST_TEST(next.account == "mallory");
        BOOST_TEST(next.id != first.id);
        deliver(next);
    }
    BOOST_TEST(fetch(NoticeChannel::Hook, soon).id == 0U);
    for (int i = 0; i < 10; ++i) outbox().settle(static_cast<std::int64_t>(first.id), Delivered::NotNow, now);
    BOOST_TEST(fetch(NoticeChannel::Hook, now + 300'001).id == first.id);
}

BOOST_AUTO_TEST_CASE(the_digest_collects_until_its_hour_and_there_is_none_of_nothing) {
    settings.notifications.administrator = "root@example.com";
    settings.notifications.owners = false;
    outbox().end_digest(later);
    BOOST_TEST(fetch().id == 0U);
    scan({"a", "b"});
    outbox().end_digest(now_ms());
    scan({"a", "b", "c"});
    disinfect("a", RecordState::Quarantined);
    outbox().note_brake("Eicar", "it hits too much");
    outbox().note_signatures(Outbox::Problem::Broken, "own.ndb is damaged");
    outbox().note_signatures(Outbox::Problem::Old, "they are 8 days old");
    outbox().end_digest(now_ms() + day_ms);
    const auto digest = fetch();
    BOOST_TEST((digest.kind == NoticeKind::Digest));
    BOOST_TEST(digest.address == "root@example.com");
    std::map<std::string, std::uint64_t> figures;
    for (const auto& figure : digest.figures) figures[figure.name] = figure.number;
    BOOST_TEST(figures["account alice"] == 3U);
    BOOST_TEST(figures["new finds"] == 3U);
    BOOST_TEST(figures["scans: completed"] == 2U);
    BOOST_TEST(figures["files, of disinfections: quarantined"] == 1U);
    BOOST_TEST(figures["deletions are held for Eicar: it hits too much"] == 1U);
    BOOST_TEST(figures["signatures: own.ndb is damaged"] == 1U);
    BOOST_TEST(figures["signatures: they are 8 days old"] == 1U);
    BOOST_TEST(digest.figures.back().name == "account alice");
    deliver(digest);
    outbox().end_digest(later);
    BOOST_TEST(fetch().id == 0U);
}

BOOST_AUTO_TEST_CASE(a_digest_that_is_cut_says_so) {
    settings.notifications.administrator = "root@example.com";
    for (std::size_t i = 0; i < most_figures + 5; ++i)
        outbox().note_brake("Signature-" + std::to_string(i), "too much");
    outbox().end_digest(now_ms() + day_ms);
    const auto digest = fetch();
    BOOST_TEST(digest.figures.size() == most_figures);
    BOOST_TEST(digest.figures.back().number == 6U);
    BOOST_TEST(digest.figures.back().name.find("no room") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace clamscanner
