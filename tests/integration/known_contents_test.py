"""Contents that several accounts have are scanned once for all of them: what is known to be clean, what never is, what
an account can learn of it, and who can reach it. What is forged, raced and broken is in the unit tests beside it."""

import contextlib
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from client import wait_until
from memory_test import Work, scan, wait_until_old, work_of
from service_case import ServiceCase, main
from test_files import EICAR, clean_page, eicar_zip

SIGNATURES = "no-signatures"  # the service's signature directory, empty until a test fills it
PAGES = 60
YOUNG_SECONDS = 0.9
DATABASE = "engine-state/known_contents.db"


def sha256(content):
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).digest()


class KnownContentsCase(ServiceCase):
    def setUp(self):
        self.pages = {f"page{number}.html": clean_page(f"{self.id()} {number}", 3000) for number in range(PAGES)}
        self.accounts = []

    def account_with_pages(self, **more):
        account, client = self.new_account()
        paths = [account.write(f"public_html/{name}", content) for name, content in self.pages.items()]
        paths += [account.write(f"public_html/{name}", content) for name, content in more.items()]
        self.accounts.append((account, client))
        return account, client, paths

    def database(self):
        """Of a copy: the registry has the database for itself."""
        self.copy_database()
        with contextlib.closing(sqlite3.connect(self.service.path("copy.db"))) as copy:
            if not copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'contents'").fetchone():
                return set()  # begun this moment
            return {row[0] for row in copy.execute("SELECT sha256 FROM contents WHERE kind = 1 AND clean = 1")}

    def copy_database(self):
        """Both files as they were at one moment: a registry that ends or begins writes one into the other."""
        while True:
            self.remove_copies()
            before = self.database_files()
            for suffix in before:
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(self.service.path(DATABASE) + suffix, self.service.path("copy.db") + suffix)
            if self.database_files() == before:
                return

    def database_files(self):
        """The files that there are, each with what changes when it is written."""
        files = {}
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(self.service.path(DATABASE) + suffix)
                files[suffix] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return files

    def remove_copies(self):
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.service.path("copy.db") + suffix)

    def are_known(self, *contents):
        known = self.database() if os.path.exists(self.service.path(DATABASE)) else set()
        return {sha256(content) in known for content in contents}

    def wait_until_known(self):
        wait_until(lambda: self.are_known(*self.pages.values()) == {True}, 10, "the judgements to be on the disk")

    def make_known(self):
        """Scans of three accounts. Which of them is the first one after the judge has begun, nobody knows."""
        for _ in range(3):
            _, client, paths = self.account_with_pages()
            wait_until_old(*paths)
            scan(client)
        deadline = time.monotonic() + 60
        while self.are_known(*self.pages.values()) != {True}:
            self.assertLess(time.monotonic(), deadline)
            _, client, paths = self.account_with_pages()
            scan(client)
            time.sleep(1.5)

    def engine_processes(self):
        """The registry and the judge, and the other processes of the engine."""
        registry, judge = [], []
        for process in self.service.processes("clamscanner-engine"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                targets = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{process.pid}/fd")]
                if any("known_contents.db" in target for target in targets):
                    registry.append(process.pid)
                with open(f"/proc/{process.pid}/mountinfo", encoding="utf-8") as mounts:
                    if {line.split()[4] for line in mounts} == {"/", "/room"}:
                        judge.append(process.pid)
        return registry, judge

    def judges(self, name):
        """Those whose name in a list of processes is this one."""
        with_name = []
        for pid in self.engine_processes()[1]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                    with_name += [pid] if comm.read().strip() == name else []
        return with_name

    def add_signature(self, content):
        fresh = self.service.path("fresh.ndb")
        with open(fresh, "w", encoding="ascii") as file:
            file.write(f"Test-New:0:*:{content.encode().hex()}\n")
        path = self.service.path(SIGNATURES, "new.ndb")
        os.rename(fresh, path)
        self.addCleanup(os.unlink, path)

    def words_in_log(self, words):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            return sum(words in line for line in log)


class KnownContents(KnownContentsCase):
    def test_what_three_accounts_have_is_scanned_for_all(self):
        self.make_known()
        _, client, paths = self.account_with_pages(**{"virus.php": EICAR, "virus.zip": eicar_zip()})
        wait_until_old(*paths)
        infected = {path for path in paths if "virus" in path}
        self.assertEqual(scan(client), (infected, Work(PAGES + 2, 0)), "what others have counts as scanned")
        self.assertEqual(scan(client), (infected, Work(0, PAGES, 2)), "and is remembered as the account's own")
        self.assertEqual(scan(client, full=1), (infected, Work(PAGES + 2, 0)))
        self.assertEqual(self.are_known(EICAR, eicar_zip()), {False})

    def test_nothing_that_an_account_is_told_depends_on_others(self):
        answers = []
        for others in (False, True):
            if others:
                self.make_known()
            _, client, paths = self.account_with_pages()
            wait_until_old(*paths)
            scan(client)
            status = client.result("get_scan_status")
            data = {key: value for key, value in status["data"].items() if "time" not in key and "current" not in key}
            answers.append((data, status["messages"], status["warnings"], client.call("list_unscanned_files")))
        self.assertEqual(*answers)

    def test_an_infected_file_is_found_in_every_account(self):
        for _ in range(6):
            _, client, paths = self.account_with_pages(**{"virus.php": EICAR})
            wait_until_old(*paths)
            self.assertEqual(scan(client)[0], {path for path in paths if path.endswith("virus.php")})
        time.sleep(1.5)
        self.assertEqual(self.are_known(EICAR), {False})

    def test_a_new_signature_finds_what_was_known_to_be_clean(self):
        self.make_known()
        name, content = next(iter(self.pages.items()))
        self.add_signature(content[-60:])
        account, client, paths = self.account_with_pages()
        expected = {account.path("public_html", name)}
        wait_until(lambda: scan(client)[0] >= expected, 60, "the new signature")
        # From now on, everywhere: in new accounts and in old ones.
        for _ in range(4):
            self.account_with_pages()
        for account, client in self.accounts:
            found, _ = scan(client)
            self.assertIn(account.path("public_html", name), found)
        time.sleep(1.5)
        self.assertEqual(self.are_known(content), {False})

    def test_after_an_update_what_was_clean_is_judged_with_what_is_new_alone(self):
        self.make_known()
        judged_so = "contents that were clean before are judged with"
        before = self.words_in_log(judged_so)
        self.add_signature("a text that no account has")
        _, client, paths = self.account_with_pages()
        wait_until_old(*paths)
        scan(client)  # with the old ones; it has the new one loaded
        wait_until(lambda: self.words_in_log(judged_so) > before and self.judges("scan-judge"), 30, "both judges")
        wait_until(lambda: len(self.judges("scan-judge-new")) == 1, 30, "the judge of what is new alone")
        time.sleep(1)
        judges = self.judges("scan-judge")
        for pid in judges:
            os.kill(pid, signal.SIGSTOP)
        try:
            _, client, paths = self.account_with_pages()
            self.assertEqual(scan(client), (set(), Work(PAGES, 0)), "without a word of the judge with all signatures")
        finally:
            for pid in judges:
                self.kill(pid)
        self.wait_until_known()

    def test_young_files_get_the_verdict_and_are_not_remembered(self):
        self.make_known()
        _, client, paths = self.account_with_pages()
        for _ in range(20):
            for path in paths:
                os.utime(path)
            begun = time.time()
            scan(client)
            if time.time() - begun < YOUNG_SECONDS:
                # A change of the second in which they were read need not show in their times.
                self.assertEqual(scan(client), (set(), Work(PAGES, 0)))
                return
        print(f"LEFT OUT: {self.id()}: no scan ended within {YOUNG_SECONDS} s", flush=True)

    def test_nobody_else_can_reach_it(self):
        self.make_known()
        account, _ = self.accounts[0]
        for user in (account.uid, self.service.users["jobd"].pw_uid, self.service.users["fcgi"].pw_uid):
            for command in (["cat", self.service.path(DATABASE)], ["ls", self.service.path("engine-state")],
                            ["touch", self.service.path("engine-state", "new")]):
                done = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command],
                                      capture_output=True, check=False)
                self.assertNotEqual(done.returncode, 0, (user, command))
        # Nobody can connect to the registry: it has no socket with a name.
        registry, judge = self.engine_processes()
        self.assertEqual((len(registry), len(self.judges("scan-judge"))), (1, 1))
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            named = {line.split()[6] for line in file if len(line.split()) == 8}
        for pid in registry + judge:
            for entry in os.scandir(f"/proc/{pid}/fd"):
                target = os.readlink(entry.path)
                if target.startswith("socket:["):
                    self.assertNotIn(target[len("socket:["):-1], named)
        for pid in registry + judge:
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                facts = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
            self.assertEqual(facts["Uid"].split(), [str(self.service.users["engine"].pw_uid)] * 4)

    def test_killing_the_registry_or_the_judge_costs_nothing_but_scans(self):
        self.make_known()
        for round_ in range(6):
            account, client, paths = self.account_with_pages(**{"virus.php": EICAR})
            registry, judge = self.engine_processes()[0], self.judges("scan-judge")
            timer = threading.Timer(0.05 * round_, lambda: [self.kill(pid) for pid in (registry, judge)[round_ % 2]])
            timer.start()
            infected, work = scan(client)
            timer.join()
            self.assertEqual(infected, {account.path("public_html/virus.php")})
            self.assertEqual(work, Work(PAGES + 1, 0))
            self.assertEqual(self.are_known(EICAR) - {False}, set())
        # Both are there again, at the latest some seconds after the next scan has begun.
        _, client, _ = self.account_with_pages()
        scan(client)
        wait_until(lambda: self.engine_processes()[0] and self.judges("scan-judge"), 30, "a new registry and judge")

    def test_killing_the_engine_makes_nothing_known(self):
        self.make_known()
        account, client, paths = self.account_with_pages(**{"virus.php": EICAR})
        client.call("start_scan", {"scan_type": "public_html"})
        time.sleep(0.1)
        self.service.kill("engine")
        self.service.start("engine")
        status = client.finish_scan()
        self.assertEqual(status["infected_files"], [account.path("public_html/virus.php")])
        self.wait_until_known()
        self.assertEqual(self.are_known(EICAR), {False})

    @staticmethod
    def kill(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class SwitchedOff(KnownContentsCase):
    config = {"engine": {"known_contents": False}}

    def test_nothing_is_known(self):
        for _ in range(4):
            _, client, paths = self.account_with_pages()
            wait_until_old(*paths)
            self.assertEqual(scan(client), (set(), Work(PAGES, 0)))
        self.assertFalse(os.path.exists(self.service.path(DATABASE)))
        self.assertEqual(self.engine_processes(), ([], []))


class OnAFullDisk(KnownContentsCase):
    def test_scans_go_on(self):
        state = self.service.path("engine-state")
        self.service.stop("engine")
        owner = os.stat(state)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=200k,mode=700,uid={owner.st_uid},gid={owner.st_gid}",
                               "tmpfs", state], capture_output=True, text=True, check=False)
        self.service.start("engine")
        if done.returncode != 0:
            raise unittest.SkipTest(f"SKIPPED: no tmpfs may be mounted here: {done.stderr}")
        self.addCleanup(lambda: (self.service.stop("engine"), subprocess.run(["umount", state], check=True),
                                 self.service.start("engine")))
        self.pages = {f"page{number}": f"text {number}" for number in range(1500)}
        for _ in range(4):
            _, client, paths = self.account_with_pages(**{"virus.php": EICAR})
            wait_until_old(*paths)
            client.call("start_scan", {"scan_type": "public_html"})
            status = client.finish_scan()
            self.assertEqual(status["scanned_file_count"], len(paths))
            self.assertEqual(len(status["infected_files"]), 1)
            self.assertEqual(sum(work_of(client.result("get_scan_status"))), len(paths))


if __name__ == "__main__":
    main()
