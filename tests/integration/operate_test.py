"""What an administrator sees and does: what the logs and the audit log say of what happened, a start that fails with a line
that says what to do, settings that change without a restart, and the scan of all accounts with its result."""

import ctypes
import errno
import grp
import json
import os
import random
import re
import signal
import struct
import subprocess
import time

from client import wait_until
from hanging_files import HangingFiles
from service import DAEMONS
from service_case import ServiceCase, main
from test_files import EICAR

VIRUS = "Eicar-Test-Signature.UNOFFICIAL"


def without_landlock():
    """In a child: for it, and for what it starts, there is no landlock_create_ruleset() (seccomp(2))."""
    number, no_new_privileges, set_seccomp, filter_mode = 444, 38, 22, 2
    no_such_call = 0x00050000 | errno.ENOSYS
    filters = b"".join(struct.pack("=HBBI", *one) for one in (
        (0x20, 0, 0, 0),  # load the call's number
        (0x15, 0, 1, number), (0x06, 0, 0, no_such_call), (0x06, 0, 0, 0x7fff0000)))
    buffer = ctypes.create_string_buffer(filters)
    program = struct.pack("@HP", len(filters) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0 or libc.prctl(set_seccomp, filter_mode, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no seccomp")


class OperateCase(ServiceCase):
    config = {"login": {"failure_milliseconds": 100}}

    def setUp(self):
        self.began = os.path.getsize(self.service.path("programs.log"))

    def log(self):
        """The lines since the test began."""
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            file.seek(self.began)
            return file.read().splitlines()

    def events(self, name, **wanted):
        """The events of that name and with these values in the audit log: what each daemon writes to its log."""
        return [event for event in self.service.events_logged(name, since=self.began)
                if all(event.get(key) == value for key, value in wanted.items())]

    def one_event(self, name, **wanted):
        found = wait_until(lambda: self.events(name, **wanted), 20, f"the event {name} {wanted}")
        self.assertEqual(len(found), 1, found)
        return found[0]

    def administrator(self, *words, command="clamscanner-scan", status=0):
        done = subprocess.run([self.service.installed_program(command), "--config", self.service.config_file, *words],
                              capture_output=True, text=True, check=False, timeout=300)
        self.assertEqual(done.returncode, status, (words, done.stdout, done.stderr))
        return done

    def scan_all(self, *words, status):
        """The result of a scan of these accounts, or of all."""
        return json.loads(self.administrator("--wait", "--json", *words, status=status).stdout)


class Logs(OperateCase):
    def test_each_daemon_says_that_it_is_ready(self):
        with open(self.service.path("programs.log"), encoding="utf-8") as file:
            ready = re.findall(r"^(\S+)\[\d+\]: info: ready, version \d+\.\d+\.\d+$", file.read(), re.MULTILINE)
        self.assertEqual(set(ready), {daemon.program for daemon in DAEMONS.values()})

    def test_what_was_done_about_infected_files_is_in_the_log(self):
        account, client = self.new_account()
        infected = [account.write(f"public_html/x{i}.php", EICAR) for i in range(40)]
        account.write("public_html/good.html", "good")
        client.scan("public_html")
        client.disinfect({**{path: "quarantine" for path in infected[:30]}, **{path: "delete" for path in infected[30:38]},
                          infected[38]: "ignore"})
        mine = {"account": account.name, "uid": account.uid}
        self.one_event("login", result="welcome", by="password", **{"from": "127.0.0.1"}, **mine)
        for what in ("scan", "disinfection"):
            asked = self.one_event(what, stage="asked", **mine)
            self.assertEqual((asked["by"], asked["from"]), ("owner", "127.0.0.1"))
        scan = self.one_event("scan", stage="ended", **mine)
        self.assertEqual((scan["result"], scan["scan_type"], scan["files"], scan["infected"], scan["unscanned"]),
                         ("completed", "public_html", 41, 40, 0))
        done = self.one_event("disinfection", stage="ended", **mine)
        self.assertEqual((done["result"], done["quarantined"], done["deleted"], done["no-action"]),
                         ("completed", 30, 8, 1))
        self.assertRegex(done["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        [row] = [row for row in client.call("list_quarantined_files") if row["file"] == infected[0]]
        client.call("restore_quarantined_files", {"ids": [row["id"]]})
        self.assertEqual(self.one_event("restoration", stage="ended", **mine)["restored"], 1)

    def test_a_job_that_ended_well_is_not_said_to_have_ended_early(self):
        account, client = self.new_account()
        path = account.write("x.php", EICAR)
        client.scan()
        client.disinfect({path: "delete"})
        time.sleep(1)  # the coordinator's own end
        self.assertEqual([line for line in self.log() if "ended early" in line or "jobd ended the job" in line], [])

    def test_refused_logins_name_only_accounts_that_exist(self):
        account, _ = self.new_account()
        self.service.client(user=account.name, password="wrong").ask("get_scan_status")
        self.service.client(user="my-secret-password", password="x").ask("get_scan_status")
        wrong = wait_until(lambda: len(found := self.events("login", result="wrong")) == 2 and found, 20, "both events")
        self.assertEqual({event.get("account") for event in wrong}, {account.name, None})
        self.assertNotIn("my-secret-password", "".join(self.log()))

    def test_a_polling_panel_is_one_login_in_the_audit_log(self):
        account, client = self.new_account()
        for _ in range(20):
            client.call("get_scan_status")
        self.assertEqual(len(self.events("login", account=account.name)), 1)

    def test_the_owner_sees_who_asked_for_what(self):
        account, client = self.new_account()
        path = account.write("x.php", EICAR)
        self.assertEqual(client.call("list_history"), [])
        client.scan()
        made = client.send("GET", "/execute/Tokens/create_full_access?name=ci").result()["data"]["token"]
        client.send("GET", "/execute/ClamScanner/start_scan?scan_type=home",
                    authorization=f"cpanel {account.name}:{made}")
        client.finish_scan()
        subprocess.run([self.service.installed_program("uapi"), "--config", self.service.config_file,
                        f"--user={account.name}", "ClamScanner", "start_scan", "scan_type=home"], check=True,
                       stdout=subprocess.DEVNULL)
        client.finish_scan()
        client.disinfect({path: "delete"})
        self.scan_all("--account", account.name, status=0)
        rows = client.call("list_history")
        self.assertEqual([(row["action"], row["by"], row["from"], row["result"]) for row in rows],
                         [("scan of home", "administrator", "", "completed"),
                          ("disinfection", "owner", "127.0.0.1", "completed"),
                          ("scan of home", "shell", "", "completed"),
                          ("scan of home", "token ci", "127.0.0.1", "completed"),
                          ("scan of home", "owner", "127.0.0.1", "completed")])
        self.assertRegex(rows[0]["message"], r"^\d+ files, 0 infected, 0 not scanned$")
        self.assertEqual(rows[1]["message"], "1 deleted")
        self.assertAlmostEqual(int(rows[0]["ended"]), time.time(), delta=60)
        [only] = client.call("list_history", {"api.filter_column": "by", "api.filter_type": "begins",
                                              "api.filter_term": "token", "api.columns": "action"})
        self.assertEqual(only, {"action": "scan of home"})
        self.assertEqual(client.call("list_history", documented=True, method="POST"), rows)
        _, other = self.new_account()
        self.assertEqual(other.call("list_history"), [])
        self.one_event("token", action="create", result="done", account=account.name, token="ci")


class Signatures(OperateCase):
    """By itself: while a database is broken, nothing is deleted."""

    def test_an_end_while_signatures_are_loaded_says_that_memory_may_lack(self):
        _, client = self.new_account()
        first = self.service.path("no-signatures", "first.ndb")  # else a scan would wait for what comes
        self.addCleanup(os.unlink, first)
        with open(first, "w", encoding="ascii") as file:
            file.write(f"Test-first:0:0:{b'found by the first database'.hex()}\n")
        client.scan()
        hosts = {process.pid for process in self.service.processes("clamscanner-engine") if process.depth == 1}
        path = self.service.path("no-signatures", "many.hdb")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        with open(path + ".new", "w", encoding="ascii") as file:
            file.writelines(f"{random.randbytes(16).hex()}:{1000 + i % 5000}:Many-{i}\n" for i in range(500_000))
        os.rename(path + ".new", path)
        client.call("start_scan", {"scan_type": "home"})  # with the old ones
        new = wait_until(lambda: [process.pid for process in self.service.processes("clamscanner-engine")
                                  if process.depth == 1 and process.pid not in hosts], 30, "the one that loads")
        os.kill(new[0], signal.SIGKILL)
        client.finish_scan()
        said = wait_until(lambda: [line for line in self.log() if "was loading the signatures" in line], 30, "its end")
        self.assertIn("was ended by signal 9", said[0])
        self.assertIn("Out of memory", said[0])
        os.unlink(path)
        client.scan()

    def test_the_librarys_lines_end_where_they_end(self):
        broken = self.service.path("no-signatures", "broken.ndb")
        self.addCleanup(lambda: os.path.exists(broken) and os.unlink(broken))
        with open(broken, "w", encoding="ascii") as file:
            file.write("this is no signature\n")
        _, client = self.new_account()

        def said_by_the_library():
            client.scan()
            return [line for line in self.log() if "libclamav: " in line]

        lines = wait_until(said_by_the_library, 60, "a line of the library's")
        self.assertEqual([line for line in lines if "\\x0a" in line], [])
        left_out = wait_until(lambda: [line for line in self.log() if "could not be loaded and is left out" in line], 60,
                              "the file's name")
        self.assertTrue(left_out and "broken.ndb" in left_out[0], left_out)
        self.assertIn("Remove it from " + os.path.dirname(broken), left_out[0])


class Starts(OperateCase):
    def refused_start(self, name, user):
        """A daemon that is started as another user than the configuration says."""
        process = self.service.launch([self.service.program(DAEMONS[name].program), "--config",
                                       self.service.config_file], user=user)
        self.assertEqual(process.wait(60), 78)
        return "\n".join(self.log())

    def test_a_program_that_runs_as_the_wrong_user_says_so_and_what_to_do(self):
        for name, wrong, key in (("fcgi", "jobd", "responder.users"), ("jobd", "engine", "jobs.user"),
                                 ("engine", "fcgi", "engine.user")):
            said = self.refused_start(name, self.service.users[wrong])
            self.assertRegex(said, rf"{self.service.config_file}, line \d+: {key}: this program runs as "
                                   rf"{self.service.users[wrong].pw_name} and not as {self.service.users[name].pw_name}")

    def test_an_unknown_peer_of_authd_is_named_with_what_it_would_take(self):
        user = self.service.users["jobd"]
        place = self.service.path("run/authd/login.sock")
        os.chmod(place, 0o666)
        self.addCleanup(os.chmod, place, 0o660)
        subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "python3", "-c",
                        f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect({place!r}); "
                        "s.recv(1)"], check=True, timeout=60)
        line = wait_until(lambda: [line for line in self.log() if f"uid {user.pw_uid} is none of those" in line], 20,
                          "authd's line")[0]
        self.assertIn("responder.users", line)

    def test_authd_refuses_mistakes_in_sections_that_others_use(self):
        wrong = self.service.path("wrong.toml")
        with open(self.service.config_file, encoding="utf-8") as file:
            text = file.read()
        with open(wrong, "w", encoding="utf-8") as file:
            file.write(text + "[scan]\nmail = \"/var/mail\"\npublic_ftp = 7\n")
        done = subprocess.run([self.service.program("clamscanner-authd"), "--config", wrong], capture_output=True,
                              text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 78)
        last = text.count("\n")
        for line, key in ((last + 2, "scan.mail"), (last + 3, "scan.public_ftp")):
            self.assertIn(f"{wrong}, line {line}: {key}: must be a directory below the home", done.stderr)

    def test_a_missing_pam_service_is_said_at_the_start(self):
        hidden = self.service.pam_file + ".hidden"
        self.service.stop("authd")
        os.rename(self.service.pam_file, hidden)
        try:
            self.service.start("authd")
        finally:
            os.rename(hidden, self.service.pam_file)
        self.assertTrue([line for line in self.log() if f"there is no PAM service {self.service.pam_file}" in line])


class Reload(OperateCase):
    def change(self, text):
        """A file beside the configuration, as a package puts one there."""
        directory = self.service.path("conf.d")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "50-test.toml"), "w", encoding="ascii") as file:
            file.write(text)

    def tearDown(self):
        self.change("")
        self.reload()

    def reload(self, *names, says="settings count|nothing that can change"):
        before = len(self.log())
        names = names or ("authd", "engine", "jobd")
        for name in names:
            self.service.running[name].send_signal(signal.SIGHUP)
        wait_until(lambda: sum(bool(re.search(says, line)) for line in self.log()[before:]) >= len(names), 30,
                   f"lines that say {says}")

    def test_settings_change_without_a_restart(self):
        account, client = self.new_account()
        account.write("files/mail/x", "x")
        self.assertEqual([row["id"] for row in client.call("get_scan_paths")], ["home"])
        pids = {name: self.service.pid(name) for name in DAEMONS}
        self.change("[scan]\nmail = \"files/mail\"\nhome = false\n[login]\naccount_failures = 2\n")
        self.reload()
        wait_until(lambda: [row["id"] for row in client.call("get_scan_paths")] == ["mail"], 20, "the new paths")
        self.assertEqual(client.result("start_scan", {"scan_type": "home"})["status"], 0)
        self.assertEqual(client.scan("mail")["total_file_count"], 1)
        stranger = self.service.client(user=account.name, password="wrong", source="127.0.0.9")
        statuses = []
        for attempt in range(4):
            stranger.password = f"wrong {attempt}"
            statuses.append(stranger.ask("get_scan_status").status)
        self.assertEqual(statuses, [401, 401, 429, 429])
        self.assertEqual({name: self.service.pid(name) for name in DAEMONS}, pids)

    def test_a_bad_file_keeps_the_old_settings_and_says_so(self):
        _, client = self.new_account()
        self.change("[scan]\nhome = 7\n[login]\naccount_failures = 0\n")
        self.reload(says="the old settings stay in force")
        for key, line in (("scan.home", 2), ("login.account_failures", 4)):
            wait_until(lambda says=f"50-test.toml, line {line}: {key}: ": sum(says in text for text in self.log()) == 3, 30,
                       f"each daemon to say it of {key}")
        self.assertEqual([row["id"] for row in client.call("get_scan_paths")], ["home"])
        client.scan()

    def test_what_needs_a_restart_is_named(self):
        self.change("[login]\nuid_floor = 999\n")
        self.reload("authd", says="count only after a restart: login.uid_floor")

    def test_the_engines_limits_change_and_no_scan_waits(self):
        account, client = self.new_account()
        account.write("large", b"x" * 4096)
        client.scan()
        self.assertEqual(client.call("list_unscanned_files"), [])
        self.change("[engine]\nmax_file_bytes = 2048\n")
        self.reload("engine")

        def is_too_large():
            client.call("start_scan", {"scan_type": "home", "full": 1})
            client.finish_scan(10)
            return [row["reason"] for row in client.call("list_unscanned_files")] == ["too large"]

        wait_until(is_too_large, 60, "a scan with the new limit")


class ScanOfAll(OperateCase):
    def test_its_result_comes_as_text_and_as_json(self):
        infected, client = self.new_account()
        clean, _ = self.new_account()
        infected.write("a.php", EICAR)
        infected.write("b.php", EICAR)
        clean.write("good", "good")
        os.chmod(clean.write("private", "x"), 0)
        done = self.scan_all("--account", infected.name, clean.name, status=1)
        self.assertEqual((done["accounts"], done["done"], done["infected"], done["not_scanned"], done["cancelled"]),
                         (2, 2, 2, 1, 0))
        self.assertEqual(done["not_scanned_by_reason"], {"unreadable": 1})
        self.assertGreaterEqual(done["files"], 4)
        status = self.administrator("--status")
        self.assertIn("infected\t2\n", status.stdout)
        self.assertIn("not scanned: unreadable\t1\n", status.stdout)
        self.assertEqual(json.loads(self.administrator("--status", "--json").stdout), done)
        self.assertEqual(self.scan_all("--account", clean.name, status=0)["infected"], 0)
        begun = self.one_event("scan of all accounts", stage="begun", accounts=2)
        self.assertEqual(begun["by"], "administrator")
        self.scan_all("--scheduled", "--account", clean.name, status=0)
        self.one_event("scan of all accounts", stage="begun", by="schedule")
        self.administrator("--account", "root", status=64)
        self.administrator("--account", "nobody-of-that-name", status=64)

    def test_it_can_be_cancelled(self):
        accounts = [self.new_account()[0] for _ in range(6)]
        for account in accounts:
            account.write("file", account.name)
        with self.service.stopped("engine"):
            waiting = subprocess.Popen([self.service.installed_program("clamscanner-scan"), "--config",
                                        self.service.config_file, "--wait", "--json", "--account",
                                        *(account.name for account in accounts)], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            wait_until(lambda: "ended\tno" in self.administrator("--status").stdout, 60, "the scan's begin")
            self.administrator("--cancel")
        output, errors = waiting.communicate(timeout=120)
        self.assertEqual(waiting.returncode, 2, (output, errors))
        done = json.loads(output)
        self.assertEqual((done["cancelled"], done["infected"]), (1, 0))
        self.assertEqual(done["done"] + done["left_out"], 6)
        self.assertGreater(done["not_completed"] + done["left_out"], 0)
        self.assertEqual(self.administrator("--cancel", status=75).stdout, "")

    def test_what_one_signature_found_is_quarantined_in_all_accounts(self):
        found = {}
        clients = {}
        for number in range(3):
            account, client = self.new_account()
            found[account.name] = [account.write(f"{name}.php", EICAR) for name in ("a", "b")[:1 + number % 2]]
            clients[account.name] = client
        self.scan_all("--account", *found, status=1)
        listed = [line.split("\t") for line in self.administrator("--finds", VIRUS).stdout.splitlines()]
        mine = sorted((account, path) for signature, account, path in listed
                      if signature == VIRUS and account in found)
        self.assertEqual(mine, sorted((name, path) for name, paths in found.items() for path in paths))
        self.assertEqual(self.administrator("--finds", "No.Such-1").stdout, "")
        rows = [json.loads(line) for line in self.administrator("--finds", "--json").stdout.splitlines()]
        told = next(row for row in rows if (row["account"], row["file"]) == mine[0])
        # The same as its owner is told.
        self.assertIn({key: value for key, value in told.items() if key != "account"},
                      clients[mine[0][0]].call("list_infected_files"))
        self.assertEqual((told["virus_type"], told["size"]), (VIRUS, str(len(EICAR))))

        dry = self.administrator("--quarantine", VIRUS)
        self.assertIn("would be quarantined", dry.stderr)
        self.assertTrue(all(os.path.exists(path) for paths in found.values() for path in paths), "only said")

        done = [json.loads(line) for line in self.administrator("--quarantine", VIRUS, "--yes", "--json").stdout.splitlines()]
        by_account = {row["account"]: row for row in done}
        for name, paths in found.items():
            self.assertEqual((by_account[name]["result"], by_account[name]["quarantined"]), ("completed", len(paths)))
            self.assertFalse(any(os.path.exists(path) for path in paths))
            rows = clients[name].call("list_quarantined_files")
            self.assertEqual(sorted(row["file"] for row in rows), sorted(paths))
            self.assertEqual(clients[name].call("list_history")[0]["by"], "administrator")
            self.one_event("disinfection", stage="ended", account=name, by="administrator", quarantined=len(paths))
        self.assertEqual([line for line in self.administrator("--finds", VIRUS).stdout.splitlines()
                          if line.split("\t")[1] in found], [])

    def test_wrong_combinations_are_refused(self):
        for words in ((), ("--all", "--status"), ("--status", "--wait"), ("--all", "--yes"), ("--finds", "a", "b"),
                      ("--all", "somebody"), ("--allow", "x", "--cancel")):
            self.administrator(*words, status=64)


class Status(OperateCase):
    def status(self, *words, config=None, **how):
        """What it says, and its exit status."""
        done = subprocess.run([self.service.installed_program("clamscanner-status"), "--config",
                               config or self.service.config_file, *words], capture_output=True, text=True, check=False,
                              timeout=120, **how)
        self.assertEqual(done.stderr, "")
        return done.stdout, done.returncode

    def problems(self, *words, **how):
        said, status = self.status("--json", *words, **how)
        health = json.loads(said)
        self.assertEqual(health["state"], ("OK", "WARNING", "CRITICAL", "UNKNOWN")[status])
        return {problem["what"]: problem["advice"] for problem in health["problems"]}

    def put_database(self, days_old):
        """Only its header is looked at here; the engine leaves it out."""
        path = self.service.path("no-signatures", "daily.cvd")
        header = f"ClamAV-VDB:16 Sep 2021 08-32 -0400:27022:42:90:0:0:neo:{int(time.time()) - days_old * 86400}"
        with open(path, "w", encoding="ascii") as file:
            file.write(header.ljust(512))
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))

    def test_a_missing_database_and_an_old_one_are_said_with_what_to_do(self):
        [(what, advice)] = self.problems().items()
        self.assertIn(self.service.path("no-signatures"), what)
        self.assertIn("clamav-freshclam", advice)
        said, status = self.status()
        self.assertEqual((status, said.splitlines()[0]), (2, f"CRITICAL: {what}"))
        self.put_database(30)
        [(what, _)] = self.problems().items()
        self.assertIn("30 days old", what)
        self.assertEqual(self.status()[1], 1)
        self.put_database(1)
        said, status = self.status()
        self.assertEqual((status, said.splitlines()[0]), (0, "OK: all is well"))
        self.assertIn("daily.cvd, version 27022, 1 days old", said)

    def test_what_does_not_run_is_said(self):
        self.put_database(1)
        for name, program in (("engine", "clamscanner-engine"), ("authd", "clamscanner-authd"),
                              ("jobd", "clamscanner-jobd"), ("fcgi", "clamscanner.fcgi")):
            self.service.stop(name)
            try:
                self.assertIn(f"{program} does not run", self.problems())
                self.assertEqual(self.status()[1], 2)
            finally:
                self.service.start(name)
        self.assertEqual(self.problems(), {})

    def test_a_damaged_database_is_said_with_what_to_do(self):
        database = self.service.path("state", "jobs.sqlite")
        self.service.stop("jobd")
        with open(database, "rb") as file:
            content = file.read()
        try:
            with open(database, "wb") as file:
                file.write(random.randbytes(len(content)))
            with self.assertRaisesRegex(RuntimeError, "does not start"):
                self.service.start("jobd")
            with open(database, "rb") as file:
                self.assertNotEqual(file.read(16), b"SQLite format 3\0", "it was begun anew by itself")
        finally:
            with open(database, "wb") as file:
                file.write(content)
            self.service.start("jobd")
        [said] = [line for line in self.log() if "fatal: " in line]
        self.assertIn(f"{database}: file is not a database", said)
        self.assertIn("restore it from a backup, or move it away", said)

    def test_the_queue_the_running_jobs_and_the_quarantine_are_shown(self):
        account, client = self.new_account()
        path = account.write("x.php", EICAR)
        client.scan()
        client.disinfect({path: "quarantine"})
        health = json.loads(self.status("--json")[0])
        self.assertGreaterEqual(health["quarantined_files"], 1)
        self.assertGreater(health["signatures"]["loaded"], 0)
        self.assertGreater(health["database_bytes"], 0)
        with self.service.stopped("engine"):
            client.call("start_scan", {"scan_type": "home"})
            job = wait_until(lambda: json.loads(self.status("--json")[0])["running"], 60, "a running job")[0]
            self.assertEqual((job["account"], job["action"]), (account.name, "scan"))
        client.finish_scan()

    def test_the_check_finds_a_web_server_that_may_not_open_the_socket(self):
        web = "www-data"
        try:
            group = grp.getgrnam(web).gr_gid
        except KeyError:
            self.skipTest(f"SKIPPED: there is no user {web} here")
        place = self.service.path("run/fcgi/fcgi.sock")
        before = os.stat(place)
        self.addCleanup(os.chown, place, before.st_uid, before.st_gid)
        os.chown(place, before.st_uid, self.service.users["jobd"].pw_gid)
        wrong = [what for what in self.problems("--check") if f"may not open {place}" in what]
        self.assertEqual(len(wrong), 1)
        self.assertIn(web, wrong[0])
        os.chown(place, before.st_uid, group)
        self.assertEqual([what for what in self.problems("--check") if "may not open" in what], [])

    def test_the_check_finds_faults_of_the_configuration_and_a_missing_pam_service(self):
        self.assertEqual([what for what in self.problems("--check") if "PAM" in what], [])
        hidden = self.service.pam_file + ".hidden"
        os.rename(self.service.pam_file, hidden)
        try:
            [what] = [what for what in self.problems("--check") if "PAM" in what]
        finally:
            os.rename(hidden, self.service.pam_file)
        self.assertIn(self.service.pam_file, what)

    def test_the_check_finds_a_kernel_without_landlock(self):
        def lacks(**how):
            return {what: advice for what, advice in self.problems("--check", **how).items() if "Landlock" in what}

        self.assertEqual(lacks(), {})
        [(what, advice)] = lacks(preexec_fn=without_landlock).items()
        self.assertEqual(what, "this kernel has no Landlock")
        self.assertIn("Linux 5.13", advice)

    def test_the_check_finds_a_home_that_does_not_answer(self):
        account = self.service.add_account("hanging")
        files = HangingFiles(account.home, account)
        try:
            files.hang()
            found = {what: advice for what, advice in self.problems("--check").items() if account.name in what}
        finally:
            files.end()
        [(what, advice)] = found.items()
        self.assertIn(f"{account.home} of {account.name} does not answer", what)
        self.assertIn("mend it", advice)
        self.assertEqual([what for what in self.problems("--check") if account.name in what], [])

    def test_a_disk_that_is_nearly_full_is_said(self):
        small = self.service.path("small")
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        config = self.service.path("small.toml")
        with open(self.service.config_file, encoding="utf-8") as file:
            text = file.read()
        with open(config, "w", encoding="utf-8") as file:
            file.write(text.replace(json.dumps(self.service.path("state")), json.dumps(small)))
        said = [(what, advice) for what, advice in self.problems(config=config).items() if "MiB are free" in what]
        [(what, advice)] = said
        self.assertIn(small, what)
        self.assertTrue(advice)
        self.assertEqual([what for what in self.problems() if "MiB are free" in what], [])

    def test_figures_are_open_metrics_without_any_accounts_name(self):
        account, client = self.new_account()
        account.write("x.php", EICAR)
        os.chmod(account.write("private", "x"), 0)
        client.scan()
        wanted = {'clamscanner_logins_total{by="password",result="welcome"}', "clamscanner_infected_files_total",
                  'clamscanner_jobs_total{kind="scan",result="completed"}', "clamscanner_free_bytes",
                  'clamscanner_unscanned_files_total{reason="unreadable"}', "clamscanner_scanned_bytes_total",
                  'clamscanner_engine_loads_total{result="loaded"}', 'clamscanner_daemon_up{daemon="clamscanner-jobd"}',
                  "clamscanner_jobs_waiting", "clamscanner_quarantined_files"}

        def figures():
            said, status = self.status("--metrics")
            self.assertEqual((status, said.splitlines()[-1]), (0, "# EOF"))
            self.assertNotIn(account.name, said)
            family = None
            values = {}
            for line in said.splitlines()[:-1]:
                if found := re.match(r"# (TYPE|HELP) (\S+) (.+)$", line):
                    family = found[2]
                    continue
                sample, _, value = line.rpartition(" ")
                name = sample.partition("{")[0]
                self.assertEqual(name.removesuffix("_total"), family, "a sample of another family")
                values[sample] = int(value)
            return values if wanted <= set(values) else None

        values = wait_until(figures, 40, f"all of {wanted}")  # they are written every ten seconds
        self.assertGreaterEqual(values["clamscanner_infected_files_total"], 1)

    def test_only_root_can_use_it(self):
        account, _ = self.new_account()
        done = subprocess.run([self.service.installed_program("clamscanner-status")], user=account.uid,
                              group=account.gid, extra_groups=[], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (77, ""))


class AuditFile(OperateCase):
    @classmethod
    def site(cls, service):
        # Before any daemon starts.
        directory = service.path("audit")
        os.mkdir(directory, 0o755)
        os.mkdir(os.path.join(directory, "jobd"), 0o750)
        os.chown(os.path.join(directory, "jobd"), service.users["jobd"].pw_uid, service.users["jobd"].pw_gid)
        return super().site(service)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # As an administrator would: a file beside the configuration, and a reload.
        os.mkdir(cls.service.path("conf.d"))
        with open(cls.service.path("conf.d", "audit.toml"), "w", encoding="utf-8") as file:
            file.write(f"[audit]\ndirectory = \"{cls.service.path('audit')}\"\n")
        for name in ("authd", "jobd"):
            cls.service.running[name].send_signal(signal.SIGHUP)

    def lines_of(self, name):
        try:
            with open(self.service.path("audit", name), encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def test_events_are_in_files_that_may_be_moved_away(self):
        account, client = self.new_account()
        client.scan()
        authd = wait_until(lambda: self.lines_of("authd.jsonl"), 20, "authd's file")
        jobd = wait_until(lambda: self.lines_of("jobd/jobd.jsonl"), 20, "jobd's file")
        self.assertIn(("login", account.name), [(event["event"], event.get("account")) for event in authd])
        self.assertIn(("scan", account.name), [(event["event"], event["account"]) for event in jobd])
        for name in ("authd.jsonl", "jobd/jobd.jsonl"):
            self.assertEqual(os.stat(self.service.path("audit", name)).st_mode & 0o777, 0o640)
            os.rename(self.service.path("audit", name), self.service.path("audit", name + ".1"))
        other, _ = self.new_account()
        self.administrator("add", other.name, command="clamscanner-keys")
        events = [(event["event"], event["account"]) for event in self.lines_of("authd.jsonl")]
        self.assertEqual(events, [("login", other.name), ("key", other.name)])


if __name__ == "__main__":
    main()
