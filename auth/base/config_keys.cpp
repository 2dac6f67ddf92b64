#include "auth/base/config_keys.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "auth/base/config_rules.h"
#include "auth/base/mail_address.h"

namespace clamscanner {
namespace {

using Value = ConfigKeys::Value;

std::optional<Value> text_in(const toml::node& node) {
    auto text = node.value_exact<std::string>();
    if (!text || text->find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos) return std::nullopt;
    return Value(*std::move(text));
}

std::optional<Value> number_in(const ConfigRule& rule, const toml::node& node) {
    const auto given = node.value_exact<std::int64_t>();
    if (!given || *given < 0) return std::nullopt;
    const auto number = static_cast<std::uint64_t>(*given);
    if (number < rule.least || number > rule.most) return std::nullopt;
    return Value(number);
}

std::optional<Value> names_in(const ConfigRule& rule, const toml::node& node) {
    const auto* list = node.as_array();
    if (list == nullptr || list->size() < rule.least) return std::nullopt;
    std::vector<std::string> names;
    for (const auto& item : *list) {
        auto name = text_in(item);
        if (!name) return std::nullopt;
        names.push_back(std::get<std::string>(*std::move(name)));
    }
    return Value(std::move(names));
}

bool is_below_the_home(const std::string& directory) {
    if (directory.starts_with('/') || directory.ends_with('/')) return false;
    std::istringstream parts(directory);
    for (std::string part; std::getline(parts, part, '/');)
        if (part.empty() || part == "." || part == "..") return false;
    return true;
}

bool is_url(const std::string& text) {
    return (text.starts_with("https://") || text.starts_with("http://")) &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '<' && c != '>'; });
}

// Empty when the rule does not accept it.
std::optional<Value> value_in(const ConfigRule& rule, const toml::node& node) {
    switch (rule.accepts) {
        case Accepts::Number:
            return number_in(rule, node);
        case Accepts::Names:
            return names_in(rule, node);
        case Accepts::Truth:
            return node.is_boolean() ? std::optional<Value>(**node.as_boolean()) : std::nullopt;
        case Accepts::HomeDirectory:
            if (node.is_boolean()) return **node.as_boolean() ? std::nullopt : std::optional<Value>(false);
            break;
        case Accepts::Text:
        case Accepts::NeverCertainAll:
        case Accepts::Path:
        case Accepts::PathOrNone:
        case Accepts::AddressOrNone:
        case Accepts::UrlOrNone:
            break;
    }
    auto text = text_in(node);
    if (!text) return std::nullopt;
    const auto& given = std::get<std::string>(*text);
    const bool is_path = given.starts_with('/');
    if (rule.accepts == Accepts::Path && !is_path) return std::nullopt;
    if (rule.accepts == Accepts::PathOrNone && !is_path && !given.empty()) return std::nullopt;
    if (rule.accepts == Accepts::NeverCertainAll && given != "never" && given != "certain" && given != "all")
        return std::nullopt;
    if (rule.accepts == Accepts::AddressOrNone && !given.empty() && !is_mail_address(given)) return std::nullopt;
    if (rule.accepts == Accepts::UrlOrNone && !given.empty() && !is_url(given)) return std::nullopt;
    if (rule.accepts == Accepts::HomeDirectory && !is_below_the_home(given)) return std::nullopt;
    return text;
}

std::string accepted_by(const ConfigRule& rule) {
    switch (rule.accepts) {
        case Accepts::Number:
            return "a whole number from " + std::to_string(rule.least) + " to " + std::to_string(rule.most);
        case Accepts::Truth:
            return "true or false";
        case Accepts::Names:
            return rule.least > 0 ? "a list of names, at least one" : "a list of names";
        case Accepts::Path:
            return "an absolute path";
        case Accepts::PathOrNone:
            return "an absolute path, or \"\"";
        case Accepts::NeverCertainAll:
            return "\"never\", \"certain\" or \"all\"";
        case Accepts::AddressOrNone:
            return "a mail address, or \"\"";
        case Accepts::UrlOrNone:
            return "an address that begins with https:// or http://, or \"\"";
        case Accepts::HomeDirectory:
            return "a directory below the home (no leading slash, no . or ..), or false";
        case Accepts::Text:
            break;
    }
    return "a string of one line";
}

struct Fault {
    std::uint32_t line = 0;
    std::string text;
};

// One file's keys, and all that is wrong with them.
class Reading {
 public:
    explicit Reading(const ConfigFile& file) : name_(file.name) {
        try {
            const auto root = toml::parse(file.text);
            for (const auto& [section, content] : root) take_section(std::string(section.str()), content);
        } catch (const toml::parse_error& error) {
            // The rest of the file cannot be read.
            const auto line = error.source().begin.line;
            faults_.push_back({line, place(line) + ": " + std::string(error.description())});
        }
        std::ranges::stable_sort(faults_, {}, &Fault::line);
    }

    struct Key {
        std::string name;
        Value value;
        std::string place;
    };
    [[nodiscard]] const std::vector<Key>& keys() const noexcept { return keys_; }
    [[nodiscard]] const std::vector<Fault>& faults() const noexcept { return faults_; }

 private:
    void take_section(const std::string& section, const toml::node& content) {
        const auto belongs = [&](const ConfigRule& rule) { return rule.key.starts_with(section + "."); };
        if (!content.is_table() || std::ranges::none_of(config_rules, belongs))
            return refuse(content, section, "is not known here");
        for (const auto& [key, value] : *content.as_table()) take_key(section + "." + std::string(key.str()), value);
    }

    void take_key(const std::string& name, const toml::node& node) {
        const auto* const rule = find_config_rule(name);
        if (rule == nullptr) return refuse(node, name, "is not known here");
        if (auto value = value_in(*rule, node))
            keys_.push_back({name, *std::move(value), place(node.source().begin.line)});
        else
            refuse(node, name, "must be " + accepted_by(*rule));
    }

    void refuse(const toml::node& node, const std::string& key, const std::string& wrong) {
        const auto line = node.source().begin.line;
        faults_.push_back({line, place(line) + ": " + key + ": " + wrong});
    }

    [[nodiscard]] std::string place(std::uint32_t line) const { return name_ + ", line " + std::to_string(line); }

    std::string name_;
    std::vector<Key> keys_;
    std::vector<Fault> faults_;
};

}  // namespace

ConfigKeys::ConfigKeys(const std::vector<ConfigFile>& files) {
    std::vector<std::string> faults;
    for (const auto& file : files) {
        const Reading reading(file);
        for (const auto& fault : reading.faults()) faults.push_back(fault.text);
        for (const auto& key : reading.keys()) {
            values_[key.name] = key.value;
            places_[key.name] = key.place;
        }
    }
    if (!faults.empty()) throw ConfigError(faults);
}

const ConfigKeys::Value* ConfigKeys::find(const char* key) const {
    if (find_config_rule(key) == nullptr) throw std::logic_error(std::string("no rule for the key ") + key);
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

ConfigKeys::Changes ConfigKeys::follow(const ConfigKeys& running) {
    Changes changes;
    for (const auto& rule : config_rules) {
        const std::string key(rule.key);
        const auto before = running.values_.find(key);
        const auto now = values_.find(key);
        const bool was_given = before != running.values_.end();
        const bool is_given = now != values_.end();
        if (was_given == is_given && (!is_given || now->second == before->second)) continue;
        if (rule.counts == Counts::AfterReload) {
            changes.counting.push_back(key);
            continue;
        }
        changes.waiting.push_back(key);
        values_.erase(key);
        if (was_given) values_[key] = before->second;
    }
    return changes;
}

}  // namespace clamscanner
