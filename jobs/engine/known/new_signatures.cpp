#include "jobs/engine/known/new_signatures.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "auth/base/checked.h"
#include "auth/base/sha256.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/signature_reader.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

using Lines = std::vector<std::uint64_t>;  // hashes, sorted, each once

std::uint64_t number_of(std::string_view ending, std::string_view line) {
    const std::hash<std::string_view> hash;
    return hash(line) ^ (hash(ending) * 0x9e3779b97f4a7c15);
}

void sort(Lines& lines) {
    std::sort(lines.begin(), lines.end());
    lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
}

// ---- The record ----------------------------------------------------------------------------------------------------

struct Before {
    std::string rest;                // a hash of all that is not a signature or an allow-list
    std::vector<std::string> bases;  // fingerprints, the newest last
    Lines allowed;                   // that are in the newest
    Lines signatures;                // that are in each of them
};

constexpr const char* record_format = "signatures that judgements were made with, 1";

// The format, the rest's hash and the bases, a line each, an empty line; the numbers of both kinds of lines and the
// lines' hashes, as they are in memory; and the SHA-256 of all that, in hex digits.
std::string text_of(const Before& record) {
    std::string text = std::string(record_format) + "\n" + record.rest + "\n";
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

std::string line_file(std::string_view ending) {
    return "lines" + std::string(ending);
}

// Writes what it is given into files that the library loads.
class Files {
 public:
    explicit Files(std::string directory) : directory_(std::move(directory)) {}
    void add(const std::string& name, std::string_view bytes, std::string_view end = {}) { in(name) << bytes << end; }
    void close() {
        for (auto& [name, file] : files_) {
            file.close();
            if (!file) throw std::runtime_error("the new signatures cannot be written: " + name);
        }
    }
    // Nothing of it is needed.
    void remove() {
        files_.clear();
        for (const auto& entry : std::filesystem::directory_iterator(directory_)) std::filesystem::remove(entry);
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

// All that is there now, as it is read.
struct Reading {
    Lines allowed;
    Lines signatures;
    std::string rest;
    std::size_t new_lines = 0;
};

Reading read_all(const Settings& config, const Lines& old, Files& files) {
    Reading now;
    std::map<std::string, std::string> rest;  // what is neither a signature nor allowed, by the file that it goes into
    const auto is_old = [&](std::uint64_t line) { return std::binary_search(old.begin(), old.end(), line); };
    SignatureSink sink;
    sink.signature = [&](std::string_view ending, std::string_view line) {
        const auto hash = number_of(ending, line);
        now.signatures.push_back(hash);
        if (is_old(hash) || ++now.new_lines > most_new_lines) return;
        files.add(line_file(ending), line, "\n");
    };
    sink.allowed = [&](std::string_view ending, std::string_view line) {
        now.allowed.push_back(number_of(ending, line));
        files.add(line_file(ending), line, "\n");
    };
    sink.rule = [&](std::string_view ending, std::string_view line) {
        rest[line_file(ending)].append(line).append("\n");
    };
    sink.other = [&](const std::string& name, std::string_view piece) { rest[name].append(piece); };
    read_signatures(config.paths.signature_directory, sink);
    sort(now.allowed);
    sort(now.signatures);
    std::string text = scan_conditions(config) + "\n" + listing_of(config.paths.embedded_signature_directory).files;
    for (const auto& [name, content] : rest) {
        files.add(name, content);
        text += name + " " + sha256_hex(content) + "\n";
    }
    now.rest = sha256_hex(text);
    return now;
}

bool counts_still(const Before& before, const Reading& now) {
    return before.rest == now.rest && now.new_lines <= most_new_lines &&
           std::includes(now.allowed.begin(), now.allowed.end(), before.allowed.begin(), before.allowed.end());
}

}  // namespace

std::optional<NewSignatures> write_new_signatures(const Settings& config, const std::string& directory) {
    const std::string path = config.engine.memory_directory + "/signatures_before";
    const auto& source = config.paths.signature_directory;
    const auto listing = listing_of(source);
    if (!listing.problem.empty()) throw std::runtime_error(listing.problem);
    const auto before = read_record(path);
    Files files(directory);
    auto now = read_all(config, before ? before->signatures : Lines(), files);
    if (listing_of(source) != listing) throw std::runtime_error("the signatures changed while they were read");
    files.close();

    NewSignatures found{fingerprint_of(config, listing), {}};
    Before record;
    if (before && counts_still(*before, now)) {
        // One that is gone is new when it comes back: what was judged meanwhile was judged without it.
        std::set_intersection(before->signatures.begin(), before->signatures.end(), now.signatures.begin(),
                              now.signatures.end(), std::back_inserter(record.signatures));
        record.bases = before->bases;
        std::erase(record.bases, found.fingerprint);
        if (record.bases.size() > most_bases) record.bases.erase(record.bases.begin());
        found.bases = record.bases;
    } else {
        record.signatures = std::move(now.signatures);
        files.remove();
    }
    record.rest = std::move(now.rest);
    record.allowed = std::move(now.allowed);
    record.bases.push_back(found.fingerprint);
    write_record(path, record);
    if (found.bases.empty()) return std::nullopt;
    return found;
}

}  // namespace clamscanner
