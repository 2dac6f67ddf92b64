// Finds files in the quarantine of which jobd knows nothing, by the records beside them: the home was moved, renamed,
// copied to another disk or restored from a backup, and jobd's list belongs to the account as it was. Whatever a record
// says is its owner's word: what is adopted can be listed, restored and deleted from the quarantine, as its owner could
// do by hand, and is scanned, counted and found like any other file. Used by the runner, as the account's own user.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "jobs/runner/messages.h"

namespace clamscanner {

class Adoption {
 public:
    struct Callbacks {
        std::function<void(const Adopted&)> adopted;
        std::function<void()> still_waiting;  // called every second or so
    };
    // `home` is the descriptor of `home_path` and must stay open as long as this lives.
    Adoption(int home, std::string home_path, Callbacks callbacks)
        : home_(home), home_path_(std::move(home_path)), callbacks_(std::move(callbacks)) {}

    // `known`: the opaque names that jobd has in its list.
    void adopt(const AdoptQuarantined& order, const std::set<std::string>& known) const;

 private:
    [[nodiscard]] bool holds_mail(const std::string& opaque, const std::string& place, int file,
                                  const AdoptQuarantined& order) const;
    void adopt_one(int quarantine, const std::string& opaque, const AdoptQuarantined& order) const;

    int home_;
    std::string home_path_;
    Callbacks callbacks_;
};

}  // namespace clamscanner
