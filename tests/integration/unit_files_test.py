"""Tests the systemd units: no passing trouble, such as a full disk, ends a daemon for good; and each is as closed as it can
be, with the reason for what is open."""

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
SERVICES = [path for path in UNITS if path.endswith(".service")]
MOST_EXPOSED = {"clamscanner-authd.service": 3.1}  # as low as PAM allows
USUALLY_EXPOSED = 2.0


def parsed(path):
    unit = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#", delimiters="=")
    unit.optionxform = str
    unit.read(path)
    return unit


class UnitFiles(unittest.TestCase):
    def test_they_are_all_here(self):
        self.assertEqual(len(SERVICES), 4)
        self.assertEqual(len(UNITS), 5)

    def test_no_number_of_failures_stops_the_restarts(self):
        for path in UNITS:
            self.assertEqual(parsed(path)["Unit"].get("StartLimitIntervalSec"), "0", path)
            if path.endswith(".socket"):
                self.assertEqual(parsed(path)["Socket"].get("TriggerLimitIntervalSec"), "0", path)

    def test_a_daemon_is_restarted_however_it_ends_unless_its_configuration_is_invalid(self):
        for path in SERVICES:
            service = parsed(path)["Service"]
            self.assertEqual(service.get("Restart"), "always", path)
            self.assertGreaterEqual(int(service["RestartSec"]), 2, path)
            self.assertEqual(service.get("RestartPreventExitStatus"), "78", path)

    def test_the_socket_starts_both_responders(self):
        socket = next(parsed(path) for path in UNITS if path.endswith(".socket"))
        self.assertEqual(socket["Unit"]["Wants"].split(), ["clamscanner-fcgi@1.service", "clamscanner-fcgi@2.service"])

    def test_the_engine_may_not_take_all_memory(self):
        engine = next(parsed(path) for path in SERVICES if "engine" in path)["Service"]
        self.assertRegex(engine["MemoryMax"], r"^\d\d%$")
        self.assertGreater(int(engine["OOMScoreAdjust"]), 0)
        self.assertEqual(engine["OOMPolicy"], "continue")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "SKIPPED: systemd-analyze is not installed")
    def test_systemd_finds_no_fault_in_them(self):
        copies = self.copies()
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *copies], capture_output=True, text=True,
                              check=False)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "clamscanner" in line]
        self.assertEqual(ours, [])

    @unittest.skipUnless(shutil.which("systemd-analyze"), "SKIPPED: systemd-analyze is not installed")
    def test_what_a_unit_leaves_open_is_little_and_has_its_reason(self):
        for copy in self.copies():
            if not copy.endswith(".service") or "@." in copy:
                continue
            options = ["--offline=true", "--no-pager"]
            table = json.loads(subprocess.run(["systemd-analyze", "security", *options, "--json=short", copy], check=True,
                                              capture_output=True, text=True).stdout)
            said = subprocess.run(["systemd-analyze", "security", *options, copy], check=True, capture_output=True,
                                  text=True).stdout
            level = float(re.search(r"Overall exposure level for .*: (\d+\.\d)", said)[1])
            name = os.path.basename(copy)
            self.assertLessEqual(level, MOST_EXPOSED.get(name, USUALLY_EXPOSED), name)
            with open(copy, encoding="utf-8") as file:
                reasons = " ".join(line for line in file if line.startswith("#"))
            open_points = {row["name"] for row in table if row["exposure"] and not row["set"]}
            self.assertTrue(open_points)
            self.assertEqual({point for point in open_points if point not in reasons}, set(), name)

    def copies(self):
        """With a program that is here; of a template one of its instances, too."""
        directory = self.enterContext(tempfile.TemporaryDirectory())
        copies = []
        for path in UNITS:
            with open(path, encoding="utf-8") as file:
                text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", file.read(), flags=re.MULTILINE)
            names = [os.path.basename(path), os.path.basename(path).replace("@.", "@1.")]
            for name in dict.fromkeys(names):
                copies.append(os.path.join(directory, name))
                with open(copies[-1], "w", encoding="utf-8") as file:
                    file.write(text)
        return copies


if __name__ == "__main__":
    unittest.main(verbosity=2)
