"""The statistics of the whole machine, whose scans take in the homes of all its accounts."""

import os
import subprocess

import accounts
from client import wait_until
from service_case import main
from statistics_client import StatisticsClient
from statistics_test import CREATE, GET, StatisticsCase
from test_files import EICAR, clean_page


class HostCase(StatisticsCase):
    def scan_all(self, order="--all"):
        return subprocess.run([self.service.installed_program("clamscanner-scan"), "--config",
                               self.service.config_file, order], capture_output=True, text=True, check=False)

    def progress(self):
        said = self.scan_all("--status")
        self.assertEqual(said.returncode, 0, said.stderr)
        lines = dict(line.split("\t") for line in said.stdout.splitlines())
        return {name: int(value) if value.isdigit() else value for name, value in lines.items()}


class WithoutADatabase(HostCase):
    @classmethod
    def install_database(cls):
        pass

    def test_no_machine_is_safe(self):
        account, client, signer = self.new_signer()
        account.write("letter.txt", "Dear Sir or Madam,")
        client.call("start_scan", {"scan_type": "home"})
        last = self.await_end(signer)
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"], last["SuspiciousCount"]), (1, 0, 0))
        host = self.signer(self.service.host_user.pw_name)
        self.assertEqual(self.scan_all().returncode, 0)
        self.assertEqual(self.await_end(host)["SafeMachine"], 0)


class TheHost(HostCase):
    def test_a_scan_of_all_accounts_is_the_hosts_latest(self):
        host = self.signer(self.service.host_user.pw_name)
        account, client, signer = self.new_signer()
        account.write("x", EICAR)
        account.write("y", EICAR)
        clean, _, of_clean = self.new_signer()
        clean.write("letter", "Hello")
        # As long as there is no system scan, the host's latest is the latest of any account.
        client.call("start_scan", {"scan_type": "home"})
        self.await_end(signer)
        self.assertEqual(self.data(host)["TaskId"], self.data(signer)["TaskId"])

        self.assertEqual(self.scan_all("--status").stdout, "There was no scan of all accounts yet.\n")
        with self.service.stopped("engine"):
            said = self.scan_all()
            self.assertIn("has begun", said.stdout)
            begun = self.progress()
            self.assertEqual(begun["ended"], "no")
            self.assertGreaterEqual(begun["accounts"], 2)
            self.assertNotEqual(self.scan_all().returncode, 0)
        last = self.await_end(host)
        self.assertEqual(last["ScanType"], "system")
        self.assertGreaterEqual(last["SuspiciousCount"], 2)
        ended = self.progress()
        self.assertRegex(ended["ended"], r"^\d{4}-\d\d-\d\d ")
        self.assertEqual((ended["done"] + ended["left out"], ended["waiting"], ended["running"]),
                         (ended["accounts"], 0, 0))
        self.assertEqual(ended["infected"], last["SuspiciousCount"])
        self.assertGreaterEqual(ended["files scanned"], 3)
        # Each account sees its own part of it.
        own = self.check_numbers(self.data(signer))
        self.assertEqual((own["ScanType"], own["SuspiciousCount"]), ("system", 2))
        self.assertEqual(self.data(of_clean)["SuspiciousCount"], 0)
        self.assertEqual(self.data(of_clean)["SafeMachine"], 1)
        found = host.call_v3("ListVirusScanMachineEvent", {"PageSize": "100"}).json["Data"]
        self.assertLessEqual({account.path("x"), account.path("y")},
                             {event["Details"][0]["ValueDisplay"] for event in found})

        # And the host user may ask for another by the interface itself.
        with self.service.stopped("engine"):
            self.assertEqual(host.call_v3(CREATE, {"ScanType": "system"}).status, 200)
            self.check_error(host.call_v3(CREATE, {"ScanType": "system"}), 400, "OperationDenied")
        again = self.await_end(host)
        self.assertNotEqual(again["TaskId"], last["TaskId"])
        tasks = host.call_v3("ListVirusScanTask").json
        self.assertEqual([task["TaskId"] for task in tasks["List"]], [again["TaskId"], last["TaskId"]])

    def test_unscannable_accounts_do_not_delay_the_host(self):
        host = self.signer(self.service.host_user.pw_name)
        for _ in range(5):
            suspended, _ = self.new_account()
            subprocess.run(["usermod", "--expiredate", "1", suspended.name], check=True)
        account, _, signer = self.new_signer()
        account.write("x", EICAR)
        self.assertEqual(self.scan_all().returncode, 0)
        last = self.await_end(host)
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"]), (0, 0))
        self.assertEqual(self.data(signer)["SuspiciousCount"], 1)

    def test_an_account_cannot_have_all_accounts_scanned(self):
        account, _, _ = self.new_signer()
        command = os.path.join(self.service.program_directory, "clamscanner-scan-command")
        done = subprocess.run(["runuser", "-u", account.name, "--", command, "--config", self.service.config_file, "--all"],
                              capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Only the administrator", done.stderr)

    def test_a_host_user_has_statistics_alone(self):
        password = accounts.random_letters(20)
        subprocess.run(["chpasswd"], input=f"{self.service.host_user.pw_name}:{password}", text=True, check=True)
        client = self.service.client(user=self.service.host_user.pw_name, password=password)
        self.assertEqual(client.ask("get_scan_status").status, 403)
        host = StatisticsClient(self.service.statistics_url, "", "")
        self.assertEqual(host.call_basic(self.service.host_user.pw_name, password, GET).status, 200)


class OwnersBesideTheHost(HostCase):
    config = {"jobs": {"max_running": 1}}

    def test_an_owner_does_not_wait_for_the_system_scan(self):
        host = self.signer(self.service.host_user.pw_name)
        account, client, signer = self.new_signer()
        # An account that was served of late comes after all that were not, were they counted one by one.
        client.call("start_scan", {"scan_type": "home"})
        self.await_end(signer)
        for _ in range(8):
            other = self.service.add_account()
            for number in range(300):
                other.write(f"{number}.html", clean_page(f"{other.name} {number}"))
        self.assertEqual(self.scan_all().returncode, 0)
        # Its part of the host's scan is over; now it has another scan made.
        wait_until(lambda: self.data(signer)["ScanType"] == "system" and self.data(signer)["Status"] == 100, 30,
                   "the account's part")
        client.call("start_scan", {"scan_type": "home"})
        self.await_end(signer)
        self.assertLess(int(self.data(host)["Progress"]), 80, "the owner's scan was one of the last")
        self.await_end(host)


if __name__ == "__main__":
    main()
