"""Throw-away users: made with the system's own tools, as real as any that PAM knows, and removed without a trace."""

import contextlib
import ctypes
import grp
import itertools
import os
import pwd
import random
import secrets
import signal
import string
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    name: str
    password: str
    home: str
    uid: int
    gid: int

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def write(self, relative, content, mode=0o644):
        """Puts a file into the home as the account's own, with the directories on the way."""
        path = self.path(relative)
        directory = os.path.dirname(path)
        missing = []
        while not os.path.isdir(directory):
            missing.append(directory)
            directory = os.path.dirname(directory)
        for directory in reversed(missing):
            os.mkdir(directory, 0o755)
            os.chown(directory, self.uid, self.gid)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chown(path, self.uid, self.gid)
        os.chmod(path, mode)
        return path


# Others may change the same files at the same time: other demos, an administrator. The tools give up at once.
_LOCKED = {"groupadd": (10,), "useradd": (1, 10), "userdel": (1, 10), "usermod": (1, 10), "chage": (1, 5), "chpasswd": (1,)}
_PATIENCE_SECONDS = 120


def _run(command, **options):
    """Runs a tool that changes the list of users to its end, tried again while somebody else has the lists locked."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    # A tool killed together with us would leave its locks behind.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        while True:
            done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, **options)
            if done.returncode not in _LOCKED[command[0]] or time.monotonic() > deadline:
                return done
            time.sleep(random.uniform(0.05, 0.4))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def change(command, **options):
    done = _run(command, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def random_letters(count):
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(count))


def add_system_user(name):
    change(["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
            "--shell", "/usr/sbin/nologin", name])
    return pwd.getpwnam(name)


def add_account(name, home):
    """`home` may be there already (a file system mounted for it) or is made."""
    change(["useradd", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", name])
    password = secrets.token_urlsafe(15)
    change(["chpasswd"], input=f"{name}:{password}\n")
    entry = pwd.getpwnam(name)
    os.makedirs(home, mode=0o711, exist_ok=True)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    os.chmod(home, 0o711)
    return Account(name, password, home, entry.pw_uid, entry.pw_gid)


def add_again(removed, password):
    """Another account with the same name, ids and home, as useradd makes it once userdel has made room. Without a password
    where that is None."""
    change(["groupadd", "--gid", str(removed.gid), removed.name])
    change(["useradd", "--gid", str(removed.gid), "--uid", str(removed.uid), "--create-home", "--home-dir", removed.home,
            "--shell", "/bin/sh", removed.name])
    if password is not None:
        change(["chpasswd"], input=f"{removed.name}:{password}\n")
    return Account(removed.name, password, removed.home, removed.uid, removed.gid)


def add_accounts(names, directory):
    """Many at once, with homes in that directory. They have one password and one hash, which costs each login as much as
    one of its own would: making 1,000 hashes takes minutes."""
    first = add_account(names[0], os.path.join(directory, names[0]))
    with _lists_locked():
        hashed = _shadow_line(first.name)[1]
        used = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
        ids = (number for number in itertools.count(first.uid + 1) if number not in used)
        made = [first] + [Account(name, first.password, os.path.join(directory, name), number, number)
                          for name, number in zip(names[1:], ids)]
        days = int(time.time()) // 86400
        for file, line in (("group", lambda one: f"{one.name}:x:{one.gid}:"), ("gshadow", lambda one: f"{one.name}:!::"),
                           ("shadow", lambda one: f"{one.name}:{hashed}:{days}:0:99999:7:::"),
                           ("passwd", lambda one: f"{one.name}:x:{one.uid}:{one.gid}::{one.home}:/bin/sh")):
            with open(f"/etc/{file}", "a", encoding="utf-8") as lines:
                lines.write("".join(line(one) + "\n" for one in made[1:]))
    for one in made[1:]:
        os.mkdir(one.home, mode=0o711)
        os.chown(one.home, one.uid, one.gid)
    return made


@contextlib.contextmanager
def _lists_locked():
    """As the system's own tools do it, lckpwdf(3)."""
    library = ctypes.CDLL(None, use_errno=True)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while library.lckpwdf() != 0:
        if time.monotonic() > deadline:
            raise OSError(ctypes.get_errno(), "lock the lists of users")
    try:
        yield
    finally:
        library.ulckpwdf()


def _shadow_line(name):
    with open("/etc/shadow", encoding="utf-8") as lines:
        return next(fields for line in lines if (fields := line.split(":"))[0] == name)


def processes_of(uid):
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid == uid or _real_uid(entry.name) == uid:
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _real_uid(pid):
    # The owner of /proc/PID is root where the process is not dumpable.
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        for line in status:
            if line.startswith("Uid:"):
                return int(line.split()[1])
    return -1


def end_processes_of(uid, seconds=10):
    """False if some are left."""
    deadline = time.monotonic() + seconds
    while running := processes_of(uid):
        if time.monotonic() > deadline:
            return False
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return True


def remove_user(name):
    """With every process it still has. Does nothing for a user that is not there."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    end_processes_of(uid)
    done = _run(["userdel", name])
    if done.returncode not in (0, 6):
        raise RuntimeError(f"userdel {name}: {done.stderr.strip()}")
