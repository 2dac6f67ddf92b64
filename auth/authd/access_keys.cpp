#include "auth/authd/access_keys.h"

#include <algorithm>
#include <sstream>

#include "auth/authd/account_generation.h"
#include "auth/base/config.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr const char* states[] = {"disabled", "active"};

AccessKey key_of(const std::string& line) {
    std::istringstream words(line);
    AccessKey key;
    std::string secret;
    std::string state;
    const bool whole = static_cast<bool>(words >> key.id >> secret >> key.user >> state);
    std::getline(words >> std::ws, key.generation);
    const bool has_generation = key.generation.empty() || key.generation.size() == longest_generation;
    key.active = state == states[1];
    key.secret.assign(secret);
    ::explicit_bzero(secret.data(), secret.size());
    if (!whole || !has_generation || state != states[key.active])
        throw ConfigError("expected KEY-ID SECRET USER active|disabled GENERATION");
    return key;
}

}  // namespace

std::vector<AccessKey> read_access_keys(const std::string& file) {
    std::vector<AccessKey> keys;
    if (version_of(file) == FileVersion{}) return keys;
    auto text = read_trusted_file(file, S_IRWXG | S_IRWXO);
    std::istringstream lines(text);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) try {
            ++number;
            if (!line.empty() && line[0] != '#') keys.push_back(key_of(line));
        } catch (const ConfigError& wrong) {
            throw ConfigError(file + ", line " + std::to_string(number) + ": " + wrong.what());
        }
    ::explicit_bzero(text.data(), text.size());
    std::ranges::sort(keys, {}, &AccessKey::id);
    if (const auto twice = std::ranges::adjacent_find(keys, {}, &AccessKey::id); twice != keys.end())
        throw ConfigError(file + ": the key " + printable(twice->id) + " is listed twice");
    return keys;
}

void write_access_keys(const std::string& file, const std::vector<AccessKey>& keys) {
    std::string text = "# KEY-ID SECRET USER active|disabled GENERATION. Written by clamscanner-keys.\n";
    for (const auto& key : keys)
        text += key.id + ' ' + key.secret.reveal() + ' ' + key.user + ' ' + states[key.active] + ' ' + key.generation +
                '\n';
    if (text.size() > largest_trusted_file)
        throw ConfigError(file + " would be too long: remove keys that nobody uses");
    replace_file(file, text, S_IRUSR | S_IWUSR);
}

const AccessKey* AccessKeys::find(const std::string& id) {
    if (const auto version = version_of(file_); version != version_) try {
            keys_.clear();
            version_ = {};  // a passing fault must not count as having read the file
            keys_ = read_access_keys(file_);
            version_ = version;
        } catch (const ConfigError& wrong) {
            version_ = version;
            log_line(Severity::Error, std::string("no access key is valid: ") + wrong.what());
        }
    const auto found = std::ranges::lower_bound(keys_, id, {}, &AccessKey::id);
    return found != keys_.end() && found->id == id ? &*found : nullptr;
}

}  // namespace clamscanner
