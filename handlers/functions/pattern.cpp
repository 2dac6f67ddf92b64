#include "handlers/functions/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>
#include <stdexcept>
#include <string>

namespace clamscanner {
namespace {

// Limits of one match, enough for any reasonable expression on a path.
constexpr std::uint32_t most_steps = 100'000;
constexpr std::uint32_t most_heap_kib = 1024;
constexpr std::size_t longest_expression = 4096;

const PCRE2_UCHAR8* bytes_of(std::string_view text) {
    return reinterpret_cast<const PCRE2_UCHAR8*>(text.data());
}

std::string error_text(int error) {
    PCRE2_UCHAR8 text[256];
    const int length = ::pcre2_get_error_message_8(error, text, sizeof text);
    return length > 0 ? std::string(reinterpret_cast<const char*>(text)) : "unknown error";
}

}  // namespace

void Pattern::Free::operator()(pcre2_real_code_8* code) const noexcept {
    ::pcre2_code_free_8(code);
}
void Pattern::Free::operator()(pcre2_real_match_context_8* context) const noexcept {
    ::pcre2_match_context_free_8(context);
}
void Pattern::Free::operator()(pcre2_real_match_data_8* found) const noexcept {
    ::pcre2_match_data_free_8(found);
}

Pattern::Pattern(std::string_view expression) {
    if (expression.size() > longest_expression) throw std::invalid_argument("it is too long");
    int error = 0;
    std::size_t at = 0;
    // Matches bytes, because file names are bytes; the expression cannot change that.
    code_.reset(::pcre2_compile_8(bytes_of(expression), expression.size(), PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C,
                                  &error, &at, nullptr));
    if (!code_) throw std::invalid_argument(error_text(error) + " at position " + std::to_string(at));
    limits_.reset(::pcre2_match_context_create_8(nullptr));
    found_.reset(::pcre2_match_data_create_8(1, nullptr));
    if (!limits_ || !found_) throw std::bad_alloc();
    ::pcre2_set_match_limit_8(limits_.get(), most_steps);
    ::pcre2_set_heap_limit_8(limits_.get(), most_heap_kib);
}

bool Pattern::matches(std::string_view text) const {
    const int result = ::pcre2_match_8(code_.get(), bytes_of(text), text.size(), 0, 0, found_.get(), limits_.get());
    if (result >= 0) return true;
    if (result == PCRE2_ERROR_NOMATCH) return false;
    throw std::length_error(error_text(result));
}

}  // namespace clamscanner
