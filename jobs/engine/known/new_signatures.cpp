#include "jobs/engine/known/new_signatures.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string_view>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/sha256.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/known/ignored_signatures.h"
#include "jobs/engine/known/keyed_hash.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/signature_reader.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

using Lines = std::vector<std::uint64_t>;  // hashes, sorted, each once

void sort(Lines& lines) {
    std::sort(lines.begin(), lines.end());
    lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
}

// ---- The record ----------------------------------------------------------------------------------------------------

struct Before {
    std::string key = random_hex(2 * sizeof(std::uint64_t));
    std::string rest;                // a hash of all that is not a signature or an allow-list
    std::vector<std::string> bases;  // fingerprints, the newest last
    Lines allowed;                   // that are in the newest
    Lines signatures;                // that are in each of them
};

constexpr const char* record_format = "signatures that judgements were made with, 2";

// The format, the key, the rest's hash and the bases, a line each, an empty line; the numbers of both kinds of lines
// and the lines' hashes, as they are in memory; and the SHA-256 of all that, in hex digits.
std::string text_of(const Before& record) {
    std::string text = std::string(record_format) + "\n" + record.key + "\n" + record.rest + "\n";
    for (const auto& base : record.bases) text += base + "\n";
    text += "\n";
    const auto append = [&](const void* bytes, std::size_t size) {
        text.append(static_cast<const char*>(bytes), size);
    };
    for (const auto* lines : {&record.allowed, &record.signatures}) {
        const std::uint64_t count = lines->size();
        append(&count, sizeof count);
    }
    for (const auto* lines : {&record.allowed, &record.signatures})
        append(lines->data(), lines->size() * sizeof(std::uint64_t));
    return text + sha256_hex(text);
}

// Empty if it is none.
std::optional<KeyedHash::Key> key_of(std::string_view digits) {
    KeyedHash::Key key;
    constexpr std::size_t count = 2 * sizeof key.first;
    if (digits.size() != 2 * count) return std::nullopt;
    for (auto* number : {&key.first, &key.second}) {
        const auto* const end = digits.data() + count;
        if (std::from_chars(digits.data(), end, *number, 16).ptr != end) return std::nullopt;
        digits.remove_prefix(count);
    }
    return key;
}

// Empty if it is damaged, or of another format.
std::optional<Before> record_in(const std::string& text) {
    constexpr std::size_t digits = 64;
    if (text.size() < digits) return std::nullopt;
    const std::string_view checked_text(text.data(), text.size() - digits);
    if (sha256_hex(checked_text) != std::string_view(text).substr(checked_text.size())) return std::nullopt;
    Before record;
    std::size_t at = 0;
    const auto line = [&] {
        const auto end = std::min(checked_text.find('\n', at), checked_text.size());
        std::string found(checked_text.substr(at, end - at));
        at = std::min(end + 1, checked_text.size());
        return found;
    };
    if (line() != record_format) return std::nullopt;
    record.key = line();
    if (!key_of(record.key)) return std::nullopt;
    record.rest = line();
    for (auto base = line(); !base.empty(); base = line()) record.bases.push_back(std::move(base));
    const auto take = [&](void* bytes, std::size_t size) {
        if (checked_text.size() - at < size) return false;
        if (size != 0) std::memcpy(bytes, checked_text.data() + at, size);
        at += size;
        return true;
    };
    std::uint64_t counts[2] = {};
    if (!take(counts, sizeof counts)) return std::nullopt;
    std::size_t i = 0;
    for (auto* lines : {&record.allowed, &record.signatures}) {
        if (counts[i] > (checked_text.size() - at) / sizeof(std::uint64_t)) return std::nullopt;
        lines->resize(counts[i]);
        if (!take(lines->data(), counts[i++] * sizeof(std::uint64_t))) return std::nullopt;
    }
    return record;
}

std::optional<Before> read_record(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return file ? record_in(std::string(std::istreambuf_iterator<char>(file), {})) : std::nullopt;
}

// What a crash leaves half-written does not have its own hash at its end.
void write_record(const std::string& path, const Before& record) {
    const std::string unfinished = path + ".new";
    const UniqueFd file(checked(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                                "make the record of the signatures"));
    if (!write_all(file.get(), text_of(record))) throw_errno("write the record of the signatures");
    checked(::rename(unfinished.c_str(), path.c_str()), "keep the record of the signatures");
}

// ---- The new signatures --------------------------------------------------------------------------------------------

bool ends_with_one_of(const std::string& name, std::initializer_list<std::string_view> endings) {
    std::string lower = name;
    for (char& letter : lower) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return std::any_of(endings.begin(), endings.end(), [&](auto ending) { return lower.ends_with(ending); });
}

std::string line_file(std::string_view ending) {
    return "lines" + std::string(ending);
}

// Writes what it is given into files that the library loads.
class Files {
 public:
    explicit Files(std::string directory) : directory_(std::move(directory)) {
        std::filesystem::create_directory(directory_);
    }
    void add(const std::string& name, std::string_view bytes, std::string_view end = {}) { in(name) << bytes << end; }
    void copy_all(const std::string& directory) const {
        for (const auto& name : signature_files(directory))
            std::filesystem::copy_file(directory + "/" + name, directory_ + "/" + name);
    }
    void close() {
        for (auto& [name, file] : files_) {
            file.close();
            if (!file) throw std::runtime_error("the new signatures cannot be written: " + name);
        }
    }
    // Nothing of it is needed.
    void remove() {
        files_.clear();
        std::filesystem::remove_all(directory_);
    }

 private:
    std::ofstream& in(const std::string& name) {
        const auto known = files_.find(name);
        if (known != files_.end()) return known->second;
        return files_.emplace(name, std::ofstream(directory_ + "/" + name, std::ios::binary)).first->second;
    }
    const std::string directory_;
    std::map<std::string, std::ofstream> files_;
};

// Of two rules with one name the first one counts, of two files of icons the last one.
std::string order_of_loading(const std::string& directory) {
    std::string order;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const auto name = entry.path().filename().string();
        if (ends_with_one_of(name, {".yar", ".yara", ".idb"})) order += name + "\n";
    }
    return order;
}

// What it includes may change without us.
bool includes_files(std::string_view rules) {
    constexpr std::string_view word = "include";
    for (auto at = rules.find(word); at != std::string_view::npos; at = rules.find(word, at + 1)) {
        const auto behind = rules.find_first_not_of(" \t", at + word.size());
        if (behind != std::string_view::npos && rules[behind] == '"') return true;
    }
    return false;
}

// All that is there now, as it is read.
class Reading {
 public:
    // Both must outlive this.
    Reading(const Before& before, const IgnoredSignatures& ignored)
        : before_(before), ignored_(ignored), hash_(key_of(before.key).value()) {}

    void read(const std::string& directory, Files& new_ones, Files& others) {
        SignatureSink sink;
        sink.signature = [&](std::string_view ending, std::string_view line) {
            take_signature(ending, line, new_ones);
        };
        sink.allowed = [&](std::string_view ending, std::string_view line) { take_allowed(ending, line, others); };
        sink.rule = [&](std::string_view ending, std::string_view line) {
            refuse_to_ignore(ending, line);
            rest_[line_file(ending)].append(line).append("\n");
        };
        sink.other = [&](const std::string& name, std::string_view piece) { rest_[name].append(piece); };
        read_signatures(directory, sink);
        sort(allowed_);
        sort(signatures_);
        conditions_ = order_of_loading(directory) + (has_imports_ ? "imports\n" : "");
        take_rest(others);
    }
    [[nodiscard]] Lines& allowed() noexcept { return allowed_; }
    [[nodiscard]] Lines& signatures() noexcept { return signatures_; }
    [[nodiscard]] std::size_t new_lines() const noexcept { return new_lines_; }
    // What all else depends on: how it is loaded, and a hash of each file.
    [[nodiscard]] const std::string& conditions() const noexcept { return conditions_; }

 private:
    void take_signature(std::string_view ending, std::string_view line, Files& new_ones) {
        has_imports_ = has_imports_ || ending == ".imp";
        if (!ignored_.contain(ending, line)) {
            signatures_.push_back(number_of(ending, line));
            if (std::binary_search(before_.signatures.begin(), before_.signatures.end(), signatures_.back())) return;
        }
        if (++new_lines_ <= most_new_lines) new_ones.add(line_file(ending), line, "\n");
    }
    void take_allowed(std::string_view ending, std::string_view line, Files& others) {
        refuse_to_ignore(ending, line);
        allowed_.push_back(number_of(ending, line));
        others.add(line_file(ending), line, "\n");
    }
    void refuse_to_ignore(std::string_view ending, std::string_view line) const {
        if (ignored_.contain(ending, line))
            throw std::runtime_error(std::string(IgnoredSignatures::name_in(ending, line)) + " in a file " +
                                     std::string(ending) + " is to be ignored, but others depend on it");
    }
    void take_rest(Files& others) {
        for (const auto& [name, content] : rest_) {
            if (ends_with_one_of(name, {".yar", ".yara"}) && includes_files(content))
                throw std::runtime_error(name + " includes another file");
            others.add(name, content);
            conditions_ += name + " " + sha256_hex(content) + "\n";
        }
    }
    [[nodiscard]] std::uint64_t number_of(std::string_view ending, std::string_view line) const {
        return hash_(line) ^ hash_(ending);
    }

    const Before& before_;
    const IgnoredSignatures& ignored_;
    const KeyedHash hash_;
    std::map<std::string, std::string> rest_;  // neither a signature nor allowed, by the file that it goes into
    Lines allowed_;
    Lines signatures_;
    std::size_t new_lines_ = 0;
    bool has_imports_ = false;
    std::string conditions_;
};

std::string rest_of(const Settings& config, const Reading& now) {
    return sha256_hex(scan_conditions(config) + "\n" + listing_of(config.paths.embedded_signature_directory).files +
                      now.conditions());
}

bool counts_still(const Before& before, const std::string& rest, std::size_t new_lines, const Lines& allowed) {
    return before.rest == rest && new_lines <= most_new_lines &&
           std::includes(allowed.begin(), allowed.end(), before.allowed.begin(), before.allowed.end());
}

}  // namespace

std::optional<NewSignatures> write_new_signatures(const Settings& config, const std::string& directory) {
    const std::string path = config.engine.memory_directory + "/signatures_before";
    const auto& source = config.paths.signature_directory;
    const auto listing = listing_of(source);
    if (!listing.problem.empty()) throw std::runtime_error(listing.problem);
    const auto known = read_record(path);
    const Before none;
    const auto& before = known ? *known : none;
    const IgnoredSignatures ignored(source);
    Files new_ones(directory + new_in);
    Files others(directory + others_in);
    Reading now(before, ignored);
    now.read(source, new_ones, others);
    others.copy_all(config.paths.embedded_signature_directory);
    if (listing_of(source) != listing) throw std::runtime_error("the signatures changed while they were read");
    new_ones.close();
    others.close();

    NewSignatures found{fingerprint_of(config, listing), {}};
    Before record;
    record.key = before.key;
    record.rest = rest_of(config, now);
    record.allowed = std::move(now.allowed());
    if (known && counts_still(before, record.rest, now.new_lines(), record.allowed)) {
        // One that is gone is new when it comes back: what was judged meanwhile was judged without it.
        std::set_intersection(before.signatures.begin(), before.signatures.end(), now.signatures().begin(),
                              now.signatures().end(), std::back_inserter(record.signatures));
        record.bases = before.bases;
        std::erase(record.bases, found.fingerprint);
        if (record.bases.size() > most_bases) record.bases.erase(record.bases.begin());
        found.bases = record.bases;
    } else {
        record.signatures = std::move(now.signatures());
        new_ones.remove();
        others.remove();
    }
    record.bases.push_back(found.fingerprint);
    write_record(path, record);
    if (found.bases.empty()) return std::nullopt;
    return found;
}

}  // namespace clamscanner
