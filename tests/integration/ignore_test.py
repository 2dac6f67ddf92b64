"""A find that is fine: its owner has it ignored, by content and signature, and neither another content, nor another
signature, nor malware that runs as the account gets through; and the administrator's list for all accounts."""

import contextlib
import fcntl
import json
import os
import random
import re
import struct
import subprocess
import threading
import time
from urllib.parse import urlencode

import accounts
from client import Refused, wait_until
from privileges_test import attempts_that_work, status_of
from service_case import ServiceCase, main
from test_files import EICAR, clean_page

SIGNATURES = "no-signatures"  # the service's signature directory
MARK = "this text stands in a file of ours, and a signature is wrong about it"
VOUCHER = 3  # the descriptor on which root's uapi leaves one


class IgnoreCase(ServiceCase):
    config = {"login": {"failure_milliseconds": 200}}

    def setUp(self):
        self.account, self.client = self.new_account()
        self.put("First")
        self.wrong = self.account.write("public_html/wrong.php", f"<?php // {MARK} ?>")
        self.eicar = self.account.write("eicar", EICAR)
        self.account.write("clean", clean_page(1))
        self.scan_until({self.wrong: "Test-First.UNOFFICIAL"})

    def put(self, name):
        """The signature that finds the text, and no other one."""
        fresh, path = self.service.path("fresh-signatures"), self.service.path(SIGNATURES, "ours.ndb")
        with open(fresh, "w", encoding="ascii") as file:
            file.write(f"Test-{name}:0:*:{MARK.encode().hex()}\n")
        os.rename(fresh, path)
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))

    def listed(self):
        return {row["file"]: row["virus_type"] for row in self.client.call("list_infected_files")}

    def scan_until(self, expected):
        """The first scans after a change are made with the old signatures."""
        def scanned():
            self.client.scan()
            return expected.items() <= self.listed().items()
        wait_until(scanned, 90, f"a scan that finds {expected}")

    def ignore(self, *paths, client=None, **more):
        result = {row["file"]: row for row in
                  (client or self.client).call("ignore_files", {"files": list(paths), "reason": "ours", **more})}
        self.assertEqual(set(result), set(paths))
        return result

    def rows(self, client=None):
        return (client or self.client).call("list_ignored_files")

    def told(self, client=None):
        """What the account's history says of ignoring, the latest first."""
        return [row for row in (client or self.client).call("list_history") if "ignore_files" in row["action"]]

    def ignored(self):
        return {row["file"] for row in self.rows() if row["found"] == "1"}

    def check_sums(self):
        """What the last scan says adds up."""
        status = self.client.result("get_scan_status")
        data = status["data"]
        counted = [int(found[1]) for text in status["messages"] or []
                   if (found := re.match(r"(\d+) files? (?:is|are) infected and ignored, ", text))]
        self.assertEqual(counted, [len(self.ignored())] if self.ignored() else [])
        self.assertEqual(data["scanned_file_count"], data["total_file_count"])
        self.assertFalse(set(data["infected_files"]) & self.ignored())
        return data

    def scan_log(self):
        with open(self.account.path(".clamavconnector.scan.log"), encoding="utf-8") as log:
            return log.read()

    def uapi(self, *words, account=None, descriptor=None):
        command = [self.service.installed_program("uapi"), f"--config={self.service.config_file}", *words]
        if account:
            command = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", *command]
        prepare = (lambda: os.dup2(descriptor, VOUCHER)) if descriptor is not None else None
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"},
                              check=False, preexec_fn=prepare, close_fds=descriptor is None)
        return json.loads(done.stdout)["result"], done.returncode

    def events(self, name):
        return [event for event in self.service.events_logged(name) if event.get("account") == self.account.name]


class Owners(IgnoreCase):
    def test_a_find_is_ignored_by_content_and_signature(self):
        copy = self.account.write("documents/copy", f"<?php // {MARK} ?>")
        self.client.scan()
        self.assertEqual(set(self.listed()), {self.wrong, copy, self.eicar})
        self.assertEqual(self.ignore(self.wrong)[self.wrong]["state"], "ignored")
        # At once where it was named, and the same content elsewhere within moments.
        self.assertNotIn(self.wrong, self.listed())
        wait_until(lambda: set(self.listed()) == {self.eicar}, 60, "the copy to be ignored")
        self.check_sums()
        self.client.scan()
        self.assertEqual(self.check_sums()["infected_files"], [self.eicar])
        self.assertEqual(self.ignored(), {self.wrong, copy})
        wait_until(lambda: "1 infected, 2 ignored, 0 not scanned" in self.scan_log(), 30, "the log in the home")
        row = [row for row in self.rows() if row["file"] == copy][0]
        self.assertEqual((row["reason"], row["by"], row["from"], row["expires"], row["virus_type"]),
                         ("ours", "owner", "127.0.0.1", "0", "Test-First.UNOFFICIAL"))
        self.assertLess(abs(int(row["time"]) - time.time()), 120)
        # Another content at the ignored path, and a file that changes.
        self.account.write("public_html/wrong.php", f"<?php // {MARK} and more ?>")
        self.client.scan()
        self.assertEqual(set(self.listed()), {self.wrong, self.eicar})
        self.assertEqual(self.ignored(), {copy})
        self.check_sums()
        # The same content by another signature.
        self.put("Second")
        self.scan_until({copy: "Test-Second.UNOFFICIAL"})
        self.assertEqual(self.ignored(), set())
        self.assertEqual([row["found"] for row in self.rows()], ["0"])
        self.check_sums()

    def test_it_ends_by_itself_and_when_its_owner_says_so(self):
        self.ignore(self.wrong, expires_at=int(time.time()) + 15)
        self.assertNotIn(self.wrong, self.listed())
        wait_until(lambda: self.wrong in self.listed(), 60, "the end of what was ignored for a time")
        self.assertEqual(self.rows(), [])
        self.ignore(self.wrong)
        self.client.scan()
        [row] = self.rows()
        [done] = self.client.call("unignore_files", {"ids": [row["id"]]})
        self.assertEqual((done["id"], done["state"]), (row["id"], "ended"))
        wait_until(lambda: set(self.listed()) == {self.wrong, self.eicar}, 60, "it to be found again")
        self.check_sums()
        [again] = self.client.call("unignore_files", {"ids": [row["id"]]})
        self.assertEqual(again["state"], "error")

    def test_an_account_whose_home_has_moved_ignores_nothing(self):
        self.ignore(self.wrong)
        home = self.account.home
        os.rename(home, home + "-old")
        subprocess.run(["cp", "-a", home + "-old", home], check=True)
        # So that it is looked up anew at once.
        accounts.change(["usermod", "--comment", "moved", self.account.name])
        self.client.scan()
        self.assertEqual(self.rows(), [])
        self.assertEqual(set(self.listed()), {self.wrong, self.eicar})

    def test_only_a_find_can_be_ignored(self):
        clean = self.account.path("clean")
        result = self.ignore(clean, self.account.path("nowhere"), self.eicar)
        self.assertEqual([result[path]["state"] for path in (clean, self.account.path("nowhere"), self.eicar)],
                         ["error", "error", "ignored"])
        self.assertIn("list_infected_files", result[clean]["message"])
        other, others = self.new_account("other")
        self.assertEqual(self.ignore(self.wrong, client=others)[self.wrong]["state"], "error")
        self.assertEqual(self.rows(others), [])

    def test_a_name_of_any_bytes(self):
        path = self.account.write("public_html/\udcff\udcfe", "<?php // " + MARK + " in a file with a strange name ?>")
        self.client.scan()
        self.assertEqual(self.ignore(path)[path]["state"], "ignored")
        self.assertNotIn(path, self.listed())
        [row] = self.rows()
        self.assertEqual((row["file"], row["found"]), (path, "1"))

    def test_a_cancelled_scan_adds_up(self):
        self.ignore(self.wrong)
        self.client.call("start_scan", {"scan_type": "home"})
        self.client.result("cancel_scan")  # or it has ended
        self.client.finish_scan()
        data = self.check_sums()
        unscanned = len(self.client.call("list_unscanned_files"))
        self.assertLessEqual(len(data["infected_files"]) + len(self.ignored()) + unscanned, data["total_file_count"])
        self.assertNotIn(self.wrong, self.listed())

    def test_what_is_ignored_survives_a_restart_of_jobd(self):
        self.ignore(self.wrong)
        self.service.kill("jobd")
        self.service.start("jobd")
        self.service.wait_until_it_serves(self.account)
        self.client.scan()
        self.assertEqual(set(self.listed()), {self.eicar})
        self.assertEqual(self.ignored(), {self.wrong})

    def test_the_history_tells_it_all(self):
        self.assertEqual(self.told(), [])
        self.client.result("ignore_files", {"files": [self.account.path("clean")], "reason": "no find"})
        self.assertEqual(self.told(), [], "nothing was ignored")
        until = int(time.time()) + 7200
        self.ignore(self.wrong, expires_at=until)
        self.ignore(self.wrong, self.eicar)
        ids, first = [row["id"] for row in self.rows()], self.rows()[0]
        self.client.call("unignore_files", {"ids": ids})
        self.client.call("unignore_files", {"ids": ids})
        wait_until(lambda: self.wrong in self.listed(), 60, "it to be found again")
        self.ignore(self.wrong, expires_at=int(time.time()) + 15)
        rows = wait_until(lambda: len(found := self.told()) == 5 and found, 60, "the end of what was ignored for a time")
        shown = f"{self.wrong} (Test-First.UNOFFICIAL)"
        date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(until))
        self.assertRegex(rows.pop(1)["message"], rf"^1 file: {re.escape(shown)}; until .* UTC; reason: ours$")
        self.assertEqual([(row["action"], row["by"], row["from"], row["message"]) for row in rows], [
            ("unignore_files", "time", "", f"1 content: that of {shown}; its time is over"),
            ("unignore_files", "owner", "127.0.0.1",
             f"2 contents, the first: that of {first['file']} ({first['virus_type']})"),
            ("ignore_files", "owner", "127.0.0.1", f"2 files, the first: {shown}; for ever; reason: ours"),
            ("ignore_files", "owner", "127.0.0.1", f"1 file: {shown}; until {date}; reason: ours")])
        for row in rows:
            self.assertEqual((row["result"], row["ended"]), ("completed", row["time"]))
            self.assertLess(abs(int(row["time"]) - time.time()), 120)
        # The page asks for the scans by how the names of these begin.
        scans = self.client.call("list_history", {"api.filter_column": "action", "api.filter_type": "begins",
                                                  "api.filter_term": "scan"})
        self.assertEqual({row["action"] for row in scans}, {"scan of home"})
        _, others = self.new_account("other")
        self.assertEqual(others.call("list_history"), [])

    def test_many_files_of_one_request_are_one_row_of_the_history(self):
        many = [self.account.write(f"copies/{number}", f"{MARK} {number}") for number in range(120)]
        self.client.scan()
        self.ignore(*many)
        [row] = self.told()
        self.assertTrue(row["message"].startswith(f"120 files, the first: {many[0]} (Test-First"), row)
        self.client.call("unignore_files", {"ids": [row["id"] for row in self.rows()]})
        self.assertTrue(self.told()[0]["message"].startswith("120 contents, the first: that of "), self.told()[0])
        self.assertEqual(len(self.told()), 2)

    def test_jobd_is_killed_and_what_is_ignored_is_what_the_history_tells(self):
        seed = random.randrange(10**6)
        print(f"seed {seed}")
        choose = random.Random(seed)
        paths = [self.account.write(f"copies/{number}", f"{MARK} {number}") for number in range(40)]
        self.client.scan()
        done = 0
        while paths:
            killer = threading.Timer(choose.uniform(0, 0.05), self.service.running["jobd"].kill)
            killer.start()
            for path in [paths.pop() for _ in range(min(4, len(paths)))]:
                with contextlib.suppress(OSError, Refused, ValueError):
                    self.ignore(path)
                    done += 1
            killer.join()
            self.service.kill("jobd")
            self.service.start("jobd")
            self.service.wait_until_it_serves(self.account)
            told = {row["message"].split(" (")[0] for row in self.told()}
            self.assertEqual({f"1 file: {row['file']}" for row in self.rows()}, told)
        print(f"of 40 files {done} were said to be ignored, {len(told)} are")
        self.assertGreaterEqual(len(told), done)

    def test_the_audit_log_says_who_had_what_ignored(self):
        self.ignore(self.wrong)
        [row] = self.rows()
        self.client.call("unignore_files", {"ids": [row["id"]]})
        [event] = wait_until(lambda: self.events("ignored"), 60, "the event")
        self.assertEqual((event["by"], event["from"], event["file"], event["reason"]),
                         ("owner", "127.0.0.1", self.wrong, "ours"))
        self.assertEqual(len(wait_until(lambda: self.events("no longer ignored"), 60, "the event")), 1)


class WhatWeakensNeedsThePassword(IgnoreCase):
    def make_token(self, function, name=None, **more):
        target = f"/execute/Tokens/{function}?" + urlencode({"name": name or function.replace("_", "-"), **more})
        return self.client.send("GET", target).result()["data"]["token"]

    def by_token(self, token, function, arguments):
        return self.client.send("POST", f"/execute/ClamScanner/{function}", json.dumps(arguments).encode(),
                                {"Content-Type": "application/json"},
                                authorization=f"cpanel {self.account.name}:{token}")

    def test_a_token_may_only_with_full_access(self):
        self.client.call("set_schedule", {"frequency": "daily", "hour": 3, "scan_type": "home"})
        before = [self.client.call(name) for name in ("get_schedule", "get_notifications")]
        for token in (self.make_token("create_limited"), self.make_token("create_full_access", "reads", readonly=1)):
            for function, arguments in (("ignore_files", {"files": [self.wrong]}), ("set_notifications", {"enabled": 0}),
                                        ("set_notifications", {"address": "thief@elsewhere.example"}),
                                        ("confirm_notifications", {"code": "0" * 20}), ("cancel_scan", {}),
                                        ("set_schedule", {"frequency": "never"})):
                refused = self.by_token(token, function, arguments)
                self.assertEqual(refused.status, 403, function)
                self.assertIn("create_full_access", refused.result()["errors"][0])
        self.assertEqual([self.client.call(name) for name in ("get_schedule", "get_notifications")], before)
        self.assertEqual(self.rows(), [])
        full = self.by_token(self.make_token("create_full_access"), "ignore_files", {"files": [self.wrong]}).result()
        self.assertEqual(full["data"][0]["state"], "ignored")
        self.assertEqual(self.rows()[0]["by"], "token create-full-access")
        self.assertEqual([row["by"] for row in self.told()], ["token create-full-access"])

    def test_at_a_shell_root_may_and_the_account_may_not(self):
        call = ("ClamScanner", "ignore_files", "files=" + json.dumps([self.wrong]).replace(" ", ""))
        result, status = self.uapi(*call, account=self.account)
        self.assertEqual((result["status"], status), (0, 1))
        self.assertIn("needs the account's password", result["errors"][0])
        self.assertIn(f"uapi --user={self.account.name}", result["errors"][0])
        self.assertEqual(self.rows(), [])
        # Nothing that the account itself can leave there is a voucher.
        made_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        forged = os.memfd_create("voucher", os.MFD_ALLOW_SEALING)
        os.write(forged, struct.pack("<BIqI", 2, 0, made_ms, 64) + b"a" * 64)
        fcntl.fcntl(forged, fcntl.F_ADD_SEALS, 0xf)
        result, _ = self.uapi(*call, account=self.account, descriptor=forged)
        self.assertIn("needs the account's password", result["errors"][0])
        garbage = os.memfd_create("garbage", os.MFD_ALLOW_SEALING)
        os.write(garbage, b"something else")
        fcntl.fcntl(garbage, fcntl.F_ADD_SEALS, 0xf)
        result, _ = self.uapi(*call, account=self.account, descriptor=garbage)
        self.assertIn("needs the account's password", result["errors"][0])
        self.assertEqual(self.rows(), [])

        result, status = self.uapi(f"--user={self.account.name}", *call)
        self.assertEqual((result["status"], status), (1, 0), result)
        [row] = self.rows()
        self.assertEqual(row["by"], "administrator")
        # To see and to end it needs no more than other functions.
        result, _ = self.uapi("ClamScanner", "list_ignored_files", account=self.account)
        self.assertEqual(len(result["data"]), 1)
        result, _ = self.uapi("ClamScanner", "unignore_files", f'ids=["{row["id"]}"]', account=self.account)
        self.assertEqual(result["data"][0]["state"], "ended")
        wait_until(lambda: self.wrong in self.listed(), 60, "it to be found again")
        self.assertEqual([(row["action"], row["by"]) for row in self.told()],
                         [("unignore_files", "shell"), ("ignore_files", "administrator")])

    def test_the_account_cannot_take_the_voucher_that_root_leaves(self):
        # It runs as the account, and waits for its input with the voucher open. Of agents privileges_test shows this.
        waits = subprocess.Popen([self.service.installed_program("uapi"), f"--config={self.service.config_file}",
                                  f"--user={self.account.name}", "--input=json", "ClamScanner", "get_scan_status"],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(waits.wait)
        self.addCleanup(waits.kill)
        self.addCleanup(waits.stdin.close)
        open_file = f"/proc/{waits.pid}/fd/{VOUCHER}"
        wait_until(lambda: status_of(waits.pid)["Uid"].split() == [str(self.account.uid)] * 4
                   and status_of(waits.pid)["Name"] == "clamscanner-uap", 60, "it to become the account")
        self.assertIn("memfd:voucher", os.readlink(open_file))
        self.assertEqual(attempts_that_work(self.account, waits.pid), [])
        for way in (("cat", open_file), ("readlink", open_file)):
            done = subprocess.run(["setpriv", f"--reuid={self.account.uid}", f"--regid={self.account.gid}",
                                   "--clear-groups", *way], capture_output=True, check=False)
            self.assertNotEqual(done.returncode, 0, way)
            self.assertEqual(done.stdout, b"", way)

    def test_nobody_but_root_and_jobd_reads_the_key(self):
        key = self.service.path("run/authd/voucher.key")
        status = os.stat(key)
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (0, 0o440))
        done = subprocess.run(["setpriv", f"--reuid={self.account.uid}", f"--regid={self.account.gid}",
                               "--clear-groups", "cat", key], capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)


class TheAdministrator(IgnoreCase):
    def administrator(self, *words, status=0):
        done = subprocess.run([self.service.installed_program("clamscanner-scan"), "--config",
                               self.service.config_file, *words], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, (words, done.stdout, done.stderr))
        return done

    def entries(self):
        return [json.loads(line) for line in self.administrator("--ignore", "list", "--json").stdout.splitlines()]

    def tearDown(self):
        for entry in self.entries():
            self.administrator("--ignore", "remove", str(entry["id"]))

    def test_a_signature_in_some_paths_is_ignored_in_all_accounts(self):
        elsewhere = self.account.write("elsewhere.php", f"<?php // {MARK} ?>")
        self.administrator("--ignore", "add", "--signature", "Test-First.UNOFFICIAL", "--path", "public_html/*.php",
                           "--reason", "known", "--expires", "2199-01-01")
        self.assertIn(self.wrong, self.listed())  # until it is scanned again
        self.client.scan()
        self.assertEqual(set(self.listed()), {elsewhere, self.eicar})
        [row] = self.rows()
        self.assertEqual((row["file"], row["by"], row["reason"]), (self.wrong, "administrator", "known"))
        self.check_sums()
        [refused] = self.client.call("unignore_files", {"ids": [row["id"]]})
        self.assertEqual(refused["state"], "error")
        self.assertIn("administrator", refused["message"])
        [entry] = self.entries()
        self.assertEqual((entry["signature"], entry["path"], entry["reason"]),
                         ("Test-First.UNOFFICIAL", "public_html/*.php", "known"))
        self.assertNotIn(self.wrong, self.administrator("--finds").stdout)
        result = json.loads(self.administrator("--account", self.account.name, "--wait", "--json", status=1).stdout)
        self.assertEqual((result["infected"], result["ignored"], result["not_scanned"]), (2, 1, 0))
        self.administrator("--ignore", "remove", str(entry["id"]))
        wait_until(lambda: self.wrong in self.listed(), 60, "what was ignored to be found again")
        self.assertEqual(self.entries(), [])
        # Told once each, in the words of list_ignored_files: the pattern says where malware could hide.
        shown = f"{self.wrong} (Test-First.UNOFFICIAL)"
        self.assertEqual([(row["action"], row["by"], row["message"]) for row in self.told()], [
            ("unignore_files", "administrator", f"in all accounts; in this one {shown} is found again"),
            ("ignore_files", "administrator",
             f"in all accounts; in this one first {shown}; until 2199-01-01 00:00 UTC; reason: known")])

    def test_who_has_no_such_file_is_told_nothing(self):
        _, others = self.new_account("other")
        others.scan()
        self.administrator("--ignore", "add", "--signature", "Test-First.UNOFFICIAL")
        others.scan()
        self.administrator("--ignore", "remove", str(self.entries()[0]["id"]))
        wait_until(lambda: self.entries() == [], 60, "the end of the entry")
        time.sleep(2)
        self.assertEqual(self.told(others), [])

    def test_a_content_and_a_signature(self):
        sha256 = subprocess.run(["sha256sum", self.wrong], capture_output=True, text=True, check=True).stdout[:64]
        self.administrator("--ignore", "add", "--sha256", sha256.upper())
        self.administrator("--ignore", "add", "--signature", "Eicar-Test-Signature.UNOFFICIAL")
        other = self.account.write("other", f"{MARK}, too")
        self.client.scan()
        self.assertEqual(set(self.listed()), {other})
        self.assertEqual(self.ignored(), {self.wrong, self.eicar})
        self.check_sums()

    def test_what_is_wrong_says_what_is_wanted(self):
        for words, part in ((("add",), "--signature or --sha256"),
                            (("add", "--path", "public_html/*"), "a path alone ignores nothing"),
                            (("add", "--signature", "X", "--path", "/home/*"), "relative to each home"),
                            (("add", "--sha256", "abc"), "64 hex digits"),
                            (("add", "--signature", "X", "--expires", "2001-01-01"), "in the future"),
                            (("remove",), "wants an id"), (("show",), "list, add or remove"),
                            (("list", "--reason", "x"), "goes with --ignore add")):
            self.assertIn(part, self.administrator("--ignore", *words, status=64).stderr)
        self.assertIn("There is no entry 77", self.administrator("--ignore", "remove", "77", status=75).stderr)
        self.assertEqual(self.entries(), [])


if __name__ == "__main__":
    main()
