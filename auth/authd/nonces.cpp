#include "auth/authd/nonces.h"

#include <fcntl.h>

#include <ctime>
#include <fstream>
#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/log.h"
#include "auth/base/replace_file.h"
#include "auth/base/sha256.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

constexpr std::size_t digest_size = 64;  // hex digits

}  // namespace

std::string Nonces::Entry::line() const {
    return std::to_string(until) + ' ' + key_id + ' ' + digest + '\n';
}

Nonces::Nonces(std::string file, std::size_t most_per_key) : file_(std::move(file)), most_per_key_(most_per_key) {
    // Malformed lines are skipped: an interrupted write may have left one.
    const std::int64_t latest = std::time(nullptr) + remembered_seconds;
    std::ifstream lines(file_);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        Entry entry;
        words >> entry.until >> entry.key_id >> entry.digest;
        if (words && entry.until <= latest && entry.digest.size() == digest_size) add(std::move(entry));
    }
    if (!lines.eof() && version_of(file_) != FileVersion{}) throw_errno("read the file of nonces", EIO);
    try {
        rewrite();
    } catch (const std::system_error& fault) {
        // Logins by password must work even when the disk is full. use() tries again.
        log_line(Severity::Error, std::string("signed requests are refused: ") + fault.what());
    }
}

Nonces::Use Nonces::use(const std::string& key_id, const std::string& nonce, std::int64_t now) {
    forget_old(now);
    // Neither holds a NUL: one is a word of a file of ours, the other a header's or a parameter's value.
    Entry entry{now + remembered_seconds, key_id, sha256_hex(key_id + '\0' + nonce)};
    if (digests_.contains(entry.digest)) return Use::Again;
    if (count_by_key_[key_id] >= most_per_key_) return Use::TooMany;
    const auto line = entry.line();
    add(std::move(entry));
    if (!log_ || ++lines_ > 2 * entries_.size() + 1024)
        rewrite();
    else
        append(line);
    return Use::First;
}

void Nonces::append(const std::string& line) {
    const auto before = checked(::lseek(log_.get(), 0, SEEK_END), "remember a nonce");
    if (write_all(log_.get(), line)) return;
    const int error = errno;
    // Part of a line would corrupt the next one.
    checked(::ftruncate(log_.get(), before), "undo a partial write");
    throw_errno("remember a nonce", error);
}

void Nonces::add(Entry entry) {
    digests_.insert(entry.digest);
    ++count_by_key_[entry.key_id];
    entries_.push_back(std::move(entry));
}

void Nonces::forget_old(std::int64_t now) {
    for (; !entries_.empty() && entries_.front().until < now; entries_.pop_front()) {
        digests_.erase(entries_.front().digest);
        if (--count_by_key_[entries_.front().key_id] == 0) count_by_key_.erase(entries_.front().key_id);
    }
}

void Nonces::rewrite() {
    std::string text;
    for (const auto& entry : entries_) text += entry.line();
    log_.reset();  // if this fails midway, the open file may be one that was replaced
    replace_file(file_, text, S_IRUSR | S_IWUSR);
    lines_ = entries_.size();
    log_.reset(checked(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC), "open the file of nonces"));
}

}  // namespace clamscanner
