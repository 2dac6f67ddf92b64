"""A scan whose runner, coordinator, engine or jobd is killed goes on where it was: nothing is lost or counted twice,
and no file is read again except those whose verdicts were still provisional. The files' read times show that: the home
is on a file system that keeps them strictly."""

import contextlib
import http.client
import os
import re
import signal
import sys
import threading
import time

from client import wait_until
from memory_test import OnImage, read_times, why_no_image_can_be_mounted, work_of
from service_case import SKIPPED, main
from test_files import EICAR

WORKERS = 2
FILES = 3000
INFECTED_EVERY = 100
# A clean verdict counts once its worker has found its test virus again, after so many files at most, and after all
# before it; a slow worker has some more before it when it is to be tested, and the other goes on meanwhile. What was
# confirmed is on its way to jobd for a moment.
MOST_READ_AGAIN = WORKERS * 256 + 250
SCAN_LOG = ".clamavconnector.scan.log"

# The processes to kill: by the program's name and how far below its daemon they are.
RUNNER = ("clamscanner-runner", 1)
COORDINATOR = ("clamscanner-engine", 2)
SIGNATURE_HOST = ("clamscanner-engine", 1)
WORKER = ("clamscanner-engine", 3)


class Resume(OnImage):
    # Without the scan cache, which would hide that a scan began again.
    config = {"engine": {"scan_workers": WORKERS, "rescan_days": 0}, "jobs": {"retry_seconds": 1}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        account = cls.account = cls.service.add_account("resume", os.path.join(cls.homes, "resume"))
        cls.service.wait_until_it_serves(account)
        cls.client = cls.service.client(account)
        body = "<p>Lorem ipsum dolor sit amet, <a href='/shop/cart'>consectetur</a> adipiscing elit.</p>\n" * 600
        cls.infected, cls.clean = set(), set()
        for number in range(FILES):
            directory = f"public_html/{number % 19}"
            if number % INFECTED_EVERY == 0:
                cls.infected.add(account.write(f"{directory}/{number}", EICAR))
            else:
                cls.clean.add(account.write(f"{directory}/{number}", f"<!doctype html><title>{number}</title>{body}"))

    def setUp(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.account.path(SCAN_LOG))
        self.began_ns = time.time_ns()
        self.last = {"scanned_file_count": 0, "scanned_file_size": 0, "total_file_count": 0, "infected_files": []}

    def status(self):
        """None while something is being restarted; counts and finds never shrink."""
        try:
            answer = self.client.ask("get_scan_status")
        except (OSError, http.client.HTTPException):
            return None
        if answer.status != 200:
            self.assertIn(answer.status, (500, 502, 503, 504), answer.body)
            return None
        data = answer.result()["data"]
        for field in ("scanned_file_count", "scanned_file_size", "total_file_count"):
            self.assertGreaterEqual(data[field], self.last[field], f"{field} fell")
        self.assertTrue(set(self.last["infected_files"]) <= set(data["infected_files"]), "a find is lost")
        self.assertEqual(data["time_started"], self.last.get("time_started", data["time_started"]), "another scan")
        self.last = data
        return data

    def process(self, role):
        program, depth = role
        return next((process.pid for process in self.service.processes(program) if process.depth == depth), None)

    def goes_on_after(self, kill, loses_what_is_not_stored=False):
        self.client.call("start_scan", {"scan_type": "public_html"})
        wait_until(lambda: (status := self.status()) and status["scanned_file_count"] > FILES / 3, 60,
                   "a third of the scan")
        self.assertEqual(self.last["scan_complete"], 0, "the scan was too fast to be interrupted")
        stored = self.last["scanned_file_count"]
        before = read_times(self.clean)
        kill()

        def ended():
            self.service.restart_what_ended()
            status = self.status()
            return status and status["scan_complete"]

        wait_until(ended, 90, "the end of the interrupted scan")
        self.check_reads(before, stored if loses_what_is_not_stored else len(self.clean))
        self.check_totals()

    def check_reads(self, before, stored):
        after = read_times(self.clean)
        read_before = {path for path in self.clean if before[path] > self.began_ns}
        again = {path for path in read_before if after[path] != before[path]}
        most = MOST_READ_AGAIN + max(0, len(read_before) - stored)
        print(f"{self.id().rpartition('.')[2]}: {len(read_before)} clean files were read before, {len(again)} of them "
              f"again (at most {most})", flush=True)
        self.assertGreater(len(read_before), most, "too few were read to tell")
        self.assertLessEqual(len(again), most)
        self.assertEqual([path for path in self.clean if after[path] <= self.began_ns], [], "never read at all")

    def check_totals(self):
        result = self.client.result("get_scan_status")
        data = result["data"]
        self.assertEqual((data["scanned_file_count"], data["total_file_count"]), (FILES, FILES))
        self.assertEqual(sorted(data["infected_files"]), sorted(self.infected))
        listed = [entry["file"] for entry in self.client.call("list_infected_files")]
        self.assertEqual(sorted(listed), sorted(self.infected))
        self.assertEqual([warning for warning in result["warnings"] or [] if "not scanned" in warning], [])
        self.assertEqual(self.totals_of_the_log(), [FILES, len(self.clean), len(self.infected), 0])
        work = work_of(result)
        self.assertEqual((work.scanned, work.known, work.known_infected), (FILES, 0, 0))

    def totals_of_the_log(self):
        """Total, clean, infected, not scanned."""
        def head():
            try:
                with open(self.account.path(SCAN_LOG), encoding="utf-8") as log:
                    line = log.readline()
            except FileNotFoundError:
                return None
            return re.search(r"(\d+) files, (\d+) clean, (\d+) infected, (\d+) not scanned", line)

        return [int(number) for number in wait_until(head, 30, "the log in the home").groups()]

    def kill_one(self, role):
        def kill():
            pid = self.process(role)
            self.assertIsNotNone(pid, f"nobody is a {role}")
            os.kill(pid, signal.SIGKILL)
        return kill

    def kill_daemon(self, name):
        def kill():
            self.service.kill(name)
            self.service.start(name)
        return kill

    def test_after_its_runner_was_killed(self):
        self.goes_on_after(self.kill_one(RUNNER))

    def test_after_its_coordinator_was_killed(self):
        self.goes_on_after(self.kill_one(COORDINATOR))

    def test_after_the_process_that_holds_the_signatures_was_killed(self):
        self.goes_on_after(self.kill_one(SIGNATURE_HOST))

    def test_after_the_engine_was_killed(self):
        self.goes_on_after(self.kill_daemon("engine"))

    def test_after_jobd_was_killed(self):
        # While it waits for the disk, the others go on; what they have sent it meanwhile dies with it.
        self.goes_on_after(self.kill_daemon("jobd"), loses_what_is_not_stored=True)

    def test_after_a_kill_while_one_worker_is_slow(self):
        over = threading.Event()
        slow = threading.Thread(target=self.hinder_one_worker, args=(over,))
        slow.start()
        self.addCleanup(slow.join)
        self.addCleanup(over.set)
        self.goes_on_after(self.kill_one(COORDINATOR))

    def hinder_one_worker(self, over):
        while not over.is_set():
            pid = self.process(WORKER)
            with contextlib.suppress(TypeError, ProcessLookupError):  # there is none, or none any more
                os.kill(pid, signal.SIGSTOP)
                over.wait(0.04)
                os.kill(pid, signal.SIGCONT)
            over.wait(0.01)


if __name__ == "__main__":
    if os.getuid() == 0 and (why := why_no_image_can_be_mounted()):
        print(f"SKIPPED: no file system in a file can be made and mounted here: {why}")
        sys.exit(SKIPPED)
    main()
