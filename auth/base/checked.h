// Turns the -1 of a system call into a std::system_error that says what was attempted.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace clamscanner {

[[noreturn]] inline void throw_errno(const char* attempted, int error = errno) {
    throw std::system_error(error, std::generic_category(), attempted);
}

// Returns `result` unless it is negative; throws std::system_error(errno, "open the quarantine list") if it is.
template <class Integer>
Integer checked(Integer result, const char* attempted) {
    if (result < 0) throw_errno(attempted);
    return result;
}

// Repeats the call while a signal interrupts it. Not for close().
template <class Call>
auto uninterrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

}  // namespace clamscanner
