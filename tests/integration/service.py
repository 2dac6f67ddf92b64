"""The whole service, started as an administrator would start it: every program under a user of its own, its own prefix,
sockets, database, accounts and web server. Demos and tests use it; several may run at once.

Everything it makes lies in one directory below /var/tmp, beside the users, which are noted there before they are made,
and a PAM service file. All of it goes away at the end; what a killed predecessor left goes away at the next start.
"""

import contextlib
import copy
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import accounts
from apache_front import ApacheFcgidFront, ApacheProxyFront
from client import Client, wait_until
from nginx_front import NginxFront
from web_front import ROOT, Responder, Site

PLACE = "/var/tmp"
PREFIX = "clamscanner-"

@dataclass(frozen=True)
class Daemon:
    program: str
    has_own_user: bool = True


# The engine's registry of known contents, and what judges these: no part of any job.
OWN_NAMES = ("scan-registry", "scan-judge", "scan-judge-new")

# In the order in which they are started; any order works.
DAEMONS = {
    "authd": Daemon("clamscanner-authd", has_own_user=False),
    "engine": Daemon("clamscanner-engine"),
    "jobd": Daemon("clamscanner-jobd"),
    "fcgi": Daemon("clamscanner.fcgi"),
}
# The last of them, in a Service(with_notifyd=True).
NOTIFYD = {"notify": Daemon("clamscanner-notifyd")}

# At a centre of many machines alone.
CENTRE = Daemon("clamscanner-fleetd")

# The web servers that a service can stand behind; CLAMSCANNER_FRONT names one.
FRONTS = {"nginx": NginxFront, "proxy": ApacheProxyFront, "fcgid": ApacheFcgidFront}


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    uid: int
    program: str
    depth: int  # 0 for a daemon itself, 1 for its children …; -1 for those with a name of their own


class Service:
    def __init__(self, *, build=None, front=None, port=0, config=None, site=lambda service: Site(), nginx_more=None,
                 with_host_user=False, with_notifyd=False, make_centre=None, tell=lambda text: None):
        """`make_centre`: makes what a centre of many machines needs beside it (fleet.Centre). `site` says what the web
        server's site has beside the service; `nginx_more`, what stands in nginx's alone."""
        self.build = build or os.environ.get("CLAMSCANNER_BUILD_DIR") or os.path.join(ROOT, "build")
        self.tell = tell
        self.suffix = accounts.random_letters(6)
        self.extra_config = copy.deepcopy(config or {})
        self.front_name = front or os.environ.get("CLAMSCANNER_FRONT") or "nginx"
        self.wanted_port = port
        self.site = site
        self.nginx_more = nginx_more
        self.with_host_user = with_host_user
        self.daemons = DAEMONS | NOTIFYD if with_notifyd else DAEMONS
        self.make_centre = make_centre
        self.centre = None
        self.host_user = None  # who sees the whole host's statistics
        self.directory = None
        self.front = None
        self.running = {}
        self.users = {}
        self._ready = {}

    # ---- Life ----------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self._set_up()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, fault, trace):
        if isinstance(fault, Exception):
            self.show_log()
        # A second Ctrl-C must not leave users behind.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        try:
            self._tear_down()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _set_up(self):
        remove_abandoned()
        self._make_directory()
        self.tell("installing into a prefix of its own")
        self._install()
        self.tell("making the system users")
        for name, daemon in self.daemons.items():
            if daemon.has_own_user:
                self.users[name] = self._add_user(f"cs-{self.suffix}-{name}", accounts.add_system_user)
        if self.with_host_user:
            self.host_user = self._add_user(f"cs-{self.suffix}-host", accounts.add_system_user)
            self.extra_config.setdefault("jobs", {})["host_users"] = [self.host_user.pw_name]
        self._make_places()
        if self.make_centre:
            self._prepare_centre()
        self._write_config()
        front = self._make_front()
        for name in self.daemons:
            if name == "fcgi" and front.spawns_responder:
                continue
            self.tell(f"starting {self.daemons[name].program}")
            self.start(name)
        if self.centre:
            self.tell("starting clamscanner-fleetd")
            self.start("fleetd")
        self.tell(f"starting {front.name}")
        self.front = front
        self.front.start()

    def _prepare_centre(self):
        for name in ("postgres", "fleetd"):
            self.users[name] = self._add_user(f"cs-{self.suffix}-{name}", accounts.add_system_user)
        self._make_owned("run/fleetd", "fleetd", 0o755)
        self._make_owned("fleet-keys", "fleetd", 0o700)
        self.tell("making a PostgreSQL of its own")
        self.centre = self.make_centre(self)
        fleet = self.extra_config.setdefault("fleet", {})
        self.extra_config["fleet"] = {**self.centre.config(), **fleet}

    def _make_front(self):
        kind = FRONTS[self.front_name]
        options = {"more": self.nginx_more(self)} if self.nginx_more else {}
        responder = Responder(self.path("run/fcgi/fcgi.sock"), self._user_name("fcgi"),
                              self.program(DAEMONS["fcgi"].program), self.config_file)
        return kind(self.path(kind.name), responder, self.launch, port=self.wanted_port, site=self.site(self),
                    **options)

    def _tear_down(self):
        if self.front:
            self.front.stop()
        for name in reversed(list(self.running)):
            self.stop(name)
        if self.centre:
            self.centre.stop()
        for ready in self._ready.values():
            ready.close()
        if self.directory:
            remove_instance(self.directory)
            self._lock.close()
            self.directory = None

    # ---- The programs ----------------------------------------------------------------------------------------------

    def start(self, name, environment=None):
        """Starts a daemon, with more in its environment if wanted, and waits until it says that it is ready."""
        daemon = CENTRE if name == "fleetd" else self.daemons[name]
        if name not in self._ready:
            self._ready[name] = Readiness(f"clamscanner-{self.suffix}-{name}")
        ready = self._ready[name]
        ready.forget()
        process = self.launch([self.program(daemon.program), "--config", self.config_file], user=self.users.get(name),
                               environment={"NOTIFY_SOCKET": ready.address, **(environment or {})})
        self.running[name] = process
        if not ready.wait(process, 120):
            raise RuntimeError(f"{daemon.program} does not start (status {process.poll()})")

    def stop(self, name, timeout=20):
        """Stops a daemon as a supervisor would: SIGTERM, and SIGKILL if it does not end. Returns its exit status."""
        process = self.running.pop(name)
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            print(f"{name} did not stop on SIGTERM", file=sys.stderr)
            process.kill()
            return process.wait()

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def restart_what_ended(self):
        """What systemd does with Restart=always; how each ended, by name."""
        ended = {name: status for name, process in self.running.items() if (status := process.poll()) is not None}
        for name in ended:
            del self.running[name]
            self.start(name)
        return ended

    @property
    def pam_file(self):
        return f"/etc/pam.d/{os.path.basename(self.directory)}"

    def pid(self, name):
        return self.running[name].pid

    def processes(self, program=None):
        """Every process of this service, web server aside, or those of one program."""
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (status := _read_status(entry)):
                children.setdefault(status["PPid"], []).append((int(entry), status["Uid"]))
        found = []

        def visit(pid, parent, uid, depth):
            try:
                path = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                return
            found.append(Process(pid, parent, uid, os.path.basename(path), -1 if _name_of(pid) in OWN_NAMES else depth))
            for child, child_uid in children.get(pid, []):
                visit(child, pid, child_uid, depth + 1)

        for process in self.running.values():
            if process.poll() is None and (status := _read_status(process.pid)):
                visit(process.pid, os.getpid(), status["Uid"], 0)
        return [process for process in found if program in (None, process.program)]

    def faults_logged(self):
        """Lines by which a program says that it is broken: what a sanitizer found, or what cannot be."""
        logs = [self.path("programs.log")]
        if self.front.spawns_responder:
            logs.append(self.front.error_log)
        return [line for log in logs for line in _lines_of(log)
                if re.search(r"Sanitizer|runtime error:", line)]

    def long_turns_logged(self):
        """The long turns of its event loop that jobd logged, in milliseconds."""
        turns = (re.search(r"one turn of the loop took (\d+) ms", line) for line in _lines_of(self.path("programs.log")))
        return [int(turn[1]) for turn in turns if turn]

    def events_logged(self, name, since=0):
        """The audit log's events of that name, of what the programs have logged from that byte on.

        A SIGKILL in the middle of a write leaves the part of a line before a page's end, and the next program's line
        goes right after it; who reads during a write sees such a part. Any other line that is no JSON is a fault.
        """
        with open(self.path("programs.log"), encoding="utf-8", errors="replace") as file:
            file.seek(since)
            found = []
            for line in file:
                start = line.rfind('{"event":')
                is_part = not line.endswith("\n") or re.search(r"clamscanner[-.]\w+\[\d+\]", line[start:])
                if start >= 0 and not is_part:
                    found.append(json.loads(line[start:]))
        return [event for event in found if event["event"] == name]

    def show_log(self):
        """What the programs said last, for whoever reads why a test failed."""
        logs = [(self.path("programs.log"), 80)] if self.directory else []
        if self.front:
            logs.append((self.front.error_log, 20))
        for path, count in logs:
            try:
                said = _lines_of(path)[-count:]
            except OSError:
                continue
            print(f"--- {os.path.basename(path)}, the last {len(said)} lines", *(line.rstrip("\n") for line in said),
                  sep="\n", file=sys.stderr)

    # ---- Accounts ------------------------------------------------------------------------------------------------

    def add_account(self, kind="demo", home=None):
        name = f"{kind}{accounts.random_letters(6)}"
        return self._add_user(name, lambda name: accounts.add_account(name, home or self.path("home", name)))

    def make_room(self, account):
        """Removes it; its ids stay free for accounts.add_again(). useradd takes the one after the highest in use, so a
        further account, made first, keeps the highest."""
        self.add_account()
        accounts.remove_user(account.name)
        shutil.rmtree(account.home)

    def add_accounts(self, count, kind="demo"):
        names = [f"{kind}{accounts.random_letters(6)}" for _ in range(count)]
        print(*names, sep="\n", file=self._lock, flush=True)
        return accounts.add_accounts(names, self.path("home"))

    def client(self, account=None, **how):
        return Client(self.front.port, account, **how)

    def keys(self, *words):
        """What the administrator's command for access keys says."""
        done = subprocess.run([self.installed_program("clamscanner-keys"), "--config", self.config_file, *words],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"clamscanner-keys {' '.join(words)}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def add_access_key(self, user):
        """Its id and its secret."""
        lines = self.keys("add", user).splitlines()
        return tuple(line.partition(": ")[2] for line in lines)

    @property
    def statistics_url(self):
        return f"http://127.0.0.1:{self.front.statistics_port}"

    def wait_until_it_serves(self, account, seconds=60):
        """A first login and a first answer, so that what comes next is measured or killed warm."""
        client = self.client(account)

        def answered():
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended by itself (status {process.returncode})")
            return client.ask("get_scan_status").status == 200

        wait_until(answered, seconds, "a first answer")

    @contextlib.contextmanager
    def stopped(self, daemon):
        """While that program stands still; without the engine, say, no scan that was started ends."""
        pid = self.pid(daemon)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    # ---- Places ----------------------------------------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def program(self, name):
        return os.path.join(self.program_directory, name)

    @property
    def config_file(self):
        return self.path("clamscanner.toml")

    def _make_directory(self):
        # Locked before it has the name that others look for.
        fresh = tempfile.mkdtemp(prefix=f"new-{PREFIX}", dir=PLACE)
        os.chmod(fresh, 0o755)
        self._lock = open(os.path.join(fresh, "users"), "a", encoding="utf-8")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.directory = os.path.join(PLACE, PREFIX + self.suffix)
        os.rename(fresh, self.directory)

    def _install(self):
        with open(os.path.join(self.build, ".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            done = subprocess.run(["cmake", "--install", self.build], env={**os.environ, "DESTDIR": self.path("prefix")},
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=0o022)
        if done.returncode != 0:
            raise RuntimeError(f"cmake --install: {done.stdout}")
        self.program_directory = self._installed("clamscanner-authd")
        self.embedded_signatures = self._installed_directory("signatures")

    def _installed(self, file_name):
        return next(directory for directory, _, files in os.walk(self.path("prefix")) if file_name in files)

    def _installed_directory(self, name):
        return next(os.path.join(directory, name) for directory, names, _ in os.walk(self.path("prefix"))
                    if name in names)

    def installed_program(self, name):
        """Not its completion for bash, which has the same name."""
        paths = (os.path.join(directory, name) for directory, _, files in os.walk(self.path("prefix")) if name in files)
        return next(path for path in paths if os.stat(path).st_mode & stat.S_IXUSR)

    def _make_places(self):
        for name, mode in (("run", 0o755), ("home", 0o755), ("no-signatures", 0o755)):
            os.mkdir(self.path(name), mode)
        for name, mode in (("engine", 0o755), ("jobd", 0o755), ("fcgi", 0o755)):
            self._make_owned(f"run/{name}", name, mode)
        self._make_owned("state", "jobd", 0o700)
        self._make_owned("engine-state", "engine", 0o700)
        open(self.path("programs.log"), "a", encoding="utf-8").close()

    def _make_owned(self, relative, daemon, mode):
        os.mkdir(self.path(relative), mode)
        os.chown(self.path(relative), self.users[daemon].pw_uid, self.users[daemon].pw_gid)

    def _write_config(self):
        pam_service = os.path.basename(self.pam_file)
        shutil.copyfile(os.path.join(self._installed_directory("pam.d"), "clamscanner"), self.pam_file)
        config = {
            "paths": {"run_directory": self.path("run"), "state_directory": self.path("state"),
                      "program_directory": self.program_directory,
                      "signature_directory": self.path("no-signatures"),
                      "embedded_signature_directory": self.embedded_signatures},
            "responder": {"users": [self._user_name("fcgi")], "socket": self.path("run/fcgi/fcgi.sock"),
                          "page_directory": self._installed_directory("page")},
            "login": {"pam_service": pam_service},
            "jobs": {"user": self._user_name("jobd")},
            "statistics": {"access_keys": self.path("access_keys"), "nonces": self.path("authd-state/nonces")},
            # Tests infect account after account with the same virus.
            "brake": {"files_percent": 100, "accounts_percent": 100},
            "engine": {"user": self._user_name("engine"), "memory_directory": self.path("engine-state")},
            # The mail server of this machine is nobody's for tests.
            "notifications": {"smtp_port": 1, **({"user": self._user_name("notify")} if "notify" in self.users else {})},
        }
        for section, keys in self.extra_config.items():
            config.setdefault(section, {}).update(keys)
        with open(self.config_file, "w", encoding="utf-8") as file:
            for section, keys in config.items():
                # A JSON string, number, boolean or list of them is TOML too.
                file.write(f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))

    def _user_name(self, daemon):
        return self.users[daemon].pw_name

    def _add_user(self, name, add):
        print(name, file=self._lock, flush=True)
        return add(name)

    def launch(self, command, user=None, environment=None):
        """Starts a program that ends when we do, even when we are killed; as `user` it has no capability left."""
        start = ["setpriv", "--pdeathsig=TERM"]
        if user:
            start += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--inh-caps=-all",
                      "--bounding-set=-all", "--no-new-privs"]
        with open(self.path("programs.log"), "ab") as log:
            return subprocess.Popen([*start, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                    start_new_session=True,
                                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                                         **(environment or {})})


class Readiness:
    """The supervisor's end of sd_notify(3)."""

    def __init__(self, name):
        self.address = "@" + name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind("\0" + name)

    def close(self):
        self._socket.close()

    def forget(self):
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            pass

    def wait(self, process, seconds):
        """False when the process ended or took too long."""
        self._socket.settimeout(0.1)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if b"READY=1" in self._socket.recv(4096).split(b"\n"):
                    return True
            except TimeoutError:
                continue
        return False


def _lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readlines()


def _name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _read_status(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            lines = dict(line.rstrip("\n").split(":", 1) for line in file if ":" in line)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return {"PPid": int(lines["PPid"]), "Uid": int(lines["Uid"].split()[0])}


def remove_instance(directory):
    with open(os.path.join(directory, "users"), encoding="utf-8") as file:
        names = file.read().split()
    for name in names:
        accounts.remove_user(name)
    pam_service = os.path.join("/etc/pam.d", os.path.basename(directory))
    if os.path.exists(pam_service):
        os.unlink(pam_service)
    _unmount_below(directory)
    # The list of users last: without it nobody would know what an interrupted removal has left.
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
    shutil.rmtree(directory)


def _unmount_below(directory):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        points = [line.split()[4] for line in file]
    for point in reversed(points):
        if point.startswith(directory + "/"):
            subprocess.run(["umount", "--lazy", point], check=True)


def remove_abandoned():
    """Removes what a service left behind when its Python was killed: nobody holds its lock any more."""
    for entry in os.scandir(PLACE):
        # Anybody may make a directory of such a name here; only what root made is believed.
        if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
            continue
        try:
            if entry.stat(follow_symlinks=False).st_uid != 0:
                continue
            with open(os.path.join(entry.path, "users"), encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_instance(entry.path)
        except (BlockingIOError, FileNotFoundError):
            continue
