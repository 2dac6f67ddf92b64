#include "auth/base/command_line.h"

#include <getopt.h>
#include <sysexits.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "auth/base/check_config.h"
#include "auth/base/log.h"

#if !defined(CLAMSCANNER_CONFIG_FILE) || !defined(CLAMSCANNER_VERSION)
#error "the build must say its version and where the configuration is installed"
#endif

namespace clamscanner {
namespace {

constexpr Option common_options[] = {{"config", "FILE", "the configuration, in place of " CLAMSCANNER_CONFIG_FILE},
                                     {"check-config", nullptr, "say all that is wrong with the configuration, and end"},
                                     {"help", nullptr, "show this, and end"},
                                     {"version", nullptr, "show the version, and end"}};

std::vector<Option> options_of(const CommandForm& form) {
    std::vector<Option> options(form.options.begin(), form.options.end());
    options.insert(options.end(), std::begin(common_options), std::end(common_options));
    return options;
}

// getopt_long() tells options by numbers, here their index after all single letters.
constexpr int first_number = 256;

std::vector<::option> getopt_table(const std::vector<Option>& options) {
    std::vector<::option> table;
    for (int number = first_number; const auto& option : options)
        table.push_back({option.name, option.value == nullptr ? no_argument : required_argument, nullptr, number++});
    table.push_back({});
    return table;
}

// As it was given, without a value.
std::string refused_option(const char* word) {
    if (optopt > 0 && optopt < first_number) return std::string("-") + static_cast<char>(optopt);
    const std::string_view option(word);
    return std::string(option.substr(0, option.find('=')));
}

[[noreturn]] void refuse(int result, const char* word) {
    const auto option = printable(refused_option(word));
    if (result == ':') throw UsageError(option + " wants a value");
    if (optopt >= first_number) throw UsageError(option + " takes no value");
    throw UsageError("unknown option " + option);
}

std::string spelled(const Option& option) {
    return std::string("--") + option.name + (option.value == nullptr ? "" : std::string(" ") + option.value);
}

int print(const std::string& text) {
    const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    return written ? EX_OK : EX_IOERR;
}

}  // namespace

CommandLine::CommandLine(const CommandForm& form, const std::vector<std::string>& words) {
    const auto options = options_of(form);
    const auto table = getopt_table(options);
    std::vector<char*> pointers{const_cast<char*>(form.program)};
    for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    const auto count = static_cast<int>(pointers.size());
    pointers.push_back(nullptr);
    optind = 0;  // begins anew (getopt(3))
    // "+": options end at the first word that is none; ":": a missing value is told apart, and we do the talking.
    for (int got = 0; (got = ::getopt_long(count, pointers.data(), "+:", table.data(), nullptr)) != -1;) {
        if (got < first_number) refuse(got, pointers.at(static_cast<std::size_t>(optind) - 1));
        take(options.at(static_cast<std::size_t>(got - first_number)).name, optarg);
    }
    operands_.assign(words.begin() + (optind - 1), words.end());
    if (*form.operands == '\0' && !operands_.empty()) throw UsageError("too much: " + printable(operands_.front()));
}

void CommandLine::take(const std::string& option, const char* value) {
    if (option == "help") throw HelpWanted();
    if (option == "version") throw VersionWanted();
    if (value != nullptr && *value == '\0') throw UsageError("--" + option + " wants a value");
    const auto [known, is_new] = given_.emplace(option, value == nullptr ? "" : value);
    if (!is_new && value != nullptr && known->second != value) throw UsageError("--" + option + " is given twice");
}

std::optional<std::string> CommandLine::value(const std::string& option) const {
    const auto found = given_.find(option);
    return found == given_.end() ? std::nullopt : std::optional(found->second);
}

std::string CommandLine::config_file() const {
    return value("config").value_or(installed_config_file());
}

std::vector<std::string> CommandLine::words_without(const std::string& option) const {
    std::vector<std::string> words;
    for (const auto& [name, value] : given_)
        if (name != option) words.push_back("--" + name + (value.empty() ? "" : "=" + value));
    words.emplace_back("--");  // what follows is no option to the other program either
    words.insert(words.end(), operands_.begin(), operands_.end());
    return words;
}

const char* installed_config_file() noexcept {
    return CLAMSCANNER_CONFIG_FILE;
}

std::string usage_of(const CommandForm& form) {
    const auto options = options_of(form);
    std::size_t width = 0;
    for (const auto& option : options) width = std::max(width, spelled(option).size());
    std::string usage = std::string("usage: ") + form.program + " [OPTION ...]" + (*form.operands == '\0' ? "" : " ") +
                        form.operands + "\n";
    if (*form.purpose != '\0') usage += std::string(form.purpose) + "\n";
    for (const auto& option : options) {
        const auto left = spelled(option);
        usage += "  " + left + std::string(width - left.size() + 2, ' ') + option.meaning + "\n";
    }
    return usage + form.remark;
}

const char* version() noexcept {
    return CLAMSCANNER_VERSION;
}

int read_command_line(const CommandForm& form, int argc, char** argv,
                      const std::function<int(const CommandLine&)>& run) try {
    const CommandLine line(form, {argv + std::min(argc, 1), argv + argc});
    return line.has("check-config") ? check_config(form.program, line.config_file()) : run(line);
} catch (const HelpWanted&) {
    return print(usage_of(form));
} catch (const VersionWanted&) {
    return print(std::string(form.program) + " " + version() + "\n");
} catch (const UsageError& error) {
    std::fprintf(stderr, "%s: %s\n%s", form.program, error.what(), usage_of(form).c_str());
    return EX_USAGE;
}

int run_command(const CommandForm& form, int argc, char** argv, int fault_status,
                const std::function<int(const CommandLine&)>& run) try {
    name_this_program(form.program);
    return read_command_line(form, argc, argv, run);
} catch (const std::exception& fault) {
    std::istringstream lines(fault.what());
    for (std::string line; std::getline(lines, line);) std::fprintf(stderr, "%s: %s\n", form.program, line.c_str());
    return fault_status;
}

}  // namespace clamscanner
