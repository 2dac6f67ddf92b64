"""The administrator's commands while the home of one account does not answer. They scan the homes of all of this
machine's accounts."""

import subprocess

from client import wait_until
from hanging_test import MOST_LEFT, HangingCase
from service_case import main


class TheAdministrator(HangingCase):
    def test_the_administrators_commands(self):
        account, _, files = self.account_with_a_home_that_hangs({"a": "x"})
        files.hang()
        with self.assertRaisesRegex(RuntimeError, "status 75.*does not answer"):
            self.in_time(lambda: self.service.add_access_key(account.name))
        self.in_time(lambda: self.service.add_access_key(self.bystander.name))
        done = self.in_time(lambda: subprocess.run(
            [self.service.installed_program("clamscanner-scan"), "--config", self.service.config_file, "--all"],
            capture_output=True, text=True, check=False))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # Of the others' homes it scans each; of this one it says why not.
        wait_until(lambda: self.bystanders.call("get_scan_status")["scan_complete"], 60, "the others' scans")
        self.assertLessEqual(self.count_stuck(), MOST_LEFT)
        files.answer()
        self.check_everything_ends()


if __name__ == "__main__":
    main()
