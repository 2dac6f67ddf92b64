"""That "cmake --install" brings everything that a host needs, and overwrites no file of an administrator's:
install_check.py BUILD."""

import os
import subprocess
import sys
import tempfile
import unittest

BUILD = sys.argv.pop()
PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "handlers", "page")
CONFIGURATION = {"clamscanner/clamscanner.toml", "pam.d/clamscanner"} | {
    f"{directory}/clamscanner{what}{way}.conf" for directory, ways in (("nginx/snippets", [""]),
                                                                    ("apache2/conf-available", ["-proxy", "-fcgid"]))
    for what in ("", "-statistics") for way in ways}


def below(directory):
    return {os.path.relpath(os.path.join(where, name), directory) for where, _, names in os.walk(directory)
            for name in names}


class Install(unittest.TestCase):
    def setUp(self):
        self.root = self.enterContext(tempfile.TemporaryDirectory())
        self.install()
        self.etc = next(os.path.join(where, "etc") for where, names, _ in os.walk(self.root) if "etc" in names)

    def install(self):
        subprocess.run(["cmake", "--install", BUILD], env={**os.environ, "DESTDIR": self.root}, check=True,
                       stdout=subprocess.DEVNULL)

    def test_every_file_that_an_administrator_may_change_is_installed(self):
        self.assertLessEqual(CONFIGURATION, below(self.etc))

    def test_none_of_them_is_overwritten(self):
        for name in below(self.etc):
            with open(os.path.join(self.etc, name), "w", encoding="utf-8") as file:
                file.write("changed")
        self.install()
        for name in below(self.etc):
            with open(os.path.join(self.etc, name), encoding="utf-8") as file:
                self.assertEqual(file.read(), "changed", name)

    def test_users_directories_units_and_documents_are_installed(self):
        installed = {os.path.basename(path) for path in below(self.root)}
        self.assertLessEqual({"clamscanner-fcgi.socket", "clamscanner-fcgi@.service", "clamscanner-authd.service",
                              "clamscanner-jobd.service", "clamscanner-engine.service",
                              "clamscanner-notifyd.service", "webhook", "webhook.conf", "openapi.yaml", "README.md",
                              "nginx-site.conf"}, installed)
        paths = below(self.root)
        for name in os.listdir(PAGE):
            if name != "CMakeLists.txt":
                self.assertTrue(any(path.endswith(f"share/clamscanner/page/{name}") for path in paths), name)
        self.assertFalse([path for path in paths if path.endswith("page/CMakeLists.txt")])
        # All of it or, in a build without, nothing.
        of_fleet = {name for name in installed if "clamscanner-fleet" in name}
        if of_fleet:
            self.assertEqual(of_fleet, {"clamscanner-fleetd", "clamscanner-fleetd.service", "clamscanner-fleetd.8",
                                        "clamscanner-fleet.conf", "clamscanner-fleet", "clamscanner-fleet-command",
                                        "clamscanner-fleet.8"})
        for kind in ("sysusers.d", "tmpfiles.d"):
            self.assertTrue(any(path.endswith(f"lib/{kind}/clamscanner.conf") for path in paths), kind)


if __name__ == "__main__":
    unittest.main()
