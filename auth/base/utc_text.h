// A moment as people read it, in UTC.
#pragma once

#include <time.h>

#include <cstdint>
#include <string>

namespace clamscanner {

// Of seconds since the epoch; the format is strftime's, and what it makes at most 63 bytes long.
[[nodiscard]] inline std::string utc_text(std::int64_t seconds, const char* format) {
    const time_t time = seconds;
    tm parts{};
    char text[64];
    return ::gmtime_r(&time, &parts) == nullptr ? "?"
                                                : std::string(text, ::strftime(text, sizeof text, format, &parts));
}

}  // namespace clamscanner
