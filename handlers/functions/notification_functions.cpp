// The API functions about the mails that an owner gets: whether, and where to.
#include "auth/base/mail_address.h"
#include "handlers/functions/routes.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::string_view accepted_address =
    "a mail address such as name@example.com, or nothing for the account's mailbox on this host";
constexpr std::string_view accepted_enabled = "1 or 0";
constexpr std::string_view accepted_code = "the code from the mail that was sent to the new address";

Answer answer_of(const Notifications& settings) {
    Answer answer;
    answer.data = json_object([&](JsonWriter& json) {
        json.member("address", settings.address);
        json.member("enabled", settings.enabled);
        json.member("mails_per_day", settings.most_mails_a_day);
        json.member("unconfirmed_address", settings.unconfirmed);
    });
    if (settings.most_mails_a_day == 0)
        answer.messages.emplace_back("The administrator has switched these mails off, so none is sent.");
    if (!settings.unconfirmed.empty())
        answer.messages.push_back(
            "A mail with a code was sent to " + settings.unconfirmed +
            ". The address counts once confirm_notifications has brought that code, within a day.");
    return answer;
}

// A mailbox of another user's on this host is nobody's to give.
bool is_address_elsewhere(const std::string& address) {
    return is_mail_address(address) && address.find('.', address.find('@')) != std::string::npos;
}

}  // namespace

Answer get_notifications(const Caller& caller, const Arguments&) {
    return answer_of(caller.jobs.ask(AskNotifications{}));
}

Answer set_notifications(const Caller& caller, const Arguments& arguments) {
    SetNotifications wanted;
    wanted.asker = caller.asker;
    wanted.voucher = caller.voucher;
    if (arguments.find("address") != nullptr) {
        wanted.sets_address = true;
        wanted.address = arguments.text("address", accepted_address);
        if (!wanted.address.empty() && !is_address_elsewhere(wanted.address))
            throw wrong_argument("address", "is " + quoted(wanted.address), accepted_address);
    }
    if (arguments.find("enabled") != nullptr) {
        wanted.sets_enabled = true;
        wanted.enabled = arguments.flag("enabled");
    }
    if (!wanted.sets_address && !wanted.sets_enabled)
        throw wrong_argument("enabled", "is missing, and so is address", accepted_enabled);
    return answer_of(caller.jobs.ask(wanted));
}

Answer confirm_notifications(const Caller& caller, const Arguments& arguments) {
    const auto& code = arguments.text("code", accepted_code);
    if (code.empty() || code.size() > longest_confirmation_code)
        throw wrong_argument("code", "is " + quoted(code), accepted_code);
    return answer_of(caller.jobs.ask(ConfirmNotifications{code, caller.asker}));
}

}  // namespace clamscanner
