// One question to a machine: a request of the statistics interface, signed by version 3 with the machine's access key.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "auth/base/secret.h"

namespace clamscanner {

struct MachineKey {
    std::string id;
    Secret secret;
};

struct MachineQuestion {
    std::string action;
    std::map<std::string, std::string> parameters = {};  // of letters, digits and -_.~ alone
};

struct SignedRequest {
    std::string url;  // with the parameters
    std::vector<std::string> headers;
};

// `url`: "https://HOST" or "https://HOST:PORT". `time`: seconds since the epoch; `nonce`: never used before with this
// key. Throws std::logic_error when a parameter has another character.
[[nodiscard]] SignedRequest signed_request(const std::string& url, const MachineKey& key,
                                           const MachineQuestion& question, std::int64_t time,
                                           const std::string& nonce);

// The text that is signed, for tests: what the machine must put together from the request.
[[nodiscard]] std::string canonical_request(const std::string& host, const MachineQuestion& question, std::int64_t time,
                                            const std::string& nonce);

}  // namespace clamscanner
