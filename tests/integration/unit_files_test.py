"""Tests the systemd units: no passing trouble, such as a full disk, ends a daemon for good; and each daemon is as closed as
it can be, with the reason for what is open."""

import configparser
import glob
import json
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
        self.assertEqual(len(SERVICES), 6)
        self.assertEqual((len(DAEMONS), len(TIMED), len(TIMERS)), (7, 2, 2))

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

    def test_the_socket_starts_both_responders(self):
        socket = next(parsed(path) for path in UNITS if path.endswith(".socket"))
        self.assertEqual(socket["Unit"]["Wants"].split(), ["clamscanner-fcgi@1.service", "clamscanner-fcgi@2.service"])

    def test_the_engine_may_not_take_all_memory(self):
        engine = next(parsed(path) for path in SERVICES if "engine" in path)["Service"]
        self.assertRegex(engine["MemoryMax"], r"^\d\d%$")
        self.assertGreater(int(engine["OOMScoreAdjust"]), 0)
        self.assertEqual(engine["OOMPolicy"], "continue")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "SKIPPED: systemd-analyze is not installed")
    def test_what_a_daemon_leaves_open_is_little_and_has_its_reason(self):
        most_exposed = {"clamscanner-authd.service": 3.1}  # as low as PAM allows
        for path in SERVICES:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            name = os.path.basename(path).replace("@.", "@1.")
            said, table = self.security_of(name, text)
            level = float(re.search(r"Overall exposure level for .*: (\d+\.\d)", said)[1])
            self.assertLessEqual(level, most_exposed.get(name, 2.0), name)
            reasons = " ".join(line for line in text.splitlines() if line.startswith("#"))
            left_open = {row["name"] for row in json.loads(table) if row["exposure"] and not row["set"]}
            self.assertTrue(left_open)
            self.assertEqual({point for point in left_open if point not in reasons}, set(), name)

    @staticmethod
    def security_of(name, text):
        """What "systemd-analyze security" says of a unit, and its table as JSON."""
        with tempfile.TemporaryDirectory() as directory:
            copy = os.path.join(directory, name)
            with open(copy, "w", encoding="utf-8") as file:
                file.write(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE))
            command = ["systemd-analyze", "security", "--offline=true", "--no-pager", copy]
            return [subprocess.run([*command, *more], check=True, capture_output=True, text=True).stdout
                    for more in ([], ["--json=short"])]


if __name__ == "__main__":
    unittest.main(verbosity=2)
