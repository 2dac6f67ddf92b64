// The configuration as it stands in its files, checked against config_rules.h: the keys that are given, their values,
// and where. A program then takes the ones that it uses.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "auth/base/config.h"

namespace clamscanner {

struct ConfigFile {
    std::string name;  // for errors
    std::string text;
};

class ConfigKeys {
 public:
    using Value = std::variant<bool, std::uint64_t, std::string, std::vector<std::string>>;

    // Of a key that several files give, the last one's value counts. Throws a ConfigError that names all that is wrong,
    // in whatever section, with file, line and key.
    explicit ConfigKeys(const std::vector<ConfigFile>& files);

    // Leaves `value` as it is when no file gives the key. `key` must be one of config_rules.h.
    template <class Type>
    void take(const char* key, Type& value) const {
        if (const auto* given = find(key)) value = std::get<Type>(*given);
    }
    // Null when no file gives the key.
    [[nodiscard]] const Value* find(const char* key) const;

    // These keys in place of `running`: what needs a restart keeps its value there. Says which keys have other values
    // now, and which of them would need a restart.
    struct Changes {
        std::vector<std::string> counting;
        std::vector<std::string> waiting;  // for a restart
    };
    [[nodiscard]] Changes follow(const ConfigKeys& running);

    // "FILE, line N" of each key that is given.
    [[nodiscard]] const std::map<std::string, std::string>& places() const noexcept { return places_; }

 private:
    std::map<std::string, Value> values_;
    std::map<std::string, std::string> places_;
};

}  // namespace clamscanner
