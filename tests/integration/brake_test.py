"""A bad signature hits hundreds of good files: then no file is deleted for it until the administrator allows it, and
quarantining, which can be undone, goes on."""

import os
import subprocess

from client import check_records
from service_case import ServiceCase, main
from test_files import EICAR, clean_page

HIT, IN_ALL = 30, 200
VIRUS = "Eicar-Test-Signature.UNOFFICIAL"


class TheBrake(ServiceCase):
    config = {"brake": {"files_percent": 10, "accounts_percent": 10}}

    def administrator(self, *words):
        return subprocess.run([self.service.installed_program("clamscanner-scan"), "--config",
                               self.service.config_file, *words], capture_output=True, text=True, check=False)

    def infected_account(self, hit):
        account, client = self.new_account()
        paths = [account.write(f"public_html/hit{i}.php", EICAR) for i in range(hit)]
        for i in range(IN_ALL - hit):
            account.write(f"public_html/other{i}.html", clean_page(i))
        client.scan()
        return paths, client

    def states(self, client, paths, action):
        records = client.disinfect({path: action for path in paths})
        check_records(records)
        return {record["file"]: record for record in records if record["type"] == "step"}

    def test_deletion_is_held_but_not_quarantine_until_the_administrator_allows_it(self):
        few, client = self.infected_account(5)
        self.assertEqual({step["state"] for step in self.states(client, few, "delete").values()}, {"deleted"})

        paths, client = self.infected_account(HIT)
        steps = self.states(client, paths[:10], "delete")
        self.assertEqual(len(steps), 10)
        for path, step in steps.items():
            self.assertEqual(step["state"], "error")
            self.assertIn("clamscanner-scan --allow", step["message"])
            self.assertTrue(os.path.exists(path))
        self.assertEqual({step["state"] for step in self.states(client, paths[10:20], "quarantine").values()},
                         {"quarantined"})
        # Nor out of the quarantine, by an owner who takes good files for infected ones.
        row = client.call("list_quarantined_files")[0]
        [kept] = client.call("delete_quarantined_files", {"ids": [row["id"]]})
        self.assertEqual(kept["state"], "error")
        self.assertIn("clamscanner-scan --allow", kept["message"])
        self.assertEqual(len(client.call("list_quarantined_files")), 10)
        listed = self.administrator("--list-held")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn(f"{VIRUS}\theld\t", listed.stdout)

        # It is held on the whole host, even for accounts in which it hit few files.
        few, other = self.infected_account(5)
        self.assertEqual({step["state"] for step in self.states(other, few, "delete").values()}, {"error"})

        unknown = self.administrator("--allow", "No.Such-1")
        self.assertNotEqual(unknown.returncode, 0)
        self.assertIn("No.Such-1", unknown.stderr)
        allowed = self.administrator("--allow", VIRUS)
        self.assertEqual(allowed.returncode, 0, allowed.stderr)
        self.assertIn(f"{VIRUS}\tallowed\t", self.administrator("--list-held").stdout)
        self.assertEqual({step["state"] for step in self.states(client, paths[:10], "delete").values()}, {"deleted"})

    def test_nobody_else_reaches_the_administrators_socket(self):
        account, _ = self.new_account()
        place = self.service.path("run/jobd/admin.sock")
        attempt = subprocess.run(
            ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "python3", "-c",
             f"import socket; socket.socket(socket.AF_UNIX).connect({place!r})"],
            capture_output=True, text=True, check=False)
        self.assertIn("PermissionError", attempt.stderr)


if __name__ == "__main__":
    main()
