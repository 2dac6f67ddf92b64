// One look at one machine, over as many requests as it takes: how its latest scan is; who it is, if that scan is new to
// us; the order to scan, if its part of the open task has not begun; and what it found, page by page, once it has
// ended. The machine is not trusted (machine_answer.h). A step that fails ends the look, and the next one begins anew
// from what is in the database.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "auth/base/event_loop.h"
#include "jobs/fleet/database_thread.h"
#include "jobs/fleet/fleet_database.h"
#include "jobs/fleet/https_client.h"
#include "jobs/fleet/leadership.h"
#include "jobs/fleet/machine_answer.h"
#include "jobs/fleet/machine_keys.h"

namespace clamscanner {

struct FleetContext {
    EventLoop& loop;
    HttpsClient& https;
    DatabaseThread& database;
    Leadership& leadership;
    const MachineKeys& keys;
    std::size_t collecting = 0;  // looks that fetch finds
};

// A machine as the leader has it in memory: what the database has, and what is to be saved.
struct Member {
    FleetMember machine;
    std::string described = {};    // the scan with which it has said who it is
    bool is_part_changed = false;  // machine.part is to be saved
};

// What a statistic says is taken into the part: never back, and from the scan's end on only its finds.
void take_numbers(const MachineStatistic& statistic, OpenPart& part) noexcept;

// Whether a scan is the one that was ordered, or one of the whole machine that was begun since.
[[nodiscard]] bool is_ordered_scan(const MachineStatistic& statistic, const OpenPart& part) noexcept;

class Visit : public std::enable_shared_from_this<Visit> {
 public:
    enum class End : std::uint8_t { Done, Ordered, DatabaseFailed };
    // `end` is called once, when all is over: with a sentence for the administrator if something is wrong. It may
    // release the Visit. `member` must outlive this, or the Visit be released before.
    using OnEnd = std::function<void(End how, const std::string& problem)>;
    Visit(FleetContext& context, Member& member, OnEnd end);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    void begin();

 private:
    using Step = void (Visit::*)(const HttpsAnswer& answer);
    void ask(MachineQuestion question, std::size_t longest_answer, Step next);
    void take(Step next, const HttpsAnswer& answer);
    template <class Work, class Next>
    void store(Work work, Next next);
    void finish(const std::string& problem, End how = End::Done);

    void take_statistic(const HttpsAnswer& answer);
    void take_identity(const HttpsAnswer& answer);
    void take_introduction(const Introduction& introduction);
    void attend_to_part();
    void begin_part();
    void order();
    void send_order();
    void take_order(const HttpsAnswer& answer);
    void collect();
    void ask_page();
    void take_page(const HttpsAnswer& answer);
    void take_stored(const std::optional<Added>& added, bool is_last);
    [[nodiscard]] bool is_full() const noexcept;
    void end_part();

    FleetContext& context_;
    Member& member_;
    OnEnd end_;
    std::optional<MachineKey> key_;
    MachineStatistic statistic_;
    MachineIdentity identity_;
    bool is_collecting_ = false;
    std::uint64_t page_ = 1;
    std::size_t page_size_ = 0;
    HttpsClient::Pending pending_;
};

}  // namespace clamscanner
