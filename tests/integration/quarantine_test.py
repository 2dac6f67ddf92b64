"""Moving files to the quarantine and back. A restored file is the same as before in everything its owner can see; and
nothing that the owner, another account or a crash does duplicates a file, replaces another, or loses one.

The rounds with SIGKILL are random; their seed is printed, and CLAMSCANNER_SEED=N repeats the choices, though not their
exact moments."""

import concurrent.futures
import hashlib
import http.client
import json
import os
import random
import secrets
import shutil
import signal
import sqlite3
import struct
import subprocess
import time
from urllib.parse import quote, urlencode

from client import check_records, wait_until
from service_case import SOAK, ServiceCase, main
from sigkill_test import ROLES
from test_files import EICAR

ROUNDS = 300 if SOAK else 9
FILES_OF_A_ROUND = 12
QUARANTINE = "quarantine_clamavconnector"
UNKNOWN = "0123456789abcdef" * 2
BUSY = "already queued or running"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CHANGES = ("restore_quarantined_files", "delete_quarantined_files")
DONE = dict(zip(CHANGES, ("restored", "deleted")))

# An access list as the kernel keeps it (linux/posix_acl_xattr.h): a version, then each entry's tag, permissions and id.
NOBODYS_ID = 0xFFFFFFFF
ACL_VERSION = 2
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32


def access_list(*entries):
    return struct.pack("<I", ACL_VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def facts(path):
    """Everything that must be as before."""
    status = os.lstat(path)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False)
                  for name in os.listxattr(path, follow_symlinks=False)}
    return read(path), status.st_uid, status.st_gid, oct(status.st_mode), status.st_mtime_ns, attributes


class QuarantineCase(ServiceCase):
    # The brake must not hold the test virus for being in every account.
    config = {"jobs": {"retry_seconds": 1}, "brake": {"files_percent": 100, "accounts_percent": 100}}

    def setUp(self):
        self.account, self.client = self.new_account()

    def infected(self, relative, mode=0o644):
        """Writes a file with unique content, so that it can be found wherever it is."""
        return self.account.write(relative, EICAR + f" {relative}\n".encode(errors="surrogateescape"), mode)

    def quarantine(self, *paths):
        """Scans and quarantines. Returns the files' rows of the list, in the order of the paths."""
        self.client.scan()
        steps = check_records(self.client.disinfect({path: "quarantine" for path in paths}))
        self.assertEqual({path: step["state"] for path, step in steps.items()}, dict.fromkeys(paths, "quarantined"))
        self.assertEqual([path for path in paths if os.path.lexists(path)], [])
        return [self.listed()[path] for path in paths]

    def listed(self):
        rows = self.client.call("list_quarantined_files")
        self.assertEqual(len({row["id"] for row in rows}), len(rows), "an id stands twice in the list")
        return {row["file"]: row for row in rows}

    def change(self, function, *ids, client=None):
        """The result for each id; if one was not finished when the answer was due, its result after that."""
        client = client or self.client
        rows = client.call(function, {"ids": list(ids)})
        self.assertEqual([row["id"] for row in rows], list(dict.fromkeys(ids)))
        for row in rows:
            if row["state"] == "pending":
                row["state"] = wait_until(lambda: self.later_state(client, function, row["id"]), 60, "a pending change")
        return rows

    @staticmethod
    def later_state(client, function, one):
        if one not in {row["id"] for row in client.call("list_quarantined_files")}:
            return DONE[function]
        again = client.result(function, {"ids": [one]})
        return "error" if again["status"] == 1 and again["data"][0]["state"] == "error" else None

    def states(self, function, *ids, client=None):
        return [row["state"] for row in self.change(function, *ids, client=client)]

    def restore(self, *ids):
        return self.states("restore_quarantined_files", *ids)

    def in_quarantine(self, content):
        """The paths below the quarantine that hold this."""
        directory = self.account.path(QUARANTINE)
        found = []
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            path = os.path.join(directory, name)
            try:
                if os.path.isfile(path) and not os.path.islink(path) and read(path) == content:
                    found.append(path)
            except FileNotFoundError:
                continue  # moved meanwhile
        return found

    def captured(self, content):
        """The path in the quarantine of the only file with this content."""
        paths = self.in_quarantine(content)
        self.assertEqual(len(paths), 1, paths)
        return paths[0]

    def record_beside(self, captured):
        self.assertTrue(os.path.isfile(captured + ".json"))
        return captured + ".json"

    def as_owner(self, path):
        os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)
        return path

    def stays(self, path, content, one):
        """Still in the quarantine and in its list, and not at its old place."""
        self.assertFalse(os.path.isfile(path) and not os.path.islink(path) and read(path) == content, path)
        self.captured(content)
        self.assertEqual(self.listed()[path]["id"], one)


class ThereAndBack(QuarantineCase):
    def test_a_file_is_listed_with_what_is_known_of_it(self):
        self.assertEqual(self.client.call("list_quarantined_files"), [])
        path = self.infected("public_html/a b é.php")
        odd = self.infected("odd\udcff\udc80name")
        content = read(path)
        before = int(time.time())
        rows = self.quarantine(path, odd)
        for row, name in zip(rows, (path, odd)):
            self.assertEqual(row["file"], name)
            self.assertRegex(row["id"], "^[0-9a-f]{32}$")
            self.assertIn("eicar", row["virus_type"].lower())
            self.assertTrue(before <= int(row["time"]) <= int(time.time()), row)
        self.assertEqual(rows[0]["size"], str(len(content)))
        self.assertEqual(rows[0]["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(self.restore(rows[1]["id"]), ["restored"])
        self.assertEqual(read(odd), EICAR + b" odd\xff\x80name\n")

    def test_all_metadata_is_restored(self):
        path = self.infected("docs/report.doc", 0o640)
        other, _ = self.new_account("other")
        os.chown(path, self.account.uid, other.gid)  # a group that its owner is not in
        os.setxattr(path, "user.colour", b"\0blue\xff")
        os.setxattr(path, "user.empty", b"")
        os.setxattr(path, "system.posix_acl_access", access_list(
            (USER_OBJ, 6, NOBODYS_ID), (USER, 4, other.uid), (GROUP_OBJ, 4, NOBODYS_ID), (MASK, 4, NOBODYS_ID),
            (OTHER, 0, NOBODYS_ID)))
        os.utime(path, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
        before = facts(path)
        self.assertEqual(len(before[-1]), 3)

        [row] = self.quarantine(path)
        self.assertEqual(os.stat(self.captured(before[0])).st_mode & 0o7777, 0o400)
        [done] = self.change("restore_quarantined_files", row["id"])
        self.assertEqual((done["file"], done["state"]), (path, "restored"))
        self.assertEqual(facts(path), before)
        self.assertEqual(self.in_quarantine(before[0]), [])
        self.assertEqual(self.listed(), {})

    def test_an_access_list_is_restored(self):
        path = self.infected("docs/report.doc", 0o640)
        other, _ = self.new_account("other")
        subprocess.run(["setfacl", "-m", f"u:{other.name}:rw-,g:{other.gid}:r-x,m::r--", path], check=True)
        os.setxattr(path, "user.note", b"mine")
        before, shown = facts(path), self.access_list_shown(path)
        self.assertIn(f"user:{other.name}:rw-\t#effective:r--", shown)

        [row] = self.quarantine(path)
        self.assertNotIn("#effective:r--", self.access_list_shown(self.captured(before[0])), "others may still read it")
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(self.access_list_shown(path), shown)
        self.assertEqual(os.getxattr(path, "user.note"), b"mine")
        self.assertEqual(facts(path), before)

    @staticmethod
    def access_list_shown(path):
        return subprocess.run(["getfacl", "--absolute-names", path], check=True, capture_output=True, text=True).stdout

    def test_each_mode_is_restored(self):
        paths = [self.infected(f"mode-{mode:o}", mode) for mode in (0o400, 0o444, 0o600, 0o666, 0o700, 0o755)]
        before = {path: facts(path) for path in paths}
        rows = self.quarantine(*paths)
        self.assertEqual(self.restore(*(row["id"] for row in rows)), ["restored"] * len(paths))
        self.assertEqual({path: facts(path) for path in paths}, before)

    def test_times_before_1970_and_far_ahead_are_restored(self):
        paths = [self.infected("old"), self.infected("new")]
        for path, seconds in zip(paths, (-1, 4_000_000_000)):
            os.utime(path, ns=(seconds * 1_000_000_000 + 1, seconds * 1_000_000_000 + 1))
        before = {path: facts(path) for path in paths}
        rows = self.quarantine(*paths)
        self.assertEqual(self.restore(*(row["id"] for row in rows)), ["restored"] * 2)
        self.assertEqual({path: facts(path) for path in paths}, before)

    def test_missing_directories_are_created_again(self):
        path = self.infected("a/b/c/found")
        before = facts(path)
        [row] = self.quarantine(path)
        shutil.rmtree(self.account.path("a"))
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(facts(path), before)
        for directory in ("a", "a/b", "a/b/c"):
            status = os.stat(self.account.path(directory))
            self.assertEqual(status.st_uid, self.account.uid)
            self.assertEqual(status.st_mode & 0o022, 0, "others may write there")

    def test_the_answer_is_in_the_order_asked_and_has_each_id_once(self):
        a, b, c = (self.infected(name) for name in "abc")
        first, second, third = (row["id"] for row in self.quarantine(a, b, c))
        rows = self.change("restore_quarantined_files", third, UNKNOWN, first, third, first)
        self.assertEqual([(row["file"], row["state"]) for row in rows],
                         [(c, "restored"), ("", "error"), (a, "restored")])
        self.assertEqual(set(self.listed()), {b})
        self.assertEqual(self.listed()[b]["id"], second)

    def test_both_envelopes_and_every_form_of_arguments(self):
        names = ("json", "form", "pieces", "numbered", "query", "multipart", "blob", "documented")
        ids = {name: row["id"] for name, row in zip(names, self.quarantine(*(self.infected(name) for name in names)))}
        text = {name: json.dumps([one]) for name, one in ids.items()}
        multipart = ("--x\r\nContent-Disposition: form-data; name=\"ids\"\r\n\r\n" + text["multipart"]
                     + "\r\n--x--\r\n").encode()
        blob = ("--x\r\nContent-Disposition: form-data; name=\"ids\"; filename=\"blob\"\r\n"
                "Content-Type: application/json\r\n\r\n" + text["blob"] + "\r\n--x--\r\n").encode()
        target = "/execute/ClamScanner/restore_quarantined_files"
        for name, asked in (
                ("json", (target, json.dumps({"ids": [ids["json"]]}).encode(), JSON)),
                ("form", (target, urlencode({"ids": text["form"]}).encode(), FORM)),
                ("pieces", (target, urlencode({"ids[]": ids["pieces"]}).encode(), FORM)),
                ("numbered", (f"{target}?ids[0]={ids['numbered']}", b"", {})),
                ("query", (f"{target}?ids={quote(text['query'])}", b"", {})),
                ("multipart", (target, multipart, {"Content-Type": "multipart/form-data; boundary=x"})),
                ("blob", (target, blob, {"Content-Type": "multipart/form-data; boundary=x"})),
                ("documented", ("/ClamScanner/restore_quarantined_files", f'{{"ids":{text["documented"]}}}'.encode(),
                                JSON))):
            with self.subTest(name):
                answer = self.client.send("POST", *asked)
                self.assertEqual((answer.status, answer.result()["status"]), (200, 1), answer.body)
                [row] = answer.result()["data"]
                self.assertEqual((row["id"], row["file"]), (ids[name], self.account.path(name)))
                self.assertIn(row["state"], ("restored", "pending"))
                wait_until(lambda: self.account.path(name) not in self.listed(), 60, "the file's restoring")
                self.assertTrue(os.path.exists(self.account.path(name)))
        self.assertEqual(self.client.call("list_quarantined_files", documented=True), [])

    def test_a_restored_file_is_still_infected(self):
        path = self.infected("public_html/found.php")
        content = read(path)
        [row] = self.quarantine(path)
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(self.client.scan()["infected_files"], [path])
        # It may be moved there and back any number of times.
        [again] = self.quarantine(path)
        self.assertEqual(self.restore(again["id"]), ["restored"])
        self.client.scan()
        step = check_records(self.client.disinfect({path: "delete"}))[path]
        self.assertEqual(step["state"], "deleted", step["message"])
        self.assertEqual((self.in_quarantine(content), self.listed()), ([], {}))

    def test_a_restored_file_is_listed_as_infected_again(self):
        path = self.infected("public_html/found.php")
        [row] = self.quarantine(path)
        self.assertEqual(self.client.call("list_infected_files"), [])
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual([entry["file"] for entry in self.client.call("list_infected_files")], [path])
        self.assertEqual(check_records(self.client.disinfect({path: "delete"}))[path]["state"], "deleted")

    def test_a_file_that_was_restored_is_no_longer_known_by_its_id(self):
        path = self.infected("found")
        [row] = self.quarantine(path)
        self.assertEqual(self.restore(row["id"]), ["restored"])
        for function in CHANGES:
            [again] = self.change(function, row["id"])
            self.assertEqual((again["file"], again["state"]), ("", "error"))
        self.assertTrue(os.path.exists(path))

    def test_a_deleted_file_is_gone_for_good(self):
        doomed, kept = self.infected("doomed"), self.infected("kept")
        contents = read(doomed), read(kept)
        first, second = self.quarantine(doomed, kept)
        [row] = self.change("delete_quarantined_files", first["id"])
        self.assertEqual((row["file"], row["id"], row["state"]), (doomed, first["id"], "deleted"))
        self.assertEqual(self.in_quarantine(contents[0]), [])
        self.assertFalse(os.path.lexists(doomed))
        self.assertEqual(self.listed(), {kept: second})
        self.assertEqual(self.restore(first["id"]), ["error"])
        self.assertEqual(self.states("delete_quarantined_files", second["id"]), ["deleted"])
        self.assertEqual(os.listdir(self.account.path(QUARANTINE)), [], "a record is left")

    def test_the_other_name_of_a_file_stays(self):
        path = self.infected("first", 0o640)
        other = self.account.path("second")
        os.link(path, other)
        before = facts(path)
        self.client.scan()
        step = check_records(self.client.disinfect({path: "quarantine"}))[path]
        self.assertEqual(step["state"], "quarantined")
        self.assertIn("1 more name", step["message"])
        self.assertEqual(facts(other), before)
        self.assertEqual(self.restore(self.listed()[path]["id"]), ["restored"])
        self.assertEqual((facts(path), facts(other)), (before, before))
        self.assertEqual(self.listed(), {})

    def test_the_list_is_filtered_sorted_and_paged(self):
        paths = [self.infected(f"wanted-{letter}") for letter in "bca"] + [self.infected("other")]
        self.quarantine(*paths)
        asked = {"api.filter_column": "file", "api.filter_type": "contains", "api.filter_term": "wanted",
                 "api.sort_column": "file", "api.sort_reverse": 1, "api.paginate_start": 1, "api.paginate_size": 2}
        result = self.client.result("list_quarantined_files", asked)
        self.assertEqual([row["file"] for row in result["data"]], sorted(paths[:3], reverse=True)[:2])
        self.assertEqual(result["metadata"]["filter"], {"records_before_filter": 4})
        self.assertEqual(result["metadata"]["paginate"]["total_results"], 3)
        columns = self.client.call("list_quarantined_files", {"api.columns": "sha256"})
        self.assertEqual([set(row) for row in columns], [{"sha256"}] * 4)
        posted = self.client.result("list_quarantined_files", asked, method="POST")
        self.assertEqual(posted, result)
        wrong = self.client.result("list_quarantined_files", {"api.filter_column": "nothing", "api.filter_term": "x"})
        self.assertEqual(wrong["status"], 0)

    def test_methods(self):
        [row] = self.quarantine(self.infected("found"))
        for function in CHANGES:
            target = f"/execute/ClamScanner/{function}?ids={quote(json.dumps([row['id']]))}"
            for method in ("GET", "HEAD", "DELETE"):
                answer = self.client.send(method, target)
                self.assertEqual((answer.status, answer.headers["allow"]), (405, "POST"))
        answer = self.client.send("HEAD", "/execute/ClamScanner/list_quarantined_files")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(len(self.listed()), 1)


class Ageing(QuarantineCase):
    """Of three files in the quarantine, one is a day older than the limit, one a day younger."""

    LONGEST = 3  # days

    def setUp(self):
        super().setUp()
        self.old, self.young, self.new = (self.infected(name) for name in ("docs/old", "docs/young", "docs/new"))
        self.contents = {path: read(path) for path in (self.old, self.young, self.new)}
        self.rows = dict(zip(self.contents, self.quarantine(*self.contents)))
        self.grow_old({self.old: self.LONGEST + 1, self.young: self.LONGEST - 1})
        self.rows.update({path: self.listed()[path] for path in (self.old, self.young)})

    def grow_old(self, days, columns=("time_ms", "running_ms")):
        """Changes jobd's own database, while jobd is not running: the time of day, and the host's running time."""
        self.service.stop("jobd")
        database = sqlite3.connect(self.service.path("state/jobs.sqlite"))
        try:
            with database:
                for path, count in days.items():
                    for column in columns:
                        changed = database.execute(f"UPDATE quarantine SET {column} = {column} - ? WHERE path = ?",
                                                   (count * 86_400_000, os.fsencode(path)))
                        self.assertEqual(changed.rowcount, 1)
        finally:
            database.close()
        self.service.start("jobd")
        self.service.wait_until_it_serves(self.account)

    def stay(self, *paths):
        self.assertEqual(self.listed(), {path: self.rows[path] for path in paths})
        names = sorted(name for path in paths for name in (self.rows[path]["id"], self.rows[path]["id"] + ".json"))
        self.assertEqual(sorted(os.listdir(self.account.path(QUARANTINE))), names)
        for path in paths:
            self.captured(self.contents[path])


class KeptForAWhile(Ageing):
    config = {**QuarantineCase.config, "quarantine": {"days": Ageing.LONGEST}}

    def test_expired_files_are_deleted_at_the_end_of_a_scan(self):
        self.stay(self.old, self.young, self.new)
        self.client.scan()
        wait_until(lambda: self.old not in self.listed(), 60, "the end of what is too old")
        self.stay(self.young, self.new)
        for path in self.contents:
            self.assertFalse(os.path.lexists(path))
        [row] = self.change("restore_quarantined_files", self.rows[self.old]["id"])
        self.assertEqual((row["file"], row["state"]), ("", "error"))
        self.assertEqual(self.restore(self.rows[self.young]["id"]), ["restored"])

    def test_another_file_under_its_name_is_not_deleted(self):
        aside = self.account.path("aside")
        captured = self.captured(self.contents[self.old])
        os.rename(captured, aside)
        self.account.write(os.path.relpath(captured, self.account.home), "the owner's own")
        self.client.scan()
        self.client.scan()
        self.assertEqual(read(captured), b"the owner's own")
        self.assertEqual(read(aside), self.contents[self.old])


    def test_nothing_expires_while_an_allow_list_is_left_out(self):
        self.signature_file("some.ndb", "Some:0:0:6e6f626f64792068617320746869732074657874\n")
        allow_list = self.signature_file("broken.fp", "this is no signature\n")
        self.restart_engine()
        for _ in range(2):
            self.client.scan()
            self.stay(self.old, self.young, self.new)
        os.unlink(allow_list)
        self.restart_engine()
        self.client.scan()
        wait_until(lambda: self.old not in self.listed(), 60, "the end of what is too old")

    def signature_file(self, name, text):
        path = self.service.path("no-signatures", name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def restart_engine(self):
        self.service.stop("engine")
        self.service.start("engine")

    def test_a_clock_that_is_wrong_deletes_nothing(self):
        """Neither the time of day alone nor the running time alone makes a file too old."""
        for path, column in ((self.young, "time_ms"), (self.new, "running_ms")):
            self.grow_old({path: 40}, [column])
        self.rows.update({path: self.listed()[path] for path in (self.young, self.new)})
        for _ in range(2):
            self.client.scan()
            wait_until(lambda: self.old not in self.listed(), 60, "the end of what is too old")
            self.stay(self.young, self.new)


class KeptForEver(Ageing):
    config = {**QuarantineCase.config, "quarantine": {"days": 0}}

    def test_no_file_expires(self):
        for _ in range(2):
            self.client.scan()
            self.stay(self.old, self.young, self.new)
        self.assertEqual(self.restore(self.rows[self.old]["id"]), ["restored"])


class WhatIsInTheWay(QuarantineCase):
    """A file that cannot be put back is not lost; once its path is free, it can be restored."""

    def setUp(self):
        super().setUp()
        self.path = self.infected("docs/found", 0o640)
        self.before = facts(self.path)
        [row] = self.quarantine(self.path)
        self.id = row["id"]

    def is_not_restored(self):
        [row] = self.change("restore_quarantined_files", self.id)
        self.assertEqual((row["file"], row["state"]), (self.path, "error"))
        self.assertNotEqual(row["message"], "", "an error says why")
        self.stays(self.path, self.before[0], self.id)

    def is_restored(self):
        self.assertEqual(self.restore(self.id), ["restored"])
        self.assertEqual(facts(self.path), self.before)
        self.assertEqual((self.in_quarantine(self.before[0]), self.listed()), ([], {}))

    def test_a_file(self):
        self.account.write("docs/found", "the owner's new work")
        before = facts(self.path)
        self.is_not_restored()
        self.assertEqual(facts(self.path), before)
        os.unlink(self.path)
        self.is_restored()

    def test_a_directory(self):
        os.mkdir(self.path)
        self.as_owner(self.path)
        self.is_not_restored()
        self.assertEqual(os.listdir(self.path), [])
        os.rmdir(self.path)
        self.is_restored()

    def test_a_symlink_to_a_file_of_anothers(self):
        other, _ = self.new_account("other")
        treasure = other.write("treasure", "gold", 0o666)
        os.chmod(other.home, 0o777)
        for target in (treasure, other.path("not there")):
            os.symlink(target, self.path)
            self.as_owner(self.path)
            self.is_not_restored()
            self.assertEqual(os.readlink(self.path), target)
            os.unlink(self.path)
        self.assertEqual((read(treasure), os.listdir(other.home)), (b"gold", ["treasure"]))
        self.is_restored()

    def test_a_directory_exchanged_for_a_symlink_to_anothers(self):
        other, _ = self.new_account("other")
        os.chmod(other.home, 0o777)
        os.rmdir(self.account.path("docs"))
        os.symlink(other.home, self.account.path("docs"))
        self.as_owner(self.account.path("docs"))
        self.is_not_restored()
        self.assertEqual(os.listdir(other.home), [])
        os.unlink(self.account.path("docs"))
        self.is_restored()

    def test_a_file_where_a_directory_was(self):
        os.rmdir(self.account.path("docs"))
        self.account.write("docs", "a file by now")
        self.is_not_restored()
        os.unlink(self.account.path("docs"))
        self.is_restored()

    def test_a_directory_in_which_nothing_may_be_written(self):
        os.chmod(self.account.path("docs"), 0o500)
        self.is_not_restored()
        os.chmod(self.account.path("docs"), 0o755)
        self.is_restored()


class ChangesByTheOwner(QuarantineCase):
    """The directory is the account's own: whatever its owner changes there, only jobd's database counts."""

    def setUp(self):
        super().setUp()
        self.other, self.others = self.new_account("other")
        os.chmod(self.other.home, 0o777)
        self.treasure = self.other.write("treasure", "gold", 0o666)
        self.others_files = self.everything_of_the_others()
        self.path = self.infected("docs/found", 0o640)
        self.before = facts(self.path)
        [self.row] = self.quarantine(self.path)
        self.id = self.row["id"]
        self.captured_at = self.captured(self.before[0])

    def tearDown(self):
        self.assertEqual(self.everything_of_the_others(), self.others_files, "another account's files are as they were")

    def everything_of_the_others(self):
        return {name: facts(self.other.path(name)) for name in os.listdir(self.other.home)}

    def is_an_error(self, function="restore_quarantined_files"):
        [row] = self.change(function, self.id)
        self.assertEqual((row["id"], row["state"]), (self.id, "error"))
        self.assertNotEqual(row["message"], "", "an error says why")
        self.assertFalse(os.path.lexists(self.path))

    def comes_back(self):
        self.assertEqual(self.restore(self.id), ["restored"])
        self.assertEqual(facts(self.path), self.before)
        self.assertEqual(self.listed(), {})

    def test_changed_content_is_not_restored(self):
        status = os.stat(self.captured_at)
        changed = b"#" * len(self.before[0])
        with open(self.captured_at, "r+b") as file:
            file.write(changed)
        os.utime(self.captured_at, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.is_an_error()
        self.captured(changed)
        self.assertEqual(self.listed(), {self.path: self.row})

    def test_content_that_grew_is_not_restored(self):
        with open(self.captured_at, "ab") as file:
            file.write(b"more")
        self.is_an_error()
        self.captured(self.before[0] + b"more")
        self.assertEqual(self.listed(), {self.path: self.row})

    def test_another_file_with_the_same_content_is_restored_or_stays(self):
        # A copy made by hand, say.
        os.unlink(self.captured_at)
        with open(self.captured_at, "wb") as file:
            file.write(self.before[0])
        self.as_owner(self.captured_at)
        if self.restore(self.id) == ["restored"]:
            self.assertEqual(facts(self.path), self.before)
        else:
            self.stays(self.path, self.before[0], self.id)

    def test_a_forged_record_misleads_nobody(self):
        forged = {"accessed": "0", "extended_attributes": {"user.evil": "00"}, "file": self.other.path("here"),
                  "group": 0, "mode": "4777", "modified": "0.000000000", "owner": 0, "quarantined": "0",
                  "sha256": "0" * 64, "size": 1, "virus_type": "None"}
        with open(self.record_beside(self.captured_at), "w", encoding="utf-8") as record:
            json.dump(forged, record)
        self.assertEqual(self.listed(), {self.path: self.row})
        self.comes_back()

    def test_a_damaged_or_missing_record_is_not_needed(self):
        for number, damage in enumerate((b"", b"{", b"\xff" * 1_000_000, None)):
            with self.subTest(number):
                if number > 0:
                    [row] = self.quarantine(self.path)
                    self.id, self.captured_at = row["id"], self.captured(self.before[0])
                record = self.record_beside(self.captured_at)
                os.unlink(record)
                if damage is not None:
                    with open(record, "wb") as file:
                        file.write(damage)
                self.comes_back()

    def test_a_record_that_is_a_link_or_a_directory(self):
        record = self.record_beside(self.captured_at)
        os.unlink(record)
        os.symlink(self.treasure, record)
        self.as_owner(record)
        self.comes_back()
        [row] = self.quarantine(self.path)
        self.id, self.captured_at = row["id"], self.captured(self.before[0])
        os.unlink(self.record_beside(self.captured_at))
        os.mkdir(self.captured_at + ".json")
        self.as_owner(self.captured_at + ".json")
        self.comes_back()

    def test_a_symlink_to_anothers_file_in_its_place(self):
        for target in (self.treasure, self.other.home, "/dev/zero", "nowhere"):
            os.unlink(self.captured_at)
            os.symlink(target, self.captured_at)
            self.as_owner(self.captured_at)
            self.is_an_error()

    def test_a_symlink_to_the_owners_own_copy_in_its_place(self):
        os.rename(self.captured_at, self.account.path("copy"))
        os.symlink(self.account.path("copy"), self.captured_at)
        self.as_owner(self.captured_at)
        self.is_an_error()
        self.assertEqual(read(self.account.path("copy")), self.before[0])

    def test_a_directory_or_a_pipe_in_its_place(self):
        os.unlink(self.captured_at)
        os.mkdir(self.captured_at)
        self.as_owner(self.captured_at)
        self.is_an_error()
        os.rmdir(self.captured_at)
        os.mkfifo(self.captured_at)
        self.as_owner(self.captured_at)
        self.is_an_error()

    def test_nothing_in_its_place(self):
        os.unlink(self.captured_at)
        self.is_an_error()

    def test_a_hard_link_to_anothers_file_in_its_place(self):
        os.unlink(self.captured_at)
        os.link(self.treasure, self.captured_at)
        self.addCleanup(os.unlink, self.captured_at)
        self.is_an_error()
        self.assertEqual(os.stat(self.treasure).st_nlink, 2)

    def test_deleting_follows_no_link(self):
        os.unlink(self.captured_at)
        os.symlink(self.treasure, self.captured_at)
        self.as_owner(self.captured_at)
        self.assertIn(self.states("delete_quarantined_files", self.id), (["deleted"], ["error"]))
        self.assertFalse(os.path.lexists(self.path))

    def test_deleting_a_directory_in_its_place_deletes_nothing_below_it(self):
        os.unlink(self.captured_at)
        os.mkdir(self.captured_at)
        self.as_owner(self.captured_at)
        with open(os.path.join(self.captured_at, "kept"), "wb") as file:
            file.write(b"kept")
        self.as_owner(os.path.join(self.captured_at, "kept"))
        self.is_an_error("delete_quarantined_files")
        self.assertEqual(read(os.path.join(self.captured_at, "kept")), b"kept")

    def test_a_quarantine_that_leads_to_anothers_directory_is_not_used(self):
        directory, aside = self.account.path(QUARANTINE), self.account.path("aside")
        decoy = self.other.write(os.path.basename(self.captured_at), self.before[0], 0o666)
        self.others_files = self.everything_of_the_others()
        os.rename(directory, aside)
        os.symlink(self.other.home, directory)
        self.as_owner(directory)
        for function in CHANGES:
            self.is_an_error(function)
            self.assertEqual(self.everything_of_the_others(), self.others_files)
        self.assertEqual(read(decoy), self.before[0])
        os.unlink(directory)
        os.rename(aside, directory)
        self.assertEqual(self.listed(), {self.path: self.row})
        self.comes_back()

    def test_a_quarantine_that_is_gone_is_an_error(self):
        shutil.rmtree(self.account.path(QUARANTINE))
        for function in CHANGES:
            self.assertIn(self.states(function, self.id), (["error"], ["deleted"]))
            self.assertFalse(os.path.lexists(self.path))

    def test_ids_of_another_account_are_unknown(self):
        for function in CHANGES:
            [row] = self.change(function, self.id, client=self.others)
            self.assertEqual((row["file"], row["id"], row["state"]), ("", self.id, "error"))
            self.assertNotIn(self.account.name, row["message"])
        self.assertEqual(self.others.call("list_quarantined_files"), [])
        self.stays(self.path, self.before[0], self.id)
        self.comes_back()


class Refusals(QuarantineCase):
    def refused(self, result, *words):
        self.assertEqual((result["status"], result["data"]), (0, None), result)
        for word in words:
            self.assertIn(word, result["errors"][0])

    def test_hostile_ids(self):
        path = self.infected("found")
        content = read(path)
        [row] = self.quarantine(path)
        one = row["id"]
        wrong = (None, "", "x", one, 1, True, {}, {one: one}, [], [1], [None], [[one]], [""], ["x"], ["A" * 32],
                 [one + "0"], [one[:-1]], [f"../{one}"], [f"{one}.json"], [one, "zzz"], [one, None], ["*"], ["\0" * 32],
                 ["\udcff" * 32], [one + "\n"])
        for function in CHANGES:
            self.refused(self.client.result(function, {}), "ids")
            for ids in wrong:
                with self.subTest(function, ids=ids):
                    self.refused(self.client.result(function, {"ids": ids}), "ids")
            target = f"/execute/ClamScanner/{function}"
            for text in ("[", f"[{one}]", f'["{one}"', f'["{one}"] x', f"['{one}']", "[]", "null", ""):
                with self.subTest(function, text=text):
                    answer = self.client.send("POST", target, urlencode({"ids": text}).encode(), FORM)
                    self.assertEqual(answer.status, 200)
                    self.refused(answer.result(), "ids")
            twice = self.client.send("POST", f"{target}?ids={quote(json.dumps([one]))}",
                                     urlencode({"ids": json.dumps([UNKNOWN])}).encode(), FORM)
            self.refused(twice.result(), "ids")
            for body in (b"{", b"[]", b'{"ids": ["\\ud800"]}', b'{"ids": ' + b"[" * 10_000):
                answer = self.client.send("POST", target, body, JSON)
                self.assertEqual(answer.status, 200)
                self.refused(answer.result())
        self.stays(path, content, one)

    def test_many_unknown_ids(self):
        ids = [f"{number:032x}" for number in range(1000)]
        for function in CHANGES:
            rows = self.client.call(function, {"ids": ids})
            self.assertEqual([(row["id"], row["file"], row["state"]) for row in rows],
                             [(one, "", "error") for one in ids])

    def test_not_while_a_scan_is_queued_or_running(self):
        path = self.infected("found")
        content = read(path)
        [row] = self.quarantine(path)
        for function in CHANGES:
            with self.service.stopped("engine"):
                self.client.call("start_scan", {"scan_type": "home"})
                self.refused(self.client.result(function, {"ids": [row["id"]]}), BUSY)
                self.assertEqual(self.client.call("get_scan_status")["scan_complete"], 0)
            self.client.finish_scan()
        self.stays(path, content, row["id"])

    def test_a_page_of_another_site_changes_nothing(self):
        path = self.infected("found")
        content = read(path)
        [row] = self.quarantine(path)
        for function in CHANGES:
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
                answer = self.client.send("POST", f"/execute/ClamScanner/{function}",
                                          json.dumps({"ids": [row["id"]]}).encode(), {**JSON, **headers})
                self.assertEqual(answer.status, 403)
        self.stays(path, content, row["id"])


class DryRun(QuarantineCase):
    def test_it_lists_the_steps_and_does_nothing(self):
        doomed, moved, kept = (self.infected(name) for name in ("doomed", "moved", "kept"))
        clean = self.account.write("clean", "fine")
        self.client.scan()
        before = {path: facts(path) for path in (doomed, moved, kept, clean)}
        actions = {doomed: "delete", moved: "quarantine", kept: "ignore", clean: "delete", "/etc/passwd": "delete"}
        told = {doomed: "deleted", moved: "quarantined", kept: "no-action", clean: "error", "/etc/passwd": "error"}
        target, form = "/execute/ClamScanner/disinfect_files", {"actions": json.dumps(actions), "dry_run": 1}
        for answer in (self.client.ask("disinfect_files", {"actions": actions, "dry_run": 1}),
                       self.client.ask("disinfect_files", {"actions": actions, "dry_run": 1}, documented=True),
                       self.client.send("POST", target, urlencode(form).encode(), FORM),
                       self.client.send("POST", target + "?dry_run=1", json.dumps({"actions": actions}).encode(),
                                        JSON)):
            result = answer.result()
            self.assertEqual(result["status"], 1, result)
            self.assertEqual(len(result["data"]), len(actions))
            self.assertEqual({step["file"]: step["state"] for step in result["data"]}, told)
            self.assertTrue(all(step["message"] for step in result["data"] if step["state"] == "error"))
        self.assertEqual(self.client.call("check_disinfection_status")["status"], "none")
        self.assertEqual({path: facts(path) for path in before}, before)
        self.assertFalse(os.path.lexists(self.account.path(QUARANTINE)))
        self.assertEqual(len(self.client.call("list_infected_files")), 3)

        # The announced steps are then carried out; `dry_run=0` is like none.
        queued = self.client.call("disinfect_files", {"actions": actions, "dry_run": 0})
        self.assertEqual(set(queued), {"log", "task_id"})
        steps = check_records(self.client.finish_disinfection())
        self.assertEqual({path: step["state"] for path, step in steps.items()}, told)

    def test_wrong_arguments_are_refused_as_without_it(self):
        path = self.infected("found")
        self.client.scan()
        for arguments, word in (({}, "actions"), ({"actions": {}}, "actions"), ({"actions": {path: "lose"}}, "actions"),
                                ({"actions": {path: "delete"}, "dry_run": 2}, "dry_run"),
                                ({"actions": {path: "delete"}, "dry_run": "yes"}, "dry_run")):
            result = self.client.result("disinfect_files", {"dry_run": 1, **arguments})
            self.assertEqual((result["status"], result["data"]), (0, None), result)
            self.assertIn(word, result["errors"][0])
        self.assertEqual(self.client.call("check_disinfection_status")["status"], "none")
        self.assertTrue(os.path.exists(path))


class Killed(QuarantineCase):
    """A process of each role in turn is killed while files are quarantined, restored and deleted: each file is then in
    exactly one place, and the list says which."""

    VICTIMS = ("jobd", "runner", "agent")

    def setUp(self):
        super().setUp()
        self.assertLessEqual(set(self.VICTIMS), set(ROLES))
        self.seed = int(os.environ.get("CLAMSCANNER_SEED", secrets.randbelow(1 << 32)))
        print(f"CLAMSCANNER_SEED={self.seed}", flush=True)
        self.choose = random.Random(self.seed)
        self.seconds = {}  # how long each phase takes without kills, measured the first time
        self.kills = dict.fromkeys(self.VICTIMS, 0)
        self.turn = 0

    def attempt(self, function, arguments=None):
        """None while something is being restarted: a 5xx is allowed then."""
        try:
            answer = self.client.ask(function, arguments)
        except (ConnectionError, http.client.HTTPException):
            return None
        if answer.status != 200:
            self.assertIn(answer.status, (500, 502, 503, 504), answer.body)
            return None
        return answer.result()

    def data(self, function, arguments=None):
        result = self.wait(lambda: self.attempt(function, arguments), function)
        self.assertEqual(result["status"], 1, result)
        return result["data"]

    def wait(self, condition, what):
        """Like wait_until(), but restarts what ends. Only in this thread, which outlives the daemons: they end with the
        thread that starts them."""
        def supervised():
            for name, status in self.service.restart_what_ended().items():
                self.assertGreaterEqual(status, 0, f"{name} was ended by a signal that nobody here sent")
            return condition()

        return wait_until(supervised, 120, what)

    def next_victim(self):
        """There are three phases; each role is killed in each of them."""
        rounds, phase = divmod(self.turn, len(self.VICTIMS))
        self.turn += 1
        return self.VICTIMS[(rounds + phase) % len(self.VICTIMS)]

    def phase(self, name, ask):
        """Asks for something until it is answered; from the second time on, a process is killed meanwhile."""
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            if name in self.seconds:
                victim = self.next_victim()
                # A runner lives only for a part of its phase.
                longest = self.seconds[name] * (0.3 if victim == "runner" else 1)
                self.kill(victim, longest * self.choose.random() ** 2, asked.done)
            self.wait(asked.done, f"the end of: {name}")
            asked.result()
        self.seconds.setdefault(name, time.monotonic() - start)

    def kill(self, role, delay, over):
        """Kills it this long after a process of that role has appeared, if one does."""
        moment = None
        while not over():
            there = [process for process in self.service.processes(ROLES[role][0]) if process.depth == ROLES[role][1]]
            if there and moment is None:
                moment = time.monotonic() + delay
            if there and time.monotonic() >= moment:
                if role == "jobd":
                    self.service.kill(role)
                    self.service.start(role)
                else:
                    try:
                        os.kill(there[0].pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue  # it has ended since it was seen
                self.kills[role] += 1
                return

    def places(self, files):
        """path -> how often it is at its own path, in the quarantine, and in the list."""
        listed = [row["file"] for row in self.data("list_quarantined_files")]
        found = {}
        for path, content in files.items():
            try:
                at_place = read(path) == content
            except FileNotFoundError:
                at_place = False
            found[path] = (int(at_place), len(self.in_quarantine(content)), listed.count(path))
        return found

    def each_is_at_one_place(self, files, places=((1, 0, 0), (0, 1, 1))):
        return set(self.places(files).values()) <= set(places)

    def disinfected(self):
        """The records, once the last one is there."""
        result = self.attempt("check_disinfection_status")
        return result["data"]["details"] if result and result["data"]["status"] == "done" else None

    def round(self, number):
        paths = [self.infected(f"round-{number}/{i}") for i in range(FILES_OF_A_ROUND)]
        files = {path: read(path) for path in paths}
        wanted = set(self.choose.sample(paths, FILES_OF_A_ROUND // 2))
        self.assertEqual(set(self.client.scan()["infected_files"]), set(files))

        self.client.call("disinfect_files", {"actions": dict.fromkeys(paths, "quarantine")})
        self.phase("quarantine", lambda: wait_until(self.disinfected, 120, "the disinfection's end"))
        records = self.wait(self.disinfected, "the records")
        self.assertEqual({step["state"] for step in check_records(records).values()}, {"quarantined"})
        self.assertEqual(self.places(files), dict.fromkeys(paths, (0, 1, 1)))
        ids = {row["file"]: row["id"] for row in self.data("list_quarantined_files")}

        kept = {path: content for path, content in files.items() if path in wanted}
        doomed = {path: content for path, content in files.items() if path not in wanted}
        self.phase("restore", lambda: self.attempt("restore_quarantined_files", {"ids": [ids[path] for path in kept]}))
        self.wait(lambda: self.each_is_at_one_place(files), "each file at one place")
        self.finish("restore_quarantined_files", kept)
        self.assertEqual(self.places(kept), dict.fromkeys(kept, (1, 0, 0)))
        self.assertEqual(self.places(doomed), dict.fromkeys(doomed, (0, 1, 1)))

        self.phase("delete", lambda: self.attempt("delete_quarantined_files", {"ids": [ids[path] for path in doomed]}))
        self.wait(lambda: self.each_is_at_one_place(doomed, ((0, 0, 0), (0, 1, 1))), "each file there or gone")
        self.finish("delete_quarantined_files", doomed)
        self.assertEqual(self.places(doomed), dict.fromkeys(doomed, (0, 0, 0)))
        self.assertEqual(self.places(kept), dict.fromkeys(kept, (1, 0, 0)))
        self.assertEqual(self.data("list_quarantined_files"), [])

    def finish(self, function, files):
        """Repeats what a killed attempt left undone, until nothing of it is left in the list."""
        def left():
            return [row["id"] for row in self.data("list_quarantined_files") if row["file"] in files]

        def done():
            ids = left()
            if not ids:
                return True
            result = self.attempt(function, {"ids": ids})
            if result and result["status"] == 1:
                # It may have been done since the list was read; then the id is unknown.
                self.assertEqual([row for row in result["data"] if row["state"] == "error" and row["file"]], [])
            return not left()

        self.wait(done, f"the end of {function}")

    def test_after_a_kill_at_any_moment_each_file_is_in_one_place(self):
        for number in range(ROUNDS + 1):
            with self.subTest(round=number, seed=self.seed):
                self.account, self.client = self.new_account()
                self.round(number)
        print(f"{ROUNDS} rounds, phases of {self.seconds}, killed: {self.kills}", flush=True)
        self.assertGreater(min(self.kills.values()), 0, "somebody of each role was killed")


if __name__ == "__main__":
    main()
