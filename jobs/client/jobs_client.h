// The connection to jobd, kept open between requests that follow soon, and opened again after jobd has restarted. jobd
// learns from the kernel which user asks. Run by agents and by uapi, as the user, and by the administrator's command,
// as jobd's user.
#pragma once

#include <string>

#include "auth/base/socket.h"
#include "jobs/client/jobs.h"

namespace clamscanner {

class JobsClient : public Jobs {
 public:
    explicit JobsClient(std::string socket_path) : socket_path_(std::move(socket_path)) {}

 private:
    [[nodiscard]] std::string exchange(std::string_view question, Effect effect) override;
    [[nodiscard]] bool try_exchange(std::string_view question, Effect effect, std::string& answer, Deadline deadline);

    std::string socket_path_;
    UniqueFd connection_;
    Deadline last_used_;
};

}  // namespace clamscanner
