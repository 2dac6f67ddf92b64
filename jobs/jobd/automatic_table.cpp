#include "jobs/jobd/automatic_table.h"

namespace clamscanner {
namespace {

// In place of a disinfection's number.
constexpr TaskId waits = 0;
constexpr TaskId nothing_to_do = -1;

}  // namespace

void AutomaticTable::intend(TaskId scan) {
    database_.write();
    statement<"INSERT OR IGNORE INTO automatic_quarantine(scan, disinfection) VALUES(?, 0)">().run(scan);
    news_ = true;
}

std::vector<TaskId> AutomaticTable::waiting(TaskId after, std::size_t limit) {
    std::vector<TaskId> scans;
    statement<
        "SELECT scan FROM automatic_quarantine INDEXED BY waiting_quarantines "
        "WHERE disinfection = 0 AND scan > ? ORDER BY scan LIMIT ?">()
        .each(
            [&](Row row) {
                scans.push_back(row.number(0));
                return true;
            },
            after, limit);
    return scans;
}

void AutomaticTable::settle(TaskId scan, std::optional<TaskId> disinfection) {
    database_.write();
    statement<"UPDATE automatic_quarantine SET disinfection = ? WHERE scan = ?">().run(
        disinfection.value_or(nothing_to_do), scan);
}

std::optional<AutomaticTable::Of> AutomaticTable::of_scan(TaskId scan) {
    const auto found = statement<"SELECT disinfection FROM automatic_quarantine WHERE scan = ?">().number(scan);
    if (!found) return std::nullopt;
    return Of{*found == waits, *found > waits ? std::optional(*found) : std::nullopt};
}

bool AutomaticTable::is_automatic(TaskId disinfection) {
    return statement<
               "SELECT 1 FROM automatic_quarantine INDEXED BY automatic_disinfections "
               "WHERE disinfection > 0 AND disinfection = ?">()
        .number(disinfection)
        .has_value();
}

}  // namespace clamscanner
