// What requests of the functions' interface are refused with, whoever carries the function out.
#pragma once

#include <exception>
#include <string>

#include "auth/authd/messages.h"
#include "fcgi/body_limits.h"
#include "fcgi/web_request.h"
#include "handlers/shared/functions.h"
#include "handlers/shared/messages.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {

inline constexpr const char* wrong_credentials = "Access is denied: the user name or the password is missing or wrong.";
inline constexpr const char* wrong_token = "Access is denied: the user name or the token is wrong.";
inline constexpr const char* wrong_length = "The body does not have the announced length.";

// For a fault: what is `inside` goes to the log.
[[nodiscard]] Refusal unavailable(std::string_view inside);

// These throw Refusal.
void check_limits(const Request& request);
void refuse_cross_site(const WebRequest& web, const Function* function);
void require_whole(BodyState state);

// Throws the Refusal that a login ends with; `wrong` is the sentence for wrong credentials.
[[noreturn]] void refuse_login(const LoginAnswer& login, const char* wrong = wrong_credentials);

// What authd or an agent answers to `ask`; their faults are ours.
template <class Ask>
auto answer_to(Ask ask) {
    try {
        return ask();
    } catch (const std::exception& fault) {
        throw unavailable(std::string("authd or an agent: ") + fault.what());
    }
}

// Whose the right login is.
template <class Check>
BodyOwner owner_of(Check check, const char* wrong) {
    const auto answer = answer_to(check);
    if (!answer) throw unavailable("authd gave no answer");
    if (answer->verdict != LoginVerdict::Welcome) refuse_login(*answer, wrong);
    return answer->uid;
}

}  // namespace clamscanner
