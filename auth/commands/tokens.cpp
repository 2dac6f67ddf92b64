// clamscanner-tokens: lists and revokes an account's API tokens, also those of an account that is gone. A change takes
// effect with the next login. Only root can use it; it makes no tokens, and none can be read with it.
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "auth/authd/token_change.h"
#include "auth/base/audit.h"
#include "auth/base/command_line.h"
#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/utc_text.h"

namespace clamscanner {
namespace {

constexpr CommandForm form{
    "clamscanner-tokens",
    "list USER | revoke USER [NAME]",
    {},
    "Without a NAME, revoke ends all of the account's tokens, also when their file is damaged.\n",
    "Lists and revokes an account's API tokens. Root's."};

int fail(int status, const std::string& why) {
    std::fprintf(stderr, "clamscanner-tokens: %s\n", why.c_str());
    return status;
}

std::string text_of(std::int64_t time) {
    return time == 0 ? "never" : utc_text(time, "%FT%TZ");
}

int list(const std::string& file) {
    const auto uses = read_token_uses(file);
    for (const auto& token : read_tokens(file)) {
        const auto use = uses.find(token.digest);
        std::printf("%s %s made %s expires %s last used %s\n", token.name.c_str(), name_of(token.scope).c_str(),
                    text_of(token.created).c_str(), text_of(token.expires).c_str(),
                    text_of(use != uses.end() ? use->second.last : 0).c_str());
    }
    return EX_OK;
}

int revoke(const Config& config, const std::string& user, const std::string& name) {
    if (!revoke_tokens(tokens_file(config.token_directory(), user), name))
        return fail(EX_DATAERR, "there is no such token");
    AuditEvent("token")
        .text("action", "revoke")
        .text("account", user)
        .text("token", name.empty() ? "all of them" : name)
        .write_for_command(form.program, config.audit_file());
    return EX_OK;
}

int run(const Config& config, const std::vector<std::string>& words) {
    const bool may_name_one = words.size() == 3 && words[0] == "revoke" && is_token_name(words[2]);
    if (!(words.size() == 2 && (words[0] == "list" || words[0] == "revoke")) && !may_name_one)
        throw UsageError("no such command");
    if (::geteuid() != 0) return fail(EX_NOPERM, "only root may do that");
    if (!is_possible_token_owner(words[1])) return fail(EX_NOUSER, "no user is called " + printable(words[1]));
    if (words[0] == "list") return list(tokens_file(config.token_directory(), words[1]));
    return revoke(config, words[1], may_name_one ? words[2] : "");
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(form, argc, argv, EX_CONFIG,
                       [](const CommandLine& line) { return run(read_config(line.config_file()), line.operands()); });
}
