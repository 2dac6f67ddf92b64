#include "jobs/fleet/leader.h"

#include <random>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

using namespace std::chrono_literals;

constexpr auto between_ticks = 1s;
constexpr auto soon = 1s;
// A look takes its machine little and us a millisecond: so many at a time do not crowd anybody.
constexpr auto spread_of_each = 2ms;
constexpr auto seen_is_saved_each = 30s;
constexpr std::uint64_t ticks_between_forgetting = 600;

}  // namespace

Leader::Leader(EventLoop& loop, const Settings& config, DatabaseThread& database)
    : loop_(loop),
      config_(config),
      https_(loop, config.fleet.ca_file),
      leadership_(database),
      keys_(config.fleet.keys_directory),
      context_{loop, https_, database, leadership_, keys_},
      database_(database) {}

// ---- Once a second -------------------------------------------------------------------------------------------------

void Leader::tick() {
    if (std::exchange(is_lost_, false)) forget_all();
    auto work = [this, known = changes_, leads = leads_, parts = take_changed_parts(),
                 notes = take_notes()](Postgres& postgres) {
        Ticked ticked;
        ticked.state = leadership_.take(postgres);
        if (ticked.state == Leadership::State::Other) return ticked;
        const bool is_mine = ticked.state == Leadership::State::Mine && leads;
        save(postgres, is_mine ? parts : std::vector<OpenPart>(), is_mine ? notes : std::vector<MachineNote>());
        if (!is_mine || changes_of(postgres) != known) ticked.fresh = load_members(postgres);
        return ticked;
    };
    database_.ask(std::move(work), [this](std::optional<Ticked> ticked) { take_ticked(std::move(ticked)); });
}

void Leader::take_ticked(std::optional<Ticked> ticked) {
    next_tick_ = loop_.after(between_ticks, [this] { tick(); });
    const bool may_lead = ticked && ticked->state != Leadership::State::Other;
    if (!may_lead || ticked->state == Leadership::State::New) forget_all();
    if (std::exchange(is_leading_said_, may_lead) != may_lead)
        log_line(Severity::Info, may_lead ? "from now on this clamscanner-fleetd asks the machines"
                                          : "this clamscanner-fleetd asks the machines no more");
    if (!may_lead) return;
    leads_ = true;
    if (ticked->fresh) take_members(*std::move(ticked->fresh));
    if (++ticks_ % ticks_between_forgetting != 0) return;
    if (config_.history_days == 0) return;
    database_.ask(
        [this, days = config_.history_days](Postgres& postgres) {
            leadership_.require();
            return forget_old_tasks(postgres, days);
        },
        [](std::optional<bool>) {});
}

std::vector<OpenPart> Leader::take_changed_parts() {
    std::vector<OpenPart> parts;
    for (auto& [id, seat] : seats_) {
        auto& member = seat->member;
        if (!std::exchange(member.is_part_changed, false) || !member.machine.part) continue;
        parts.push_back(*member.machine.part);
        if (member.machine.part->is_done()) member.machine.part.reset();
    }
    return parts;
}

std::vector<MachineNote> Leader::take_notes() {
    std::vector<MachineNote> notes;
    for (auto& [id, seat] : seats_)
        if (!std::exchange(seat->is_noted, true)) notes.push_back({id, seat->problem});
    return notes;
}

// Whoever leads next begins with what is in the database.
void Leader::forget_all() {
    leads_ = false;
    changes_ = -1;
    seats_.clear();
}

// ---- The machines --------------------------------------------------------------------------------------------------

void Leader::take_members(FleetMembers fresh) {
    changes_ = fresh.changes;
    std::map<int, std::unique_ptr<Seat>> seats;
    const auto spread = std::min<std::chrono::milliseconds>(spread_of_each * fresh.members.size(),
                                                            std::chrono::seconds(config_.fleet.look_seconds));
    for (auto& machine : fresh.members) {
        auto known = seats_.extract(machine.id);
        const bool is_same = !known.empty() && known.mapped()->member.machine.name == machine.name &&
                             known.mapped()->member.machine.url == machine.url;
        if (!is_same) {
            auto seat = std::make_unique<Seat>();
            seat->member.machine = std::move(machine);
            look_later(*seat, within(spread));
            seats.emplace(seat->member.machine.id, std::move(seat));
            continue;
        }
        auto& seat = *known.mapped();
        auto& part = seat.member.machine.part;
        const bool is_other_part =
            part.has_value() != machine.part.has_value() || (part && machine.part && part->id != machine.part->id);
        // Whether there is one, the database says; of one that both know, the one in memory is newer.
        if (is_other_part) {
            part = std::move(machine.part);
            seat.member.is_part_changed = false;
            seat.visit.reset();
            look_later(seat, within(spread));
        }
        seats.insert(std::move(known));
    }
    seats_ = std::move(seats);  // those that are gone end with their looks
}

void Leader::look_later(Seat& seat, std::chrono::milliseconds delay) {
    seat.next = loop_.after(delay, [this, &seat] { look(seat); });
}

void Leader::look(Seat& seat) {
    seat.visit = std::make_shared<Visit>(
        context_, seat.member,
        [this, &seat](Visit::End how, const std::string& problem) { end_look(seat, how, problem); });
    const auto alive = seat.visit;
    alive->begin();
}

void Leader::end_look(Seat& seat, Visit::End how, const std::string& problem) {
    if (how == Visit::End::DatabaseFailed) {
        is_lost_ = true;
    } else {
        note(seat, problem);
    }
    look_later(seat, how == Visit::End::Ordered ? std::chrono::milliseconds(soon) : pause_of(seat));
    seat.visit.reset();
}

void Leader::note(Seat& seat, const std::string& problem) {
    const bool is_new = problem != seat.problem;
    if (is_new && problem.empty())
        log_line(Severity::Info, "machine " + seat.member.machine.name + ": all is well again");
    else if (is_new)
        log_line(Severity::Warning, "machine " + seat.member.machine.name + ": " + printable(problem));
    seat.problem = problem;
    const auto now = loop_.now();
    if (!is_new && (!problem.empty() || now - seat.seen_saved < seen_is_saved_each)) return;
    seat.is_noted = false;
    seat.seen_saved = now;
}

std::chrono::milliseconds Leader::pause_of(const Seat& seat) const {
    const auto& part = seat.member.machine.part;
    const bool is_open = part && !part->is_done();
    return std::chrono::seconds(is_open ? config_.fleet.task_look_seconds : config_.fleet.look_seconds);
}

std::chrono::milliseconds Leader::within(std::chrono::milliseconds span) {
    static thread_local std::minstd_rand random(std::random_device{}());
    return std::chrono::milliseconds(
        std::uniform_int_distribution<long long>(0, std::max<long long>(span.count(), 1))(random));
}

}  // namespace clamscanner
