// clamscanner-uapi: the functions on the command line, for the user who runs it and as that user. Answers like the
// documented address; its exit status is 0 only when the answer's status is 1.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <span>

#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/command_forms.h"
#include "auth/base/log.h"
#include "auth/base/voucher.h"
#include "auth/base/wire.h"
#include "handlers/functions/router.h"
#include "handlers/shared/percent_encoding.h"
#include "handlers/uapi/pretty_json.h"
#include "jobs/client/jobs_client.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

struct Call {
    bool pretty = false;
    bool reads_json = false;  // arguments, from standard input
    Address address;
    std::span<const std::string> arguments;
};

Call call_of(const CommandLine& line) {
    const auto layout = line.value("output").value_or("json");
    if (layout != "json" && layout != "jsonpretty")
        throw UsageError("--output is json or jsonpretty, not " + printable(layout));
    const auto input = line.value("input");
    if (input && *input != "json") throw UsageError("--input is json, not " + printable(*input));
    const auto& words = line.operands();
    if (words.size() < 2) throw UsageError("a module and a function are wanted");
    return {layout == "jsonpretty",
            input.has_value(),
            {EnvelopeForm::Documented, words[0], words[1]},
            std::span(words).subspan(2)};
}

// Each word is parsed by itself, so that an ampersand stays part of its value.
void read_words(std::span<const std::string> words, Arguments& arguments) {
    for (const std::string_view word : words) {
        const auto equals = word.find('=');
        if (equals == std::string_view::npos) throw UsageError("no key=value: " + printable(word));
        auto key = percent_decoded(word.substr(0, equals), Plus::IsPlus);
        auto value = percent_decoded(word.substr(equals + 1), Plus::IsPlus);
        if (!key || !value) throw UsageError("not correctly percent-encoded: " + printable(word));
        arguments.add(*std::move(key), {ArgumentForm::Text, *std::move(value)});
    }
}

// As much as a body may hold. Throws Refusal.
std::string standard_input() {
    std::string input;
    char piece[64 * 1024];
    while (const auto got = uninterrupted([&] { return ::read(STDIN_FILENO, piece, sizeof piece); })) {
        input.append(piece, static_cast<std::size_t>(checked(got, "read the arguments")));
        if (input.size() > longest_body)
            throw Refusal(200, "The input is too long. Accepted: at most " + std::to_string(longest_body) + " bytes.");
    }
    return input;
}

Arguments arguments_of(const Call& call) {
    auto arguments = arguments_for(call.address);
    read_words(call.arguments, arguments);
    if (!call.reads_json) return arguments;
    if (const auto input = standard_input(); !input.empty()) read_json(input, arguments);
    return arguments;
}

// That root has left, if it was root who called this. jobd says whether it is one.
Voucher voucher_given() try {
    constexpr std::size_t longest = 1024;
    char bytes[longest];
    const int seals = ::fcntl(voucher_descriptor, F_GET_SEALS);
    if (seals == -1 || (seals & F_SEAL_WRITE) == 0) return {};
    const auto size = ::pread(voucher_descriptor, bytes, sizeof bytes, 0);
    if (size <= 0) return {};
    Reader wire(std::string_view(bytes, static_cast<std::size_t>(size)));
    Voucher voucher;
    voucher.fields(wire);
    wire.expect_end();
    return voucher;
} catch (const Malformed&) {
    return {};  // a file of somebody else's
}

int print(const Call& call, const std::string& json, bool success) {
    const auto text = (call.pretty ? pretty_printed(json) : json) + "\n";
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    return success && written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int answer(const CommandLine& line) {
    const auto call = call_of(line);
    refuse_root();
    ::signal(SIGPIPE, SIG_IGN);
    Account account;
    if (!find_account(::getuid(), account)) throw UsageError("you have no account on this system");
    if (const auto user = line.value("user"); user && *user != account.name)
        throw UsageError("--user names another account than your own, " + printable(account.name));
    const auto config = read_settings(line.config_file());
    JobsClient jobs(config.jobs_socket());
    try {
        const auto answer = answer_call({.config = config,
                                         .home = account.home,
                                         .jobs = jobs,
                                         .asker = {AskedBy::Shell},
                                         .voucher = voucher_given()},
                                        call.address, arguments_of(call));
        return print(call, envelope(call.address, answer), true);
    } catch (const Refusal& refusal) {
        return print(call, failure_envelope(call.address, refusal.what()), false);
    }
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(uapi_form, argc, argv, EX_SOFTWARE, answer);
}
