// Locks a mailbox that other mail programs use at the same time, with the two locks that Debian Policy, 11.6, requires:
// an fcntl() lock on the whole file, and the file NAME.lock beside it (the dotlock, created in a way that is safe on
// NFS, see O_EXCL in open(2)). Both are only tried, fcntl first; if the second is not free, the first is released
// before waiting, so no locking order of other programs leads to a deadlock. Run by the runner, as the account's user,
// whose other programs may rename, replace or rewrite anything meanwhile.
//
// Under the locks a mailbox is rewritten in place, never replaced by a rename: dovecot 2.3 and mutt open it, then wait
// for the locks, and do not look up the name again, so they would write into the replaced file, and the mail would be
// lost.
//
// The fcntl lock belongs to an open file description (F_OFD_SETLK). It conflicts with the F_SETLK locks of other
// processes, but is not released when the process closes another descriptor of the same file.
//
// Stale dotlocks. Other programs treat a dotlock as stale when its process is gone (liblockfile with a pid, dovecot),
// or after some time: liblockfile 5 minutes, procmail 1024 s, postfix 500 s, dovecot 2 minutes in which neither it nor
// the mailbox changed; mutt never does, it asks. Here all of these must hold: we have the fcntl lock; the dotlock is a
// regular file, and its mtime is more than 5 minutes before the file system's current time (that of a file just created
// there); the mailbox was not written in that time either; and if the dotlock names a process of this host ("PID" or
// "PID:HOST"), that process is gone. An unreadable dotlock counts as one without a pid. A dotlock left by a process of
// ours, as its second line shows (this boot, this pid namespace, and the pid is gone), is stale at once. A stale
// dotlock is first moved aside, checked to be the one that was examined, and only then removed. A program that uses
// only the dotlock, and for 5 minutes neither writes the mailbox nor touches the dotlock, can lose it; all the other
// programs behave in the same way.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

inline constexpr auto stale_dotlock_age = std::chrono::minutes(5);

struct MailboxLockResult;

class MailboxLock {
 public:
    // Opens and locks the mailbox `name` in the directory `directory`, which the caller may close afterwards. Waits
    // until `deadline` at most. Symbolic links are refused. If the file system refuses something, the result says so;
    // throws std::system_error for other failures (no descriptor left).
    [[nodiscard]] static MailboxLockResult take(int directory, const std::string& name,
                                                std::chrono::steady_clock::time_point deadline);

    MailboxLock(MailboxLock&& other) noexcept = default;
    MailboxLock& operator=(MailboxLock&&) = delete;
    // Releases both locks. A dotlock that is no longer ours is left alone.
    ~MailboxLock();

    // The locked mailbox, a regular file opened for reading and writing. The lock owns the descriptor: copies of it (by
    // dup() or fork()) are not locked once the lock is released.
    [[nodiscard]] int file() const noexcept { return file_.get(); }

    // Whether the mailbox's name still refers to the locked file. True when the lock is taken; check again before
    // writing, because programs that ignore the locks may have replaced the mailbox.
    [[nodiscard]] bool still_named() const noexcept;

    // Refreshes the dotlock's time. Call it before writing: dovecot treats a dotlock as stale after 2 minutes, sooner
    // than any other program. False if the dotlock is no longer ours: then another program took it for stale, and may
    // be using the mailbox already.
    [[nodiscard]] bool touch() noexcept;

 private:
    friend class MailboxLocking;
    MailboxLock(UniqueFd directory, const std::string& name, UniqueFd file, UniqueFd dotlock);
    [[nodiscard]] bool dotlock_is_ours() const noexcept;

    UniqueFd directory_;
    std::string name_;
    std::string dotlock_name_;
    UniqueFd file_;
    UniqueFd dotlock_;  // kept open, so that its inode number is not reused
};

enum class MailboxLockVerdict {
    Locked,
    TimedOut,   // another program held one of the locks until the deadline
    Impossible  // and waiting will not help; never continue without the locks
};

struct MailboxLockResult {
    MailboxLockVerdict verdict = MailboxLockVerdict::TimedOut;
    std::optional<MailboxLock> lock;  // if Locked
    // If Impossible, the errno and what was attempted. EACCES: the directory or the mailbox is not writable; in
    // /var/mail, for example, only programs of the group "mail" can create a dotlock. ENOENT: no such mailbox. ELOOP: a
    // symbolic link. EINVAL: not a regular file, or not a valid name. ENAMETOOLONG: no room for ".lock".
    int error = 0;
    const char* attempted = "";
};

}  // namespace clamscanner
