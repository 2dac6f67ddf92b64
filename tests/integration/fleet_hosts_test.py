"""A centre over three real machines: what nginx/demo.sh --fleet shows, as a test."""

import os
import subprocess
import sys
import unittest

from service_case import main

HERE = os.path.dirname(os.path.abspath(__file__))


class RealMachines(unittest.TestCase):
    def test_every_number_at_each_moment_while_one_of_three_ends_in_the_middle(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "fleet_demo.py")], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Every number was right.", done.stdout)


if __name__ == "__main__":
    main()
