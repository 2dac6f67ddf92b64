"""An account whose home is full: a disinfection that makes room works and is recorded in jobd's database first; the log
in the home is written once there is room for it."""

import io
import json
import os
import random
import subprocess
import unittest
import zipfile

import accounts
from client import check_records, wait_until
from service_case import ServiceCase, main
from test_files import EICAR

LOG = ".clamavconnector.disinfection.log"
MEBIBYTE = 1024 * 1024


def big_infected_archive(size):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("virus.com", EICAR)
        archive.writestr("padding", random.Random(1).randbytes(size))
    return packed.getvalue()


class FullHome(ServiceCase):
    config = {"jobs": {"retry_seconds": 1}}

    def account_in(self, options):
        home = self.service.path("home", f"full{accounts.random_letters(6)}")
        os.mkdir(home)
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", home], check=True, capture_output=True)
        except subprocess.CalledProcessError as fault:
            raise unittest.SkipTest(f"SKIPPED: no tmpfs may be mounted here: {fault.stderr!r}")
        account = self.service.add_account("full", home)
        self.service.wait_until_it_serves(account)
        return account, self.service.client(account)

    @staticmethod
    def fill(account, leave_inodes=True):
        """Uses up every block, and every inode as well if asked to. Returns the filler's path."""
        path = account.write("filler", b"")
        with open(path, "wb", 0) as filler:
            try:
                while True:
                    filler.write(b"x" * 65536)
            except OSError:
                pass
            try:
                while True:
                    filler.write(b"x")
            except OSError:
                pass
        number = 0
        while not leave_inodes:
            try:
                account.write(f"empty/{number}", b"")
                number += 1
            except OSError:
                break
        return path

    def log_of(self, account):
        try:
            with open(account.path(LOG), encoding="utf-8") as log:
                return [json.loads(line) for line in log]
        except (FileNotFoundError, ValueError):
            return None

    def deletes(self, account, client, leave_inodes):
        path = account.write("big.zip", big_infected_archive(2 * MEBIBYTE))
        self.fill(account, leave_inodes)
        self.assertEqual(client.scan()["infected_files"], [path])
        records = client.disinfect({path: "delete"})
        self.assertEqual(check_records(records)[path]["state"], "deleted")
        self.assertFalse(os.path.lexists(path))
        self.assertGreater(os.statvfs(account.home).f_bavail * os.statvfs(account.home).f_frsize, MEBIBYTE)
        wait_until(lambda: self.log_of(account) == records, 30, "the log, now that there is room")

    def test_deleting_frees_a_home_without_a_block_left(self):
        account, client = self.account_in("size=4m")
        self.deletes(account, client, leave_inodes=True)

    def test_deleting_frees_a_home_without_an_inode_left(self):
        account, client = self.account_in("size=4m,nr_inodes=100")
        self.deletes(account, client, leave_inodes=False)

    def test_a_disinfection_that_frees_nothing_is_recorded(self):
        account, client = self.account_in("size=4m")
        path = account.write("small", EICAR)
        filler = self.fill(account)
        client.scan()
        records = client.disinfect({path: "ignore"})
        self.assertEqual(check_records(records)[path]["state"], "no-action")
        self.assertNotEqual(self.log_of(account), records)
        self.assertTrue([record for record in records if record["type"] == "issue"], "it says that the log is missing")
        os.unlink(filler)
        wait_until(lambda: self.log_of(account) == records, 60, "the log, now that there is room")


if __name__ == "__main__":
    main()
