// Defaults for sanitizer builds. Our programs get a fixed environment, so options cannot come from there. Leak checking
// would attach to the process, which a non-dumpable process forbids.
#ifdef CLAMSCANNER_SANITIZED
extern "C" const char* __asan_default_options();
extern "C" const char* __ubsan_default_options();
extern "C" const char* __asan_default_options() {
    return "detect_leaks=0:abort_on_error=1:handle_abort=0";
}
extern "C" const char* __ubsan_default_options() {
    return "print_stacktrace=1:halt_on_error=1";
}
#endif
