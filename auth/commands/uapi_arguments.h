// What the uapi command makes of its arguments before any other program sees them: who is meant, and what is passed on.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace clamscanner {

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct UapiArguments {
    std::optional<std::string> config;   // --config=FILE, only as the first
    std::optional<std::string> user;     // --user=NAME or --user NAME, before the module
    std::vector<std::string> passed_on;  // all but --user, unchanged

    // Throws UsageError.
    explicit UapiArguments(const std::vector<std::string>& arguments) {
        auto next = arguments.begin();
        if (next != arguments.end() && next->starts_with("--config=")) {
            config = next->substr(9);
            passed_on.push_back(*next++);
        }
        // Options end at the module: what follows belongs to the function, whatever it looks like.
        for (; next != arguments.end() && next->starts_with("--") && *next != "--"; ++next) {
            const bool value_follows = *next == "--user" || *next == "--output";
            if (value_follows && next + 1 == arguments.end()) throw UsageError(*next + " wants a value");
            if (*next == "--user") {
                name_user(*++next);
            } else if (next->starts_with("--user=")) {
                name_user(next->substr(7));
            } else {
                passed_on.push_back(*next);
                if (value_follows) passed_on.push_back(*++next);
            }
        }
        passed_on.insert(passed_on.end(), next, arguments.end());
    }

 private:
    void name_user(const std::string& name) {
        if (name.empty()) throw UsageError("--user wants a name");
        if (user && *user != name) throw UsageError("--user is given twice");
        user = name;
    }
};

}  // namespace clamscanner
