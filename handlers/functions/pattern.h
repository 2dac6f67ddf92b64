// A client's regular expression, in Perl's syntax, as in UAPI. Untrusted: the cost of one match is limited.
#pragma once

#include <memory>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;

namespace clamscanner {

class Pattern {
 public:
    // Throws std::invalid_argument with what is wrong with the expression.
    explicit Pattern(std::string_view expression);

    // Whether it matches somewhere in `text`, which may be any bytes. Throws std::length_error when finding that out
    // would cost too much.
    [[nodiscard]] bool matches(std::string_view text) const;

 private:
    struct Free {
        void operator()(pcre2_real_code_8* code) const noexcept;
        void operator()(pcre2_real_match_context_8* context) const noexcept;
        void operator()(pcre2_real_match_data_8* found) const noexcept;
    };
    std::unique_ptr<pcre2_real_code_8, Free> code_;
    std::unique_ptr<pcre2_real_match_context_8, Free> limits_;
    std::unique_ptr<pcre2_real_match_data_8, Free> found_;
};

}  // namespace clamscanner
