#include "handlers/functions/router.h"

#include <functional>

#include "handlers/functions/routes.h"
#include "handlers/shared/functions.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

const Function& function_of(const Address& address) {
    if (find_module(address.module) == nullptr)
        throw Refusal(404, "There is no module " + quoted(address.module) +
                               " here. Accepted: " + listed(modules, std::mem_fn(&Module::name)) + ".");
    const auto* function = find_function(address.module, address.function);
    if (function == nullptr)
        throw Refusal(404, "There is no function " + quoted(address.function) + " in the module " +
                               quoted(address.module) + " here.");
    return *function;
}

const Route& route_of(const Function& function) {
    return routes[&function - functions];
}

// Some clients show no warnings, so each is a message, too. In the same words and before all others, so that a client
// that shows both can leave the second one out.
void repeat_warnings(Answer& answer) {
    answer.messages.insert(answer.messages.begin(), answer.warnings.begin(), answer.warnings.end());
}

Answer answer_of(const Function& function, const Caller& caller, const Arguments& arguments) {
    auto answer = route_of(function).answer(caller, arguments);
    repeat_warnings(answer);
    return answer;
}

// The one place where a refusal or a fault becomes an answer.
template <class Answering>
Reply reply_with(const Address& address, Answering answering) {
    try {
        return {200, "", envelope(address, answering())};
    } catch (const Refusal& refusal) {
        return {static_cast<std::uint16_t>(refusal.status()), refusal.allow(),
                failure_envelope(address, refusal.what())};
    } catch (const std::exception& fault) {
        return {500, "", failure_envelope(address, with_reference("The server failed on this request.", fault.what()))};
    }
}

}  // namespace

Reply answer_request(const Caller& caller, const Request& request) {
    const auto address = address_of(request.path);
    return reply_with(address, [&] {
        const auto& function = function_of(address);
        if (!takes_method(function, request.method))
            throw Refusal(405,
                          "The function " + quoted(function.name) + " does not take the method " +
                              quoted(request.method) + ". Accepted: " + std::string(function.methods) + ".",
                          std::string(function.methods));
        return answer_of(function, caller, arguments_of(request, route_of(function).compound));
    });
}

bool waits_for_a_job(const Request& request) {
    const auto address = address_of(request.path);
    const auto* const function = find_function(address.module, address.function);
    return function != nullptr && route_of(*function).waits;
}

Arguments arguments_for(const Address& address) {
    const auto* const function = find_function(address.module, address.function);
    return Arguments(function == nullptr ? nullptr : route_of(*function).compound);
}

Answer answer_call(const Caller& caller, const Address& address, const Arguments& arguments) {
    return answer_of(function_of(address), caller, arguments);
}

}  // namespace clamscanner
