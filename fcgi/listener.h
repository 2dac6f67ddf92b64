// The socket that the web server connects to: handed over by whoever started us, or our own.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

class Listener {
 public:
    // On fd 0 (mod_fcgid, spawn-fcgi), by systemd's name "fcgi", or at the configured path. Throws ConfigError when
    // systemd's has another group than responder.socket_group.
    explicit Listener(const Settings& config);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { withdraw(); }

    [[nodiscard]] int get() const noexcept { return socket_.get(); }  // non-blocking
    // Whether the web server itself starts the responders, each for one request at a time.
    [[nodiscard]] bool is_on_standard_input() const noexcept { return on_standard_input_; }
    // Whether nobody else accepts from it: then connections that already wait must be served even while stopping.
    [[nodiscard]] bool is_our_own() const noexcept { return our_own_; }
    // Removes the path of our own socket, so that nobody can connect any more.
    void withdraw() noexcept;

 private:
    UniqueFd socket_;
    std::string path_;  // of our own
    bool our_own_ = false;
    bool on_standard_input_ = false;
};

}  // namespace clamscanner
