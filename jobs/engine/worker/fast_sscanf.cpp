// An sscanf() for libclamav that reads a number without libc. Only in the engine.
//
// Why: libclamav keeps the expression of a logical signature ("0&1&(2|3)>1") as text. For each layer of each file that
// it scans, cli_ac_chklsig() in its matcher-ac.c parses the expression of every logical signature again, with one
// sscanf(text, "%u", …) for each number: tens of thousands of calls a file. glibc's sscanf() first makes a stream of
// the text and for that searches its end, so each call is slower the longer the rest of the expression is. With 50,000
// logical signatures that was a quarter of a whole scan's time (perf; libclamav 1.4, glibc 2.36).
//
// How: the dynamic linker binds the library's sscanf() to the program's own, if it has one. This one answers "%u" and
// leaves everything else to libc.
//
// What libclamav should change: parse each expression once, in load_oneldb(), which calls the same function to check
// it, and evaluate what came of that; or read the number with strtoul(), which stops where the number does. When it no
// longer calls sscanf() in a scan, unit.library_sscanf fails: then this file may be deleted.
#include <cstdarg>

// <cstdio> may bind these names to the symbols of a newer C standard; the library uses the plain ones.
extern "C" {
__attribute__((visibility("default"))) int clamscanner_sscanf(const char* text, const char* format, ...) noexcept
    __asm__("sscanf");
int libcs_vsscanf(const char* text, const char* format, va_list arguments) noexcept __asm__("vsscanf");
}

int clamscanner_sscanf(const char* text, const char* format, ...) noexcept {
    // Few enough that they cannot overflow. Text with leading white space or a sign does not begin with a digit.
    constexpr int most_digits = 9;
    va_list arguments;
    va_start(arguments, format);
    if (format[0] == '%' && format[1] == 'u' && format[2] == '\0') {
        unsigned number = 0;
        int digits = 0;
        for (; digits <= most_digits && text[digits] >= '0' && text[digits] <= '9'; ++digits)
            number = number * 10 + static_cast<unsigned>(text[digits] - '0');
        if (digits > 0 && digits <= most_digits) {
            *va_arg(arguments, unsigned*) = number;
            va_end(arguments);
            return 1;
        }
    }
    const int read = libcs_vsscanf(text, format, arguments);
    va_end(arguments);
    return read;
}
