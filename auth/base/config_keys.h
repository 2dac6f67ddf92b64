// Parses the configuration: a TOML file of sections with keys. A program declares each key it knows with one call,
// which names the variable to set and what is accepted; then every other key is refused. Throws ConfigError, which
// names file, line and key.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "auth/base/config.h"

namespace clamscanner {

class ConfigKeys {
 public:
    // `file` only names it in errors.
    ConfigKeys(const std::string& text, const std::string& file) try : file_(file), root_(toml::parse(text)) {
    } catch (const toml::parse_error& error) {
        throw ConfigError(file + ", line " + std::to_string(error.source().begin.line) + ": " +
                          std::string(error.description()));
    }

    // Each leaves `value` as it is when the file has no such key; `key` is "section.key".
    void number(const char* key, std::uint64_t& value, std::uint64_t least, std::uint64_t most) {
        const auto* node = find(key);
        if (node == nullptr) return;
        const auto given = node->value_exact<std::int64_t>();
        if (!given || *given < 0 || static_cast<std::uint64_t>(*given) < least ||
            static_cast<std::uint64_t>(*given) > most)
            refuse(*node, key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
        value = static_cast<std::uint64_t>(*given);
    }
    void boolean(const char* key, bool& value) {
        const auto* node = find(key);
        if (node == nullptr) return;
        if (!node->is_boolean()) refuse(*node, key, "must be true or false");
        value = **node->as_boolean();
    }
    void text(const char* key, std::string& value) {
        if (const auto* node = find(key)) value = text_of(key, *node);
    }
    void path(const char* key, std::string& value) {
        text(key, value);
        if (const auto* node = find(key); node != nullptr && !value.starts_with('/'))
            refuse(*node, key, "must be an absolute path");
    }
    void names(const char* key, std::vector<std::string>& value, std::size_t least) {
        const auto* node = find(key);
        if (node == nullptr) return;
        const auto* list = node->as_array();
        if (list == nullptr || list->size() < least)
            refuse(*node, key, "must be a list of names" + std::string(least > 0 ? ", at least one" : ""));
        value.clear();
        for (const auto& item : *list) value.push_back(text_of(key, item));
    }

    // Null when the file has no such key.
    [[nodiscard]] const toml::node* find(const std::string& key) {
        known_.insert(key);
        return root_.at_path(key).node();
    }
    [[noreturn]] void refuse(const toml::node& at, const std::string& key, const std::string& wrong) const {
        throw ConfigError(file_ + ", line " + std::to_string(at.source().begin.line) + ": " + key + ": " + wrong);
    }

    enum class Unknown { Refused, SectionsAllowed };
    // Refuses keys that were not declared. A whole section may belong to other programs, which check it.
    void refuse_unknown(Unknown unknown) const {
        for (const auto& [section, content] : root_) {
            const std::string start = std::string(section.str()) + ".";
            const auto first = known_.lower_bound(start);
            const auto* table = content.as_table();
            if (table == nullptr || first == known_.end() || !first->starts_with(start)) {
                if (table != nullptr && unknown == Unknown::SectionsAllowed) continue;
                refuse(content, std::string(section.str()), "is not known here");
            }
            for (const auto& [key, value] : *table)
                if (const auto name = start + std::string(key.str()); !known_.contains(name))
                    refuse(value, name, "is not known here");
        }
    }
    [[nodiscard]] const std::set<std::string>& known() const noexcept { return known_; }

 private:
    [[nodiscard]] std::string text_of(const std::string& key, const toml::node& node) const {
        auto given = node.value_exact<std::string>();
        if (!given || given->find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
            refuse(node, key, "must be a string of one line");
        return *given;
    }
    std::string file_;
    toml::table root_;
    std::set<std::string> known_;
};

}  // namespace clamscanner
