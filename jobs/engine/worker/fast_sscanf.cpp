// libclamav evaluates every logical signature anew for each file and for whatever is in that, and reads the numbers in
// their expressions with sscanf(text, "%u", …): tens of thousands of calls a file. With 50,000 logical signatures
// libc's sscanf() was a quarter of a whole scan's time (perf; libclamav 1.4, glibc 2.36). The dynamic linker binds the
// library's sscanf() to the program's own, if it has one: to this, which answers that one case by itself and leaves all
// others to libc. In the engine alone.
#include <cstdarg>

// <cstdio> may give these names other symbols, of a newer C standard's functions; the library asks for the plain one.
extern "C" {
__attribute__((visibility("default"))) int clamscanner_sscanf(const char* text, const char* format, ...) noexcept
    __asm__("sscanf");
int libcs_vsscanf(const char* text, const char* format, va_list arguments) noexcept __asm__("vsscanf");
}

int clamscanner_sscanf(const char* text, const char* format, ...) noexcept {
    // So many that they cannot overflow; what comes with white space or a sign begins with no digit.
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
