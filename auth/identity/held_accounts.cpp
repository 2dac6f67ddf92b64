#include "auth/identity/held_accounts.h"

#include <algorithm>
#include <sstream>

#include "auth/base/config.h"

namespace clamscanner {
namespace {

HeldAccount account_of(const std::string& line) {
    std::istringstream words(line);
    HeldAccount account;
    std::string more;
    if (!(words >> account.name >> account.uid) || words >> more) throw ConfigError("expected NAME UID");
    return account;
}

}  // namespace

std::vector<HeldAccount> read_held_accounts(const std::string& file) {
    std::vector<HeldAccount> accounts;
    if (version_of(file) == FileVersion{}) return accounts;
    std::istringstream lines(read_trusted_file(file));
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) try {
            ++number;
            if (!line.empty() && line[0] != '#') accounts.push_back(account_of(line));
        } catch (const ConfigError& wrong) {
            throw ConfigError(file + ", line " + std::to_string(number) + ": " + wrong.what());
        }
    return accounts;
}

void write_held_accounts(const std::string& file, const std::vector<HeldAccount>& accounts) {
    std::string text = "# NAME UID. Written by clamscanner-account.\n";
    for (const auto& account : accounts) text += account.name + ' ' + std::to_string(account.uid) + '\n';
    if (text.size() > largest_trusted_file) throw ConfigError(file + " would be too long: release some accounts");
    replace_file(file, text, S_IRUSR | S_IWUSR);
}

bool HeldAccounts::include(const std::string& name, uid_t uid) {
    if (const auto version = version_of(file_); version != version_) {
        version_ = {};  // if reading it fails, the next call tries again
        accounts_ = read_held_accounts(file_);
        version_ = version;
    }
    return std::ranges::any_of(accounts_, [&](const auto& one) { return one.name == name || one.uid == uid; });
}

}  // namespace clamscanner
