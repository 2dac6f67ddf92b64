#include "jobs/administrator/finds.h"

#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <thread>

#include "auth/base/log.h"
#include "jobs/administrator/report.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto between_looks = 500ms;
// An account whose owner's own job runs is tried again.
constexpr auto patience_with_busy = std::chrono::minutes(10);

void each_find(Jobs& jobs, const std::string& signature, const std::function<void(const FindOfAccount&)>& take) {
    AllFinds piece;
    do {
        piece = jobs.ask(AskAllFinds{piece.next, signature});
        for (const auto& find : piece.finds) take(find);
    } while (piece.next != 0);
}

struct Account {
    std::string name;
    std::uint64_t files = 0;
    std::uint64_t task = 0;  // once it is queued
    std::string refusal;     // why it is not
};
using Accounts = std::map<std::uint64_t, Account>;

// Returns the task.
std::uint64_t queue_of(Jobs& jobs, std::uint64_t account, const std::string& signature) {
    FindsQueued queued;
    do {
        queued = jobs.ask(QuarantineFinds{account, signature, queued.task, queued.after});
    } while (queued.after != 0);
    return queued.task;
}

// Those that are busy are tried again for a while.
void queue_all(Jobs& jobs, const std::string& signature, Accounts& accounts) {
    const auto until = std::chrono::steady_clock::now() + patience_with_busy;
    for (;;) {
        for (auto& [id, account] : accounts) {
            if (account.task != 0) continue;
            try {
                account.task = queue_of(jobs, id, signature);
            } catch (const Refusal& refusal) {
                account.refusal = refusal.what();
            }
        }
        const bool all = std::ranges::all_of(accounts, [](const auto& one) { return one.second.task != 0; });
        if (all || std::chrono::steady_clock::now() >= until) return;
        std::this_thread::sleep_for(between_looks);
    }
}

TaskReport end_of(Jobs& jobs, std::uint64_t task) {
    for (;;) {
        auto report = jobs.ask(AskTask{task});
        if (!report.known || report.entry.phase >= TaskPhase::Completed) return report;
        std::this_thread::sleep_for(between_looks);
    }
}

bool is_done(const TaskReport& report) {
    return report.known && report.entry.phase == TaskPhase::Completed &&
           std::ranges::none_of(report.entry.steps,
                                [](const auto& steps) { return steps.state == RecordState::Error; });
}

void say(const std::string& line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
}

}  // namespace

int show_finds(Jobs& jobs, const std::string& signature, bool json) {
    each_find(jobs, signature, [&](const FindOfAccount& find) { say(json ? find_json(find) : find_text(find)); });
    return EX_OK;
}

int quarantine_finds(Jobs& jobs, const std::string& signature, bool really, bool json) {
    Accounts accounts;
    std::uint64_t files = 0;
    each_find(jobs, signature, [&](const FindOfAccount& find) {
        auto& account = accounts[find.account];
        account.name = find.name;
        ++account.files;
        ++files;
        if (!really) say(json ? find_json(find) : find_text(find));
    });
    std::fprintf(
        stderr, "%llu files of %zu accounts%s\n", static_cast<unsigned long long>(files), accounts.size(),
        really ? "" : " would be quarantined, if they are still infected when they are scanned again; --yes does it");
    if (!really) return EX_OK;
    queue_all(jobs, signature, accounts);
    int status = EX_OK;
    for (const auto& [id, account] : accounts) {
        if (account.task == 0) {
            std::fprintf(stderr, "clamscanner-scan: %s: %s\n", printable(account.name).c_str(),
                         account.refusal.c_str());
            status = EX_TEMPFAIL;
            continue;
        }
        const auto report = end_of(jobs, account.task);
        say(json ? task_json(account.name, report) : task_text(account.name, report));
        if (!is_done(report) && status == EX_OK) status = 1;
    }
    return status;
}

}  // namespace clamscanner
