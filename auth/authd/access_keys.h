// Access keys: programs sign requests with them instead of sending a password. They are stored in
// /etc/clamscanner/access_keys, which only root may read, one key per line:
//
//     KEY-ID SECRET USER active|disabled GENERATION
//
// A key is valid only for the account it was made for, not for a later account of the same name (account_generation.h).
// A key without a generation was written by an earlier version and is valid for nobody. clamscanner-keys writes the
// file; authd rereads it whenever it has changed. No other program sees the secrets.
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

// Empty when the file does not exist. Throws ConfigError, which names file and line, or std::system_error.
[[nodiscard]] std::vector<AccessKey> read_access_keys(const std::string& file);
void write_access_keys(const std::string& file, const std::vector<AccessKey>& keys);

class AccessKeys {
 public:
    explicit AccessKeys(std::string file) : file_(std::move(file)) {}

    // Looks the key up in the file's current content. Null when there is no such key, or when the file is malformed
    // (the log says why). The pointer is valid until the next call. Throws std::system_error when the file cannot be
    // read.
    [[nodiscard]] const AccessKey* find(const std::string& id);

 private:
    const std::string file_;
    FileVersion version_{};
    std::vector<AccessKey> keys_;  // sorted by id
};

}  // namespace clamscanner
