// The socket that the web server connects to: handed over by whoever started us, or our own.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Listener {
 public:
    // On fd 0 (mod_fcgid, spawn-fcgi), by systemd's name "fcgi", or at the configured path.
    explicit Listener(const Settings& config);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { withdraw(); }

    [[nodiscard]] int get() const noexcept { return socket_.get(); }  // non-blocking
    // Whether the web server starts processes like this one itself, each for one request at a time.
    [[nodiscard]] bool is_on_standard_input() const noexcept { return on_standard_input_; }
    // Whether nobody else accepts from it: who has connected already is ours to serve, even when we are to stop.
    [[nodiscard]] bool is_our_own() const noexcept { return our_own_; }
    // Takes the path of our own socket away, so that nobody connects any more.
    void withdraw() noexcept;

 private:
    UniqueFd socket_;
    std::string path_;  // of our own
    bool our_own_ = false;
    bool on_standard_input_ = false;
};

}  // namespace clamscanner
