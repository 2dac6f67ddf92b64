"""Files that do not answer: a home, or a directory of one, on a file system whose program or server hangs. What has asked
it waits in the kernel, where no signal reaches it. Its account gets answers in bounded time that say so, leaves only so
many processes behind, and delays nobody; and when the files answer again, everything goes on.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time

from client import wait_until
from hanging_files import GETATTR, LOOKUP, OPEN, OPENDIR, READDIR, STATFS, HangingFiles
from service_case import ServiceCase, main
from test_files import EICAR, SlowFiles

# Seconds, on a quiet machine: for every request of the account itself, and for another account's polls. A busy machine
# gets the more, the longer a poll takes on it without all that.
ANSWERED_IN = 8.0
QUICK = 1.0
MOST_LEFT = 16  # processes, whatever the account does


class Polling:
    """Another account's polls meanwhile, and how long each took."""

    def __init__(self, client):
        self.client = client
        self.took = []
        self.statuses = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *fault):
        self._stop.set()
        self._thread.join()

    def _poll(self):
        while not self._stop.is_set():
            begun = time.monotonic()
            self.statuses.add(self.client.ask("get_scan_status").status)
            self.took.append(time.monotonic() - begun)
            time.sleep(0.02)

    def p99(self):
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]

    def share_slower_than(self, seconds):
        """Of the time: polls come one after the other, so that a service which stands still shows in one of them alone."""
        return sum(one for one in self.took if one > seconds) / sum(self.took)


class HangingCase(ServiceCase):
    # What is known of a login is soon forgotten, so that the home is looked at again.
    config = {"jobs": {"abandon_seconds": 3, "stall_seconds": 1}, "agents": {"idle_seconds": 3, "request_seconds": 10},
              "login": {"cache_seconds": 3}, "engine": {"max_scan_seconds": 2}}

    def setUp(self):
        self.bystander, self.bystanders = self.new_account("bystander")
        with Polling(self.bystanders) as quiet:
            time.sleep(1)
        self.quiet = quiet.p99()

    def hanging(self, account, below="", **how):
        point = account.path(below)
        if not os.path.isdir(point):
            os.mkdir(point)
            os.chown(point, account.uid, account.gid)
        files = HangingFiles(point, account, **how)
        self.addCleanup(files.end)
        return files

    def account_with_a_home_that_hangs(self, files):
        """Mounted before anybody has seen it: what is known of an account is used for some seconds."""
        account = self.service.add_account("hostile")
        mounted = self.hanging(account, files=files)
        self.service.wait_until_it_serves(account)
        return account, self.service.client(account), mounted

    def count_stuck(self):
        """The processes of this service that wait in the kernel, where no signal reaches them."""
        return sum(entry.isdigit() and self.is_stuck(f"/proc/{entry}/task") for entry in os.listdir("/proc"))

    def is_stuck(self, tasks):
        """Of its threads one may be left alone."""
        with contextlib.suppress(FileNotFoundError):
            for task in os.listdir(tasks):
                with contextlib.suppress(OSError):
                    ours = os.readlink(f"{tasks}/{task}/exe").startswith(self.service.directory)
                    with open(f"{tasks}/{task}/stat", encoding="utf-8", errors="replace") as file:
                        if ours and file.read().rpartition(") ")[2].startswith("D"):
                            return True
        return False

    def in_time(self, call):
        begun = time.monotonic()
        answer = call()
        self.assertLess(time.monotonic() - begun, ANSWERED_IN + 20 * self.quiet, answer)
        return answer

    @staticmethod
    def is_served(client):
        answer = client.ask("get_scan_status")
        return answer.status == 200 and answer.result()["status"] == 1

    def check_bystander(self, polling):
        self.assertEqual(polling.statuses, {200})
        # The machine itself keeps a poll waiting now and then.
        self.assertLess(polling.share_slower_than(QUICK + 20 * self.quiet), 0.25, sorted(polling.took)[-5:])
        # Not only polls: a whole scan, too.
        self.bystander.write("page.html", "harmless")
        self.assertEqual(self.bystanders.scan(seconds=60)["total_file_count"] > 0, True)

    def check_everything_ends(self):
        wait_until(lambda: self.count_stuck() == 0, 30, "the end of what was left behind")


class Hanging(HangingCase):
    def test_a_home_that_hangs(self):
        account, client, files = self.account_with_a_home_that_hangs({"a/b": "harmless", "infected": EICAR})
        files.hang()
        with Polling(self.bystanders) as polling:
            # A login that is still remembered is served; and then each answer says what is wrong.
            wait_until(lambda: self.in_time(lambda: client.ask("get_scan_status")).status == 503, 30, "a refusal")
            for _ in range(20):
                answer = self.in_time(lambda: client.ask("get_scan_status"))
                self.assertEqual(answer.status, 503)
                self.assertGreater(int(answer.headers["retry-after"]), 0)
                self.assertIn("do not answer", answer.json()["errors"][0])
            self.assertLessEqual(self.count_stuck(), MOST_LEFT)
            self.check_bystander(polling)
        # Who does not know the password learns nothing of it.
        self.assertEqual(self.service.client(user=account.name, password="wrong").ask("get_scan_status").status, 401)
        files.answer()
        wait_until(lambda: self.is_served(client), 60, "the first answer again")
        self.check_everything_ends()
        self.assertEqual(client.scan()["infected_files"], [account.path("infected")])

    def test_a_home_that_hangs_during_the_scan(self):
        account, client, files = self.account_with_a_home_that_hangs(
            {f"{number}": f"{number}" for number in range(50)} | {"z": EICAR})
        files.slow(0.05)
        client.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: self.service.processes("clamscanner-runner"), 30, "a runner")
        files.hang()
        with Polling(self.bystanders) as polling:
            # Its job holds nobody up, and is gone although its processes are not.
            self.bystanders.scan(seconds=60)
            time.sleep(12)
            self.assertLessEqual(self.count_stuck(), MOST_LEFT)
            self.check_bystander(polling)
        files.answer()
        wait_until(lambda: self.is_served(client), 60, "an answer")
        status = client.finish_scan()
        self.assertEqual(status["infected_files"], [account.path("z")])
        self.check_everything_ends()

    def start_and_cancel(self, client, times):
        for _ in range(times):
            self.in_time(lambda: client.ask("start_scan", {"scan_type": "home"}))
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and not self.service.processes("clamscanner-runner"):
                time.sleep(0.01)
            time.sleep(0.1)
            self.in_time(lambda: client.ask("cancel_scan"))

    def test_starts_and_cancels_of_a_walk_that_hangs(self):
        # Another's mount below the home: what it is, it has to say itself.
        account, client = self.new_account("hostile")
        files = self.hanging(account, "mnt", files={"a": "x"})
        files.hang()
        with Polling(self.bystanders) as polling:
            self.start_and_cancel(client, 24)  # without a bound, most would leave a process
            self.assertLessEqual(self.count_stuck(), MOST_LEFT)
            # The owner is told what is wrong, also where the kernel has one process wait for the files and all others,
            # which can be ended, for that one.
            self.in_time(lambda: client.call("start_scan", {"scan_type": "home"}))
            wait_until(lambda: any("not answer" in warning
                                   for warning in client.result("get_scan_status")["warnings"]),
                       180, "a warning that says so")
            self.in_time(lambda: client.call("cancel_scan"))
            self.assertLessEqual(self.count_stuck(), MOST_LEFT)
            self.check_bystander(polling)
        files.answer()
        self.check_everything_ends()
        account.write("infected", EICAR)
        self.assertEqual(client.scan()["infected_files"], [account.path("infected")])

    def test_starts_and_cancels_of_a_file_that_hangs_when_it_is_read(self):
        # The directory to scan is a mount, so its files are handed over; each hangs when it is asked for.
        account, client = self.new_account("hostile")
        point = account.path("public_html")
        files = self.hanging(account, "public_html", files={f"{number}": "x" * 5000 for number in range(20)})
        files.hang_reads()
        with Polling(self.bystanders) as polling:
            for _ in range(10):
                waiting = files.asked()
                self.in_time(lambda: client.ask("start_scan", {"scan_type": "public_html"}))
                deadline = time.monotonic() + (10 if waiting < 4 else 1)
                while time.monotonic() < deadline and files.asked() <= waiting:
                    time.sleep(0.05)
                time.sleep(0.2)
                self.in_time(lambda: client.ask("cancel_scan"))
            self.assertLessEqual(self.count_stuck(), MOST_LEFT)
            self.check_bystander(polling)
        files.answer()
        self.check_everything_ends()
        client.scan("public_html")
        self.assertTrue(os.path.ismount(point))

    def test_a_directory_to_scan_that_hangs(self):
        account, client = self.new_account("hostile")
        files = self.hanging(account, "public_html", files={"infected": EICAR})
        files.hang()
        with Polling(self.bystanders) as polling:
            for _ in range(5):
                result = self.in_time(lambda: client.result("start_scan", {"scan_type": "public_html"}))
                self.assertEqual(result["status"], 0)
                self.assertIn("does not answer", result["errors"][0])
            paths = self.in_time(lambda: client.call("get_scan_paths"))
            self.assertIn("home", [row["id"] for row in paths])
            self.assertNotIn("public_html", [row["id"] for row in paths])
            # Agents end when they are idle. What they leave is counted.
            for _ in range(2):
                time.sleep(4)
                self.in_time(lambda: client.ask("start_scan", {"scan_type": "public_html"}))
            self.assertLessEqual(self.count_stuck(), MOST_LEFT)
            done = self.in_time(lambda: subprocess.run(
                [self.service.installed_program("uapi"), "--config", self.service.config_file,
                 f"--user={account.name}", "ClamScanner", "start_scan", "scan_type=public_html"],
                capture_output=True, text=True, check=False))
            self.assertIn("does not answer", done.stdout)
            self.check_bystander(polling)
        files.answer()
        self.check_everything_ends()
        self.assertEqual(client.scan("public_html")["infected_files"], [account.path("public_html/infected")])

    def test_a_home_that_hangs_at_one_kind_of_request(self):
        for code in (LOOKUP, GETATTR, OPENDIR, READDIR, OPEN, STATFS):
            with self.subTest(code), Polling(self.bystanders) as polling:
                account, client, files = self.account_with_a_home_that_hangs({"a/b": "harmless", "infected": EICAR})
                files.hang_at(code)
                for function in ("start_scan", "get_scan_status", "cancel_scan", "get_scan_paths") * 2:
                    answer = self.in_time(lambda: client.ask(function, {"scan_type": "home"}
                                                             if function == "start_scan" else None))
                    self.assertIn(answer.status, (200, 503), answer.body)
                    time.sleep(0.5)
                self.assertLessEqual(self.count_stuck(), MOST_LEFT)
                self.check_bystander(polling)
                files.answer()
                self.check_everything_ends()
                wait_until(lambda: self.is_served(client), 60, "the first answer again")
                client.ask("cancel_scan")  # one that was not heard of while it hung
                client.finish_scan()
                self.assertEqual(client.scan()["infected_files"], [account.path("infected")])

    def coordinators(self):
        processes = self.service.processes("clamscanner-engine")
        return [one for one in processes if one.depth == 2 and one.pid in {other.parent for other in processes}]

    def test_a_coordinator_that_does_not_go_is_not_waited_for(self):
        # Stopped, it does as little as one that waits in the kernel.
        account, client = self.new_account("hostile")
        SlowFiles().fill(account, 12)
        client.call("start_scan", {"scan_type": "home"})
        # It has workers, which begin with the first file: a judge that was only just forked has no name of its own yet.
        coordinator, *_ = wait_until(self.coordinators, 30, "a coordinator")
        runner, = self.service.processes("clamscanner-runner")
        os.kill(runner.pid, signal.SIGSTOP)
        workers = [one.pid for one in self.service.processes("clamscanner-engine") if one.parent == coordinator.pid]
        os.kill(coordinator.pid, signal.SIGSTOP)
        self.in_time(lambda: client.call("cancel_scan"))
        self.bystanders.scan(seconds=60)
        left = {coordinator.pid, *workers}
        wait_until(lambda: not left & {one.pid for one in self.service.processes("clamscanner-engine")}, 40,
                   "the end of the coordinator and its workers")
        client.scan()

    def test_a_daemon_can_be_stopped_and_started_meanwhile(self):
        _, client, files = self.account_with_a_home_that_hangs({"a": "x"})
        client.ask("start_scan", {"scan_type": "home"})
        files.hang()
        client.ask("start_scan", {"scan_type": "home"})
        time.sleep(3)
        for daemon in ("authd", "jobd", "engine"):
            with self.subTest(daemon):
                self.assertEqual(self.service.stop(daemon), 0)
                self.service.start(daemon)
        self.assertEqual(self.in_time(lambda: self.bystanders.ask("get_scan_status")).status, 200)
        files.answer()
        self.check_everything_ends()


class SlowWalk(ServiceCase):
    def test_no_file_waits_for_it(self):
        # But none counts before all are listed: until then nobody knows how many there are.
        many = 150
        account, client = self.new_account("slow")
        os.mkdir(account.path("public_html"))
        os.chown(account.path("public_html"), account.uid, account.gid)
        files = HangingFiles(account.path("public_html"), account, files={f"{number:03}": EICAR for number in range(many)})
        self.addCleanup(files.end)
        files.slow(0.03)
        client.call("start_scan", {"scan_type": "public_html"})
        scans_while_listing, totals_when_counting = False, set()
        while True:
            has_workers = any(one.depth == 3 for one in self.service.processes("clamscanner-engine"))
            status = client.call("get_scan_status")
            if has_workers and status["total_file_count"] < many and not scans_while_listing:
                scans_while_listing = True
                files.slow(0)
            if status["scanned_file_count"] > 0 or status["infected_files"]:
                totals_when_counting.add(status["total_file_count"])
            if status["scan_complete"] == 1:
                break
            time.sleep(0.02)
        self.assertTrue(scans_while_listing)
        self.assertEqual(totals_when_counting, {many})
        self.assertEqual(len(status["infected_files"]), many)


if __name__ == "__main__":
    main()
