// The two locks of a mailbox that other mail programs use at the same time, as Debian Policy, 11.6, wants them: an
// fcntl() lock on the whole file, and the file NAME.lock beside it (the dotlock, made in the way that holds on NFS, see
// open(2) at O_EXCL). Both are only tried, fcntl first; where the second is not to be had the first is given back
// before waiting, so no order in which others take them leads to a deadlock. Run by the runner, as the account's user,
// whose other programs may rename, replace or rewrite anything meanwhile.
//
// Under the locks a mailbox is rewritten in place, never replaced by a rename: dovecot 2.3 and mutt open it first, wait
// then, and do not look again by name, so they would write into what was replaced, and the mail be lost.
//
// The fcntl lock is one of an open file description (F_OFD_SETLK). It and the F_SETLK locks of other processes keep
// each other out, but it does not vanish when the process closes some other descriptor of the same file.
//
// A stale dotlock. Others take a dotlock for abandoned when its process is gone (liblockfile with a pid, dovecot), or
// else after some time: liblockfile 5 minutes, procmail 1024 s, postfix 500 s, dovecot 2 minutes in which neither it
// nor the mailbox changed; mutt never, it asks. All of these must be true here: the fcntl lock is ours; the dotlock is
// a regular file and its mtime is more than 5 minutes before the file system's own now (that of a file made there just
// now); the mailbox was not written in that time either; and no process lives under the pid that it holds, if it holds
// one of this host ("123" and "123:HOST" are known; another host's tells nothing). What cannot be looked into holds no
// pid. One that a process of ours left, as its second line says (this boot, this space of pids, that pid gone), is
// stale at once. Then it is moved away, checked to be the one that was judged, and only then removed. A program that
// locks by dotlock alone, sleeps for 5 minutes and neither writes nor touches it can lose it: that is so with all the
// others.
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
    // until `deadline` at most, asleep most of the time. A symbolic link is not followed and not locked. What the file
    // system refuses is a result; throws std::system_error for what is not the mailbox's fault (no descriptor left).
    [[nodiscard]] static MailboxLockResult take(int directory, const std::string& name,
                                                std::chrono::steady_clock::time_point deadline);

    MailboxLock(MailboxLock&& other) noexcept = default;
    MailboxLock& operator=(MailboxLock&&) = delete;
    // Gives both locks back. A dotlock that is not ours any more is left alone.
    ~MailboxLock();

    // The locked mailbox, a regular file opened for reading and writing. The descriptor is the lock's: a copy that
    // outlives it (dup(), a fork()) is not locked any more.
    [[nodiscard]] int file() const noexcept { return file_.get(); }

    // Whether the mailbox's name still stands for the locked file. True when the lock was taken; to be asked again
    // before anything is written, as programs that heed no lock may have replaced it.
    [[nodiscard]] bool still_named() const noexcept;

    // Makes the dotlock as good as new, which is done before anything is written: dovecot takes one for abandoned after
    // 2 minutes, and nobody is more impatient. False if it is not ours any more: then somebody took it for abandoned,
    // and may be in the mailbox already.
    [[nodiscard]] bool touch() noexcept;

 private:
    friend class MailboxLocking;
    MailboxLock(UniqueFd directory, const std::string& name, UniqueFd file, UniqueFd dotlock);
    [[nodiscard]] bool dotlock_is_ours() const noexcept;

    UniqueFd directory_;
    std::string name_;
    std::string dotlock_name_;
    UniqueFd file_;
    UniqueFd dotlock_;  // open, so that its inode number cannot become another file's
};

enum class MailboxLockVerdict {
    Locked,
    TimedOut,   // somebody else had one of the locks up to the deadline
    Impossible  // and will stay so: never go on without the locks
};

struct MailboxLockResult {
    MailboxLockVerdict verdict = MailboxLockVerdict::TimedOut;
    std::optional<MailboxLock> lock;  // if Locked
    // If Impossible, the errno and what was attempted. EACCES: the directory or the mailbox may not be written, as with
    // /var/mail, where only programs of the group "mail" may make a dotlock. ENOENT: no such mailbox. ELOOP: a symbolic
    // link. EINVAL: no regular file, or no name. ENAMETOOLONG: no room for ".lock".
    int error = 0;
    const char* attempted = "";
};

}  // namespace clamscanner
