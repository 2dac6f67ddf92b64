"""That tests/run.sh installs what the chosen tests need, and no more: package_groups_test.py BUILD."""

import os
import re
import subprocess
import sys
import unittest

from package_groups import package_groups

BUILD = sys.argv.pop()
PACKAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "packages.sh")


class PackageGroups(unittest.TestCase):
    def needed(self, *options):
        return package_groups(BUILD, *options)

    def test_unit_tests_and_corpora_need_none(self):
        self.assertEqual(self.needed("-L", "^(unit|fuzz)$"), [])

    def test_an_integration_test_needs_its_own_web_server_alone(self):
        self.assertEqual(self.needed("-R", "^integration.brake$"), ["integration", "nginx"])
        self.assertEqual(self.needed("-R", "^integration.apache_fcgid.reload$"), ["apache", "integration"])

    def test_what_some_tests_need_beside_it(self):
        self.assertEqual(self.needed("-R", "^integration.mailbox$"), ["integration", "mail", "nginx"])
        for name in ("clients", "statistics"):
            self.assertEqual(self.needed("-R", f"^integration.apache_proxy.{name}$"), ["apache", "clients", "integration"])

        self.assertEqual(self.needed("-R", "^integration.page$"), ["clients", "integration", "nginx", "page"])

        self.assertEqual(self.needed("-R", "^integration.fleet$"), ["fleet", "integration", "nginx"])

    def test_a_long_form_needs_what_the_test_needs(self):
        self.assertEqual(self.needed("-R", "^soak.sigkill$"), ["integration", "nginx"])

    def test_every_group_is_one(self):
        usage = subprocess.run([PACKAGES], capture_output=True, text=True).stderr
        known = set(re.fullmatch(r"usage: \S+ (.+)\n", usage)[1].split())
        self.assertLessEqual(set(self.needed()), known)

    def test_no_test_is_without_a_kind(self):
        listed = [subprocess.run(["ctest", "--test-dir", BUILD, "-N", *kind], capture_output=True, text=True).stdout
                  for kind in ((), ("-L", "^(unit|fuzz|integration|soak|lint)$"))]
        self.assertEqual(*(re.search(r"Total Tests: (\d+)", text)[1] for text in listed))


if __name__ == "__main__":
    unittest.main()
