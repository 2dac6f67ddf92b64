// The access keys with which the machines are asked: a file for each, named after the machine, in a directory that only
// clamscanner-fleetd's user may read. So no secret is in the database, in an argument or in a log.
#pragma once

#include <optional>
#include <string>

#include "jobs/fleet/signed_request.h"

namespace clamscanner {

// Letters, digits, '-', '_' and '.', which is not the first; at most longest_machine_name.
[[nodiscard]] bool is_machine_name(const std::string& name) noexcept;

class MachineKeys {
 public:
    explicit MachineKeys(std::string directory) : directory_(std::move(directory)) {}
    // Empty when there is none of that name. Throws ConfigError when others may read or write it, and when it is not
    // two lines; std::system_error.
    [[nodiscard]] std::optional<MachineKey> find(const std::string& machine) const;
    void store(const std::string& machine, const MachineKey& key) const;
    void remove(const std::string& machine) const;

 private:
    [[nodiscard]] std::string file_of(const std::string& machine) const;
    std::string directory_;
};

// From two lines, the id and the secret; "AccessKeyId: " and "AccessKeySecret: " before them may stay. Throws
// ConfigError.
[[nodiscard]] MachineKey read_machine_key(const std::string& text);

}  // namespace clamscanner
