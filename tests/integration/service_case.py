"""The base of every integration test: one service per class of tests, new accounts for each test."""

import os
import signal
import sys
import unittest

import openapi_check
from client import Client
from service import Service
from web_front import Site

SKIPPED = 77  # what ctest is told to take for a skipped test
SOAK = os.environ.get("CLAMSCANNER_SOAK") == "1"


# Every answer that a test gets must be one that the document describes.
Client.checks.append(openapi_check.check)


class ServiceCase(unittest.TestCase):
    config = {}
    with_host_user = False
    with_notifyd = False
    make_centre = None

    @staticmethod
    def site(service):
        """What the web server's site has beside the service."""
        return Site()

    @classmethod
    def setUpClass(cls):
        cls.service = cls.enterClassContext(Service(config=cls.config, site=cls.site, with_host_user=cls.with_host_user,
                                                      with_notifyd=cls.with_notifyd, make_centre=cls.make_centre))
        cls.addClassCleanup(cls.check_that_no_program_broke)

    @classmethod
    def check_that_no_program_broke(cls):
        if faults := cls.service.faults_logged():
            cls.service.show_log()
            raise AssertionError("a program broke: " + "".join(faults[:5]))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            self.service.show_log()
        return result

    def new_account(self, kind="user"):
        account = self.service.add_account(kind)
        self.service.wait_until_it_serves(account)
        return account, self.service.client(account)


def main():
    if os.getuid() != 0:
        print("SKIPPED: it makes users and starts a daemon as root, so it must be run by root")
        sys.exit(SKIPPED)
    # As an exception, so that what was made is removed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    unittest.main(verbosity=2)
