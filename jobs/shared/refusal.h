// Refuses a caller's request with a sentence that is safe to show. Internal details (our own paths, an errno, another
// process's message) never appear in it: they go to the log, under a reference that the sentence gives.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace clamscanner {

class Refusal : public std::runtime_error {
 public:
    // `status` is that of HTTP; 200 for a function's own refusal, as UAPI has it.
    Refusal(int status, const std::string& sentence, std::string allow = "", std::uint32_t retry_seconds = 0)
        : std::runtime_error(sentence), status_(status), allow_(std::move(allow)), retry_seconds_(retry_seconds) {}
    [[nodiscard]] int status() const noexcept { return status_; }
    // The methods that are allowed; "" unless the method was refused.
    [[nodiscard]] const std::string& allow() const noexcept { return allow_; }
    // When to try again; 0: unspecified.
    [[nodiscard]] std::uint32_t retry_seconds() const noexcept { return retry_seconds_; }

 private:
    int status_;
    std::string allow_;
    std::uint32_t retry_seconds_;
};

// A function's refusal of an argument: which one, what is wrong with it, and what is accepted.
[[nodiscard]] Refusal wrong_argument(std::string_view name, std::string_view wrong, std::string_view accepted);

// What is accepted, for a sentence: the names of the items, with commas between them.
template <class Items, class NameOf = std::identity>
[[nodiscard]] std::string listed(const Items& items, NameOf name_of = {}) {
    std::string names;
    for (const auto& item : items) names.append(names.empty() ? "" : ", ").append(name_of(item));
    return names;
}

// A text from the caller, for use in a sentence: in quotes, and cut if it is long.
[[nodiscard]] std::string quoted(std::string_view text);

// Logs `inside` under a fresh reference and returns the sentence with it.
[[nodiscard]] std::string with_reference(std::string_view sentence, std::string_view inside);

}  // namespace clamscanner
