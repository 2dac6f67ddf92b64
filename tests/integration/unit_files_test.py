"""Tests the systemd units: no passing trouble, such as a full disk, ends a daemon for good."""

import configparser
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from web_front import ROOT

UNITS = sorted(path for folder in ("auth", "jobs", "fcgi") for kind in ("service", "socket")
               for path in glob.glob(os.path.join(ROOT, folder, "**", f"*.{kind}"), recursive=True))
# What timers start is no daemon.
TIMED = [path for path in UNITS if path.endswith(("clamscanner-scan.service", "clamscanner-metrics.service"))]
DAEMONS = [path for path in UNITS if path not in TIMED]
SERVICES = [path for path in DAEMONS if path.endswith(".service")]
TIMERS = glob.glob(os.path.join(ROOT, "auth", "**", "*.timer"), recursive=True)


def parsed(path):
    unit = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#", delimiters="=")
    unit.optionxform = str
    unit.read(path)
    return unit


class UnitFiles(unittest.TestCase):
    def test_they_are_all_here(self):
        self.assertEqual(len(SERVICES), 4)
        self.assertEqual((len(DAEMONS), len(TIMED), len(TIMERS)), (5, 2, 2))

    def test_no_number_of_failures_stops_the_restarts(self):
        for path in DAEMONS:
            self.assertEqual(parsed(path)["Unit"].get("StartLimitIntervalSec"), "0", path)
            if path.endswith(".socket"):
                self.assertEqual(parsed(path)["Socket"].get("TriggerLimitIntervalSec"), "0", path)

    def test_a_daemon_is_restarted_however_it_ends_unless_its_configuration_is_invalid(self):
        for path in SERVICES:
            service = parsed(path)["Service"]
            self.assertEqual(service.get("Restart"), "always", path)
            self.assertGreaterEqual(int(service["RestartSec"]), 2, path)
            self.assertEqual(service.get("RestartPreventExitStatus"), "78", path)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "SKIPPED: systemd-analyze is not installed")
    def test_systemd_finds_no_fault_in_them(self):
        with tempfile.TemporaryDirectory() as directory:
            copies = []
            for path in UNITS + TIMERS:
                with open(path, encoding="utf-8") as file:
                    text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", file.read(), flags=re.MULTILINE)
                # A template is looked at as one of its instances, too.
                names = [os.path.basename(path), os.path.basename(path).replace("@.", "@1.")]
                for name in dict.fromkeys(names):
                    copies.append(os.path.join(directory, name))
                    with open(copies[-1], "w", encoding="utf-8") as file:
                        file.write(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *copies], capture_output=True, text=True,
                                  check=False)
            ours = [line for line in (done.stdout + done.stderr).splitlines() if "clamscanner" in line]
            self.assertEqual(ours, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
