// What requests of the functions' interface are refused with, whoever carries the function out.
#pragma once

#include "auth/authd/messages.h"
#include "fcgi/web_request.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {

inline constexpr const char* wrong_credentials = "Access is denied: the user name or the password is missing or wrong.";
inline constexpr const char* wrong_token = "Access is denied: the user name or the token is wrong.";

// For a fault: what is `inside` goes to the log.
[[nodiscard]] Refusal unavailable(std::string_view inside);

// Both throw Refusal.
void check_limits(const Request& request);
void refuse_cross_site(const WebRequest& web, const Function* function);

// Throws the Refusal that a login ends with; `wrong` is the sentence for wrong credentials.
[[noreturn]] void refuse_login(const LoginAnswer& login, const char* wrong = wrong_credentials);

}  // namespace clamscanner
