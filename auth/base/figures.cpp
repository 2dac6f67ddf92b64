#include "auth/base/figures.h"

#include <sys/stat.h>

#include <utility>

#include "auth/base/log.h"
#include "auth/base/replace_file.h"

namespace clamscanner {
namespace {

constexpr std::chrono::seconds between_writings{10};
constexpr mode_t for_everybody = 0644;

Figures* of_this_process = nullptr;

}  // namespace

Figures::Figures(EventLoop& loop, std::string file, std::function<void(Figures&)> measure)
    : loop_(loop), file_(std::move(file)), measure_(std::move(measure)) {
    of_this_process = this;
    set("clamscanner_start_time_seconds{daemon=\"" + std::string(program_in_log()) + "\"}",
        static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
    tick();
}

void Figures::tick() {
    write();
    next_ = loop_.after(between_writings, [this] { tick(); });
}

void Figures::write() try {
    if (measure_) measure_(*this);
    std::string text;
    for (const auto& [sample, value] : samples_) text += sample + " " + std::to_string(value) + "\n";
    if (text == written_) return;
    replace_file(file_, text, for_everybody, Sync::No);
    ::chmod(file_.c_str(), for_everybody);  // whatever our umask is
    written_ = std::move(text);
    failed_ = false;
} catch (const std::exception& fault) {
    // Nothing depends on them.
    if (!std::exchange(failed_, true)) log_line(Severity::Warning, file_ + " cannot be written: " + fault.what());
}

Figures* figures() noexcept {
    return of_this_process;
}

void count(const std::string& sample, std::uint64_t number) {
    if (of_this_process != nullptr && number > 0) of_this_process->add(sample, number);
}

}  // namespace clamscanner
