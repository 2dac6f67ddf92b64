#include "jobs/engine/known/content_table.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t version = 1;
constexpr std::size_t tag_bytes = 8;
// When a content was met is written down no more exactly than this: most meetings then write nothing.
constexpr std::int64_t met_granularity_s = 3600;

std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

constexpr const char* schema = R"(
CREATE TABLE contents(
    sha256 BLOB, size INTEGER, kind INTEGER NOT NULL, account INTEGER NOT NULL, met_by BLOB NOT NULL,
    met_s INTEGER NOT NULL, judged_with INTEGER NOT NULL, judged_s INTEGER NOT NULL, clean INTEGER NOT NULL,
    PRIMARY KEY(sha256, size)) WITHOUT ROWID;
CREATE INDEX contents_by_meeting ON contents(kind, account, met_s);
CREATE TABLE fingerprints(number INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL UNIQUE);
)";

// The first 64 bits of the account's hash, of the 256 that it has.
std::uint64_t tag_of(const std::string& account) {
    std::uint64_t tag = 0;
    for (const char digit : account.substr(0, 2 * tag_bytes))
        tag = tag << 4 | static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    return tag;
}

std::string bytes_of(std::uint64_t tag) {
    std::string bytes;
    for (std::size_t i = 0; i < tag_bytes; ++i) bytes += static_cast<char>((tag >> (8 * i)) & 0xff);
    return bytes;
}

// Half as long as the digits.
std::string bytes_of(const std::string& digits) {
    const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        bytes += static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1]));
    return bytes;
}

bool contains_tag(const std::string& tags, const std::string& tag) {
    for (std::size_t at = 0; at + tag_bytes <= tags.size(); at += tag_bytes)
        if (tags.compare(at, tag_bytes, tag) == 0) return true;
    return false;
}

}  // namespace

// ---- Shares --------------------------------------------------------------------------------------------------------

void ContentShares::add(std::uint64_t account, std::int64_t contents) {
    auto& count = contents_[account];
    by_contents_.erase({count, account});
    count += static_cast<std::uint64_t>(contents);
    all_ += static_cast<std::uint64_t>(contents);
    if (count == 0)
        contents_.erase(account);
    else
        by_contents_.emplace(count, account);
}

std::pair<std::uint64_t, std::uint64_t> ContentShares::largest() const {
    const auto first = by_contents_.rbegin();
    const auto second = std::next(first);
    return {first->second, first->first - (second == by_contents_.rend() ? 0 : second->first)};
}

// ---- The table -----------------------------------------------------------------------------------------------------

struct ContentTable::Entry {
    Kind kind = Kind::Candidate;
    std::uint64_t account = 0;
    std::string met_by;  // tags
    std::int64_t met_s = 0;
    std::int64_t judged_with = 0;
    std::int64_t judged_s = 0;
    bool clean = false;
};

ContentTable::ContentTable(const std::string& file, const Limits& limits) : limits_(limits) {
    try {
        open(file);
        prepare();
        count_shares();
    } catch (const DatabaseError& damaged) {
        if (!damaged.is_in_file) throw;
        log_line(Severity::Warning, std::string("the known contents are begun anew: ") + damaged.what());
        for (auto* statement : {&find_, &insert_, &meet_, &judge_, &confirm_, &remove_}) statement->reset();
        database_.reset();
        shares_.clear();
        fingerprints_.clear();
        remove(file);
        open(file);
        prepare();
    }
}

void ContentTable::prepare() {
    auto* const handle = database_->handle();
    find_.emplace(handle,
                  "SELECT kind, account, met_by, met_s, judged_with, judged_s, clean FROM contents "
                  "WHERE sha256 = ? AND size = ?");
    insert_.emplace(handle, "INSERT INTO contents VALUES(?, ?, 0, ?, ?, ?, 0, 0, 0)");
    meet_.emplace(handle, "UPDATE contents SET met_by = ?, met_s = ? WHERE sha256 = ? AND size = ?");
    judge_.emplace(
        handle, "UPDATE contents SET kind = 1, judged_with = ?, judged_s = ?, clean = ? WHERE sha256 = ? AND size = ?");
    confirm_.emplace(handle,
                     "UPDATE contents SET judged_with = ? WHERE sha256 = ? AND size = ? AND kind = 1 AND clean");
    remove_.emplace(handle,
                    "DELETE FROM contents WHERE (sha256, size) IN (SELECT sha256, size FROM contents "
                    "WHERE kind = ? AND account = ? ORDER BY met_s LIMIT ?)");
}

void ContentTable::remove(const std::string& file) {
    std::error_code stays;  // then it cannot be opened either
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(file + suffix, stays);
}

void ContentTable::open(const std::string& file) {
    database_.emplace(file);
    database_->execute("PRAGMA locking_mode = EXCLUSIVE");
    database_->execute("PRAGMA journal_mode = WAL");
    database_->execute("PRAGMA synchronous = NORMAL");
    database_->execute("PRAGMA cache_size = -8192");
    if (is_of_this_version()) return;
    database_->execute(schema);
    database_->execute(("PRAGMA user_version = " + std::to_string(version)).c_str());
}

// False for a new file.
bool ContentTable::is_of_this_version() {
    const auto has = Statement(database_->handle(), "PRAGMA user_version").number();
    const auto tables = Statement(database_->handle(), "SELECT count(*) FROM sqlite_master").number();
    if (tables == 0) return false;
    if (has != version) throw DatabaseError("they are of another version");
    return true;
}

void ContentTable::count_shares() {
    Statement(database_->handle(), "SELECT kind, account, count(*) FROM contents GROUP BY kind, account")
        .each([&](Row row) {
            shares_[row.number<Kind>(0)].add(row.number<std::uint64_t>(1), row.number(2));
            return true;
        });
    Statement(database_->handle(), "SELECT fingerprint, number FROM fingerprints").each([&](Row row) {
        fingerprints_.emplace(row.bytes(0), row.number(1));
        return true;
    });
}

std::optional<ContentTable::Entry> ContentTable::find(const std::string& sha256, std::uint64_t size) {
    return find_->first(
        [](Row row) {
            Entry entry;
            Cursor(row).into(entry.kind, entry.account, entry.met_by, entry.met_s, entry.judged_with, entry.judged_s,
                             entry.clean);
            return entry;
        },
        bytes_of(sha256), size);
}

ContentTable::Met ContentTable::meet(const std::string& sha256, std::uint64_t size, const std::string& account,
                                     const std::string& fingerprint) {
    const auto tag = tag_of(account);
    auto entry = find(sha256, size);
    if (!entry) {
        insert(sha256, size, tag);
        return {limits_.accounts <= 1 ? State::ToBeJudged : State::Unknown, {}};
    }
    if (!meets_enough(sha256, size, *entry, tag)) return {};
    if (entry->kind == Kind::Candidate || has_expired(*entry)) return {State::ToBeJudged, {}};
    if (entry->judged_with == number_of(fingerprint)) return {entry->clean ? State::Known : State::Unknown, {}};
    return {State::ToBeJudged, entry->clean ? fingerprint_of(entry->judged_with) : ""};
}

void ContentTable::insert(const std::string& sha256, std::uint64_t size, std::uint64_t account) {
    begin();
    make_room(Kind::Candidate);
    insert_->run(bytes_of(sha256), size, account, bytes_of(account), now_s());
    shares_[Kind::Candidate].add(account, 1);
}

bool ContentTable::meets_enough(const std::string& sha256, std::uint64_t size, Entry& entry, std::uint64_t account) {
    const auto tag = bytes_of(account);
    const auto now = now_s();
    const bool is_new = entry.met_by.size() < limits_.accounts * tag_bytes && !contains_tag(entry.met_by, tag);
    if (is_new) entry.met_by += tag;
    if (is_new || now - entry.met_s > met_granularity_s || now < entry.met_s) {
        begin();
        meet_->run(entry.met_by, now, bytes_of(sha256), size);
    }
    return entry.kind == Kind::Judged || entry.met_by.size() >= limits_.accounts * tag_bytes;
}

// What seems to be of the future was judged while the clock was wrong, nobody knows when.
bool ContentTable::has_expired(const Entry& entry) const {
    const auto now = now_s();
    return entry.judged_s < now - static_cast<std::int64_t>(limits_.days) * day_s || entry.judged_s > now;
}

std::string ContentTable::fingerprint_of(std::int64_t number) const {
    const auto is_it = [number](const auto& one) { return one.second == number; };
    const auto found = std::find_if(fingerprints_.begin(), fingerprints_.end(), is_it);
    return found == fingerprints_.end() ? "" : found->first;
}

void ContentTable::confirm(const std::string& sha256, std::uint64_t size, const std::string& fingerprint) {
    begin();
    confirm_->run(number_of(fingerprint), bytes_of(sha256), size);
}

void ContentTable::store(const std::string& sha256, std::uint64_t size, const std::string& fingerprint, bool clean) {
    const auto entry = find(sha256, size);
    if (!entry) return;
    begin();
    const auto judged_with = number_of(fingerprint);
    if (entry->kind == Kind::Candidate) {
        make_room(Kind::Judged);
        shares_[Kind::Candidate].add(entry->account, -1);
        shares_[Kind::Judged].add(entry->account, 1);
    }
    judge_->run(judged_with, now_s(), clean, bytes_of(sha256), size);
}

std::int64_t ContentTable::number_of(const std::string& fingerprint) {
    const auto known = fingerprints_.find(fingerprint);
    if (known != fingerprints_.end()) return known->second;
    begin();
    Statement(database_->handle(), "INSERT INTO fingerprints(fingerprint) VALUES(?)").run(fingerprint);
    return fingerprints_[fingerprint] = database_->last_row();
}

void ContentTable::make_room(Kind kind) {
    auto& shares = shares_[kind];
    if (shares.all() < limits_.contents) return;
    const auto [account, ahead] = shares.largest();
    // Many at a time, where it has so many more that it would lose them one by one all the same.
    const auto most = std::clamp<std::uint64_t>(ahead, 1, limits_.contents / 100 + 1);
    remove_->run(kind, account, most);
    const auto removed = database_->changed_rows();
    if (removed == 0) throw DatabaseError("the known contents were miscounted");
    shares.add(account, -removed);
}

void ContentTable::begin() {
    if (!is_in_transaction_) database_->execute("BEGIN");
    is_in_transaction_ = true;
}

void ContentTable::commit() {
    if (!is_in_transaction_) return;
    is_in_transaction_ = false;
    database_->execute("COMMIT");
}

}  // namespace clamscanner
