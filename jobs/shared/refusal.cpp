#include "jobs/shared/refusal.h"

#include "auth/base/log.h"
#include "auth/base/random.h"
#include "jobs/shared/json_text.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_quotation = 128;  // characters

}  // namespace

Refusal wrong_argument(std::string_view name, std::string_view wrong, std::string_view accepted) {
    return {200,
            "The argument " + quoted(name) + " " + std::string(wrong) + ". Accepted: " + std::string(accepted) + "."};
}

std::string quoted(std::string_view text) {
    const auto cut = first_characters(text, longest_quotation);
    std::string quotation = "\"";
    for (const char c : cut) {
        // An exception's text is a C string, which a NUL would end.
        if (c == '\0') {
            quotation += "\\0";
        } else {
            quotation += c;
        }
    }
    return quotation += cut.size() < text.size() ? "…\"" : "\"";
}

std::string with_reference(std::string_view sentence, std::string_view inside) {
    const auto reference = random_hex(6);
    log_line(Severity::Error, "reference " + reference + ": " + printable(inside));
    return std::string(sentence) + " (reference " + reference + ")";
}

}  // namespace clamscanner
