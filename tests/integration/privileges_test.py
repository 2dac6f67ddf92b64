"""Privileges of all processes while the service works: only authd is root or has a capability, and a user cannot reach
into the processes that run as that user, least of all into their memory."""

import contextlib
import os
import re
import signal
import subprocess
import threading

import accounts
from client import wait_until
from service import DAEMONS
from service_case import ServiceCase, main
from statistics_client import StatisticsClient
from test_files import SlowFiles, clean_page

PYTHON = "/usr/bin/python3"
CAP_SYS_ADMIN = 21
READS = ["ClamScanner", "get_scan_status"]

# Run as the account: tries everything by which one process looks into another, and prints what worked.
_ATTEMPTS = """
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def worked(name, result):
    if result >= 0:
        print(name)
worked("PTRACE_SEIZE", libc.ptrace(0x4206, pid, None, None))
worked("PTRACE_ATTACH", libc.ptrace(16, pid, None, None))
here = ctypes.create_string_buffer(16)
local, remote = Iovec(ctypes.addressof(here), 16), Iovec(int(sys.argv[2], 16), 16)
worked("process_vm_readv", libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0))
for name in ("mem", "environ", "maps", "auxv", "fd/0", "root", "exe"):
    try:
        os.readlink(f"/proc/{pid}/{name}") if name in ("fd/0", "root", "exe") else open(f"/proc/{pid}/{name}", "rb").close()
        print(name)
    except OSError:
        pass
pidfd = os.pidfd_open(pid)
worked("pidfd_getfd", libc.syscall(438, pidfd, 0, 0))
"""


_STOP = "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGSTOP)"


def attempts_that_work(account, pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        address = maps.readline().split("-")[0]
    done = subprocess.run(["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", PYTHON,
                           "-c", _ATTEMPTS, str(pid), address], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.split()


def memory_of(pid):
    """Every readable byte of a process, read as root."""
    pieces = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not match or "[v" in line:  # vvar, vsyscall
                continue
            start, end = (int(number, 16) for number in match.groups())
            if end - start > 1 << 30:  # a sanitizer's shadow
                continue
            try:
                memory.seek(start)
                pieces.append(memory.read(end - start))
            except (OSError, OverflowError):
                continue
    return b"".join(pieces)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


class Privileges(ServiceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = cls.service.add_account("user")
        cls.service.wait_until_it_serves(cls.account)
        for number in range(3000):
            cls.account.write(f"public_html/{number}.html", clean_page(number, 4000))
        # The files of a directory come before those below it, so the workers are busy while all of this is set up, and
        # the runner has pages left to hand over.
        SlowFiles().fill(cls.account, 4, directory=".")

    def setUp(self):
        self.client = self.service.client(self.account)
        while not self.hold_a_job():
            self.client.finish_scan()
        self.agent = self.service.processes("clamscanner-agent")[0]

    def hold_a_job(self):
        """Starts a scan and stops it in the middle of its work, so that nothing ends while it is looked at. False when it
        was over before it could be stopped."""
        # Else an earlier job's would be taken for this one's.
        wait_until(lambda: not self.workers(), 30, "the end of earlier workers")
        self.client.call("start_scan", {"scan_type": "home", "full": 1})
        try:
            self.runner = wait_until(lambda: self.runners(), 10, "a runner")[0]
            # They begin with the first file.
            wait_until(self.workers, 10, "a worker")
            os.kill(self.runner.pid, signal.SIGSTOP)
            # One that was just ending takes the signal, too, and is gone a moment later.
            wait_until(lambda: status_of(self.runner.pid)["State"].startswith("T"), 3, "the runner to be stopped")
        except (ProcessLookupError, FileNotFoundError):
            return False
        except TimeoutError:
            for runner in self.runners():
                self.go_on(runner)
            return False
        self.addCleanup(self.end_the_job)
        return True

    @staticmethod
    def go_on(runner):
        with contextlib.suppress(ProcessLookupError):
            os.kill(runner.pid, signal.SIGCONT)

    def end_the_job(self):
        self.go_on(self.runner)
        self.client.result("cancel_scan")  # or it has ended
        self.client.finish_scan()

    def runners(self):
        return self.service.processes("clamscanner-runner")

    def engine_processes(self):
        return self.service.processes("clamscanner-engine")

    def workers(self):
        return [process for process in self.engine_processes() if process.depth == 3]

    def test_every_process_is_there(self):
        self.assertEqual({process.program for process in self.service.processes()},
                         {"clamscanner-authd", "clamscanner-agent", "clamscanner-runner", "clamscanner-jobd",
                          "clamscanner-engine", "clamscanner.fcgi"})

    def test_no_process_but_authd_holds_a_capability_or_is_root(self):
        for process in self.service.processes():
            if process.program == "clamscanner-authd":
                continue
            status = status_of(process.pid)
            with self.subTest(process.program):
                for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                    if status["Name"] == "scan-judge" and name in ("CapPrm", "CapEff"):
                        continue
                    self.assertEqual(int(status[name], 16), 0, name)
                if status["Name"] == "scan-judge":
                    self.mounts_in_its_own_namespace_alone(process.pid, status)
                self.assertNotIn("0", status["Uid"].split() + status["Gid"].split() + status["Groups"].split())
                self.assertEqual(status["NoNewPrivs"], "1")

    def mounts_in_its_own_namespace_alone(self, pid, status):
        """The judge of known contents has what it needs to mount a file system for each of its children."""
        self.assertIn(int(status["CapEff"], 16), (0, 1 << CAP_SYS_ADMIN))
        self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/user"), os.readlink("/proc/self/ns/user"))

    def test_agents_and_runners_are_the_user_alone(self):
        for process in (self.agent, self.runner):
            status = status_of(process.pid)
            self.assertEqual(status["Uid"].split(), [str(self.account.uid)] * 4)
            self.assertEqual(status["Gid"].split(), [str(self.account.gid)] * 4)
            self.assertEqual(set(status["Groups"].split()), {str(self.account.gid)})

    def test_the_attempts_work_on_an_ordinary_process(self):
        # Otherwise the next test would prove nothing.
        victim = subprocess.Popen(["setpriv", f"--reuid={self.account.uid}", f"--regid={self.account.gid}",
                                   "--clear-groups", "sleep", "600"])
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        wait_until(lambda: status_of(victim.pid)["Name"] == "sleep", 10, "the victim")
        self.assertLessEqual({"PTRACE_SEIZE", "process_vm_readv", "mem", "environ", "maps"},
                             set(attempts_that_work(self.account, victim.pid)))

    def test_a_user_cannot_look_into_their_agent_or_runner(self):
        for process in (self.agent, self.runner):
            with self.subTest(process.program):
                self.assertEqual(attempts_that_work(self.account, process.pid), [])

    def test_the_password_is_nowhere_in_an_agents_or_runners_memory(self):
        for process in (self.agent, self.runner):
            memory = memory_of(process.pid)
            with self.subTest(process.program):
                # Shows that this is the right memory: the account's name is in it.
                self.assertIn(self.account.name.encode(), memory)
                self.assertNotIn(self.account.password.encode(), memory)
                self.assertNotIn(self.client.authorization().split()[1].encode(), memory)

    def test_the_responder_forgets_a_password_after_the_request(self):
        responder = self.service.pid("fcgi")
        secrets = [self.account.password.encode(), self.client.authorization().split()[1].encode()]
        login = threading.Thread(target=self.client.ask, args=["get_scan_status"])
        with self.service.stopped("authd"):
            login.start()
            # While authd does not answer it is there, so this is the right memory.
            wait_until(lambda: any(secret in memory_of(responder) for secret in secrets), 30, "a login")
        login.join()
        statistics = StatisticsClient(self.service.statistics_url, "", "")
        # Whichever of its threads takes one, and whatever the request is.
        for ask in (lambda: self.client.ask("start_scan", {"scan_type": "home"}, method="POST"),
                    lambda: self.client.send("POST", "/ClamScanner/start_scan", b"x" * 100_000),
                    lambda: statistics.call_basic(self.account.name, self.account.password, "ListVirusScanTask"),
                    lambda: self.client.ask("get_scan_status")):
            for _ in range(10):
                ask()
            wait_until(lambda: not any(secret in memory_of(responder) for secret in secrets), 3,
                       "it to forget the password")

    def descriptors_of_others(self, process):
        """What a process has open that is neither the account's nor the service's for this account."""
        ours = (self.account.home, "socket:", "anon_inode:", "pipe:", "/dev/null", "/memfd:",
                # jobd's file for what this one walk finds, which it cannot open by itself.
                self.service.path("state/lists/"))
        found = []
        for entry in os.scandir(f"/proc/{process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed since
                found.append(os.readlink(entry.path))
        self.assertTrue(any(target.startswith("socket:") for target in found), found)
        return [target for target in found if not target.startswith(ours)
                and not target.endswith(("programs.log", "(deleted)"))]

    def test_agents_and_runners_hold_no_descriptor_of_others(self):
        for process in (self.agent, self.runner):
            with self.subTest(process.program):
                # A program that is starting has a library or its own mountinfo open for a moment.
                with contextlib.suppress(TimeoutError):
                    wait_until(lambda: not self.descriptors_of_others(process), 10, "it to be ready")
                self.assertEqual(self.descriptors_of_others(process), [])

    def as_account(self, *command):
        return subprocess.run(["setpriv", f"--reuid={self.account.uid}", f"--regid={self.account.gid}",
                               "--clear-groups", *command], capture_output=True, text=True, check=False, cwd="/")

    def test_a_user_cannot_limit_or_signal_the_scanner(self):
        limit = ("prlimit", "--nofile=16", "--pid")
        own = subprocess.Popen(["setpriv", f"--reuid={self.account.uid}", f"--regid={self.account.gid}",
                                "--clear-groups", "sleep", "600"])
        self.addCleanup(own.wait)
        self.addCleanup(own.kill)
        wait_until(lambda: status_of(own.pid)["Name"] == "sleep", 10, "a process of the account's own")
        self.assertEqual(self.as_account(*limit, str(own.pid)).returncode, 0)
        self.assertEqual(self.as_account(PYTHON, "-c", _STOP, str(own.pid)).returncode, 0)
        for process in self.engine_processes():
            with self.subTest(depth=process.depth):
                self.assertNotEqual(self.as_account(*limit, str(process.pid)).returncode, 0)
                self.assertNotEqual(self.as_account(PYTHON, "-c", _STOP, str(process.pid)).returncode, 0)

    def test_a_user_cannot_fill_the_scanners_directories(self):
        rooms = [os.path.join(directory, name) for directory, names, _ in os.walk(self.service.path("run/engine/tmp"))
                 for name in names]
        self.assertTrue(rooms, "there is a job, so there are rooms")
        for room in (self.service.path("run/engine/tmp"), *rooms):
            self.assertNotEqual(self.as_account("touch", os.path.join(room, "x")).returncode, 0, room)
            self.assertNotEqual(self.as_account("ls", room).returncode, 0, room)

    def test_workers_are_in_their_sandboxes(self):
        workers = self.workers()
        self.assertTrue(workers)
        for process in workers:
            wait_until(lambda pid=process.pid: status_of(pid)["Seccomp"] == "2", 10, "a filter")

    def test_the_programs_cannot_be_read(self):
        for name in os.listdir(self.service.program_directory):
            status = os.stat(os.path.join(self.service.program_directory, name))
            self.assertEqual((status.st_uid, status.st_mode & 0o6777), (0, 0o711), name)


class WaitingPasswords(ServiceCase):
    """PAM has a module in it that waits until the test lets a login go on."""

    config = {"login": {"pam_processes": 2, "pam_seconds": 300}}

    def setUp(self):
        self.passwords = {f"waits{number}": accounts.random_letters(30) for number in range(5)}
        script = self.service.path("wait.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nuntil [ -e "{self.service.path("go.")}$PAM_USER" ]; do sleep 0.05; done\n')
        os.chmod(script, 0o755)
        with open(self.service.pam_file, encoding="utf-8") as file:
            stack = file.read()
        with open(self.service.pam_file, "w", encoding="utf-8") as file:
            file.write(f"auth optional pam_exec.so quiet {script}\n{stack}")
        self.authd = self.service.pid("authd")
        self.logins = []
        self.addCleanup(self.end_logins)

    def log_in(self, user):
        client = self.service.client(user=user, password=self.passwords[user])
        self.logins.append(threading.Thread(target=client.ask, args=["get_scan_status"]))
        self.logins[-1].start()

    def end_logins(self):
        for user in self.passwords:
            self.let_go(user)
        for login in self.logins:
            login.join()

    def let_go(self, user):
        with open(self.service.path(f"go.{user}"), "w", encoding="utf-8"):
            pass

    def checking_child(self, user):
        """authd's child that checks this user's password, once it is there."""
        for process in self.service.processes("clamscanner-authd"):
            # The one before may end while it is looked at.
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if process.parent == self.authd and self.held_by(process.pid, [user]):
                    return process.pid
        return None

    def held_by(self, pid, users):
        memory = memory_of(pid)
        return [user for user in users if self.passwords[user].encode() in memory]

    def test_a_child_that_checks_one_has_no_other(self):
        users = list(self.passwords)
        for user in users[:2]:
            self.log_in(user)
            wait_until(lambda: self.checking_child(user), 60, f"the check of {user}")
        for user in users[2:]:
            self.log_in(user)
            wait_until(lambda: self.held_by(self.authd, [user]), 60, f"{user} to wait in authd")
        self.assertEqual(self.held_by(self.authd, users), users[2:])
        # Each of the next children is forked while others wait.
        for before, user in zip(users, users[2:]):
            self.let_go(before)
            child = wait_until(lambda: self.checking_child(user), 60, f"the check of {user}")
            self.assertEqual(self.held_by(child, users), [user])


class Refusals(ServiceCase):
    def test_no_program_but_authd_runs_as_root(self):
        for name in ("clamscanner-jobd", "clamscanner-engine", "clamscanner.fcgi", "clamscanner-agent",
                     "clamscanner-runner"):
            done = subprocess.run([self.service.program(name), "--config", self.service.config_file],
                                  capture_output=True, text=True, timeout=30)
            with self.subTest(name):
                self.assertNotEqual(done.returncode, 0)

    def test_no_program_starts_with_an_unknown_key(self):
        wrong = self.service.path("wrong.toml")
        with open(self.service.config_file, encoding="utf-8") as file:
            lines = file.read().splitlines()
        line = lines.index("[paths]") + 2
        lines.insert(line - 1, "run_directories = \"/nowhere\"")
        with open(wrong, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        account = self.service.add_account("user")
        system_users = {DAEMONS[name].program: user for name, user in self.service.users.items() if name in DAEMONS}
        # What each is asked to do if it is asked at all; and as whom, where not as root.
        words = {"clamscanner-keys": ["list"], "clamscanner-account": ["list"], "clamscanner-scan": ["--list-held"],
                 "clamscanner-scan-command": ["--list-held"], "clamscanner-status": [], "clamscanner-fleet": ["list"],
                 "clamscanner-fleet-command": ["list"], "uapi": [f"--user={account.name}", *READS],
                 "clamscanner-uapi": READS}
        for name in ("clamscanner-scan-command", "clamscanner-status-command", "clamscanner-fleet-command"):
            system_users[name] = self.service.users["jobd"]
        accounts_own = {"clamscanner-agent", "clamscanner-uapi"}
        programs = [os.path.join(self.service.program_directory, name)
                    for name in os.listdir(self.service.program_directory)
                    if name != "clamscanner-runner"]  # it needs no configuration
        programs += [self.service.installed_program(name)
                     for name in ("clamscanner-keys", "clamscanner-account", "clamscanner-scan", "clamscanner-status",
                                  "clamscanner-fleet", "uapi")]
        self.assertEqual(len(programs), 17)
        for program in programs:
            name = os.path.basename(program)
            user = account if name in accounts_own else system_users.get(name)
            ids = (user.uid, user.gid) if user is account else (user.pw_uid, user.pw_gid) if user else (0, 0)
            done = subprocess.run([program, "--config", wrong, *words.get(name, [])], capture_output=True, text=True,
                                  timeout=30, check=False, user=ids[0], group=ids[1], extra_groups=[],
                                  stdin=subprocess.DEVNULL)
            with self.subTest(name):
                # To an account's owner it is a fault of the server.
                self.assertEqual(done.returncode, 70 if name in accounts_own else 78, done.stderr)
                for part in (wrong, str(line), "run_directories"):
                    self.assertIn(part, done.stderr)


if __name__ == "__main__":
    main()
