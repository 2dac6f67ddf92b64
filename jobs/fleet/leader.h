// Looks at every machine of the fleet, each in its own time, and saves once a second what that brought. Of several
// clamscanner-fleetd one leads at a time; when the connection to the database is lost, all that is in memory is
// forgotten, and begins anew from the database.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "auth/base/event_loop.h"
#include "jobs/fleet/visit.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Leader {
 public:
    Leader(EventLoop& loop, const Settings& config, DatabaseThread& database);
    void begin() { tick(); }

    [[nodiscard]] bool leads() const noexcept { return leads_; }
    [[nodiscard]] std::size_t machines() const noexcept { return seats_.size(); }

 private:
    struct Seat {
        Member member;
        std::string problem;   // the last
        bool is_noted = true;  // `problem` is saved
        Deadline seen_saved = {};
        std::shared_ptr<Visit> visit;  // under way
        EventLoop::Timer next;
    };
    struct Ticked {
        Leadership::State state = Leadership::State::Other;
        std::optional<FleetMembers> fresh;
    };

    void tick();
    [[nodiscard]] std::vector<OpenPart> take_changed_parts();
    [[nodiscard]] std::vector<MachineNote> take_notes();
    void take_ticked(std::optional<Ticked> ticked);
    void forget_all();
    void take_members(FleetMembers fresh);
    void look_later(Seat& seat, std::chrono::milliseconds delay);
    void look(Seat& seat);
    void end_look(Seat& seat, Visit::End how, const std::string& problem);
    void note(Seat& seat, const std::string& problem);
    [[nodiscard]] std::chrono::milliseconds pause_of(const Seat& seat) const;
    [[nodiscard]] std::chrono::milliseconds within(std::chrono::milliseconds span);

    EventLoop& loop_;
    const Settings& config_;
    HttpsClient https_;
    Leadership leadership_;
    MachineKeys keys_;
    FleetContext context_;
    DatabaseThread& database_;
    bool leads_ = false;
    bool is_leading_said_ = false;
    bool is_lost_ = false;  // the database failed in the middle
    std::int64_t changes_ = -1;
    std::uint64_t ticks_ = 0;
    std::map<int, std::unique_ptr<Seat>> seats_;
    EventLoop::Timer next_tick_;
};

}  // namespace clamscanner
