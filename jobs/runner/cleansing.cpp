#include "jobs/runner/cleansing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "auth/base/checked.h"
#include "auth/base/sha256.h"
#include "auth/base/write_all.h"
#include "jobs/runner/careful_moves.h"
#include "jobs/runner/disposal.h"
#include "jobs/runner/mail_store.h"
#include "jobs/runner/mailbox_bytes.h"
#include "jobs/shared/beneath.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_json.h"
#include "jobs/shared/quarantine_record.h"

namespace clamscanner {
namespace {

// For a mailbox that a crash left partly rewritten.
constexpr auto longer_patience = std::chrono::minutes(10);
constexpr int reading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

std::string copy_name(const Act& order) {
    return order.opaque + ".mbox";
}

// The error when a crash left the mailbox partly rewritten and it cannot be finished.
std::string half_done(const Act& order, const std::string& why) {
    return "cleansing the mailbox was interrupted halfway and could not be resumed (" + why +
           "): a copy of it as it was before is " + copy_name(order) + " in the quarantine directory";
}

MailboxLock lock_for(const Act& order, int directory, const std::string& name, bool is_half_done,
                     const std::function<void()>& still_waiting) {
    if (!is_half_done) return lock_mailbox(directory, name, still_waiting);
    try {
        return lock_mailbox(directory, name, still_waiting, longer_patience);
    } catch (const Stopped& stopped) {
        throw Stopped(half_done(order, stopped.what()));
    }
}

// Writes a file that is complete as soon as it has its name. Replaces an existing one.
void write_file(const UniqueFd& directory, const std::string& name, std::string_view bytes, mode_t mode) {
    const std::string partial = name + ".partial";
    ::unlinkat(directory.get(), partial.c_str(), 0);  // left by an attempt that crashed
    const UniqueFd file(
        ::openat(directory.get(), partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) stop("write into the quarantine");
    try {
        if (!write_all(file.get(), bytes) || ::fchmod(file.get(), mode) < 0 || ::fsync(file.get()) < 0 ||
            ::renameat(directory.get(), partial.c_str(), directory.get(), name.c_str()) < 0)
            stop("write into the quarantine");
    } catch (const Stopped&) {
        ::unlinkat(directory.get(), partial.c_str(), 0);
        throw;
    }
}

}  // namespace

// One attempt, with the mailbox locked.
class Cleansing::Attempt {
 public:
    Attempt(const Act& order, const std::vector<CutMail>& cuts, const std::string& home_path, UniqueFd quarantine,
            MailboxLock& lock)
        : order_(order),
          home_path_(home_path),
          cuts_(cuts),
          quarantine_(std::move(quarantine)),
          lock_(lock),
          copy_name_(copy_name(order)),
          tail_name_(order.opaque + ".tail") {}

    void carry_out() {
        struct stat status {};
        if (::fstat(lock_.file(), &status) < 0) stop("examine the mailbox");
        if (status.st_uid != ::geteuid()) throw Stopped("the mailbox belongs to another user; it was left alone");
        times_ = {status.st_atim, status.st_mtim};
        const UniqueFd copy(::openat(quarantine_.get(), copy_name_.c_str(), reading));
        if (!copy && errno != ENOENT) stop("open the copy of the mailbox");
        if (!copy || !resume_if_begun(copy.get())) begin();
    }

    [[nodiscard]] std::vector<Saved> saved() const {
        std::vector<Saved> saved;
        for (const auto& cut : cuts_) {
            const UniqueFd file(::openat(quarantine_.get(), cut.opaque.c_str(), reading));
            struct stat status {};
            if (!file || ::fstat(file.get(), &status) < 0 || content_hash(file.get()) != cut.sha256) continue;
            const auto identity = identity_of(status);
            saved.push_back(
                {cut.opaque, identity.device, identity.inode, identity.size, count_mail(file.get(), 2) > 1});
        }
        return saved;
    }

 private:
    // The part of a mailbox that stays, and the messages to take out.
    struct Split {
        std::string kept;
        std::vector<std::pair<const CutMail*, MailRange>> cut;
    };

    [[nodiscard]] Split split(int file, std::string_view mailbox) const {
        std::multimap<std::string_view, const CutMail*> wanted;
        for (const auto& cut : cuts_) wanted.emplace(cut.sha256, &cut);
        Split split;
        for (const auto& range : mail_in(file)) {
            if (range.end > mailbox.size()) throw Stopped(in_use);
            const auto bytes = bytes_of(mailbox, range);
            const auto found = wanted.find(sha256_hex(bytes));
            if (found == wanted.end()) {
                split.kept += bytes;
            } else {
                split.cut.emplace_back(found->second, range);
                wanted.erase(found);
            }
        }
        return split;
    }

    void begin() {
        const std::string mailbox = read_all(lock_.file());
        const Split found = split(lock_.file(), mailbox);
        if (found.cut.empty()) return;
        bool writing = false;
        try {
            write_file(quarantine_, copy_name_, mailbox, 0600);
            sync_directory(quarantine_);
            save(found, mailbox);
            expect_undisturbed(mailbox.size());
            writing = true;
            rewrite(lock_.file(), mailbox, found.kept);
        } catch (const Stopped&) {
            undo(writing, mailbox);
            throw;
        }
        finish();
    }

    void save(const Split& found, std::string_view mailbox) const {
        for (const auto& [cut, range] : found.cut) save(*cut, bytes_of(mailbox, range));
        sync_directory(quarantine_);
    }

    void save(const CutMail& cut, std::string_view bytes) const {
        write_file(quarantine_, cut.opaque, bytes, 0400);
        QuarantineRecord record{order_.path,     cut.virus,       cut.sha256, order_.identity,
                                order_.metadata, ::time(nullptr), home_path_};
        record.identity.size = bytes.size();
        write_file(quarantine_, record_name(cut.opaque), quarantine_json(record), 0600);
    }

    // Throws if a program that ignores the locks changed the mailbox.
    void expect_undisturbed(std::size_t size) const {
        struct stat status {};
        if (!lock_.still_named() || !lock_.touch() || ::fstat(lock_.file(), &status) < 0 ||
            static_cast<std::size_t>(status.st_size) != size || status.st_mtim.tv_sec != times_[1].tv_sec ||
            status.st_mtim.tv_nsec != times_[1].tv_nsec)
            throw Stopped(in_use);
    }

    // Restores the mailbox and removes all traces of the attempt. If the mailbox cannot be written back, the copy is
    // kept.
    void undo(bool writing, const std::string& mailbox) const {
        if (writing) {
            try {
                rewrite(lock_.file(), {}, mailbox);
            } catch (const Stopped& again) {
                throw Stopped(half_done(order_, again.what()));
            }
        }
        forget_all();
    }

    void forget_all() const {
        for (const auto& cut : cuts_) forget(cut);
        ::unlinkat(quarantine_.get(), copy_name_.c_str(), 0);
        sync_directory(quarantine_);
    }

    void forget(const CutMail& cut) const {
        ::unlinkat(quarantine_.get(), cut.opaque.c_str(), 0);
        ::unlinkat(quarantine_.get(), record_name(cut.opaque).c_str(), 0);
    }

    // There is a copy, so the mailbox may be partly rewritten, and the messages may be saved or not. False if the
    // mailbox is still unchanged; then all traces of the earlier attempt are removed.
    bool resume_if_begun(int copy) {
        try {
            return resume(copy);
        } catch (const Stopped& stopped) {
            throw Stopped(half_done(order_, stopped.what()));
        }
    }

    bool resume(int copy) {
        const std::string before = read_all(copy);
        const Split found = split(copy, before);
        std::string delivered;
        if (const UniqueFd tail{::openat(quarantine_.get(), tail_name_.c_str(), reading)})
            delivered = read_all(tail.get());
        const std::string mailbox = read_all(lock_.file());
        if (mailbox.starts_with(before) && delivered.empty()) {
            forget_all();
            return false;
        }
        save(found, before);
        if (is_only_ours(mailbox, before + delivered, found.kept + delivered)) {
            delivered += mailbox.substr(before.size() + delivered.size());
            if (!delivered.empty()) {
                write_file(quarantine_, tail_name_, delivered, 0600);
                sync_directory(quarantine_);
            }
            expect_undisturbed(mailbox.size());
            rewrite(lock_.file(), mailbox, found.kept + delivered);
        } else if (!mailbox.starts_with(found.kept + delivered)) {
            throw Stopped("another program changed it since");
        }
        finish();
        return true;
    }

    // Whether each byte up to the old end is the old or the new one.
    [[nodiscard]] static bool is_only_ours(std::string_view mailbox, std::string_view before, std::string_view after) {
        if (mailbox.size() < before.size()) return false;
        for (std::size_t i = 0; i < before.size(); ++i)
            if (mailbox[i] != before[i] && (i >= after.size() || mailbox[i] != after[i])) return false;
        return true;
    }

    void finish() const {
        ::futimens(lock_.file(), times_.data());  // so that mail programs see no new mail
        // The copy is removed last: as long as it exists, the steps are repeated.
        ::unlinkat(quarantine_.get(), tail_name_.c_str(), 0);
        ::unlinkat(quarantine_.get(), copy_name_.c_str(), 0);
        ::fsync(quarantine_.get());  // if this fails, the copy may reappear, and then the steps are repeated
    }

    static constexpr const char* in_use = "another program changed the mailbox meanwhile; it was left alone";

    const Act& order_;
    const std::string& home_path_;
    const std::vector<CutMail>& cuts_;
    UniqueFd quarantine_;
    MailboxLock& lock_;
    std::string copy_name_;
    std::string tail_name_;
    std::array<timespec, 2> times_{};
};

Cleansed Cleansing::cleanse(const Act& order, const std::vector<CutMail>& cuts) const {
    Cleansed cleansed;
    cleansed.acted.token = order.token;
    try {
        const std::string relative = below_home(order.path, home_path_);
        const auto [directory_path, name] = split_path(relative);
        const UniqueFd directory = open_beneath(home_, directory_path, O_RDONLY | O_DIRECTORY, Crossing::Allowed);
        if (!directory) stop("open the mailbox's directory");
        UniqueFd quarantine = open_quarantine(home_, true);
        if (!quarantine) stop("open the quarantine directory");
        struct stat status {};
        const bool is_half_done = is_there(quarantine.get(), copy_name(order), status);
        MailboxLock lock = lock_for(order, directory.get(), std::string(name), is_half_done, still_waiting_);
        Attempt attempt(order, cuts, home_path_, std::move(quarantine), lock);
        attempt.carry_out();
        cleansed.saved = attempt.saved();
        cleansed.acted.state = RecordState::MailboxCleansed;
    } catch (const Stopped& stopped) {
        cleansed.acted.state = RecordState::Error;
        cleansed.acted.message = stopped.what();
    }
    cleansed.acted.message.resize(std::min(cleansed.acted.message.size(), longest_message));
    return cleansed;
}

}  // namespace clamscanner
