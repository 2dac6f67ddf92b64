"""Scans that begin by themselves, and what is quarantined by itself. The test says what time it is: jobd is restarted in
a time zone in which a scan is due in some seconds, or was due while jobd was down."""

import copy
import os
import subprocess
import tempfile
import time

import accounts
from client import Refused, wait_until
from hanging_files import HangingFiles
from service_case import ServiceCase, main
from test_files import EICAR, SlowFiles

AHEAD_SECONDS = 4
CERTAIN = "this text stands for malware that is certain 5d1f"
CERTAIN_TOO = "this text stands for another malware that is certain 9c3e"
UNWANTED = "this text stands for a program that is doubtful 77aa"
MAILBOX = ("From a@example.org Mon Jan  5 12:00:00 2026\nFrom: a@example.org\nSubject: one\n\nharmless\n\n"
           "From b@example.org Mon Jan  5 12:01:00 2026\nFrom: b@example.org\nSubject: two\n\n" + CERTAIN + "\n\n")
PATIENCE_SECONDS = 60
COPIES = 1500  # so many that their quarantine takes some time


def far_hour():
    """Half a day away: so whatever the time is, the slots of all accounts are on the same day, and none was just now."""
    return (time.gmtime().tm_hour + 12) % 24


class ScheduleCase(ServiceCase):
    config = {"jobs": {"retry_seconds": 1}}

    def setUp(self):
        if "jobd" in self.service.running:
            self.service.stop("jobd")
        self.service.start("jobd", environment={"TZ": "UTC"})

    def start_jobd_where(self, next_time, is_in):
        """In a time zone in which that time of the local clock comes in so many seconds; or came, if they are negative."""
        ahead = int(next_time - time.time() - is_in) % 86400
        zone = f"TST-{ahead // 3600:02}:{ahead // 60 % 60:02}:{ahead % 60:02}"
        self.service.start("jobd", environment={"TZ": zone})

    def restart_where(self, next_time, is_in):
        self.service.stop("jobd")
        self.start_jobd_where(next_time, is_in)

    def uapi(self, account, *words):
        return subprocess.run(["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups",
                               self.service.installed_program("uapi"), f"--config={self.service.config_file}",
                               "--output=json", "ClamScanner", *words], capture_output=True, text=True, check=False)

    def scheduled(self, client, action="scan"):
        return [row for row in client.call("list_history")
                if row["by"].startswith("schedule") and row["action"].startswith(action)]

    def ended(self, client, count, action="scan"):
        def look():
            rows = self.scheduled(client, action)
            return rows if len(rows) >= count and all(row["ended"] for row in rows) else None
        return wait_until(look, PATIENCE_SECONDS, f"{count} scheduled jobs: {action}")


class Schedules(ScheduleCase):
    def test_it_runs_when_it_is_due_and_the_missed_one_once(self):
        account, client = self.new_account()
        infected = account.write("eicar", EICAR)
        hour = far_hour()
        client.call("set_schedule", {"frequency": "daily", "hour": hour, "scan_type": "home"})
        known = client.call("get_schedule")
        self.assertEqual((known["allowed"], known["frequency"], known["hour"], known["scan_type"]),
                         (1, "daily", hour, "home"))
        self.assertGreater(known["next_time"], time.time())
        self.assertRegex(known["next_time_local"], rf"^\d{{4}}-\d\d-\d\d {hour:02}:\d\d:\d\d ")

        before = time.time()
        self.restart_where(known["next_time"], AHEAD_SECONDS)
        [row] = self.ended(client, 1)
        self.assertGreaterEqual(int(row["time"]), int(before + AHEAD_SECONDS), "it was not due yet")
        self.assertEqual((row["action"], row["result"]), ("scan of home", "completed"))
        self.assertEqual(client.call("get_scan_status")["infected_files"], [infected])
        again = client.call("get_schedule")["next_time"]
        self.assertGreater(again, time.time() + 80000)
        # Not again after a restart.
        self.service.kill("jobd")
        self.start_jobd_where(known["next_time"], -60)
        time.sleep(3)
        self.assertEqual(len(self.scheduled(client)), 1)

    def test_a_missed_one_is_made_up_for_once_however_jobd_is_killed(self):
        account, client = self.new_account()
        account.write("eicar", EICAR)
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        due = client.call("get_schedule")["next_time"]
        self.service.stop("jobd")
        self.start_jobd_where(due, -3600)
        wait_until(lambda: self.scheduled(client), PATIENCE_SECONDS, "the scan to be queued")
        self.service.kill("jobd")
        self.start_jobd_where(due, -3700)
        self.ended(client, 1)
        self.service.kill("jobd")
        self.start_jobd_where(due, -3800)
        time.sleep(3)
        self.assertEqual([row["result"] for row in self.scheduled(client)], ["completed"])

    def test_whoever_runs_as_the_account_may_only_make_it_stronger(self):
        account, client = self.new_account()
        for words, status in ((("frequency=weekly", "day=monday", "hour=3", "scan_type=home"), 0),
                              (("frequency=daily", "hour=3", "scan_type=home"), 0),
                              (("frequency=daily", "hour=4", "scan_type=home"), 1),
                              (("frequency=weekly", "day=monday", "hour=3", "scan_type=home"), 1),
                              (("frequency=never",), 1)):
            done = self.uapi(account, "set_schedule", *words)
            self.assertEqual(done.returncode, status, (words, done.stdout, done.stderr))
            if status:
                self.assertIn("needs the account's password", done.stdout)
                self.assertIn(f"uapi --user={account.name}", done.stdout)
        self.assertEqual(client.call("get_schedule")["frequency"], "daily")
        client.call("set_schedule", {"frequency": "weekly", "day": "monday", "hour": 4, "scan_type": "home"})
        by_root = subprocess.run([self.service.installed_program("uapi"), f"--config={self.service.config_file}",
                                  f"--user={account.name}", "ClamScanner", "set_schedule", "frequency=never"],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(by_root.returncode, 0, by_root.stdout)
        self.assertEqual(client.call("get_schedule")["next_time"], 0)
        # What was refused is no row of the history, what was set is one, with what was before.
        daily, weekly = "daily from 03:00 to 04:00, scan of home", "weekly on monday from {} to {}, scan of home"
        rows = [row for row in client.call("list_history") if row["action"] == "set_schedule"]
        self.assertEqual([(row["by"], row["from"], row["result"], row["message"]) for row in rows], [
            ("administrator", "", "completed", f"never; before: {weekly.format('04:00', '05:00')}"),
            ("owner", "127.0.0.1", "completed", f"{weekly.format('04:00', '05:00')}; before: {daily}"),
            ("shell", "", "completed", f"{daily}; before: {weekly.format('03:00', '04:00')}"),
            ("shell", "", "completed", f"{weekly.format('03:00', '04:00')}; before: never")])
        client.call("set_schedule", {"frequency": "never"})
        self.assertEqual(len([row for row in client.call("list_history") if row["action"] == "set_schedule"]), 4,
                         "nothing was changed")

    def test_a_mount_over_the_home_does_not_switch_it_off(self):
        """Whoever runs as the account can mount there what nobody else may look into (fusermount3)."""
        account, client = self.new_account()
        infected = account.write("eicar", EICAR)
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        next_time = client.call("get_schedule")["next_time"]
        self.service.stop("jobd")
        mount = HangingFiles(account.home, account, by=account.uid, allow_other=False)
        self.addCleanup(mount.end)
        self.start_jobd_where(next_time, 1)
        time.sleep(6)
        mount.end()
        wait_until(lambda: client.call("get_schedule")["frequency"] == "daily", 20, "the schedule")
        self.assertEqual([row["result"] for row in self.ended(client, 1)], ["completed"])
        self.assertEqual([row["file"] for row in client.call("list_infected_files")], [infected])

    def test_an_account_that_is_busy_has_its_scan_afterwards(self):
        account, client = self.new_account()
        for i in range(40):
            account.write(f"file{i}", os.urandom(1 << 20))
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        client.call("start_scan", {"scan_type": "home"})
        self.restart_where(client.call("get_schedule")["next_time"], 1)
        rows = self.ended(client, 1)
        self.assertEqual([row["result"] for row in rows], ["completed"])

    def administrate(self, *words):
        subprocess.run([self.service.installed_program("clamscanner-account"), "--config", self.service.config_file,
                        *words], check=True, capture_output=True)

    def has_ended(self, account):
        """By the audit log, since nobody may log in."""
        return [event for event in self.service.events_logged("scan")
                if (event["account"], event["stage"]) == (account.name, "ended")]

    def test_of_an_account_that_may_run_nothing_it_ends_early_and_says_why(self):
        held, held_client = self.new_account()
        closed, closed_client = self.new_account()
        clients = (held_client, closed_client)
        for client in clients:
            client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        due = max(client.call("get_schedule")["next_time"] for client in clients)
        self.service.stop("jobd")
        self.administrate("hold", held.name)
        accounts.change(["chage", "-E", "0", closed.name])
        self.start_jobd_where(due, 0)
        for account in (held, closed):
            wait_until(lambda one=account: self.has_ended(one), PATIENCE_SECONDS, "the scan's end")
        self.administrate("release", held.name)
        accounts.change(["chage", "-E", "-1", closed.name])
        for client, why in ((held_client, "the administrator holds the account"),
                            (closed_client, "the account is suspended")):
            [row] = self.scheduled(client)
            self.assertEqual((row["result"], row["message"].endswith(why)), ("ended early", True), row)
            result = client.result("get_scan_status")
            self.assertTrue(any(why in text for text in result["warnings"]), result)
            self.assertFalse(any("goes on" in text for text in result["warnings"]), result)
            self.assertGreater(client.call("get_schedule")["next_time"], time.time() + 80000)

    def test_while_a_home_does_not_answer_it_waits(self):
        account = self.service.add_account("user")
        files = HangingFiles(account.home, account, files={"infected": EICAR})
        self.addCleanup(files.end)
        self.service.wait_until_it_serves(account)
        client = self.service.client(account)
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        due = client.call("get_schedule")["next_time"]
        self.service.stop("jobd")
        files.hang()
        self.start_jobd_where(due, 0)
        time.sleep(8)
        self.assertEqual(self.has_ended(account), [])
        files.answer()
        [ended] = wait_until(lambda: self.has_ended(account), PATIENCE_SECONDS, "the scan's end")
        self.assertEqual((ended["by"], ended["result"], ended["infected"]), ("schedule", "completed", 1))

    def test_one_whose_home_has_moved_loses_it(self):
        account, client = self.new_account()
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        due = client.call("get_schedule")["next_time"]
        self.service.stop("jobd")
        os.rename(account.home, account.home + "-old")
        subprocess.run(["cp", "-a", account.home + "-old", account.home], check=True)
        self.start_jobd_where(due, 0)
        time.sleep(10)
        self.assertEqual(client.call("get_schedule")["frequency"], "never")
        self.assertEqual(self.scheduled(client), [])
        # As it was: and nothing begins by itself any more.
        self.service.stop("jobd")
        os.rename(account.home, account.home + "-new")
        os.rename(account.home + "-old", account.home)
        self.start_jobd_where(due, -60)
        time.sleep(5)
        self.assertEqual(client.call("get_schedule")["frequency"], "never")
        self.assertEqual(self.scheduled(client), [])

    def test_nothing_is_set_that_the_administrator_does_not_allow(self):
        _, client = self.new_account()
        for wrong in ({"frequency": "daily", "hour": 24, "scan_type": "home"},
                      {"frequency": "daily", "hour": 3, "scan_type": "nonsense"},
                      {"frequency": "hourly", "hour": 3, "scan_type": "home"}):
            with self.assertRaises(Refused):
                client.call("set_schedule", wrong)
        self.assertEqual(client.call("get_schedule")["frequency"], "never")


class AlwaysBusy(ScheduleCase):
    """Whoever runs as the account can have it scanned again and again."""
    config = {"jobs": {"retry_seconds": 600}}

    def test_the_scan_begins_as_soon_as_the_accounts_own_is_over(self):
        account, client = self.new_account()
        for i in range(40):
            account.write(f"file{i}", os.urandom(1 << 20))
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        self.restart_where(client.call("get_schedule")["next_time"], 5)
        try:
            client.call("start_scan", {"scan_type": "home", "full": 1})
        except Refused:
            print(f"LEFT OUT: {self.id()}: the scheduled scan came first", flush=True)
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.scheduled(client):
            self.assertLess(time.monotonic(), deadline, "no scheduled scan")
            try:
                client.call("start_scan", {"scan_type": "home", "full": 1})
            except Refused:
                time.sleep(0.02)
        self.ended(client, 1)


class BehindAllOthers(ScheduleCase):
    config = {"jobs": {"retry_seconds": 1, "max_running": 1}, "engine": {"scan_workers": 2}}

    def test_who_asks_for_a_scan_does_not_wait_for_a_schedule(self):
        slow = SlowFiles()
        first, first_client = self.new_account()
        slow.fill(first, 30)
        scheduled, client = self.new_account()
        slow.fill(scheduled, 6)
        _, others = self.new_account()
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        due = client.call("get_schedule")["next_time"]
        self.service.stop("jobd")
        self.start_jobd_where(due, 6)
        first_client.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: self.scheduled(client), PATIENCE_SECONDS, "the scheduled scan to be queued")
        others.scan()
        self.assertEqual(first_client.call("get_scan_status")["scan_complete"], 1)
        [of_schedule] = self.ended(client, 1)
        [asked_for] = others.call("list_history")
        self.assertLess(int(asked_for["ended"]), int(of_schedule["ended"]))


class AutomaticCase(ScheduleCase):
    """With a certain signature, another one, and one that only guesses."""
    config = {"jobs": {"retry_seconds": 1}, "quarantine": {"automatic": "certain"},
              "brake": {"files_percent": 100, "accounts_percent": 100},
              "paths": {"signature_directory": "@signatures"}}

    @classmethod
    def setUpClass(cls):
        cls.config = copy.deepcopy(cls.config)
        cls.signatures = cls.enterClassContext(tempfile.TemporaryDirectory(dir="/var/tmp"))
        os.chmod(cls.signatures, 0o755)
        cls.config["paths"]["signature_directory"] = cls.signatures
        with open(os.path.join(cls.signatures, "own.ndb"), "w", encoding="ascii") as file:
            for name, text in (("Test-Certain", CERTAIN), ("Test-Certain-Too", CERTAIN_TOO),
                               ("Heuristics.Test-Doubtful", UNWANTED)):
                file.write(f"{name}:0:*:{text.encode().hex()}\n")
        super().setUpClass()

    def scan_as_administrator(self, account, wait=True):
        subprocess.run([self.service.installed_program("clamscanner-scan"), "--config", self.service.config_file,
                        "--account", account.name, *(["--wait"] if wait else [])], check=False, stdout=subprocess.DEVNULL)

    @staticmethod
    def steps(client):
        """Of the disinfection, once it has ended."""
        status = client.call("check_disinfection_status")
        return {step["file"]: step for step in status["details"] if step["type"] == "step"} \
            if status["status"] == "done" else None


class UnderTheBrake(AutomaticCase):
    config = {**AutomaticCase.config, "brake": {"files_percent": 10, "accounts_percent": 100}}

    def test_what_it_holds_is_left_to_its_owner(self):
        account, client = self.new_account()
        held = [account.write(f"held/{number}.txt", CERTAIN) for number in range(30)]
        certain = account.write("certain.txt", CERTAIN_TOO)
        self.scan_as_administrator(account)
        steps = wait_until(lambda: self.steps(client), PATIENCE_SECONDS, "its end")
        self.assertEqual({path: step["state"] for path, step in steps.items()}, {certain: "quarantined"})
        self.assertEqual([path for path in held if not os.path.exists(path)], [])
        self.assertEqual({row["file"] for row in client.call("list_infected_files")}, set(held))


class AutomaticQuarantine(AutomaticCase):
    """By a certain signature, and not by a heuristic."""

    def infected(self):
        account, client = self.new_account()
        certain = account.write("certain.txt", CERTAIN)
        unwanted = account.write("unwanted.txt", UNWANTED)
        store = account.write("old.mbx", "*mbx*\r\n" + CERTAIN)
        mailbox = account.write("mail/inbox", MAILBOX)
        return account, client, certain, unwanted, store, mailbox

    def check(self, client, certain, unwanted, store, mailbox, by):
        listed = client.call("list_quarantined_files")
        self.assertEqual([row["file"] for row in listed if row["file"] == certain], [certain])
        self.assertFalse(os.path.exists(certain))
        for left in (unwanted, store, mailbox):
            self.assertTrue(os.path.exists(left), left)
        with open(mailbox, encoding="ascii") as file:
            mail = file.read()
        self.assertIn("harmless", mail)
        self.assertNotIn(CERTAIN, mail)
        still = {row["file"] for row in client.call("list_infected_files")}
        self.assertEqual(still, {unwanted, store})
        rows = [row for row in client.call("list_history") if row["action"] == "disinfection"]
        self.assertEqual([(row["by"], row["result"]) for row in rows], [(f"{by} automatically", "completed")])
        messages = client.result("get_scan_status")["messages"]
        self.assertTrue(any("put into quarantine by the server itself" in message for message in messages), messages)
        # The owner wants it back, and nobody takes it again.
        [row] = [row for row in listed if row["file"] == certain]
        [restored] = client.call("restore_quarantined_files", {"ids": [row["id"]]})
        self.assertEqual(restored["state"], "restored")
        self.assertTrue(os.path.exists(certain))
        time.sleep(2)
        self.assertTrue(os.path.exists(certain))

    def test_a_schedules_finds_are_quarantined_by_certain_signatures_alone(self):
        account, client, *paths = self.infected()
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        self.restart_where(client.call("get_schedule")["next_time"], 1)
        self.ended(client, 1, "disinfection")
        self.check(client, *paths, by="schedule")

    def test_an_administrators_scan_does_it_too_and_an_owners_does_not(self):
        account, client, *paths = self.infected()
        client.scan()
        time.sleep(2)
        self.assertEqual(client.call("list_quarantined_files"), [])
        self.scan_as_administrator(account)
        wait_until(lambda: [row for row in client.call("list_history")
                            if row["action"] == "disinfection" and row["ended"]], PATIENCE_SECONDS, "the quarantine")
        self.check(client, *paths, by="administrator")

    def test_what_was_left_to_its_owner_is_not_told_as_done(self):
        account, client = self.new_account()
        store = account.write("old.mbx", "*mbx*\r\n" + CERTAIN)
        self.scan_as_administrator(account)
        steps = wait_until(lambda: self.steps(client), PATIENCE_SECONDS, "its end")
        self.assertEqual({path: step["state"] for path, step in steps.items()}, {store: "no-action"})
        self.assertFalse([text for text in client.result("get_scan_status")["messages"] if "into quarantine" in text])

    def test_what_is_ignored_is_left_alone(self):
        account, client, certain, *_ = self.infected()
        fine = account.write("fine.txt", CERTAIN + " and it is ours")
        client.scan()
        [row] = client.call("ignore_files", {"files": [fine]})
        self.assertEqual(row["state"], "ignored")
        self.scan_as_administrator(account)
        wait_until(lambda: not os.path.exists(certain), PATIENCE_SECONDS, "the quarantine")
        steps = wait_until(lambda: self.steps(client), PATIENCE_SECONDS, "its end")
        self.assertIn(certain, steps)
        self.assertNotIn(fine, steps)
        self.assertTrue(os.path.exists(fine))

    def test_what_is_ignored_meanwhile_is_left_alone(self):
        account, client = self.new_account()
        copies = [account.write(f"copies/{number:04}.txt", CERTAIN) for number in range(COPIES)]
        self.scan_as_administrator(account, wait=False)
        wait_until(lambda: client.call("check_disinfection_status")["status"] != "none", PATIENCE_SECONDS, "the quarantine")
        ignored = [row["state"] for row in client.call("ignore_files", {"files": copies[-20:]})]
        self.assertIn("ignored", ignored)
        steps = wait_until(lambda: self.steps(client), PATIENCE_SECONDS, "its end")
        left = {path for path in copies if os.path.exists(path)}
        self.assertTrue(left)
        self.assertEqual({path for path, step in steps.items() if step["message"].startswith("it is ignored")}, left)

    def test_it_is_done_once_although_jobd_is_killed_all_the_time(self):
        account, client, certain, *_ = self.infected()
        client.call("set_schedule", {"frequency": "daily", "hour": far_hour(), "scan_type": "home"})
        due = client.call("get_schedule")["next_time"]
        self.service.stop("jobd")
        for i in range(12):
            self.start_jobd_where(due, -10 * i - 1)
            time.sleep(0.15 * i)
            self.service.kill("jobd")
        self.start_jobd_where(due, -200)
        self.ended(client, 1, "disinfection")
        self.assertEqual(len(self.scheduled(client, "disinfection")), 1)
        self.assertEqual(len(self.scheduled(client, "scan")), 1)
        self.assertEqual([row["file"] for row in client.call("list_quarantined_files") if row["file"] == certain],
                         [certain])


if __name__ == "__main__":
    main()
