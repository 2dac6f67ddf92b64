"""A Debian of its own in a container, booted with its own systemd, on any machine with root and Debian's mirror: also
where PID 1 is no systemd and the control groups are of the old kind. Its network is its own, and reaches nobody."""

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from client import wait_until

SUITE = "bookworm"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root",
               "DEBIAN_FRONTEND": "noninteractive"}
# nspawn's own list of system calls lacks these; on a host the services have them.
_LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"

# In a mount namespace of its own: a tree of control groups of the new kind, for this container alone.
_BOOT = """
set -eu
umount --recursive /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group=/sys/fs/cgroup/$1
mkdir "$group"
echo $$ >"$group/cgroup.procs"
root=$2 calls=$3
shift 3
systemd-nspawn --quiet --register=no --keep-unit --boot --directory="$root" --private-network --console=pipe \
    --system-call-filter="$calls" "$@" || true
echo $$ >/sys/fs/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} +
"""

# Runs a command in a root directory that is not booted, with the host's network.
_CHROOT = """
set -eu
mount --bind /dev "$1/dev"
mount -t proc proc "$1/proc"
cp /etc/resolv.conf "$1/etc/resolv.conf"
exec chroot "$@"
"""


class CannotBoot(Exception):
    """This machine boots no container; says why."""


def _run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    if done.returncode != 0:
        raise CannotBoot(f"{' '.join(command[:6])}: status {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def in_directory(root, *command):
    """Runs a command in a root directory that is not booted."""
    return _run(["unshare", "--mount", "--propagation", "private", "sh", "-c", _CHROOT, "sh", root, *command],
                env=ENVIRONMENT)


def _debians_sources():
    """Those that this machine's apt has: (address, suite, component)."""
    listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                   "Created-By: Packages", "Origin: Debian"])
    return sorted({tuple(line.split()) for line in listed.splitlines()})


def image(place, packages):
    """A root directory with these packages, made once below `place` and kept. Its services have never been started."""
    sources = _debians_sources()
    main = [address for address, suite, component in sources if suite == SUITE]
    if not main:
        raise CannotBoot(f"apt has no source of Debian's {SUITE}")
    key = hashlib.sha256(repr((sources, sorted(packages))).encode()).hexdigest()[:16]
    made = os.path.join(place, f"image-{key}")
    if os.path.isdir(made):
        return made
    fresh = os.path.join(place, "image-new")
    shutil.rmtree(fresh, ignore_errors=True)
    _run(["debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,libpam-systemd,procps", SUITE, fresh,
          main[0]], env=ENVIRONMENT)
    with open(f"{fresh}/etc/apt/sources.list", "w", encoding="utf-8") as file:
        file.writelines(f"deb {' '.join(source)}\n" for source in sources)
    policy = f"{fresh}/usr/sbin/policy-rc.d"
    with open(policy, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    in_directory(fresh, "apt-get", "-q", "update")
    in_directory(fresh, "apt-get", "-q", "-y", "install", "--no-install-recommends", *packages)
    os.unlink(policy)
    os.rename(fresh, made)
    return made


def copy_of(image_directory, root):
    _run(["cp", "-a", "--reflink=auto", image_directory, root])
    with open(f"{root}/etc/machine-id", "w", encoding="ascii") as file:
        file.write(os.urandom(16).hex() + "\n")
    os.makedirs(f"{root}/var/log/journal", exist_ok=True)


class Container:
    """`shared`: a directory of the host that is at the same path inside."""

    def __init__(self, root, name, shared):
        self.root = root
        self.name = name
        self.shared = shared
        self.leader = 0
        self.process = None
        self._host_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    # ---- Life ------------------------------------------------------------------------------------------------------

    def boot(self):
        console = open(f"{self.root}.console", "a", encoding="utf-8")
        with console:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", _BOOT, "sh", self.name, self.root,
                 _LANDLOCK, f"--bind={self.shared}"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True, env=ENVIRONMENT)
        try:
            self.leader = wait_until(self._find_leader, 30, "the container's first process")
            wait_until(self._is_up, 180, "the end of the container's start")
        except (TimeoutError, CannotBoot) as fault:
            self.kill()
            raise CannotBoot(f"{fault}; the console's last lines:\n{self.console()[-2000:]}") from fault

    def console(self):
        with open(f"{self.root}.console", encoding="utf-8", errors="replace") as file:
            return file.read()

    def reboot(self):
        self.run("systemctl", "reboot", check=False)
        self.process.wait(180)
        self.boot()

    def power_off(self):
        if self.process and self.process.poll() is None:
            self.run("systemctl", "poweroff", check=False)
            try:
                self.process.wait(180)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.leader and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, 9)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _find_leader(self):
        if self.process.poll() is not None:
            raise CannotBoot("it ended at once")
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                    numbers = next((line.split()[1:] for line in file if line.startswith("NSpid:")), [])
                if len(numbers) > 1 and numbers[-1] == "1":
                    return pid
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                    waiting += [int(child) for child in file.read().split()]
        return None

    def _is_up(self):
        if self.process.poll() is not None:
            raise CannotBoot("it ended while it started")
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    # ---- Inside ----------------------------------------------------------------------------------------------------

    def run(self, *command, check=True, text=None, seconds=600):
        """Runs a command inside, as root."""
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wdns=/",
             *command], input=text, stdin=None if text is not None else subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", env=ENVIRONMENT, timeout=seconds, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def said(self, *command, **options):
        return self.run(*command, **options).stdout.strip()

    def path(self, inside):
        return self.root + inside

    def enter_network(self):
        """From here on, what this process connects to is inside."""
        with open(f"/proc/{self.leader}/ns/net", "rb") as network:
            _set_network(network.fileno())

    def leave_network(self):
        _set_network(self._host_network)


def _set_network(fd):
    clone_newnet = 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), "enter a network")
