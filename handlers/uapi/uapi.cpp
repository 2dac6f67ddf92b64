// clamscanner-uapi: the functions on the command line, for the user who runs it and as that user. Answers like the
// documented address; its exit status is 0 only when the answer's status is 1.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <vector>

#include "auth/base/account.h"
#include "auth/base/log.h"
#include "auth/base/service.h"
#include "handlers/functions/router.h"
#include "handlers/shared/percent_encoding.h"
#include "handlers/uapi/json_layout.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

constexpr const char* usage =
    "usage: uapi [--config=FILE] [--output=json|jsonpretty] [--user=YOUR-NAME] ClamScanner FUNCTION [key=value ...]\n"
    "Keys and values are percent-encoded, as in a URL.\n";

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct CommandLine {
    std::optional<std::string> config_file;
    std::optional<std::string> user;
    bool pretty = false;
    Address address;
    std::vector<std::string_view> arguments;
};

// True when `word` is this option; then `value` is what stands after the equals sign.
bool is_option(std::string_view word, std::string_view name, std::string_view& value) {
    if (!word.starts_with(name)) return false;
    value = word.substr(name.size());
    return true;
}

void take_option(CommandLine& line, std::string_view word) {
    std::string_view value;
    if (is_option(word, "--config=", value)) {
        line.config_file = value;
    } else if (is_option(word, "--user=", value)) {
        line.user = value;
    } else if (word == "--output=json" || word == "--output=jsonpretty") {
        line.pretty = word.ends_with("pretty");
    } else {
        throw UsageError("unknown option " + printable(word));
    }
}

CommandLine command_line_of(const std::vector<std::string_view>& words) {
    CommandLine line;
    auto word = words.begin();
    for (; word != words.end() && word->starts_with("--"); ++word) take_option(line, *word);
    if (words.end() - word < 2) throw UsageError("a module and a function are wanted");
    line.address.module = *word++;
    line.address.function = *word++;
    line.arguments.assign(word, words.end());
    return line;
}

// Each word by itself, so that an ampersand in one stays part of its value.
Arguments arguments_of(const std::vector<std::string_view>& words) {
    Arguments arguments;
    for (const auto word : words) {
        const auto equals = word.find('=');
        if (equals == std::string_view::npos) throw UsageError("no key=value: " + printable(word));
        auto key = percent_decoded(word.substr(0, equals), Plus::IsPlus);
        auto value = percent_decoded(word.substr(equals + 1), Plus::IsPlus);
        if (!key || !value) throw UsageError("not percent-encoded as it should be: " + printable(word));
        arguments.add(*std::move(key), {ArgumentForm::Text, *std::move(value)});
    }
    return arguments;
}

int print(const CommandLine& line, const std::string& json, bool success) {
    const auto text = (line.pretty ? laid_out(json) : json) + "\n";
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    return success && written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int answer(const CommandLine& line) {
    Account account;
    if (!find_account(::getuid(), account)) throw UsageError("you have no account on this system");
    if (line.user && *line.user != account.name)
        throw UsageError("--user names another account than your own, " + printable(account.name));
    const auto config = read_settings(line.config_file.value_or(installed_config_file()));
    JobsClient jobs(config.jobs_socket());
    try {
        const auto given = arguments_of(line.arguments);
        const auto answer = answer_call({config, account.home, jobs}, line.address, given);
        return print(line, envelope(line.address, answer), true);
    } catch (const Refusal& refusal) {
        return print(line, failure_envelope(line.address, refusal.what()), false);
    }
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    name_this_program("clamscanner-uapi");
    try {
        refuse_root();
        ::signal(SIGPIPE, SIG_IGN);
        return answer(command_line_of({argv + 1, argv + argc}));
    } catch (const UsageError& error) {
        std::fprintf(stderr, "uapi: %s\n%s", error.what(), usage);
        return 64;
    } catch (const std::exception& fault) {
        log_line(Severity::Fatal, fault.what());
        return 70;
    }
}
