// clamscanner-keys: makes, lists, disables and removes the access keys of programs. A change takes effect with the next
// signed request. Only root can use it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "auth/authd/access_keys.h"
#include "auth/authd/account_generation.h"
#include "auth/base/account.h"
#include "auth/base/audit.h"
#include "auth/base/checked.h"
#include "auth/base/command_line.h"
#include "auth/base/config.h"
#include "auth/base/home_lookup.h"
#include "auth/base/log.h"
#include "auth/base/random.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

constexpr CommandForm form{
    .program = "clamscanner-keys",
    .operands = "add USER | list | enable KEY-ID | disable KEY-ID | remove KEY-ID",
    .purpose = "Makes, lists, disables and removes access keys, for clients of the statistics interface. Root's."};

int fail(int status, const std::string& why) {
    std::fprintf(stderr, "clamscanner-keys: %s\n", why.c_str());
    return status;
}

// Whom a key may be made for, with the generation.
int find_owner(const Config& config, const std::string& user, Account& account) {
    if (!find_account(user, account)) return fail(EX_NOUSER, "there is no user " + printable(user));
    if (!is_served(account, config)) return fail(EX_NOPERM, printable(user) + " is a system user: not served");
    const auto home = home_identity_in_time(account.home);
    if (!home)
        return fail(EX_TEMPFAIL, "the home directory of " + printable(user) + " does not answer: try again later");
    // Making the home later would change the generation and invalidate the key.
    if (home->is_missing && !is_host_user(account.name, config))
        return fail(EX_NOUSER, printable(user) + " has no home directory");
    account.generation = account_generation(account, *home);
    return EX_OK;
}

int list(const std::vector<AccessKey>& keys) {
    for (const auto& key : keys)
        std::printf("%s %s %s\n", key.id.c_str(), key.user.c_str(), key.active ? "active" : "disabled");
    return EX_OK;
}

int change(std::vector<AccessKey>& keys, const std::string& verb, const std::string& id) {
    const auto key = std::ranges::find(keys, id, &AccessKey::id);
    if (key == keys.end()) return fail(EX_DATAERR, "there is no key " + printable(id));
    if (verb == "remove")
        keys.erase(key);
    else
        key->active = verb == "enable";
    return EX_OK;
}

int run(const Config& config, const std::vector<std::string>& words) {
    const auto& file = config.statistics.access_keys;
    if (words == std::vector<std::string>{"list"}) return list(read_access_keys(file));
    static constexpr const char* verbs[] = {"add", "enable", "disable", "remove"};
    if (words.size() != 2 || std::ranges::find(verbs, words[0]) == std::end(verbs)) throw UsageError("no such command");
    const bool adds = words[0] == "add";
    Account owner;
    if (const int status = adds ? find_owner(config, words[1], owner) : EX_OK; status != EX_OK) return status;
    // One writer at a time. Readers need no lock: the file is replaced as a whole.
    const auto directory = std::filesystem::path(file).parent_path();
    const UniqueFd lock(checked(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open its directory"));
    checked(::flock(lock.get(), LOCK_EX), "wait for others that write access keys");
    auto keys = read_access_keys(file);
    if (adds) keys.push_back({"cs" + random_hex(11), Secret(random_hex(20)), owner.name, true, owner.generation});
    const auto known = std::ranges::find(keys, words[1], &AccessKey::id);
    const auto user = known != keys.end() ? known->user : std::string();
    const int status = adds ? EX_OK : change(keys, words[0], words[1]);
    if (status != EX_OK) return status;
    write_access_keys(file, keys);
    AuditEvent("key")
        .text("action", words[0])
        .text("key", adds ? keys.back().id : words[1])
        .text("account", adds ? owner.name : user)
        .write_for_command(form.program, config.audit_file());
    if (adds)
        std::printf("AccessKeyId: %s\nAccessKeySecret: %s\n", keys.back().id.c_str(),
                    keys.back().secret.reveal().c_str());
    return EX_OK;
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(form, argc, argv, EX_CONFIG,
                       [](const CommandLine& line) { return run(read_config(line.config_file()), line.operands()); });
}
