// The command lines of all programs, read by getopt_long(3): "--name value" or "--name=value", in any order, up to the
// first word that is no option, or to "--". Every program takes --config, --check-config, --help and --version.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace clamscanner {

struct Option {
    const char* name;
    const char* value;    // what the usage calls its value, "NAME"; null: it has none
    const char* meaning;  // for the usage
};

struct CommandForm {
    const char* program;
    const char* operands = "";  // what follows the options, as the usage shows it; "": nothing may follow
    std::span<const Option> options = {};
    const char* remark = "";
    const char* purpose = "";  // a sentence
};

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Thrown at --help and at --version, whatever else is wrong or missing.
struct HelpWanted {};
struct VersionWanted {};

class CommandLine {
 public:
    // `words` without the program's own name. An option may be given twice only with the same value, which is never
    // empty. Throws UsageError, HelpWanted and VersionWanted.
    CommandLine(const CommandForm& form, const std::vector<std::string>& words);

    [[nodiscard]] bool has(const std::string& option) const { return given_.contains(option); }
    [[nodiscard]] std::optional<std::string> value(const std::string& option) const;
    [[nodiscard]] const std::vector<std::string>& operands() const noexcept { return operands_; }

    // What --config names, or the installed file.
    [[nodiscard]] std::string config_file() const;

    // The same for another program that reads it by the same form, without one of the options.
    [[nodiscard]] std::vector<std::string> words_without(const std::string& option) const;

 private:
    void take(const std::string& option, const char* value);

    std::map<std::string, std::string> given_;
    std::vector<std::string> operands_;
};

// The file that is read without --config.
[[nodiscard]] const char* installed_config_file() noexcept;

[[nodiscard]] std::string usage_of(const CommandForm& form);

// The version of this build, "0.1.0".
[[nodiscard]] const char* version() noexcept;

// Reads the command line for `run`, which gives the program's exit status. Answers --help and --version on standard
// output, --check-config (check_config.h), and a wrong command line with the usage on standard error and status 64.
// What else is thrown goes on to the caller.
[[nodiscard]] int read_command_line(const CommandForm& form, int argc, char** argv,
                                    const std::function<int(const CommandLine&)>& run);

// main() of a command at a shell: any fault is a line on standard error and `fault_status`.
[[nodiscard]] int run_command(const CommandForm& form, int argc, char** argv, int fault_status,
                              const std::function<int(const CommandLine&)>& run);

}  // namespace clamscanner
