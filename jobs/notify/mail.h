// The mails, from what jobd tells: whole, as RFC 5322 has them. Everything in a notice but its numbers may have been
// chosen by an attacker, and is written so that it stays text (mail_text.h).
#pragma once

#include <cstdint>
#include <string>

#include "jobs/jobd/messages.h"

namespace clamscanner {

struct MailSettings {
    std::string host;      // the name of this host
    std::string sender;    // an address
    std::string page_url;  // "": none
};

struct Mail {
    std::string recipient;  // as SMTP takes it
    std::string text;       // lines end with CRLF
};

// The same for the same notice, so that one that is delivered twice is known by its Message-ID.
[[nodiscard]] Mail mail_of(const Notice& notice, const MailSettings& settings);

}  // namespace clamscanner
