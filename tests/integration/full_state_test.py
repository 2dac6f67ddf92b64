"""The file systems on which the daemons keep their state are full: what was acknowledged is not lost, and once there is
room everything goes on."""

import os
import subprocess
import unittest

from client import wait_until
from service_case import main
from statistics_test import GET, StatisticsCase
from test_files import EICAR

FILES = 4000
MEBIBYTE = 1024 * 1024


class FullState(StatisticsCase):
    config = {"jobs": {"retry_seconds": 1}, "engine": {"scan_workers": 1}}

    def mount(self, daemon, directory, size):
        """Gives a daemon an empty file system of its own for its state."""
        self.service.stop(daemon)
        owner = os.stat(directory)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode={owner.st_mode & 0o777:o},"
                               f"uid={owner.st_uid},gid={owner.st_gid}", "tmpfs", directory], capture_output=True,
                              text=True, check=False)
        self.service.start(daemon)
        if done.returncode != 0:
            raise unittest.SkipTest(f"SKIPPED: no tmpfs may be mounted here: {done.stderr}")

    @staticmethod
    def fill(directory):
        """Returns the path of what is in the way."""
        path = os.path.join(directory, "filler")
        with open(path, "wb", 0) as filler:
            for size in (65536, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    pass
        return path

    def log_since(self, offset):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            log.seek(offset)
            return log.read()

    def test_jobd_stops_and_goes_on_when_there_is_room(self):
        state = self.service.path("state")
        self.mount("jobd", state, "16m")
        account, client = self.new_account()
        found = {account.write(f"files/{number}", EICAR + f" {number}\n".encode()) for number in range(FILES)}
        client.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: client.call("get_scan_status")["infected_files"], 60, "the first finds")
        length = os.path.getsize(self.service.path("programs.log"))
        filler = self.fill(state)
        self.addCleanup(self.service.restart_what_ended)
        self.addCleanup(lambda: os.path.exists(filler) and os.unlink(filler))
        self.assertNotEqual(wait_until(lambda: self.service.running["jobd"].poll(), 60, "jobd's end"), 0)
        self.assertRegex(self.log_since(length), r"clamscanner-jobd\[\d+\]: fatal: .*disk is full")
        self.assertEqual(client.ask("get_scan_status").status, 503)

        os.unlink(filler)
        self.service.start("jobd")
        status = client.finish_scan()
        self.assertEqual(set(status["infected_files"]), found)
        self.assertEqual(len(status["infected_files"]), len(found))
        self.assertEqual((status["scanned_file_count"], status["total_file_count"]), (FILES, FILES))
        self.assertFalse(client.result("get_scan_status")["warnings"])

    def test_signed_requests_are_refused_and_passwords_go_on(self):
        account, client, signer = self.new_signer()
        basic = self.signer(account.name)
        directory = self.service.path("authd-state")
        self.assertEqual(signer.call_v3(GET).status, 200)
        self.mount("authd", directory, "64k")
        self.assertEqual(signer.call_v3(GET).status, 200)
        filler = self.fill(directory)
        refused = []

        def is_refused():
            refused.append(signer.prepare_v3(GET))
            return signer.send(refused[-1]).status == 500

        wait_until(is_refused, 60, "the end of what room is left")
        for answer in (signer.call_v3(GET), signer.call_v1(GET, Format="JSON")):
            self.check_error(answer, 500, "ServerError")
        self.assertEqual(client.ask("get_scan_status").status, 200)
        self.assertEqual(basic.call_basic(account.name, account.password, GET).status, 200)
        # Also when it starts like that.
        self.service.stop("authd")
        length = os.path.getsize(self.service.path("programs.log"))
        self.service.start("authd")
        self.assertIn("signed requests are refused", self.log_since(length))
        self.check_error(signer.call_v3(GET), 500, "ServerError")
        self.assertEqual(client.ask("get_scan_status").status, 200)
        os.unlink(filler)
        self.assertEqual(signer.call_v3(GET).status, 200)


if __name__ == "__main__":
    main()
