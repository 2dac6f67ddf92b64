// The database of known contents: which contents the accounts of this host have met, and which of them are clean by a
// judgement of their own. Only the registry opens it; it knows no path, no file and no account but by a hash.
//
// A content is a candidate until enough accounts have met it; then, and whenever its judgement has expired or was made
// with other signatures, it is to be judged at its next meeting. Of what was judged not to be clean only that is kept
// that it need not be judged again: no file is called anything because of it.
//
// Candidates and judged contents have a limit each. A content belongs to the account that met it first, and at the
// limit the account with most contents loses those that were least lately met: whoever has millions of tiny files
// flushes nobody else's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "jobs/shared/sqlite.h"

namespace clamscanner {

// How many contents each account has, and which has most.
class ContentShares {
 public:
    void add(std::uint64_t account, std::int64_t contents);
    [[nodiscard]] std::uint64_t all() const noexcept { return all_; }
    // Must not be empty. The second value: by how many it has more than the next one.
    [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> largest() const;

 private:
    std::map<std::uint64_t, std::uint64_t> contents_;                // by account
    std::set<std::pair<std::uint64_t, std::uint64_t>> by_contents_;  // contents and account
    std::uint64_t all_ = 0;
};

class ContentTable {
 public:
    struct Limits {
        std::uint64_t contents = 0;  // candidates, and as many judged ones
        std::uint64_t accounts = 0;  // that must meet a content before it is judged
        std::uint64_t days = 0;      // for which a judgement holds
    };
    // What is damaged or of another version is removed, and begun anew. Throws DatabaseError when none can be opened.
    ContentTable(const std::string& file, const Limits& limits);
    // Of one that is closed, since it turned out to be damaged later. Nothing that is lost by that costs more than
    // another scan.
    static void remove(const std::string& file);

    enum class State { Unknown, Known, ToBeJudged };
    struct Met {
        State state = State::Unknown;
        // If it is to be judged: the fingerprint of the signatures that it was last judged to be clean with, by a
        // judgement that still holds but for those that are new. Empty: there is none.
        std::string clean_with;
    };
    // `sha256`: 64 hex digits. `account`: as in NewJob. All of these throw DatabaseError.
    [[nodiscard]] Met meet(const std::string& sha256, std::uint64_t size, const std::string& account,
                           const std::string& fingerprint);
    // Both do nothing for a content that is no longer in the table.
    // What was clean is so with the signatures of `fingerprint`, too. Its judgement does not become younger by that.
    void confirm(const std::string& sha256, std::uint64_t size, const std::string& fingerprint);
    void store(const std::string& sha256, std::uint64_t size, const std::string& fingerprint, bool clean);
    // An entry that a crash loses only costs another scan.
    void commit();

 private:
    enum class Kind : std::uint8_t { Candidate = 0, Judged = 1 };
    struct Entry;
    void open(const std::string& file);
    void prepare();
    [[nodiscard]] bool is_of_this_version();
    void count_shares();
    [[nodiscard]] std::optional<Entry> find(const std::string& sha256, std::uint64_t size);
    void insert(const std::string& sha256, std::uint64_t size, std::uint64_t account);
    [[nodiscard]] bool meets_enough(const std::string& sha256, std::uint64_t size, Entry& entry, std::uint64_t account);
    [[nodiscard]] bool has_expired(const Entry& entry) const;
    [[nodiscard]] std::string fingerprint_of(std::int64_t number) const;
    [[nodiscard]] std::int64_t number_of(const std::string& fingerprint);
    void make_room(Kind kind);
    void begin();

    const Limits limits_;
    std::optional<Database> database_;
    std::optional<Statement> find_;
    std::optional<Statement> insert_;
    std::optional<Statement> meet_;
    std::optional<Statement> judge_;
    std::optional<Statement> confirm_;
    std::optional<Statement> remove_;
    std::map<Kind, ContentShares> shares_;
    std::map<std::string, std::int64_t> fingerprints_;
    bool is_in_transaction_ = false;
};

}  // namespace clamscanner
