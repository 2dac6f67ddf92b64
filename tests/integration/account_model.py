"""A model of what the contract allows an account's clients to see: it tracks the account's files and tasks, and knows
which answers to each call are allowed. Background work may or may not have ended; the model learns that from the
answers.

The owner of a model sends one request at a time, so only the service changes anything between two answers.
"""

import random
import re
from dataclasses import dataclass, field

from client import check_records, wait_until
from test_files import EICAR, clean_page

BUSY = "already queued or running"
TYPES = {"home": "", "mail": "mail/", "public_html": "public_html/"}  # what each scans, below the home
BECOMES = {"ignore": "no-action", "delete": "deleted", "quarantine": "quarantined"}
NOTHING_YET = {"current_file": "", "infected_files": [], "scan_complete": 1, "scanned_file_count": 0,
               "scanned_file_size": 0, "time_started": "", "total_file_count": 0, "total_file_size_MiB": 0}


@dataclass
class Scan:
    expected: set  # paths of the infected files
    ignored: set  # and of those that are ignored
    ended: bool = False
    last: dict = None  # the status seen last


@dataclass
class Disinfection:
    steps: dict  # path -> state
    log: str
    ended: bool = False
    records: list = field(default_factory=list)  # as far as they were seen


class AccountModel:
    """`check` is a unittest.TestCase, whose assertions it uses."""

    def __init__(self, check, account, client, seed):
        self.check = check
        self.account = account
        self.client = client
        self.choose = random.Random(seed)
        self.infected = set()  # paths of the infected files that lie in the home, each with a content of its own
        self.ignored = set()  # paths of those whose content is ignored, gone or not
        self.scan = None
        self.disinfection = None
        self.listed = set()  # what list_infected_files is to say once the scan has ended and nothing is being done
        self.calls = []
        self.names = 0
        for place in ("mail", "public_html", "documents"):
            account.write(f"{place}/page.html", clean_page(place, 2000))
        for _ in range(3):
            self.plant()

    # ---- What may be going on -------------------------------------------------------------------------------------

    def may_be_busy(self):
        return any(task is not None and not task.ended for task in (self.scan, self.disinfection))

    def accepted(self, result, arguments_are_right):
        """Whether a call that starts something was, and whether it had to be."""
        if not arguments_are_right:
            self.check.assertEqual((result["status"], result["data"]), (0, None), result)
            self.check.assertNotIn(BUSY, result["errors"][0])
            return False
        if result["status"] == 1:
            # Then nothing was going on any more.
            for task in (self.scan, self.disinfection):
                if task is not None:
                    task.ended = True
            return True
        self.check.assertTrue(self.may_be_busy(), f"refused though nothing runs: {result}")
        self.check.assertIn(BUSY, result["errors"][0])
        self.check.assertIsNone(result["data"])
        return False

    # ---- What the owner does --------------------------------------------------------------------------------------

    def plant(self):
        """A new infected file; only while no task runs, as it may or may not see it otherwise."""
        self.names += 1
        place = self.choose.choice(("mail/", "public_html/", "documents/", ""))
        self.infected.add(self.account.write(f"{place}virus-{self.names}.php",
                                             EICAR + f" {self.names}\n".encode()))

    def step(self):
        if not self.may_be_busy() and self.choose.random() < 0.1:
            self.plant()
        move = self.choose.choices(
            (self.start_scan, self.status, self.list, self.disinfect, self.poll, self.paths, self.wrong, self.ignore,
             self.list_ignored, self.unignore), weights=(2, 6, 3, 2, 5, 1, 2, 2, 2, 1))[0]
        self.calls.append(move.__name__)
        move()

    def ask(self, function, arguments=None):
        return self.client.result(function, arguments, documented=self.choose.random() < 0.5)

    def start_scan(self):
        scan_type = self.choose.choice((*TYPES, *TYPES, "public_ftp", "everything", ""))
        result = self.ask("start_scan", {"scan_type": scan_type})
        if self.accepted(result, scan_type in TYPES):
            below = self.account.path(TYPES[scan_type])
            found = {path for path in self.infected if path.startswith(below)}
            self.scan = Scan(found - self.ignored, found & self.ignored)
            # A find that was ignored is found again, one that is in the quarantine is not.
            self.listed = set(self.scan.expected)

    def status(self):
        result = self.ask("get_scan_status")
        data = result["data"]
        self.check.assertEqual(result["status"], 1, result)
        if self.scan is None:
            self.check.assertEqual(data, NOTHING_YET)
            self.check.assertTrue(result["messages"])
            return
        found = data["infected_files"]
        self.check.assertEqual(len(found), len(set(found)), "an infected file is told twice")
        self.check.assertLessEqual(set(found), self.scan.expected)
        self.check.assertLessEqual(data["scanned_file_count"], data["total_file_count"])
        if last := self.scan.last:
            self.check.assertEqual(data["time_started"], last["time_started"])
            self.check.assertEqual(found[:len(last["infected_files"])], last["infected_files"], "the order changed")
            for count in ("scanned_file_count", "scanned_file_size", "total_file_count", "scan_complete"):
                self.check.assertGreaterEqual(data[count], last[count], f"{count} fell")
        self.scan.last = data
        if self.scan.ended:
            self.check.assertEqual(data["scan_complete"], 1, "a scan that had ended runs")
        if data["scan_complete"] == 1:
            self.scan.ended = True
            self.check.assertEqual(set(found), self.scan.expected)
            self.check.assertEqual(data["scanned_file_count"], data["total_file_count"])
            self.check.assertEqual(data["current_file"], "")
            counted = [int(found[1]) for message in result["messages"] or []
                       if (found := re.match(r"(\d+) files? (?:is|are) infected and ignored, ", message))]
            self.check.assertEqual(counted, [len(self.scan.ignored)] if self.scan.ignored else [])

    def list(self):
        result = self.ask("list_infected_files")
        self.check.assertEqual(result["status"], 1, result)
        paths = [entry["file"] for entry in result["data"]]
        self.check.assertEqual(len(paths), len(set(paths)))
        if self.scan is None:
            self.check.assertEqual(paths, [])
        elif self.may_be_busy():
            self.check.assertLessEqual(set(paths), self.scan.expected)
        else:
            self.check.assertEqual(set(paths), self.listed)

    def disinfect(self):
        known = sorted(self.listed)
        chosen = {path: self.choose.choice(tuple(BECOMES))
                  for path in self.choose.sample(known, self.choose.randint(0, min(4, len(known))))}
        if self.choose.random() < 0.3:
            chosen[self.account.path("documents/page.html")] = "delete"
        if self.scan and self.scan.ignored and self.choose.random() < 0.3:
            chosen[self.choose.choice(sorted(self.scan.ignored))] = "delete"
        right = bool(chosen)
        if chosen and self.choose.random() < 0.2:
            chosen[next(iter(chosen))] = "burn"
            right = False
        # What the scan will list is known only when it has ended.
        if right and self.scan is not None and not self.scan.ended:
            right_now = self.client.result("disinfect_files", {"actions": chosen})
            if right_now["status"] == 0:
                self.check.assertIn(BUSY, right_now["errors"][0])
                return
            result = right_now
        else:
            result = self.ask("disinfect_files", {"actions": chosen})
        if not self.accepted(result, right):
            return
        steps = {path: BECOMES[action] if path in self.listed else "error" for path, action in chosen.items()}
        gone = {path for path, state in steps.items() if state in ("deleted", "quarantined")}
        self.infected -= gone
        self.listed -= gone
        self.disinfection = Disinfection(steps, result["data"]["log"])

    def review(self, path, put_into, taken_from):
        """The path changes sides; a client that compares lists begins anew."""
        taken_from.discard(path)
        put_into.add(path)
        if self.scan.last:
            self.scan.last["infected_files"] = []

    def ignore(self):
        """Only while no task runs: what a scan finds at the same moment may be ignored or not."""
        if self.may_be_busy():
            return
        paths = self.choose.sample(sorted(self.listed), min(2, len(self.listed)))
        clean = self.account.path("documents/page.html")
        result = self.ask("ignore_files", {"files": [*paths, clean]})
        self.check.assertEqual([(row["file"], row["state"]) for row in result["data"]],
                               [*((path, "ignored") for path in paths), (clean, "error")])
        for path in paths:
            self.listed.discard(path)
            self.ignored.add(path)
            self.review(path, self.scan.ignored, self.scan.expected)

    def list_ignored(self):
        rows = self.ask("list_ignored_files")["data"]
        # A running scan may find a file between the two halves of the list.
        self.check.assertLessEqual({row["file"] for row in rows}, self.ignored)
        if not self.may_be_busy():
            self.check.assertEqual({row["file"] for row in rows}, self.ignored)
            self.check.assertEqual({row["file"] for row in rows if row["found"] == "1"},
                                   self.scan.ignored if self.scan else set())
        return rows

    def unignore(self):
        """Within moments a file is a find again, unless the last scan did not see it."""
        rows = self.list_ignored()
        if self.may_be_busy() or not rows:
            return
        row = self.choose.choice(rows)
        [done] = self.ask("unignore_files", {"ids": [row["id"]]})["data"]
        self.check.assertEqual((done["id"], done["state"]), (row["id"], "ended"))
        self.ignored.discard(row["file"])
        if row["found"] == "1":
            self.review(row["file"], self.scan.expected, self.scan.ignored)
            self.listed.add(row["file"])
            wait_until(lambda: row["file"] in {entry["file"] for entry in self.ask("list_infected_files")["data"]}, 10,
                       "a file to be found again")

    def poll(self):
        seen = len(self.disinfection.records) if self.disinfection else 0
        last_id = self.choose.choice((None, max(seen, 1), self.choose.randint(1, seen + 5), 9007199254740991))
        result = self.ask("check_disinfection_status", {} if last_id is None else {"last_id": last_id})
        data = result["data"]
        self.check.assertEqual(data["log"], self.account.path(".clamavconnector.disinfection.log"))
        if self.disinfection is None:
            self.check.assertEqual((data["status"], data["details"]), ("none", []))
            return
        self.check.assertIn(data["status"], ("queued", "running", "done"))
        self.take_records(data["details"], last_id or 0, data["status"])
        if self.disinfection.ended:
            self.check.assertEqual(data["status"], "done")
        if data["status"] == "done":
            self.disinfection.ended = True
            self.finish_records()

    def take_records(self, details, last_id, status):
        ids = [record["id"] for record in details]
        records = self.disinfection.records
        if details:
            # After the id that was asked for, or all of them when the log had not come so far.
            self.check.assertIn(ids[0], (1, last_id + 1))
            self.check.assertEqual(ids, list(range(ids[0], ids[0] + len(ids))), "ids have a gap")
        if status == "queued":
            self.check.assertEqual(details, [])
        for record in details:
            if record["id"] <= len(records):
                self.check.assertEqual(record, records[record["id"] - 1], "a record changed")
            elif record["id"] == len(records) + 1:
                records.append(record)

    def finish_records(self):
        whole = self.client.call("check_disinfection_status")["details"]
        self.check.assertEqual(whole[:len(self.disinfection.records)], self.disinfection.records)
        self.disinfection.records = whole
        states = {path: step["state"] for path, step in check_records(whole).items()}
        self.check.assertEqual(states, self.disinfection.steps)
        worst = "error" if "error" in states.values() else "info" if "no-action" in states.values() else "success"
        self.check.assertEqual(whole[-1]["state"], worst)

    def paths(self):
        self.check.assertEqual({entry["id"] for entry in self.ask("get_scan_paths")["data"]}, set(TYPES))

    def wrong(self):
        """What changes nothing, whatever the account is doing."""
        kind = self.choose.randrange(4)
        if kind == 0:
            self.check.assertEqual(self.client.ask("disinfect_files", method="GET").status, 405)
        elif kind == 1:
            self.check.assertEqual(self.client.ask("no_such_function").status, 404)
        elif kind == 2:
            result = self.ask("check_disinfection_status", {"last_id": self.choose.choice(("0", "-1", "x", "1e3"))})
            self.check.assertIn("last_id", result["errors"][0])
        else:
            answer = self.client.send("POST", "/execute/ClamScanner/disinfect_files", b"{", {
                "Content-Type": "application/json"})
            self.check.assertEqual(answer.result()["status"], 0)
