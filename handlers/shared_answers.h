// Requests of one account that wait at the same moment share what jobd says: a panel open in many windows asks for the
// same status many times at once. Nobody gets an answer that is older than their request.
#pragma once

#include <optional>

#include "handlers/jobs.h"

namespace clamscanner {

class SharedAnswers : public Jobs {
 public:
    explicit SharedAnswers(Jobs& jobs) : jobs_(jobs) {}

    // To be called when a request has come in: answers from before it are of no use to it.
    void forget() { status_.reset(); }

    void start_scan(ScanType type) override {
        forget();
        jobs_.start_scan(type);
    }
    ScanStatus scan_status() override {
        if (!status_) status_ = jobs_.scan_status();
        return *status_;
    }
    InfectedFiles infected_files() override { return jobs_.infected_files(); }
    DisinfectionQueued disinfect(std::vector<FileAction> actions) override {
        forget();
        return jobs_.disinfect(std::move(actions));
    }
    DisinfectionStatus disinfection(std::uint64_t last_id) override { return jobs_.disinfection(last_id); }

 private:
    Jobs& jobs_;
    std::optional<ScanStatus> status_;
};

}  // namespace clamscanner
