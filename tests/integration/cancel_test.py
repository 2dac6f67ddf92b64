"""A scan that its owner cancels ends at once, whatever its progress, and reports what it did not reach, and so does a
scan that ends early; and files that a scan could not examine are listed, each with its reason.

What archives may hold that a scanner cannot see is tested in containers_test.py. A scanner that fails is not: no file
causes that in every version of the scanner."""

import concurrent.futures
import contextlib
import ctypes
import http.client
import io
import os
import random
import re
import secrets
import signal
import sqlite3
import stat
import subprocess
import time
import zipfile

import accounts
from client import check_records, wait_until
from service_case import SOAK, ServiceCase, main
from test_files import EICAR, SlowFiles, clean_page

POLL_SECONDS = 0.5  # the time that the questions themselves may take on a busy machine
SLOW_FILES = 20
MANY_FILES = 130_000
MANY = 100_000
ROUNDS_DURING_THE_WALK = 40 if SOAK else 6
WALK_SECONDS = 0.6  # about the time that it takes to find them
MEBIBYTE = 1024 * 1024
GREATEST_SIZE = (1 << 63) - 1
NOT_RUNNING = "no scan"
SCAN_LOG = ".clamavconnector.scan.log"
PAGE = 1000
LONGEST_HOURS = 24  # jobs.max_job_hours


def encrypted_zip():
    """An encrypted archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("secret.txt", random.Random(1).randbytes(1000))
    data = bytearray(packed.getvalue())
    # The "encrypted" flags in the file's header and in the central directory.
    for signature, flags_at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags_at] |= 1
    return bytes(data)


def nested_zip(depth):
    content = b"at the bottom"
    for level in range(depth):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"level-{level}.zip", content)
        content = packed.getvalue()
    return content


def make_many(account, directory, count):
    """Makes empty files of the account's, in a process of its own, because there are so many."""
    os.mkdir(account.path(directory))
    os.chown(account.path(directory), account.uid, account.gid)
    subprocess.run(f"seq -w 1 {count} | xargs touch", shell=True, check=True, cwd=account.path(directory),
                   user=account.uid, group=account.gid, extra_groups=[])
    return {os.path.join(account.path(directory), name) for name in os.listdir(account.path(directory))}


class CancelCase(ServiceCase):
    """Scans below public_html, where the service writes no log that the next scan would count."""

    ends_within_seconds = 2

    @staticmethod
    def start(client):
        client.call("start_scan", {"scan_type": "public_html"})

    def cancel(self, client, **how):
        self.assertIsNone(client.call("cancel_scan", **how))

    def is_refused(self, client, **how):
        result = client.result("cancel_scan", **how)
        self.assertEqual((result["status"], result["data"]), (0, None), result)
        self.assertIn(NOT_RUNNING, result["errors"][0].lower())

    def ends_soon(self, client):
        """Waits for the end of a cancelled scan. Returns the last answer."""
        client.finish_scan(self.ends_within_seconds + POLL_SECONDS)
        result = client.result("get_scan_status")
        self.assertTrue(self.was_cancelled(result), result["messages"])
        return result

    @staticmethod
    def was_cancelled(result):
        return any("cancelled" in sentence for sentence in result["messages"] or [])

    def unscanned(self, client):
        """path -> reason"""
        rows = client.call("list_unscanned_files")
        reasons = {row["file"]: row["reason"] for row in rows}
        self.assertEqual(len(reasons), len(rows), "a file stands twice in the list")
        return reasons

    def check_sums(self, client, result, files):
        """Checks that every file is counted as clean, infected or unscanned. Returns path -> reason of the unscanned
        ones."""
        data = result["data"]
        reasons, infected = self.unscanned(client), set(data["infected_files"])
        self.assertEqual(data["scanned_file_count"], data["total_file_count"])
        self.assertLessEqual(set(reasons) | infected, files)
        self.assertEqual(set(reasons) & infected, set())
        clean = data["total_file_count"] - len(infected) - len(reasons)
        self.assertGreaterEqual(clean, 0)
        for reason in set(reasons.values()):
            count = list(reasons.values()).count(reason)
            self.assertTrue(any(re.search(rf"\b{count} file", warning) for warning in result["warnings"]), reason)
        return reasons

    def check_log(self, account, client):
        """The log in the home has the same sums."""
        data, unscanned = client.call("get_scan_status"), len(self.unscanned(client))
        total, infected = data["total_file_count"], len(data["infected_files"])
        told = [total, total - infected - unscanned, infected, unscanned]
        wait_until(lambda: self.totals_of_the_log(account) == told, 10, f"a log in the home that says {told}")

    @staticmethod
    def totals_of_the_log(account):
        """Total, clean, infected, not scanned, which are counted one by one while the scan runs."""
        try:
            with open(account.path(SCAN_LOG), encoding="utf-8") as log:
                line = log.readline()
        except FileNotFoundError:
            return None
        told = re.search(r"(\d+) files, (\d+) clean, (\d+) infected, (\d+) not scanned", line)
        return [int(number) for number in told.groups()] if told else None


class Cancel(CancelCase):
    # One slot, so that whoever holds it delays everybody. The scan cache would make a second scan too short.
    config = {"jobs": {"max_running": 1, "retry_seconds": 1}, "engine": {"scan_workers": 2, "rescan_days": 0},
              "brake": {"files_percent": 100, "accounts_percent": 100}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slow_files = SlowFiles()

    def account_with_long_scan(self, kind="user"):
        """The infected file comes first, because a directory's own files come before those in its subdirectories."""
        account, client = self.new_account(kind)
        self.found = account.write("public_html/found", EICAR)
        self.files = {self.found} | {account.write(f"public_html/slow/{number}.gz", self.slow_files.archive(number))
                                     for number in range(SLOW_FILES)}
        return account, client

    def start_and_find(self, client):
        self.start(client)
        self.addCleanup(client.ask, "cancel_scan")  # a test that fails must not hold the slot
        wait_until(lambda: client.call("get_scan_status")["infected_files"] == [self.found], 60, "the infected file")

    def test_a_running_scan_ends_and_its_finds_stay(self):
        account, client = self.account_with_long_scan()
        self.start_and_find(client)
        self.cancel(client)
        reasons = self.check_sums(client, self.ends_soon(client), self.files)
        self.assertEqual(set(reasons.values()), {"cancelled"})
        self.assertGreater(len(reasons), SLOW_FILES / 2, "the scan was to be under way still")

        self.assertEqual([row["file"] for row in client.call("list_infected_files")], [self.found])
        self.assertEqual(check_records(client.disinfect({self.found: "delete"}))[self.found]["state"], "deleted")
        self.assertFalse(os.path.lexists(self.found))
        self.assertEqual(client.call("list_infected_files"), [])
        self.assertEqual(self.unscanned(client), reasons, "a disinfection changes nothing of it")

    def test_the_next_scan_works(self):
        account, client = self.account_with_long_scan()
        self.start_and_find(client)
        self.cancel(client)
        self.ends_soon(client)
        self.start(client)  # at once: nothing of the previous scan is in its way
        self.cancel(client)
        self.ends_soon(client)
        for path in self.files - {self.found}:
            os.unlink(path)
        clean = account.write("public_html/clean", "fine")
        client.scan("public_html")
        result = client.result("get_scan_status")
        self.assertEqual((result["data"]["infected_files"], result["data"]["total_file_count"]), ([self.found], 2))
        self.assertFalse(self.was_cancelled(result))
        self.assertEqual(self.check_sums(client, result, {self.found, clean}), {})

    def test_a_queued_scan_is_cancelled_and_the_running_one_goes_on(self):
        account, client = self.new_account("short")
        found = account.write("public_html/found", EICAR)
        _, long = self.account_with_long_scan("long")
        self.start_and_find(long)
        self.start(client)
        self.assertEqual(client.call("get_scan_status")["scan_complete"], 0)
        self.cancel(client)
        result = self.ends_soon(client)
        data = result["data"]
        self.assertEqual(data["infected_files"], [])
        self.assertEqual(data["scanned_file_count"], data["total_file_count"])
        self.assertEqual(len(self.unscanned(client)), data["total_file_count"])
        self.assertTrue(any("cancelled" in warning for warning in result["warnings"] or []),
                        "a scan that was never begun is not clean")

        self.assertEqual(long.call("get_scan_status")["scan_complete"], 0)
        self.cancel(long)
        self.ends_soon(long)
        self.assertEqual(client.scan("public_html")["infected_files"], [found])

    def test_the_next_in_the_queue_gets_the_slot(self):
        account, client = self.new_account("short")
        found = account.write("public_html/found", EICAR)
        _, long = self.account_with_long_scan("long")
        self.start_and_find(long)
        self.start(client)
        self.cancel(long)
        self.ends_soon(long)
        self.assertEqual(client.finish_scan()["infected_files"], [found])
        self.assertFalse(self.was_cancelled(client.result("get_scan_status")))

    def test_nothing_to_cancel(self):
        account, client = self.new_account()
        self.assertEqual(client.call("list_unscanned_files"), [])
        self.is_refused(client)
        self.assertEqual(client.call("get_scan_status")["time_started"], "", "nothing was started")
        account.write("clean", "fine")
        client.scan()
        before = client.result("get_scan_status")
        self.is_refused(client)
        self.is_refused(client, documented=True)
        self.assertEqual(client.result("get_scan_status"), before)

    def test_twice(self):
        account, client = self.account_with_long_scan()
        self.start_and_find(client)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.ask("cancel_scan"), range(8)))
        self.assertEqual({answer.status for answer in answers}, {200})
        accepted = [answer.result()["status"] for answer in answers]
        self.assertIn(1, accepted)
        result = self.ends_soon(client)
        self.is_refused(client)
        self.assertEqual(client.result("get_scan_status"), result)
        self.check_sums(client, result, self.files)

    def test_another_accounts_scan_is_not_touched(self):
        _, client = self.new_account("other")
        _, long = self.account_with_long_scan("long")
        self.start_and_find(long)
        self.is_refused(client)
        self.assertEqual(client.call("list_unscanned_files"), [])
        status = long.result("get_scan_status")
        self.assertEqual((status["data"]["scan_complete"], self.was_cancelled(status)), (0, False))
        self.cancel(long)
        self.ends_soon(long)

    def test_a_disinfection_is_not_touched(self):
        account, client = self.new_account()
        paths = [account.write(f"found-{number}", EICAR + f" {number}\n".encode()) for number in range(300)]
        client.scan()
        client.call("disinfect_files", {"actions": dict.fromkeys(paths, "quarantine")})
        self.is_refused(client)
        steps = check_records(client.finish_disinfection())
        self.assertEqual({path: step["state"] for path, step in steps.items()}, dict.fromkeys(paths, "quarantined"))

    def test_methods_envelopes_and_other_sites(self):
        _, client = self.account_with_long_scan()
        self.start_and_find(client)
        for method in ("GET", "HEAD", "DELETE"):
            answer = client.send(method, "/execute/ClamScanner/cancel_scan")
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.headers["allow"], "POST")
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = client.send("POST", "/execute/ClamScanner/cancel_scan", headers=headers)
            self.assertEqual(answer.status, 403)
        self.assertFalse(self.was_cancelled(client.result("get_scan_status")))
        self.cancel(client, documented=True)
        self.ends_soon(client)
        self.start(client)
        self.cancel(client)
        self.ends_soon(client)

    def test_an_accepted_cancellation_survives_a_crash(self):
        account, client = self.account_with_long_scan()
        self.start_and_find(client)
        self.cancel(client)
        self.service.kill("jobd")
        self.service.start("jobd")

        def ended():
            self.service.restart_what_ended()
            try:
                answer = client.ask("get_scan_status")
            except (OSError, http.client.HTTPException):
                return None
            if answer.status != 200:
                self.assertIn(answer.status, (500, 502, 503, 504), answer.body)
                return None
            return answer.result() if answer.result()["data"]["scan_complete"] else None

        result = wait_until(ended, 30, "the end of a cancelled scan")
        self.assertTrue(self.was_cancelled(result), result["messages"])
        self.check_sums(client, result, self.files)
        self.is_refused(client)

    def test_a_scan_whose_runner_is_stopped(self):
        account, client = self.account_with_long_scan()
        self.start_and_find(client)
        [runner] = [process for process in self.service.processes("clamscanner-runner") if process.uid == account.uid]
        os.kill(runner.pid, signal.SIGSTOP)
        self.cancel(client)
        data = self.ends_soon(client)["data"]
        self.assertEqual((data["scanned_file_count"], data["infected_files"]), (data["total_file_count"], [self.found]))
        self.assertIn("cancelled", self.unscanned(client).values())


class EndedEarly(CancelCase):
    """Scans that end before they are complete, without their owner having cancelled them."""
    config = {"jobs": {"max_running": 1, "retry_seconds": 1}, "engine": {"scan_workers": 1, "rescan_days": 0}}
    RUNNER, COORDINATOR = ("clamscanner-runner", 1), ("clamscanner-engine", 2)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slow_files = SlowFiles()

    def setUp(self):
        self.account, self.client = self.new_account()
        self.files = {self.account.write(f"public_html/{number}.gz", self.slow_files.archive(number))
                      for number in range(SLOW_FILES)}

    def end_by_killing(self, role, first_at):
        """Starts a scan and kills that process of it whenever there is one, the first time once first_at(status)."""
        self.start(self.client)
        wait_until(lambda: first_at(self.client.call("get_scan_status")), 180, "the moment")

        # Without a pause, so that no start makes progress.
        begun_at = looked_at = time.monotonic()
        while time.monotonic() < looked_at + 1 or not self.client.call("get_scan_status")["scan_complete"]:
            self.assertLess(time.monotonic(), begun_at + 180, "the scan does not end")
            if time.monotonic() > looked_at + 1:
                looked_at = time.monotonic()
            for process in self.service.processes(role[0]):
                if process.depth == role[1]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
        return self.ended_early()

    def ended_early(self):
        result = self.client.result("get_scan_status")
        self.assertTrue(any("ended early" in warning for warning in result["warnings"]), result["warnings"])
        self.assertEqual(result["messages"][:len(result["warnings"])], result["warnings"])
        self.assertFalse(self.was_cancelled(result))
        return result

    def walked(self, status):
        return status["total_file_count"] == len(self.files)

    def no_verdict(self, result, reasons):
        self.assertEqual(result["data"]["infected_files"], [])
        self.assertEqual(result["data"]["total_file_count"], len(reasons))

    def test_its_runner_is_killed_before_the_walk(self):
        result = self.end_by_killing(self.RUNNER, lambda status: True)
        directory = self.account.path("public_html") + "/"
        reasons = self.check_sums(self.client, result, self.files | {directory})
        self.no_verdict(result, reasons)
        self.assertIn(set(reasons), (self.files, {directory}))
        self.assertEqual(set(reasons.values()), {"ended early"})

    def test_its_runner_is_killed_again_and_again(self):
        result = self.end_by_killing(self.RUNNER, self.walked)
        reasons = self.check_sums(self.client, result, self.files)
        self.no_verdict(result, reasons)
        self.assertEqual(reasons, dict.fromkeys(self.files, "ended early"))

    def test_its_scanner_is_killed_again_and_again(self):
        result = self.end_by_killing(self.COORDINATOR, self.walked)
        reasons = self.check_sums(self.client, result, self.files)
        self.no_verdict(result, reasons)
        self.assertEqual(reasons, dict.fromkeys(self.files, "ended early"))

    def test_what_it_found_before_stays(self):
        found = self.account.write("public_html/found", EICAR)
        self.files.add(found)
        result = self.end_by_killing(self.RUNNER, lambda status: status["infected_files"] == [found])
        reasons = self.check_sums(self.client, result, self.files)
        self.assertEqual(result["data"]["infected_files"], [found])
        self.assertEqual(result["data"]["total_file_count"], len(self.files))
        self.assertEqual(set(reasons.values()), {"ended early"})

    def test_it_takes_longer_than_the_administrator_allows(self):
        found = self.account.write("public_html/found", EICAR)
        self.files.add(found)
        self.start(self.client)
        wait_until(lambda: self.client.call("get_scan_status")["infected_files"] == [found], 180, "the infected file")
        self.set_begin_back(LONGEST_HOURS + 1)
        self.client.finish_scan(60)
        result = self.ended_early()
        self.assertIn("longer than the administrator allows", " ".join(result["warnings"]))
        reasons = self.check_sums(self.client, result, self.files)
        self.assertEqual(result["data"]["infected_files"], [found])
        self.assertEqual(result["data"]["total_file_count"], len(self.files))
        self.assertEqual(set(reasons.values()), {"ended early"})

    def set_begin_back(self, hours):
        """Changes jobd's own database, while jobd is not running."""
        self.service.stop("jobd")
        with contextlib.closing(sqlite3.connect(self.service.path("state/jobs.sqlite"))) as database, database:
            changed = database.execute("UPDATE task SET begun_running_ms = begun_running_ms - ? WHERE state < 2",
                                       (hours * 3_600_000,))
            self.assertEqual(changed.rowcount, 1)
        self.service.start("jobd")
        self.service.wait_until_it_serves(self.account)

    def test_what_the_scan_before_found_stays(self):
        kept, quarantined = (self.account.write(f"public_html/sub/{name}", EICAR) for name in ("kept", "quarantined"))
        for path in self.files:
            os.rename(path, self.account.path(os.path.basename(path)))
        self.client.scan("public_html")
        self.client.disinfect({quarantined: "quarantine"})
        for path in self.files:
            os.rename(self.account.path(os.path.basename(path)), path)
        self.files.add(kept)
        result = self.end_by_killing(self.RUNNER, self.walked)
        self.assertEqual(result["data"]["infected_files"], [kept])
        reasons = self.check_sums(self.client, result, self.files)
        self.assertEqual(set(reasons) | {kept}, self.files)
        self.assertEqual([row["file"] for row in self.client.call("list_infected_files")], [kept])
        self.assertEqual(check_records(self.client.disinfect({kept: "delete"}))[kept]["state"], "deleted")

    def test_the_next_scan_is_whole(self):
        self.end_by_killing(self.RUNNER, self.walked)
        for path in list(self.files)[2:]:
            os.unlink(path)
        self.client.scan("public_html")
        result = self.client.result("get_scan_status")
        self.assertEqual(result["data"]["total_file_count"], 2)
        self.assertEqual(self.check_sums(self.client, result, self.files), {})


class Closed(CancelCase):
    """A directory that the account's own user cannot read, or that no one can, is refused with the true reason; if it
    becomes so later, the scan ends early with that reason."""
    config = {"jobs": {"max_running": 1, "retry_seconds": 1}, "engine": {"scan_workers": 1, "rescan_days": 0}}

    def setUp(self):
        self.account, self.client = self.new_account()
        self.found = self.account.write("public_html/found", EICAR)
        self.directory = self.account.path("public_html")

    def refused(self, scan_type):
        result = self.client.result("start_scan", {"scan_type": scan_type})
        self.assertEqual(result["status"], 0, "it was accepted")
        self.assertNotIn(scan_type, [row["id"] for row in self.client.call("get_scan_paths")])
        return result["errors"][0]

    def test_without_the_rights_to_it(self):
        for mode in (0, 0o100, 0o200, 0o300, 0o400, 0o077):
            with self.subTest(mode=oct(mode)):
                os.chmod(self.directory, mode)
                error = self.refused("public_html")
                self.assertIn(self.directory, error)
                self.assertIn("may not be entered and read", error)
        self.assertEqual(self.client.call("get_scan_status")["time_started"], "")
        os.chmod(self.directory, 0o500)
        self.assertEqual(self.client.scan("public_html")["infected_files"], [self.found])

    def test_below_what_may_not_be_entered(self):
        os.chmod(self.account.home, 0)
        self.addCleanup(os.chmod, self.account.home, 0o755)
        self.assertIn("may not be entered and read", self.refused("home"))
        self.assertIn("home that may not be entered and read", self.refused("public_html"))

    def test_another_kind_of_file(self):
        os.rename(self.directory, self.account.path("aside"))
        for make in (lambda path: os.mknod(path), os.mkfifo, lambda path: os.mknod(path, stat.S_IFSOCK | 0o600)):
            make(self.directory)
            self.assertIn("is not a directory", self.refused("public_html"))
            os.unlink(self.directory)

    def test_a_program_of_the_account_that_never_answers(self):
        device = os.open("/dev/fuse", os.O_RDWR)
        self.addCleanup(os.close, device)
        options = f"fd={device},rootmode=40000,user_id={self.account.uid},group_id={self.account.gid}"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"nobody", self.directory.encode(), b"fuse", 0, options.encode()) < 0:
            self.skipTest(f"SKIPPED: no FUSE here: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount2, self.directory.encode(), 2)
        self.assertIn("FUSE", self.refused("public_html"))

    def queue(self):
        """A scan that waits for another account's."""
        account, other = self.new_account("other")
        slow_files = SlowFiles()
        for number in range(SLOW_FILES):
            account.write(f"public_html/{number}.gz", slow_files.archive(number))
        self.start(other)
        self.addCleanup(other.ask, "cancel_scan")
        wait_until(lambda: other.call("get_scan_status")["scanned_file_count"], 60, "a scan under way")
        self.start(self.client)
        return other

    def ends_early(self, other, why):
        self.cancel(other)
        self.client.finish_scan()
        result = self.client.result("get_scan_status")
        told = [warning for warning in result["warnings"] if "ended early" in warning]
        self.assertEqual(len(told), 1, result["warnings"])
        for part in why:
            self.assertIn(part, told[0])
        reasons = self.check_sums(self.client, result, {self.directory + "/"})
        self.assertEqual(reasons, {self.directory + "/": "ended early"})

    def test_it_is_closed_later(self):
        other = self.queue()
        os.chmod(self.directory, 0)
        self.ends_early(other, [self.directory, "Permission denied"])

    def test_it_is_gone_later(self):
        other = self.queue()
        os.rename(self.directory, self.account.path("aside"))
        self.ends_early(other, [self.directory, "No such file or directory"])

    def test_its_home_is_closed_later(self):
        other = self.queue()
        os.chmod(self.account.home, 0)
        self.addCleanup(os.chmod, self.account.home, 0o755)
        self.ends_early(other, [self.account.home, "Permission denied"])

    def test_its_account_is_removed_and_made_anew(self):
        other = self.queue()
        self.service.make_room(self.account)
        accounts.add_again(self.account, self.account.password)
        self.account.write("public_html/found", EICAR)
        self.cancel(other)
        wait_until(lambda: f"a task of {self.account.name} is dropped: the account changed" in self.log(), 60,
                   "the end of the former owner's scan")
        # The next owner's name, uid, home and password are the same; nothing was scanned for them, or is shown to them.
        status = self.client.call("get_scan_status")
        self.assertEqual((status["time_started"], status["total_file_count"]), ("", 0))
        self.assertEqual(self.client.call("list_unscanned_files"), [])
        self.assertEqual(self.client.scan("public_html")["infected_files"], [self.found])

    def log(self):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            return file.read()


class ManyFiles(CancelCase):
    # One worker, which the slow files at the top keep busy, so that none of the others is reached.
    config = {"jobs": {"retry_seconds": 1}, "engine": {"scan_workers": 1, "rescan_days": 0}}
    ends_within_seconds = 10  # what was not reached is stored in several steps, each of which waits for the disk

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        slow_files = SlowFiles()
        cls.account = account = cls.service.add_account("big")
        cls.service.wait_until_it_serves(account)
        cls.client = cls.service.client(account)
        cls.slow = {account.write(f"public_html/{number}.gz", slow_files.archive(number)) for number in range(6)}
        cls.many = make_many(account, "public_html/many", MANY_FILES)
        cls.files = cls.slow | cls.many

    def test_a_hundred_thousand_unreached_files_are_listed(self):
        client = self.client
        self.start(client)
        wait_until(lambda: client.call("get_scan_status")["total_file_count"] == len(self.files), 60, "the walk's end")
        self.cancel(client)
        result = self.ends_soon(client)
        self.assertEqual(result["data"]["total_file_count"], len(self.files))
        start = time.monotonic()
        reasons = self.check_sums(client, result, self.files)
        print(f"{len(reasons)} cancelled files were listed within {time.monotonic() - start:.1f} s", flush=True)
        self.assertEqual(set(reasons.values()), {"cancelled"})
        self.assertGreater(len(reasons), MANY)

        pages = []
        for first in range(1, 3 * PAGE, PAGE):
            page = client.result("list_unscanned_files", {"api.sort_column": "file", "api.paginate_start": first,
                                                          "api.paginate_size": PAGE})
            self.assertEqual(page["metadata"]["paginate"]["total_results"], len(reasons))
            pages += [row["file"] for row in page["data"]]
        self.assertEqual(pages, sorted(reasons)[:3 * PAGE])
        filtered = client.result("list_unscanned_files", {"api.filter_column": "file", "api.filter_type": "ends",
                                                          "api.filter_term": "77777"})
        self.assertEqual({row["file"] for row in filtered["data"]},
                         {path for path in reasons if path.endswith("77777")})
        self.assertEqual(filtered["metadata"]["filter"], {"records_before_filter": len(reasons)})

    def test_cancelled_at_any_moment_of_the_walk(self):
        seed = int(os.environ.get("CLAMSCANNER_SEED", secrets.randbelow(1 << 32)))
        print(f"CLAMSCANNER_SEED={seed}", flush=True)
        choose = random.Random(seed)
        totals = []
        for number in range(ROUNDS_DURING_THE_WALK):
            with self.subTest(round=number, seed=seed):
                self.start(self.client)
                moment = time.monotonic() + WALK_SECONDS * (number + choose.random()) / ROUNDS_DURING_THE_WALK
                wait_until(lambda: time.monotonic() >= moment, 10, "the moment")
                self.cancel(self.client)
                result = self.ends_soon(self.client)
                reasons = self.check_sums(self.client, result, self.files)
                self.assertEqual(result["data"]["infected_files"], [])
                self.assertLessEqual(set(reasons.values()), {"cancelled"})
                totals.append(result["data"]["total_file_count"])
        print(f"files known when it was cancelled: {totals}", flush=True)
        self.assertLess(min(totals), len(self.files), "no walk was cut short")


class Reasons(CancelCase):
    config = {"engine": {"max_file_bytes": 24 * MEBIBYTE, "max_recursion": 4, "max_scan_seconds": 1, "scan_workers": 1}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slow_files = SlowFiles()

    def setUp(self):
        self.account, self.client = self.new_account()

    def close(self, path):
        os.chmod(path, 0)
        return path

    def slow_zip(self):
        """Several pages: a fast machine scans a single one within the limit."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for number in range(6):
                archive.writestr(f"{number}.gz", self.slow_files.archive(number))
        return packed.getvalue()

    def fill(self):
        """Clean files, an infected one, and path -> reason of those that cannot be scanned."""
        account = self.account
        self.found = account.write("found", EICAR)
        self.clean = {account.write(f"docs/{number}", clean_page(number, 2000)) for number in range(5)}
        large = account.write("large", b"")
        os.truncate(large, 24 * MEBIBYTE + 1)
        account.write("closed/below", EICAR)
        self.close(account.path("closed"))
        return {
            self.close(account.write("unreadable", "x")): "unreadable",
            account.path("closed") + "/": "unreadable",
            large: "too large",
            account.write("secret.zip", encrypted_zip()): "encrypted",
            account.write("deep.zip", nested_zip(8)): "limit exceeded",
            account.write("slow.zip", self.slow_zip()): "time limit",
        }

    def test_each_file_has_its_reason(self):
        expected = self.fill()
        self.client.scan()
        result = self.client.result("get_scan_status")
        files = set(expected) | self.clean | {self.found}
        self.assertEqual(self.check_sums(self.client, result, files), expected)
        self.check_log(self.account, self.client)
        self.assertEqual(result["data"]["total_file_count"], len(files))
        self.assertEqual(result["data"]["infected_files"], [self.found])
        self.assertFalse(self.was_cancelled(result))

        # Files that can be scanned by now are no longer listed.
        os.chmod(self.account.path("closed"), 0o755)
        os.chmod(self.account.path("unreadable"), 0o644)
        os.truncate(self.account.path("large"), 1)
        for name in ("secret.zip", "deep.zip", "slow.zip"):
            os.unlink(self.account.path(name))
        status = self.client.scan()
        self.assertEqual(set(status["infected_files"]), {self.found, self.account.path("closed/below")})
        self.assertEqual(self.unscanned(self.client), {})

    def test_the_list_is_filtered_sorted_and_paged(self):
        expected = self.fill()
        self.client.scan()
        client = self.client
        for reason in set(expected.values()):
            rows = client.call("list_unscanned_files", {"api.filter_column": "reason", "api.filter_type": "eq",
                                                        "api.filter_term": reason})
            self.assertEqual({row["file"] for row in rows}, {path for path in expected if expected[path] == reason})
            self.assertEqual({row["reason"] for row in rows}, {reason})
        asked = {"api.sort_column": "file", "api.sort_reverse": 1, "api.paginate_start": 3, "api.paginate_size": 2}
        page = client.result("list_unscanned_files", asked)
        self.assertEqual([row["file"] for row in page["data"]], sorted(expected, reverse=True)[2:4])
        self.assertEqual(page["metadata"]["paginate"],
                         {"current_page": 2, "results_per_page": 2, "start_result": 3, "total_pages": 3,
                          "total_results": 6})
        self.assertEqual(client.result("list_unscanned_files", asked, method="POST"), page)
        self.assertEqual(client.result("list_unscanned_files", asked, documented=True), page)
        columns = client.call("list_unscanned_files", {"api.columns": "reason"})
        self.assertEqual(sorted(row["reason"] for row in columns), sorted(expected.values()))
        self.assertEqual({tuple(row) for row in columns}, {("reason",)})
        for wrong in ({"api.sort_column": "virus_type"}, {"api.paginate_size": 0}):
            self.assertEqual(client.result("list_unscanned_files", wrong)["status"], 0)
        answer = client.send("HEAD", "/execute/ClamScanner/list_unscanned_files")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_another_file_system(self):
        point = self.account.path("mounted")
        os.mkdir(point)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1m,uid={self.account.uid}", "tmpfs", point],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"SKIPPED: no tmpfs may be mounted here: {done.stderr}")
        self.account.write("mounted/found", EICAR)
        self.assertEqual(self.client.scan()["infected_files"], [])
        self.assertEqual(self.unscanned(self.client), {point + "/": "other file system"})

    def test_files_that_vanish_before_their_turn(self):
        slow = {self.account.write(f"public_html/{number}.gz", self.slow_files.archive(number)) for number in range(4)}
        many = make_many(self.account, "public_html/many", 20_000)
        self.start(self.client)
        everything = len(slow) + len(many)
        wait_until(lambda: self.client.call("get_scan_status")["total_file_count"] == everything, 60, "the walk's end")
        for path in many:
            os.unlink(path)
        self.client.finish_scan()
        result = self.client.result("get_scan_status")
        reasons = self.check_sums(self.client, result, slow | many)
        self.assertEqual(result["data"]["total_file_count"], everything)
        vanished = {path for path, reason in reasons.items() if reason == "vanished"}
        self.assertTrue(vanished, "all files were taken before they went")
        self.assertEqual({reason for path, reason in reasons.items() if path in many}, {"vanished"})

    def test_sparse_files_of_the_greatest_size(self):
        directory = self.account.path("public_html")
        os.mkdir(directory)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1m,uid={self.account.uid}", "tmpfs", directory],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"SKIPPED: no tmpfs may be mounted here: {done.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", directory], check=True)
        sparse = [self.account.write(f"public_html/{number}", b"") for number in range(5)]
        for path in sparse:
            os.truncate(path, GREATEST_SIZE)
        status = self.client.scan("public_html")
        self.assertEqual(self.unscanned(self.client), dict.fromkeys(sparse, "too large"))
        self.assertEqual(status["scanned_file_size"], GREATEST_SIZE)
        self.assertEqual(status["total_file_size_MiB"], GREATEST_SIZE // MEBIBYTE + 1)

    def test_names_that_are_no_utf_8(self):
        path = self.close(self.account.write("odd\udcff\udc80name", "x"))
        self.client.scan()
        self.assertEqual(self.unscanned(self.client), {path: "unreadable"})


if __name__ == "__main__":
    main()
