// The keys with which programs sign their requests instead of sending a password: /etc/clamscanner/access_keys, which
// root alone may read. A line for each:
//
//     KEY-ID SECRET USER active|disabled GENERATION
//
// A key is good for the account it was made for, not for a later one of the same name (account_generation.h). One from
// before there were generations has none, and is good for nobody. The command clamscanner-keys writes it; authd reads
// it again whenever it has changed. Secrets stay with these two.
#pragma once

#include <string>
#include <vector>

#include "auth/base/replace_file.h"
#include "auth/base/secret.h"

namespace clamscanner {

struct AccessKey {
    std::string id;
    Secret secret;
    std::string user;  // the system user it acts as
    bool active = true;
    std::string generation = {};  // of the account it was made for
};

// None when there is no such file. Throws ConfigError, naming file and line; std::system_error.
[[nodiscard]] std::vector<AccessKey> read_access_keys(const std::string& file);
void write_access_keys(const std::string& file, const std::vector<AccessKey>& keys);

class AccessKeys {
 public:
    explicit AccessKeys(std::string file) : file_(std::move(file)) {}

    // As the file is now. Null when there is no such key, or the file is not of the form: the log says why. Valid until
    // the next call. Throws std::system_error when the file cannot be read now.
    [[nodiscard]] const AccessKey* find(const std::string& id);

 private:
    const std::string file_;
    FileVersion version_{};
    std::vector<AccessKey> keys_;  // sorted by id
};

}  // namespace clamscanner
