#include "jobs/jobd/log_copy.h"

namespace clamscanner {
namespace {

constexpr std::size_t lines_at_once = 64;

}  // namespace

void LogCopy::begin(PacketQueue& runner) {
    runner.add(CopyBegin{log_});
    begun_ = true;
    sent_ = 0;
}

void LogCopy::feed(PacketQueue& runner) {
    if (!begun_ || !runner.empty() || asking_ == Asking::Asked) return;
    auto lines = source_(sent_, lines_at_once);
    for (auto& line : lines) {
        sent_ = line.id;
        runner.add(CopyLine{std::move(line)});
    }
    if (lines.size() < lines_at_once && asking_ == Asking::Wanted) {
        runner.add(CopyEnd{});
        asking_ = Asking::Asked;
    }
}

}  // namespace clamscanner
