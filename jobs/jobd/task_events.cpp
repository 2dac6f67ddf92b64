#include "jobs/jobd/task_events.h"

#include <algorithm>

#include "auth/base/audit.h"
#include "auth/base/figures.h"

namespace clamscanner {
namespace {

void add_asker(AuditEvent& event, const HistoryEntry& entry, const AccountFacts& account) {
    event.text("account", account.name).number("uid", account.uid).text("by", name_of(entry.asker.by));
    if (!entry.asker.which.empty()) event.text("which", entry.asker.which);
    if (!entry.asker.from.empty()) event.text("from", entry.asker.from);
    if (entry.what == AskedFor::Scan) event.text("scan_type", row_of(entry.scan_type).name);
    event.number("task", entry.id);
}

void add_steps(AuditEvent& event, const HistoryEntry& entry) {
    for (const auto& [state, files] : entry.steps) event.number(name_of(state), files);
}

std::string label(const char* name, const char* key, const std::string& value) {
    return std::string("clamscanner_") + name + "_total{" + key + "=\"" + value + "\"}";
}

void count_ended(Ledger& ledger, const HistoryEntry& entry, const Task& task) {
    count(std::string("clamscanner_jobs_total{kind=\"") + name_of(entry.what) + "\",result=\"" + name_of(entry.phase) +
          "\"}");
    for (const auto& [state, files] : entry.steps) count(label("disinfected_files", "state", name_of(state)), files);
    if (entry.what != AskedFor::Scan) return;
    count("clamscanner_scanned_files_total", task.scanned_files);
    count("clamscanner_scanned_bytes_total", task.scanned_bytes);
    count("clamscanner_infected_files_total", task.infected_files);
    for (const auto& [reason, files] : ledger.tasks().unscanned_counts(task.id))
        count(label("unscanned_files", "reason", name_of(reason)), files);
}

}  // namespace

void write_asked(Ledger& ledger, TaskId task) {
    const auto entry = ledger.history().of_task(task);
    if (!entry) return;
    AuditEvent event(name_of(entry->what));
    event.text("stage", "asked");
    add_asker(event, *entry, ledger.tasks().with_account(task).account);
    event.write();
}

void write_ended(Ledger& ledger, const AccountTask& task) {
    constexpr std::size_t longest_why = 400;
    const auto entry = ledger.history().of_task(task.task.id);
    if (!entry) return;
    AuditEvent event(name_of(entry->what));
    event.text("stage", "ended").text("result", name_of(entry->phase));
    add_asker(event, *entry, task.account);
    if (entry->what == AskedFor::Scan)
        event.number("files", entry->files)
            .number("infected", entry->infected)
            .number("ignored", entry->ignored)
            .number("unscanned", entry->unscanned);
    add_steps(event, *entry);
    event.number("seconds",
                 static_cast<std::uint64_t>(std::max<std::int64_t>(entry->ended_ms - entry->asked_ms, 0) / 1000));
    if (!entry->why.empty()) event.text("why", entry->why.substr(0, longest_why));
    event.write();
    count_ended(ledger, *entry, task.task);
}

}  // namespace clamscanner
