"""An administrator's userdel and usermod find no process of ours that uses the account while it is held; and until it is
released nothing of ours begins to. The client polls all the while, as a panel does."""

import os
import pwd
import shutil
import signal
import subprocess
import threading
import time

import accounts
from accounts import Account
from client import check_records, wait_until
from service_case import ServiceCase, main
from statistics_client import StatisticsClient
from test_files import EICAR, SlowFiles


def change(*command):
    """As a panel's script does it: once."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Polling:
    """Asks again and again, and notes what it got."""

    def __init__(self, client):
        self.client = client
        self.statuses = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(3)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *fault):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _poll(self):
        while not self._stop.is_set():
            self.statuses.append(self.client.ask("get_scan_status").status)


class HeldAccounts(ServiceCase):
    config = {"jobs": {"retry_seconds": 1}, "login": {"failure_milliseconds": 10, "account_failures": 100_000,
                                                      "address_failures": 1_000_000}}

    def command(self, *words):
        return subprocess.run([self.service.installed_program("clamscanner-account"), "--config",
                               self.service.config_file, *words], capture_output=True, text=True, check=False)

    def succeed(self, *words):
        done = self.command(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def hold(self, account):
        self.succeed("hold", account.name)
        self.assertEqual(accounts.processes_of(account.uid), [])

    def check_held(self, client):
        answer = client.ask("get_scan_status")
        self.assertEqual(answer.status, 503)
        self.assertGreater(int(answer.headers["retry-after"]), 0)
        self.assertIn("administrator", answer.json()["errors"][0])

    def test_a_polled_account_can_be_renamed_moved_and_removed(self):
        account, client = self.new_account()
        self.addCleanup(accounts.remove_user, account.name + "x")
        new, home = account.name + "x", account.home + "-new"
        with Polling(client) as polling:
            wait_until(lambda: polling.statuses.count(200) > 3, 30, "a poll")
            self.hold(account)
            # Nothing begins to run as the account, however long the panel asks.
            time.sleep(1)
            for command in (("usermod", "--login", new, account.name), ("usermod", "--home", home, "--move-home", new)):
                done = change(*command)
                self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.check_held(self.service.client(user=new, password=account.password))
        moved = Account(new, account.password, home, account.uid, account.gid)
        with Polling(self.service.client(moved)) as polling:
            wait_until(lambda: 503 in polling.statuses, 30, "a refused poll")
            done = change("userdel", new)
            self.assertEqual((done.returncode, "used by process" in done.stderr), (0, False), done.stderr)
        # There is no such user any more, under either name.
        self.succeed("release", account.name)
        self.assertEqual(self.succeed("list"), "")

    def test_it_is_refused_with_a_reason_until_it_is_released(self):
        account, client = self.new_account()
        other, others = self.new_account()
        self.hold(account)
        self.check_held(client)
        self.hold(account)
        self.assertEqual(self.succeed("list"), f"{account.name} {account.uid}\n")
        self.assertEqual(others.ask("get_scan_status").status, 200)
        # Who does not know the password learns nothing.
        self.assertEqual(self.service.client(user=account.name, password="wrong").ask("get_scan_status").status, 401)
        self.service.stop("authd")
        self.service.start("authd")
        self.check_held(client)
        self.assertEqual(accounts.processes_of(account.uid), [])
        self.succeed("release", account.name)
        self.assertEqual(client.ask("get_scan_status").status, 200)
        self.assertEqual(other.uid in {int(line.split()[1]) for line in self.succeed("list").splitlines()}, False)

    def test_a_scan_that_is_interrupted_goes_on_after_the_release(self):
        account, client = self.new_account()
        for number in range(3000):
            account.write(f"files/{number}", f"{number}\n" * 100)
        SlowFiles().fill(account, 6, directory=".")  # before the others, so that the scan is under way when it is held
        found = account.write("x", EICAR)
        client.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: self.service.processes("clamscanner-runner"), 60, "a runner")
        self.hold(account)
        time.sleep(2)  # jobd tries again each second
        self.assertEqual(accounts.processes_of(account.uid), [])
        shell = subprocess.run([self.service.installed_program("uapi"), "--config", self.service.config_file,
                                f"--user={account.name}", "ClamScanner", "get_scan_status"],
                               capture_output=True, text=True, check=False)
        self.assertEqual((shell.returncode, shell.stdout), (75, ""))
        self.assertIn("held by the administrator", shell.stderr)
        self.succeed("release", account.name)
        status = client.finish_scan()
        self.assertEqual(status["infected_files"], [found])
        self.assertEqual((status["scanned_file_count"], status["total_file_count"]), (3007, 3007))

    def test_a_disinfection_waits_and_goes_on_after_the_release(self):
        account, client = self.new_account()
        paths = [account.write(f"files/{number}", EICAR + f" {number}\n".encode()) for number in range(30)]
        client.scan()
        # It has begun, and can do nothing yet.
        with self.service.stopped("engine"):
            client.call("disinfect_files", {"actions": dict.fromkeys(paths, "quarantine")})
            wait_until(lambda: self.service.processes("clamscanner-runner"), 60, "a runner")
            self.hold(account)
        time.sleep(2)  # jobd tries again each second
        self.assertEqual(accounts.processes_of(account.uid), [])
        self.assertEqual([path for path in paths if not os.path.exists(path)], [])
        self.succeed("release", account.name)
        steps = check_records(client.finish_disinfection())
        self.assertEqual({path: step["state"] for path, step in steps.items()}, dict.fromkeys(paths, "quarantined"))

    def test_the_statistics_answer_that_it_is_throttled(self):
        account, _ = self.new_account()
        signer = StatisticsClient(self.service.statistics_url, *self.service.add_access_key(account.name))
        action = "GetVirusScanLatestTaskStatistic"
        self.assertEqual(signer.call_v3(action).status, 200)
        self.hold(account)
        for answer in (signer.call_v3(action), signer.call_v1(action, Format="JSON"),
                       signer.call_basic(account.name, account.password, action)):
            self.assertEqual((answer.status, answer.code), (400, "Throttling.User"), answer.body)
        self.assertEqual(accounts.processes_of(account.uid), [])
        self.succeed("release", account.name)
        self.assertEqual(signer.call_v3(action).status, 200)

    def test_uapi_is_ended_too(self):
        account, _ = self.new_account()
        uapi = [self.service.installed_program("uapi"), "--config", self.service.config_file]
        as_user = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        with self.service.stopped("jobd"):
            waiting = [subprocess.Popen([*command, "ClamScanner", "get_scan_status"], stdout=subprocess.DEVNULL)
                       for command in ([*uapi, f"--user={account.name}"], [*as_user, *uapi])]
            wait_until(lambda: all(self.is_running("clamscanner-uapi", process.pid) for process in waiting), 30,
                       "uapi to wait for jobd")
            self.succeed("hold", account.name)
        self.assertEqual([process.wait(10) for process in waiting], [-signal.SIGKILL] * 2)
        self.succeed("release", account.name)

    @staticmethod
    def is_running(program, pid):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == program

    def test_what_does_not_end_in_time_may_be_held_again(self):
        account, client = self.new_account()
        with self.service.stopped("authd"):
            done = self.command("hold", account.name)
            self.assertEqual(done.returncode, 75)
            self.assertIn("try again", done.stderr)
        self.check_held(client)
        self.hold(account)
        self.succeed("release", account.name)

    def test_a_renamed_account_is_released_by_its_new_name(self):
        account, _ = self.new_account()
        new = account.name + "x"
        self.addCleanup(accounts.remove_user, new)
        self.hold(account)
        self.assertEqual(change("usermod", "--login", new, account.name).returncode, 0)
        renamed = self.service.client(user=new, password=account.password)
        self.check_held(renamed)
        self.succeed("release", new)
        self.assertEqual(self.succeed("list"), "")
        self.assertEqual(renamed.ask("get_scan_status").status, 200)

    def test_a_stopped_agent_is_ended_too(self):
        account, _ = self.new_account()
        agents = accounts.processes_of(account.uid)
        self.assertNotEqual(agents, [])
        for pid in agents:
            os.kill(pid, 19)  # SIGSTOP
        self.hold(account)
        self.succeed("release", account.name)

    def test_an_account_is_held_without_authd(self):
        account, client = self.new_account()
        self.service.stop("authd")
        self.hold(account)
        self.service.start("authd")
        self.check_held(client)
        self.succeed("release", account.name)
        self.assertEqual(client.ask("get_scan_status").status, 200)

    def test_a_new_account_of_that_name_is_served_after_the_release(self):
        account, _ = self.new_account()
        self.hold(account)
        self.assertEqual(change("userdel", account.name).returncode, 0)
        shutil.rmtree(account.home)
        again = accounts.add_account(account.name, account.home)
        self.assertEqual(pwd.getpwnam(account.name).pw_uid, again.uid)
        self.check_held(self.service.client(again))
        self.succeed("release", account.name)
        self.assertEqual(self.service.client(again).ask("get_scan_status").status, 200)

    def test_who_cannot_be_held(self):
        self.assertEqual(self.command("hold", "nobody-of-that-name").returncode, 67)
        self.assertEqual(self.command("hold", "root").returncode, 77)
        for words in ((), ("hold",), ("hold", "a", "b"), ("release",), ("keep", "a"), ("list", "a")):
            self.assertEqual(self.command(*words).returncode, 64, words)
        done = self.command("release", "nobody-of-that-name")
        self.assertEqual(done.returncode, 0)
        self.assertIn("was not held", done.stderr)

    def test_only_root_may_hold_and_only_root_may_ask_authd(self):
        account, _ = self.new_account()
        as_user = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        done = subprocess.run([*as_user, self.service.installed_program("clamscanner-account"), "--config",
                               self.service.config_file, "hold", account.name], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 77)
        status = os.stat(self.service.path("run/authd/accounts.sock"))
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (0, 0o600))


if __name__ == "__main__":
    main()
