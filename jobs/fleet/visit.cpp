#include "jobs/fleet/visit.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/random.h"
#include "auth/base/wire.h"

namespace clamscanner {
namespace {

constexpr long ok = 200;
constexpr std::size_t usual_page = 100;
constexpr std::size_t small_page = 10;  // where the paths are so long that a usual one is too large
constexpr std::size_t most_collecting = 16;
// Beyond that a machine's finds are to be looked at there: one that was taken over could fill the centre's disk.
constexpr std::uint64_t most_findings = 100'000;
constexpr std::uint64_t most_finding_bytes = 64 * 1024 * 1024;
// The machine's clock and ours may differ by that; it refuses our requests if they differ by more.
constexpr std::int64_t most_clock_difference_ms = 15 * 60 * 1000;

struct Advice {
    std::string_view code;
    const char* sentence;
};

constexpr Advice advice[] = {
    {"InvalidAccessKeyId.NotFound", "it does not know our access key: give it another, with add-machine"},
    {"InvalidAccessKeyId.Inactive", "our access key is disabled there"},
    {"SignatureDoesNotMatch", "our access key has another secret there, or a proxy changes our requests"},
    {"NoPermission", "our access key belongs to no host user there (jobs.host_users)"},
    {"Throttling.User", "it wants to be asked less often"},
    {"InvalidAction.NotFound", "its statistics server is not at this address"},
};

std::string clock_sentence(const HttpsAnswer& answer) {
    const auto theirs = answer.their_time.value_or(0);
    const auto difference = theirs - std::int64_t{std::time(nullptr)};
    if (!answer.their_time) return "its clock and ours differ by more than 15 minutes";
    return "its clock is " + std::to_string(difference < 0 ? -difference : difference) + " s " +
           (difference < 0 ? "behind ours" : "ahead of ours") + ": it refuses our requests until both are right";
}

// Why an answer is none that we can use.
std::string problem_of(const HttpsAnswer& answer) {
    if (!answer.fault.empty()) return answer.fault;
    const auto code = read_refusal_code(answer.body);
    if (code == "InvalidTimeStamp.Expired") return clock_sentence(answer);
    const auto* const row = std::ranges::find(advice, code, &Advice::code);
    if (row != std::end(advice)) return row->sentence;
    return "it answers with status " + std::to_string(answer.status) + (code.empty() ? "" : ", " + code);
}

}  // namespace

void take_numbers(const MachineStatistic& statistic, OpenPart& part) noexcept {
    if (part.status == 100) return;
    part.status = std::max(part.status, statistic.status);
    part.percent = std::max(part.percent, statistic.percent);
    part.infected = std::max(part.infected, statistic.infected);
    part.risk = std::max(part.risk, statistic.risk);
    part.completed = statistic.completed;
    part.safe = statistic.safe && part.infected == 0;
    if (part.status == 100 && part.infected == 0) part.collected = true;
}

bool is_ordered_scan(const MachineStatistic& statistic, const OpenPart& part) noexcept {
    return statistic.ever && part.before && statistic.task != *part.before && is_of_whole_machine(statistic.task) &&
           statistic.begun_ms >= part.created_ms - most_clock_difference_ms;
}

Visit::Visit(FleetContext& context, Member& member, OnEnd end)
    : context_(context), member_(member), end_(std::move(end)) {}

Visit::~Visit() {
    if (is_collecting_) --context_.collecting;
}

void Visit::begin() try {
    key_ = context_.keys.find(member_.machine.name);
    if (!key_) return finish("its access key is not on this host: clamscanner-fleet add-machine");
    ask({"GetVirusScanLatestTaskStatistic"}, longest_machine_answer, &Visit::take_statistic);
} catch (const std::exception& fault) {
    finish(fault.what());
}

void Visit::ask(MachineQuestion question, std::size_t longest_answer, Step next) {
    const auto request = signed_request(member_.machine.url, *key_, question, std::time(nullptr), random_hex(16));
    pending_ = context_.https.post({request.url, request.headers, longest_answer},
                                   [this, next](const HttpsAnswer& answer) { take(next, answer); });
}

void Visit::take(Step next, const HttpsAnswer& answer) {
    const auto alive = shared_from_this();
    try {
        (this->*next)(answer);
    } catch (const Malformed& wrong) {
        finish(std::string("its answer is wrong: ") + wrong.what());
    } catch (const std::exception& fault) {
        finish(fault.what());
    }
}

// In the database's thread, if this process still leads; then `next` here, if the look is still wanted.
template <class Work, class Next>
void Visit::store(Work work, Next next) {
    const auto& leadership = context_.leadership;
    context_.database.ask(
        [&leadership, work](Postgres& postgres) {
            leadership.require();
            return work(postgres);
        },
        [weak = weak_from_this(), next](auto result) {
            const auto visit = weak.lock();
            if (!visit) return;
            if (!result) return visit->finish("", End::DatabaseFailed);
            try {
                next(*visit, *result);
            } catch (const std::exception& fault) {
                visit->finish(fault.what());
            }
        });
}

void Visit::finish(const std::string& problem, End how) {
    const auto end = std::move(end_);
    end_ = {};
    if (end) end(how, problem);
}

// ---- How its latest scan is, and who it is -------------------------------------------------------------------------

void Visit::take_statistic(const HttpsAnswer& answer) {
    if (!answer.fault.empty() || answer.status != ok) return finish(problem_of(answer));
    statistic_ = read_machine_statistic(answer.body);
    if (!statistic_.ever || statistic_.task == member_.described) return attend_to_part();
    ask({"ListVirusScanTask", {{"TaskId", statistic_.task}, {"PageSize", "1"}}}, longest_machine_answer,
        &Visit::take_identity);
}

void Visit::take_identity(const HttpsAnswer& answer) {
    if (!answer.fault.empty() || answer.status != ok) return finish(problem_of(answer));
    identity_ = read_machine_identity(answer.body, statistic_.task);
    store([machine = member_.machine.id,
           identity = identity_](Postgres& postgres) { return introduce(postgres, machine, identity); },
          [](Visit& self, const Introduction& introduction) { self.take_introduction(introduction); });
}

void Visit::take_introduction(const Introduction& introduction) {
    if (introduction.how == Introduced::AsAnother)
        return finish("it says that it is the same installation as " + printable(introduction.other));
    if (introduction.how == Introduced::TooSoon)
        return finish("it says that it was installed anew again: that is believed once in " +
                      std::to_string(believed_each.count()) + " minutes; do several hosts answer at its address?");
    auto& machine = member_.machine;
    if (introduction.how == Introduced::Reinstalled) {
        log_line(Severity::Warning, "machine " + machine.name + " was installed anew");
        if (machine.part && !machine.part->remote_task.empty()) machine.part.reset();
    }
    machine.installation = identity_.installation;
    member_.described = statistic_.task;
    attend_to_part();
}

// ---- Its part of the open task -------------------------------------------------------------------------------------

void Visit::attend_to_part() {
    auto& part = member_.machine.part;
    if (!part) return finish("");
    if (is_ordered_scan(statistic_, *part) && statistic_.task != part->remote_task) return begin_part();
    if (part->remote_task.empty()) return order();
    if (statistic_.task != part->remote_task) return finish("it does not know the scan any more that it had begun");
    const auto was = *part;
    take_numbers(statistic_, *part);
    member_.is_part_changed |= *part != was;
    collect();
}

void Visit::begin_part() {
    store([part = member_.machine.part->id, installation = member_.machine.installation, task = statistic_.task](
              Postgres& postgres) { return clamscanner::begin_part(postgres, part, installation, task); },
          [](Visit& self, Begun begun) {
              auto& part = self.member_.machine.part;
              if (begun != Begun::Yes) part.reset();
              if (!part) return self.finish(begun == Begun::TooOften ? "it begins scan after scan" : "");
              OpenPart fresh{part->id, part->created_ms, part->before, self.statistic_.task};
              part = std::move(fresh);
              self.attend_to_part();
          });
}

void Visit::order() {
    auto& part = *member_.machine.part;
    // Its own scan of all accounts runs: it would refuse another.
    if (statistic_.ever && is_of_whole_machine(statistic_.task) && statistic_.status < 100) return finish("");
    if (part.before) return send_order();
    part.before = statistic_.task;
    store([part = part.id, before = statistic_.task](Postgres& postgres) { return set_before(postgres, part, before); },
          [](Visit& self, bool is_open) { is_open ? self.send_order() : self.finish(""); });
}

void Visit::send_order() {
    ask({"CreateVirusScanOnceTask", {{"ScanType", "system"}}}, longest_machine_answer, &Visit::take_order);
}

void Visit::take_order(const HttpsAnswer& answer) {
    if (answer.fault.empty() && answer.status == ok) return finish("", End::Ordered);
    const auto why = problem_of(answer);
    // Whether it arrived is not known: the next look tells.
    if (!answer.fault.empty() || !member_.machine.part) return finish(why);
    store([part = member_.machine.part->id, why](Postgres& postgres) { return set_remark(postgres, part, why); },
          [why](Visit& self, bool) { self.finish("it did not begin the scan: " + why); });
}

// ---- What it found -------------------------------------------------------------------------------------------------

void Visit::collect() {
    const auto& part = *member_.machine.part;
    if (part.status != 100 || part.collected || context_.collecting >= most_collecting) return finish("");
    is_collecting_ = true;
    ++context_.collecting;
    page_size_ = usual_page;
    ask_page();
}

void Visit::ask_page() {
    ask({"ListVirusScanMachineEvent",
         {{"CurrentPage", std::to_string(page_)}, {"PageSize", std::to_string(page_size_)}}},
        longest_page_of_finds, &Visit::take_page);
}

void Visit::take_page(const HttpsAnswer& answer) {
    if (answer.too_long && page_size_ == usual_page) {
        page_size_ = small_page;
        page_ = 1;
        return ask_page();
    }
    if (!answer.fault.empty() || answer.status != ok) return finish(problem_of(answer));
    if (!member_.machine.part) return finish("");
    auto found = read_machine_findings(answer.body, page_size_);
    const bool is_last = found.findings.empty() || page_ * page_size_ >= std::min(found.total, most_findings);
    if (found.findings.empty()) return take_stored(Added{}, true);
    store([part = member_.machine.part->id,
           findings = std::move(found.findings)](Postgres& postgres) { return add_findings(postgres, part, findings); },
          [is_last](Visit& self, const std::optional<Added>& added) { self.take_stored(added, is_last); });
}

bool Visit::is_full() const noexcept {
    const auto& part = *member_.machine.part;
    return part.findings >= most_findings || part.finding_bytes >= most_finding_bytes;
}

void Visit::take_stored(const std::optional<Added>& added, bool is_last) {
    auto& part = member_.machine.part;
    if (!added || !part) return finish("");
    part->findings += added->findings;
    part->finding_bytes += added->bytes;
    ++page_;
    if (!is_last && !is_full()) return ask_page();
    if (part->findings >= part->infected) return end_part();
    const auto remark = "it counts " + std::to_string(part->infected) + " infected files, of which " +
                        std::to_string(part->findings) + " are here: the rest is to be looked at there";
    store([part = part->id, remark](Postgres& postgres) { return set_remark(postgres, part, remark); },
          [](Visit& self, bool) { self.end_part(); });
}

void Visit::end_part() {
    if (auto& part = member_.machine.part) {
        part->collected = true;
        member_.is_part_changed = true;
    }
    finish("");
}

}  // namespace clamscanner
