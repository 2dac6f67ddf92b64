#include "jobs/jobd/mailbox_cleansing.h"

#include <algorithm>

#include "jobs/shared/mail_name.h"

namespace clamscanner {
namespace {

template <class List>
auto find_opaque(List& list, const std::string& opaque) {
    return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.opaque == opaque; });
}

}  // namespace

void MailboxCleansing::begin_scan() {
    messages_.reset();
    results_ = 0;
    cuts_.clear();
}

void MailboxCleansing::take_result(ScanResult result) {
    ++results_;
    if (result.verdict == Verdict::Infected && cuts_.size() < most_mail_cut)
        cuts_.push_back({mail_name(), std::move(result.sha256), std::move(result.virus)});
}

bool MailboxCleansing::is_scanned() const {
    if (!messages_ || results_ < *messages_) return false;
    if (results_ > *messages_) throw Malformed("the coordinator sent more results than there are messages");
    return true;
}

void MailboxCleansing::take_saved(Saved saved, const std::vector<CutMail>& cuts) {
    if (find_opaque(cuts, saved.opaque) == cuts.end() || find_opaque(saved_, saved.opaque) != saved_.end())
        throw Malformed("the runner saved a message that it was not asked to save");
    saved_.push_back(std::move(saved));
}

void MailboxCleansing::list_saved(QuarantineList& quarantine, AccountId account, const PlannedAction& mailbox) const {
    for (const auto& saved : saved_) {
        const auto& cut = *find_opaque(mailbox.cuts, saved.opaque);
        auto message = mailbox;
        message.opaque = cut.opaque;
        message.sha256 = cut.sha256;
        message.virus = cut.virus;
        message.identity.size = saved.size;
        quarantine.add(account, message, saved.device, saved.inode, saved.may_hold_mail);
    }
}

std::string MailboxCleansing::summary(const ScanResult& rest) const {
    std::string text = std::to_string(saved_.size()) +
                       (saved_.size() == 1 ? " infected message was" : " infected messages were") +
                       " taken out of the mailbox and kept in the quarantine; the others are as they were";
    if (rest.verdict == Verdict::Infected)
        text += ". What is left of it is still reported as infected (" + rest.virus + "), so it stays in the list";
    if (rest.verdict == Verdict::Unscanned)
        text += std::string(". What is left of it could not be scanned again (") + text_of(rest.reason) +
                "), so it stays in the list";
    return text;
}

}  // namespace clamscanner
