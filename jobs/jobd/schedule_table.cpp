#include "jobs/jobd/schedule_table.h"

namespace clamscanner {
namespace {

#define COLUMNS "account, scan_type, day, hour, spread, done_day, done_running_ms, due_ms"

AccountSchedule read_schedule(const Row& row) {
    AccountSchedule known;
    known.schedule.on = true;
    Cursor(row).into(known.account, known.schedule.scan_type, known.schedule.day, known.schedule.hour, known.spread,
                     known.done.day, known.done.running_ms, known.due_ms);
    return known;
}

}  // namespace

std::optional<AccountSchedule> ScheduleTable::of(AccountId account) {
    return statement<"SELECT " COLUMNS " FROM schedule WHERE account = ?">().first(read_schedule, account);
}

void ScheduleTable::set(const AccountSchedule& schedule) {
    database_.write();
    statement<"INSERT OR REPLACE INTO schedule(" COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?)">().run(
        schedule.account, schedule.schedule.scan_type, schedule.schedule.day, schedule.schedule.hour, schedule.spread,
        schedule.done.day, schedule.done.running_ms, schedule.due_ms);
}

void ScheduleTable::remove(AccountId account) {
    database_.write();
    statement<"DELETE FROM schedule WHERE account = ?">().run(account);
}

void ScheduleTable::set_due(AccountId account, std::int64_t due_ms) {
    database_.write();
    statement<"UPDATE schedule SET due_ms = ? WHERE account = ?">().run(due_ms, account);
}

void ScheduleTable::mark_done(AccountId account, const SlotDone& done, std::int64_t due_ms) {
    database_.write();
    statement<"UPDATE schedule SET done_day = ?, done_running_ms = ?, due_ms = ? WHERE account = ?">().run(
        done.day, done.running_ms, due_ms, account);
}

std::vector<AccountSchedule> ScheduleTable::due(std::int64_t now_ms, std::size_t limit) {
    std::vector<AccountSchedule> all;
    statement<"SELECT " COLUMNS " FROM schedule INDEXED BY due_schedules WHERE due_ms <= ? ORDER BY due_ms LIMIT ?">()
        .each(
            [&](Row row) {
                all.push_back(read_schedule(row));
                return true;
            },
            now_ms, limit);
    return all;
}

std::vector<AccountSchedule> ScheduleTable::behind(AccountId after, std::size_t limit) {
    std::vector<AccountSchedule> all;
    statement<"SELECT " COLUMNS " FROM schedule WHERE account > ? ORDER BY account LIMIT ?">().each(
        [&](Row row) {
            all.push_back(read_schedule(row));
            return true;
        },
        after, limit);
    return all;
}

void ScheduleTable::mark_scan(TaskId task) {
    database_.write();
    statement<"INSERT INTO scheduled_scan(task) VALUES(?)">().run(task);
}

}  // namespace clamscanner
