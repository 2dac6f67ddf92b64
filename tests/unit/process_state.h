// What the kernel says of a process: whether it computes, waits or has gone (proc(5), /proc/PID/stat). Tests wait for
// that instead of for a time, which is never long enough on a busy machine.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace clamscanner {

struct ProcessState {
    char state = 0;  // 'R': it computes or would, 'S': it waits, 'T': it is stopped; 0: there is no such process
    std::uint64_t ticks = 0;  // processor time in user mode, in clock ticks: hundredths of a second
};

inline ProcessState state_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');
    ProcessState found;
    if (name_end == std::string::npos) return found;
    std::istringstream fields(line.substr(name_end + 1));
    std::string skipped;
    fields >> found.state;
    constexpr int between = 10;
    for (int i = 0; i < between; ++i) fields >> skipped;
    fields >> found.ticks;
    return found;
}

// Looks until the condition holds; fails the test when that takes longer than a minute.
template <class Condition>
void wait_for(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
        BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until, "what the test waits for did not come");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

// Until it is stopped, or has gone: it may still take a packet between the signal and that.
inline void stop_process(pid_t pid) {
    ::kill(pid, SIGSTOP);
    wait_for([&] {
        const char state = state_of(pid).state;
        return state == 'T' || state == 'Z' || state == 0;
    });
}

// Until none of them has anything to do: at ten looks in a row, a tenth of a second apart, all wait or are stopped.
template <class Processes>
requires std::invocable<Processes>
void wait_until_idle(Processes processes) {
    constexpr int looks = 10;
    const auto waits = [](pid_t pid) {
        const char state = state_of(pid).state;
        return state == 'S' || state == 'T';
    };
    int idle = 0;
    wait_for([&] {
        const auto all = processes();
        idle = std::all_of(all.begin(), all.end(), waits) ? idle + 1 : 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return idle == looks;
    });
}

inline void wait_until_idle(const std::vector<pid_t>& processes) {
    wait_until_idle([&] { return processes; });
}

}  // namespace clamscanner
