#include "jobs/notify/mail.h"

#include "auth/base/log.h"
#include "auth/base/mail_address.h"
#include "auth/base/utc_text.h"
#include "jobs/notify/mail_text.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_shown_path = 400;
constexpr std::size_t longest_shown_name = 256;
constexpr std::size_t longest_shown_line = 900;  // RFC 5322 has 998

std::string counted(std::uint64_t number, const std::string& one, const std::string& many) {
    return std::to_string(number) + " " + (number == 1 ? one : many);
}

std::string name_of_account(const Notice& notice) {
    return printable(notice.account).substr(0, longest_shown_name);
}

// A mail server hands on to a mailbox of this host what is for NAME@localhost.
std::string local_address(const std::string& account) {
    if (auto plain = account + "@localhost"; is_mail_address(plain)) return plain;
    // What SMTP has no form for is written as an escape: the server refuses that, since there is no such mailbox. Left
    // out, the mail would go to another account.
    std::string quoted = "\"";
    for (const char c : account) {
        const bool is_plain = c >= ' ' && c <= '~';
        if (!is_plain || c == '"' || c == '\\') quoted += '\\';
        quoted += is_plain ? std::string(1, c) : printable({&c, 1});
    }
    return quoted + "\"@localhost";
}

std::string address_of(const Notice& notice) {
    return notice.address.empty() ? local_address(notice.account) : notice.address;
}

std::string time_text(std::int64_t ms) {
    return utc_text(ms / 1000, "%Y-%m-%d %H:%M UTC");
}

// ---- To an owner ---------------------------------------------------------------------------------------------------

std::string what_was_done(const NoticedFind& find) {
    if (!find.settled) return "nothing has been done about it yet";
    switch (find.state) {
        case RecordState::Quarantined:
            return "it was moved to the quarantine, from which it can be restored";
        case RecordState::Deleted:
            return "it was deleted";
        case RecordState::MailboxCleansed:
            return "the infected messages were taken out of it";
        case RecordState::Restored:
            return "it was moved to the quarantine, and brought back from it";
        case RecordState::NoAction:
            return "it was left as it is";
        default:
            return "what was to be done about it failed; check_disinfection_status says why";
    }
}

std::string list_of(const Notice& notice) {
    std::string list;
    for (const auto& find : notice.finds)
        list += "  " + visible(find.path, longest_shown_path) + "\n      " + visible(find.virus, longest_shown_name) +
                "\n      found on " + time_text(find.found_ms) + "; " + what_was_done(find) + "\n";
    if (notice.finds.empty())
        return "  " + counted(notice.find_count, "file", "files") +
               ", which the list has: with names, this mail was refused\n";
    if (notice.find_count > notice.finds.size())
        list += "  and " + std::to_string(notice.find_count - notice.finds.size()) + " more, which the list has\n";
    return list;
}

std::string finds_text(const Notice& notice, const MailSettings& settings) {
    const auto look = settings.page_url.empty() ? "Look at the list, at the scanner's page or by list_infected_files."
                                                : "Look at the list, and inside the files:\n" + settings.page_url;
    return wrapped("The virus scanner of " + settings.host + " found " +
                   counted(notice.find_count, "infected file", "infected files") + " in the account " +
                   name_of_account(notice) + " that no mail has told you of yet:") +
           "\n" + list_of(notice) + "\nWhat to do:\n\n" + wrapped(look, "* ") +
           wrapped("Have what is infected moved to the quarantine; that can be undone. What is fine can be ignored.",
                   "* ") +
           wrapped(
               "Somebody got in. Change the account's passwords (panel, FTP, mail, databases), from a computer that "
               "is clean; update the web applications, their themes and plug-ins; and look for uploads, users and "
               "tasks that you do not know.",
               "* ") +
           wrapped("Scan again.", "* ") + "\n" +
           wrapped("What this mail tells is not told again, as long as scans find it there.");
}

std::string confirmation_text(const Notice& notice, const MailSettings& settings) {
    return wrapped("Somebody who knows the password of the account " + name_of_account(notice) + " on " +
                   settings.host +
                   " asked for mails of the virus scanner to be sent to this address. They will be, once this code is "
                   "entered within a day:") +
           "\n    " + notice.text + "\n\n" +
           (settings.page_url.empty() ? wrapped("The function confirm_notifications takes it.")
                                      : wrapped("Log in here:\n" + settings.page_url + "#confirm=" + notice.text)) +
           "\n" + wrapped("If it was not you, do nothing: you get no further mail.");
}

std::string address_changed_text(const Notice& notice, const MailSettings& settings) {
    return wrapped("From now on the virus scanner of " + settings.host +
                   " sends what it has to tell about the account " + name_of_account(notice) + " to") +
           "\n    " + (notice.text.empty() ? "the mailbox of the account on that host" : notice.text) + "\n\n" +
           wrapped(
               "and no longer here. If it was not you who wanted that, somebody else has the account's password: "
               "change it, and set the address again (set_notifications).");
}

std::string switched_off_text(const Notice& notice, const MailSettings& settings) {
    return wrapped("From now on the virus scanner of " + settings.host +
                   " sends no mail about infected files in the account " + name_of_account(notice) +
                   ". If it was not you who wanted that, somebody else has the account's password: change it, and "
                   "switch the mails on again (set_notifications).");
}

// ---- To the administrator ------------------------------------------------------------------------------------------

std::string digest_text(const Notice& notice, const MailSettings& settings) {
    constexpr std::string_view of_account = "account ";
    std::string facts;
    std::string accounts;
    for (const auto& figure : notice.figures) {
        const bool is_account = figure.name.starts_with(of_account);
        auto& lines = is_account ? accounts : facts;
        const auto name = is_account ? figure.name.substr(of_account.size()) : figure.name;
        lines += "  " + std::to_string(figure.number) + "  " + visible(name, longest_shown_line) + "\n";
    }
    std::string text =
        wrapped("What the virus scanner of " + settings.host + " did since the last digest:") + "\n" + facts;
    if (!accounts.empty()) text += "\nNew finds by account, most first:\n\n" + accounts;
    return text + "\n" +
           wrapped("clamscanner-status says how the service is now, and clamscanner-scan --finds what is found.");
}

struct Content {
    std::string subject;
    std::string text;
};

Content content_of(const Notice& notice, const MailSettings& settings) {
    const auto where = name_of_account(notice) + " on " + settings.host;
    switch (notice.kind) {
        case NoticeKind::Finds:
            return {counted(notice.find_count, "infected file", "infected files") + " in the account " + where,
                    finds_text(notice, settings)};
        case NoticeKind::ConfirmAddress:
            return {"Confirm this address for the account " + where, confirmation_text(notice, settings)};
        case NoticeKind::AddressChanged:
            return {"Mails about the account " + where + " go elsewhere", address_changed_text(notice, settings)};
        case NoticeKind::SwitchedOff:
            return {"Mails about the account " + where + " were switched off", switched_off_text(notice, settings)};
        case NoticeKind::Digest:
            return {"Virus scanner of " + settings.host + ": daily digest", digest_text(notice, settings)};
        default:
            throw Malformed("an event in place of a mail");
    }
}

}  // namespace

Mail mail_of(const Notice& notice, const MailSettings& settings) {
    const auto content = content_of(notice, settings);
    const auto recipient = address_of(notice);
    const bool plain = is_ascii(content.text);
    const std::string head =
        "From: Virus scanner <" + settings.sender + ">\nTo: <" + recipient + ">\nSubject: " + content.subject +
        "\nDate: " + utc_text(notice.created_ms / 1000, "%a, %d %b %Y %H:%M:%S +0000") + "\nMessage-ID: <clamscanner." +
        std::to_string(notice.id) + "." + std::to_string(notice.created_ms) + "@" + settings.host +
        ">\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: " +
        (plain ? "7bit" : "quoted-printable") + "\n\n";
    return {recipient, with_crlf(head + (plain ? content.text : quoted_printable(content.text)))};
}

}  // namespace clamscanner
