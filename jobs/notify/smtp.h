// Hands one mail to the mail server of this host. Run in a child of notifyd's, since it waits.
#pragma once

#include <chrono>
#include <cstdint>

#include "jobs/notify/mail.h"

namespace clamscanner {

enum class Handed : std::uint8_t {
    Over = 0,
    Refused = 1,   // for good
    NotNow = 2,    // the server takes others, perhaps, but not this one now
    NoServer = 3,  // there is none, or none that answers
};

struct HandedOver {
    Handed result = Handed::NoServer;
    std::string why;  // for the log
};
[[nodiscard]] HandedOver hand_over(const Mail& mail, const MailSettings& settings, std::uint64_t port,
                                   std::chrono::seconds limit);

}  // namespace clamscanner
