#include "jobs/fleet/machine_keys.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "auth/base/checked.h"
#include "auth/base/config.h"
#include "auth/base/replace_file.h"
#include "jobs/fleet/messages.h"

namespace clamscanner {
namespace {

constexpr std::size_t longest_part = 128;

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The next line, without what clamscanner-keys writes before it.
std::string take_line(std::string_view& text, std::string_view label) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with(label)) line.remove_prefix(label.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    while (line.ends_with(' ') || line.ends_with('\r')) line.remove_suffix(1);
    return std::string(line);
}

bool is_key_part(const std::string& part) {
    return !part.empty() && part.size() <= longest_part &&
           std::ranges::all_of(part, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

bool is_machine_name(const std::string& name) noexcept {
    return !name.empty() && name.size() <= longest_machine_name && name.front() != '.' &&
           std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

MachineKey read_machine_key(const std::string& text) {
    std::string_view rest(text);
    MachineKey key;
    key.id = take_line(rest, "AccessKeyId:");
    auto secret = take_line(rest, "AccessKeySecret:");
    key.secret.assign(secret);
    ::explicit_bzero(secret.data(), secret.size());
    if (!is_key_part(key.id) || !is_key_part(key.secret.reveal()) || rest.find_first_not_of(" \r\n") != rest.npos)
        throw ConfigError("an access key is two lines, its id and its secret, as clamscanner-keys prints them");
    return key;
}

std::string MachineKeys::file_of(const std::string& machine) const {
    if (!is_machine_name(machine)) throw ConfigError("no machine has that name");
    return directory_ + "/" + machine + ".key";
}

std::optional<MachineKey> MachineKeys::find(const std::string& machine) const {
    const auto file = file_of(machine);
    if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
    auto text = read_trusted_file(file, S_IRWXG | S_IRWXO);
    auto key = read_machine_key(text);
    ::explicit_bzero(text.data(), text.size());
    return key;
}

void MachineKeys::store(const std::string& machine, const MachineKey& key) const {
    std::string text = key.id + "\n" + key.secret.reveal() + "\n";
    replace_file(file_of(machine), text, S_IRUSR | S_IWUSR);
    ::explicit_bzero(text.data(), text.size());
}

void MachineKeys::remove(const std::string& machine) const {
    if (::unlink(file_of(machine).c_str()) != 0 && errno != ENOENT) throw_errno("delete an access key");
}

}  // namespace clamscanner
