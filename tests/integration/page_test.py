"""The owner's page in a real browser (Debian's chromium, driven by tests/page): every task as an owner would do it,
hostile names, the catalogue of texts, accessibility, and what its headers promise. Screenshots stay in the build
directory, in page-screenshots.

Installing what drives the browser asks npm's registry, once for each change of the lock file. The browser visits
nothing but the service."""

import contextlib
import email
import email.policy
import hashlib
import http.client
import json
import os
import re
import sqlite3
import subprocess

from cancel_test import encrypted_zip
from client import wait_until
from mail_receiver import MailReceiver
from schedule_test import AHEAD_SECONDS, ScheduleCase
from service_case import SOAK, ServiceCase, main
from test_files import EICAR, SlowFiles
from web_front import ROOT

HERE = os.path.join(ROOT, "tests", "page")
PACKAGES = os.path.join(HERE, "node_modules")
PAGE = os.path.join(ROOT, "handlers", "page")
PAGE_ADDRESS = "https://panel.example/ClamScanner/"
WALK_SECONDS = 900 if SOAK else 170
MANY = 100_000 if SOAK else 3000
SIGNATURE_HEX = "<found by {}>"
HOSTILE_FILES = [b"<img src=x onerror=hacked=1>", b"<script>hacked=1<!--", b"'\"><b>bold", b"new\nline\r\ttab",
                 "\u202egnp.exe".encode(), b"\xff\xfe bytes", b"back\\slash \\xff", b"&lt;i&gt;&amp;", b"a" * 250,
                 b"${hacked=1}{{7*7}}{user}", "zero\u200bwidth".encode(), b"javascript:hacked=1", b" "]
HOSTILE_SIGNATURES = ["<img/src=x/onerror=hacked=1>", "<b>bold</b>", "{user}", "&lt;i&gt;", "A" * 200]


def install_packages():
    """What the lock file says, unless it is there already."""
    with open(os.path.join(HERE, "package-lock.json"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    mark = os.path.join(PACKAGES, ".lock-sha256")
    if os.path.exists(mark):
        with open(mark, encoding="ascii") as file:
            if file.read() == wanted:
                return
    done = subprocess.run(["npm", "ci"], cwd=HERE, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"npm ci: {done.stdout}{done.stderr}")
    with open(mark, "w", encoding="ascii") as file:
        file.write(wanted)


class PageCase(ServiceCase):
    signatures = {}  # name -> the text that a file has which is found by it

    @classmethod
    def setUpClass(cls):
        install_packages()
        super().setUpClass()
        lines = [f"{name}:0:*:{text.encode().hex()}\n" for name, text in cls.signatures.items()]
        if lines:
            with open(cls.service.path("no-signatures/own.ndb"), "w", encoding="utf-8") as file:
                file.writelines(lines)

    def setUp(self):
        self.account, self.client = self.new_account()

    def walk(self, name, **order):
        order = {"base": f"http://127.0.0.1:{self.service.front.port}", "user": self.account.name,
                 "password": self.account.password,
                 "pictures": os.path.join(self.service.build, "page-screenshots", self.service.front_name), **order}
        done = subprocess.run(["node", "run.mjs", name], cwd=HERE, input=json.dumps(order), capture_output=True,
                              text=True, timeout=WALK_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def tokens_of_the_page(self):
        answer = self.client.send("GET", "/execute/Tokens/list")
        return [row for row in answer.result()["data"] if row["name"].startswith("page-")]


class AnOwnersDay(PageCase):
    signatures = {"Php.Webshell.Test-1": "<?php /* a web shell of the tests */",
                  "PUA.Html.Test-2": "an unwanted program of the tests"}

    def test_first_visit(self):
        seen = self.walk("firstVisit")
        tokens = self.tokens_of_the_page()
        self.assertEqual([token["name"] for token in tokens], [seen["session"]["name"]])
        life = tokens[0]["expires_at"] - tokens[0]["create_time"]
        self.assertTrue(7000 < life <= 7260, f"the token of the page lives for {life} seconds")

    def test_a_day(self):
        shell = "<?php /* a web shell of the tests */ <script>hacked=1</script>\n&lt;\tend"
        text = self.account.write("public_html/shell.php", shell)
        moved = self.account.write("public_html/moved.html", "an unwanted program of the tests")
        doomed = self.account.write("public_html/doomed.bin", b"\x00\x01\xff" + b"<?php /* a web shell of the tests */")
        kept = self.account.write("mail/kept", EICAR)
        encrypted = self.account.write("secret.zip", encrypted_zip())
        self.account.write("public_html/index.html", "<p>fine</p>")
        seen = self.walk("day", found=[text, moved, doomed, kept], text={"path": text, "content": shell}, doomed=doomed,
                         moved=moved, encrypted=encrypted)
        self.assertRegex(seen["name"], r"^virus-scan-\d{4}-\d\d-\d\d\.json$")
        saved = seen["saved"]
        self.assertEqual({row["file"] for row in saved["infected_files"]}, {text, moved, kept})
        self.assertEqual({row["file"]: row["size"] for row in saved["infected_files"]},
                         {path: str(os.path.getsize(path)) for path in (text, moved, kept)})
        self.assertTrue(all(row["changed"] and row["first_found"] and row["time"] for row in saved["infected_files"]))
        self.assertEqual([row["file"] for row in saved["unscanned_files"]], [encrypted])
        self.assertEqual((saved["account"], saved["quarantined_files"]), (self.account.name, []))
        self.assertEqual(len(saved["history"]), 4)
        self.assertEqual((saved["ignored_files"], saved["schedule"]["frequency"]), ([], "never"))
        self.assertEqual(self.tokens_of_the_page(), [], "logging out revokes the token")

    def test_what_an_earlier_version_did_not_record_is_unknown(self):
        path = self.account.write("public_html/eicar", EICAR)
        self.client.scan()
        with contextlib.closing(sqlite3.connect(self.service.path("state/jobs.sqlite"), timeout=30)) as database:
            with database:
                done = database.execute("UPDATE find SET size = NULL, changed_ms = NULL, first_ms = NULL WHERE path = ?",
                                        (os.fsencode(path),))
        self.assertEqual(done.rowcount, 1)
        [row] = self.client.call("list_infected_files")
        self.assertEqual((row["size"], row["changed"], row["first_found"]), ("", "", ""))
        self.walk("unknownFacts", path=path)

    def test_clean_is_said_only_of_what_was_scanned(self):
        self.account.write("one", "fine")
        self.account.write("two", "fine, too")
        # The log of the scan before would be a further file.
        self.walk("clean", total=2)
        self.account.write("secret.zip", encrypted_zip())
        self.walk("notAllScanned")

    def test_answers_of_different_moments_are_not_put_together(self):
        self.account.write("one", "fine")
        self.walk("answersOfDifferentMoments", infected=self.account.path("eicar"), content=EICAR.decode())

    def test_a_panels_session(self):
        self.assertIn("/cpsess0123456789/ClamScanner/", self.walk("belowASession", prefix="/cpsess0123456789"))

    def test_the_keyboard_alone(self):
        self.walk("keyboardAlone", infected=[self.account.write("public_html/eicar", EICAR)])

    def test_a_page_that_is_full_of_tokens_makes_room_of_its_own(self):
        for name in ("page-of-mine", *(f"page-{number:016x}" for number in range(15))):
            self.client.send("POST", f"/execute/Tokens/create_limited?name={name}")
        self.walk("belowASession", prefix="/cpsess1")
        names = [token["name"] for token in self.tokens_of_the_page()]
        self.assertEqual(len(names), 16)
        self.assertIn("page-of-mine", names)
        self.assertNotIn(f"page-{0:016x}", names)

    def test_what_was_dealt_with_meanwhile(self):
        infected = self.account.write("eicar", EICAR)
        self.client.scan()
        self.walk("dealtWithMeanwhile", infected=infected)

    def test_answers_that_come_late(self):
        one, other = (self.account.write(f"public_html/{name}.php", EICAR) for name in ("one", "other"))
        self.client.scan()
        self.walk("lateAnswers", one=one, other=other)

    def test_what_was_left_alone_is_not_called_done(self):
        path = self.account.write("public_html/one.php", EICAR)
        self.client.scan()
        self.account.write("public_html/one.php", "fine by now")
        self.walk("notEverythingDone", path=path)

    def test_a_session_ends(self):
        kept = self.walk("sessionsEnd")["kept"]
        [token] = self.tokens_of_the_page()
        answer = self.client.send("GET", "/execute/ClamScanner/get_scan_status",
                                  authorization=f"cpanel {self.account.name}:{kept}")
        self.assertEqual((answer.status, token["state"]), (200, "valid"))


class WithoutSignatures(PageCase):
    def test_nothing_is_called_clean(self):
        self.account.write("one", "fine")
        self.walk("notAFullScan")


class AnAddress(PageCase):
    def test_is_confirmed_by_the_link_in_its_mail(self):
        address = "owner@mail.example"
        self.client.call("set_notifications", {"address": address})
        state = f"file:{self.service.path('state/jobs.sqlite')}?mode=ro"
        with contextlib.closing(sqlite3.connect(state, uri=True)) as database:
            [(code,)] = database.execute("SELECT code FROM notified_account WHERE code > x''")
        self.walk("confirmedAddress", code=code.decode(), address=address)
        self.assertEqual(self.client.call("get_notifications")["address"], address)


WRONG = "a text that a signature is wrong about"


class Ignoring(PageCase):
    signatures = {"Test-Wrong-1": WRONG}

    def setUp(self):
        super().setUp()
        self.wrong = self.account.write("public_html/wrong.php", f"<?php // {WRONG} ?>")

    def test_a_find_that_is_fine(self):
        self.walk("ignoring", wrong=self.wrong, bad=self.account.write("eicar", EICAR))
        [row] = self.client.call("list_ignored_files")
        self.assertEqual((row["by"], row["reason"], row["expires"]), ("owner", "still ours", "0"))
        self.assertEqual([row["file"] for row in self.client.call("list_infected_files")], [self.wrong])

    def test_copies_of_it(self):
        copy = self.account.write("copy", f"<?php // {WRONG} ?>")
        self.client.scan()
        self.walk("copiesAreIgnoredTogether", wrong=self.wrong, copy=copy)

    def test_what_the_administrator_ignores(self):
        def administrate(*words):
            subprocess.run([self.service.installed_program("clamscanner-scan"), "--config", self.service.config_file,
                            "--ignore", *words], check=True, capture_output=True)
        administrate("add", "--signature", "Test-Wrong-1.UNOFFICIAL", "--reason", "a wrong signature")
        self.walk("administratorsIgnoring", wrong=self.wrong)
        [row] = self.client.call("list_ignored_files")
        administrate("remove", row["id"])


class Schedules(PageCase):
    def test_an_owner_sets_one(self):
        self.account.write("public_html/index.html", "<p>fine</p>")
        self.walk("schedule")
        known = self.client.call("get_schedule")
        self.assertEqual((known["frequency"], known["day"], known["hour"], known["scan_type"]),
                         ("weekly", "monday", 3, "home"))

    def test_by_the_keyboard_alone(self):
        self.account.write("public_html/eicar", EICAR)
        self.client.scan()
        self.walk("keyboardForSettings")
        self.assertEqual(len(self.client.call("list_ignored_files")), 1)


class MailedPageCase(PageCase):
    """With what sends mails, and a mail server that keeps them."""
    with_notifyd = True

    @classmethod
    def setUpClass(cls):
        cls.receiver = cls.enterClassContext(MailReceiver())
        cls.config = {**cls.config, "notifications": {"smtp_port": cls.receiver.port, "page_url": PAGE_ADDRESS}}
        super().setUpClass()

    def mail_to(self, recipient):
        """The text of the latest."""
        def look():
            mails = [mail for mail in self.receiver.received if mail.recipient == recipient]
            return mails and email.message_from_bytes(mails[-1].data, policy=email.policy.default).get_content()
        return wait_until(look, 60, f"a mail to {recipient}").replace("\r\n", "\n")


class Mails(MailedPageCase):
    def test_an_owner_sets_where_they_go(self):
        first, second = "first@elsewhere.example", "second@elsewhere.example"
        self.walk("anAddressIsSet", address=first)
        text = self.mail_to(first)
        link = re.search(re.escape(PAGE_ADDRESS) + r"(#confirm=[0-9a-f]+)$", text, re.MULTILINE)
        self.walk("anAddressIsConfirmed", address=first, hash=link[1])
        self.walk("anAddressIsSet", address=second)
        code = re.search(r"#confirm=([0-9a-f]+)$", self.mail_to(second), re.MULTILINE)[1]
        history = self.walk("aCodeIsGiven", address=second, code=code)
        known = self.client.call("get_notifications")
        self.assertEqual((known["address"], known["enabled"], known["unconfirmed_address"]), (second, 0, ""))
        local, page, password = "the account's mailbox on this host", "You, on this page", "You, with your password"
        change, confirmation = "Change of the mails about infected files", "Confirmation of a mail address"
        self.assertEqual([tuple(row) for row in history], [(what, "completed", text, f"{who} 127.0.0.1") for what, text, who in (
            (change, "mails about infected files are switched off", password),
            (confirmation, f"mails go to {second}; before: {first}", page),
            (change, f"a code was sent to {second}; until it is confirmed, mails go to {first}", password),
            (confirmation, f"mails go to {first}; before: {local}", page),
            (change, f"a code was sent to {first}; until it is confirmed, mails go to {local}", password))])


class ANight(MailedPageCase, ScheduleCase):
    """The scan that finds something begins by itself."""
    signatures = {"Test-Wrong-1": WRONG}

    def setUp(self):
        ScheduleCase.setUp(self)
        MailedPageCase.setUp(self)

    def test_an_owner_is_infected_at_night(self):
        self.account.write("public_html/index.html", "<p>fine</p>")
        self.walk("theEveningBefore")
        wrong = self.account.write("public_html/wrong.php", f"<?php // {WRONG} ?>")
        bad = self.account.write("public_html/eicar", EICAR)
        self.restart_where(self.client.call("get_schedule")["next_time"], AHEAD_SECONDS)
        self.ended(self.client, 1)
        mail = self.mail_to(f"{self.account.name}@localhost")
        for part in (wrong, bad, PAGE_ADDRESS):
            self.assertIn(part, mail)
        history = self.walk("theMorningAfter", wrong=wrong, bad=bad)
        scan, page = "Scan of the whole home directory", "You, on this page 127.0.0.1"
        password = "You, with your password 127.0.0.1"
        self.assertEqual([(action, result, by) for action, result, _, by in history], [
            (scan, "completed", page),
            ("Ignoring of infected files", "completed", password),
            ("Restoring or deleting of files in quarantine", "completed", page),
            ("Quarantine or deletion of infected files", "completed", page),
            (scan, "completed", "A schedule"),
            ("Change of the schedule", "completed", page),
            (scan, "completed", page)])
        self.assertIn("1 ignored", history[0][2])
        self.assertRegex(history[1][2], rf"^1 file: {re.escape(wrong)} \(Test-Wrong-1\.UNOFFICIAL\); until .* UTC; "
                                        r"reason: made by us$")
        self.assertEqual(history[5][2], "daily from 03:00 to 04:00, scan of home; before: never")


class QuarantinedByItself(PageCase, ScheduleCase):
    config = {"jobs": {"retry_seconds": 1}, "quarantine": {"automatic": "all"}}

    def setUp(self):
        ScheduleCase.setUp(self)
        PageCase.setUp(self)

    def test_its_owner_is_told_and_can_undo_it(self):
        bad = self.account.write("public_html/eicar", EICAR)
        self.client.call("set_schedule", {"frequency": "daily", "hour": 3, "scan_type": "home"})
        self.restart_where(self.client.call("get_schedule")["next_time"], AHEAD_SECONDS)
        self.ended(self.client, 1, "disinfection")
        self.walk("quarantinedByItself", bad=bad)
        self.assertTrue(os.path.exists(bad))


class NoSchedules(PageCase):
    config = {"schedules": {"allowed": False}}

    def test_nothing_can_be_set(self):
        self.walk("noSchedules")


class TheQueue(PageCase):
    config = {"jobs": {"max_running": 1}}
    signatures = {"Test-Wrong-1": WRONG}

    def test_its_place_is_shown(self):
        slow = SlowFiles()
        first, second = (self.new_account(kind) for kind in ("first", "second"))
        for number in range(60):
            first[0].write(f"{number}.gz", slow.archive(number))
        self.account.write("public_html/index.html", "<p>fine</p>")
        for _, client in (first, second):
            client.call("start_scan", {"scan_type": "home"})
        self.walk("waitingForItsTurn", start=True, place="At the moment 1 job comes before it.")
        second[1].call("cancel_scan")
        self.walk("waitingForItsTurn", start=False, place="At the moment it is the next.")
        first[1].call("cancel_scan")
        self.walk("nobodyBefore")


class ASlowScan(PageCase):
    def test_goes_on_while_the_tab_is_closed(self):
        slow = SlowFiles()
        for number in range(40):
            self.account.write(f"public_html/{number}.gz", slow.archive(number))
        self.walk("closedTab")


class ManyFinds(PageCase):
    def test_only_a_page_of_them_is_shown_and_all_can_be_chosen(self):
        for number in range(MANY):
            self.account.write(f"public_html/{number:06}", EICAR)
        self.client.scan(seconds=WALK_SECONDS)
        print("seconds:", self.walk("manyFinds", total=MANY, one=f"{MANY - 7:06}"))
        self.walk("quarantineAll", total=MANY, patience=WALK_SECONDS - 30)
        self.assertEqual(os.listdir(self.account.path("public_html")), [])


class Appearance(PageCase):
    signatures = {"Test-Wrong-1": WRONG}

    def setUp(self):
        super().setUp()
        self.infected = [self.account.write(f"public_html/eicar {number}", EICAR) for number in range(3)]
        self.account.write("public_html/" + "long-name-" * 20, EICAR)
        self.account.write("secret.zip", encrypted_zip())
        self.account.write("mail/moved", EICAR)
        self.client.scan()
        self.client.disinfect({self.account.path("mail/moved"): "quarantine"})
        ignored = self.account.write("ignored", WRONG)
        self.client.scan()
        self.client.call("ignore_files", {"files": [ignored], "reason": "fine"})
        self.client.call("set_schedule", {"frequency": "daily", "hour": 5, "scan_type": "home"}, method="POST")

    def test_it_is_accessible_at_every_width_light_and_dark(self):
        self.walk("accessible", infected=self.infected)

    def test_every_text_is_in_the_catalogue(self):
        self.walk("allTextsAreInTheCatalogue", infected=self.infected)


class HostileNames(PageCase):
    signatures = {name: f"found by {number}" for number, name in enumerate(HOSTILE_SIGNATURES)}

    def test_they_are_text(self):
        home = os.fsencode(self.account.home)
        for number, name in enumerate(HOSTILE_FILES):
            path = os.path.join(home, name)
            with open(path, "wb") as file:
                file.write(f"found by {number % len(HOSTILE_SIGNATURES)}".encode())
            os.chown(path, self.account.uid, self.account.gid)
        seen = self.walk("hostileNames", found=len(HOSTILE_FILES))
        start = self.account.home + "/"
        self.assertEqual(sorted(seen["shown"]), sorted(seen["moved"]))
        self.assertEqual(sorted(seen["shown"]), sorted(seen["ignored"]))
        wanted = {"<img src=x onerror=hacked=1>", r"new\nline\r\ttab", r"\u202egnp.exe", r"\xff\xfe bytes",
                  r"back\\slash \\xff", "&lt;i&gt;&amp;", "${hacked=1}{{7*7}}{user}", r"zero\u200bwidth", " "}
        self.assertLessEqual({start + name for name in wanted}, set(seen["shown"]))
        self.assertEqual({name.removesuffix(".UNOFFICIAL") for name in seen["signatures"]}, set(HOSTILE_SIGNATURES))


class WhatIsServed(PageCase):
    def get(self, target, method="GET", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.front.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, target, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()

    def test_every_file_with_its_type_and_policy_and_no_other(self):
        types = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        served = [name for name in os.listdir(PAGE) if os.path.splitext(name)[1] in types]
        self.assertGreater(len(served), 5)
        for name in served:
            response, body = self.get("/ClamScanner/" + ("" if name == "index.html" else name))
            with open(os.path.join(PAGE, name), "rb") as file:
                self.assertEqual((response.status, body), (200, file.read()), name)
            self.assertEqual(response.getheader("Content-Type").split(";")[0], types[os.path.splitext(name)[1]])
            policy = response.getheader("Content-Security-Policy")
            self.assertTrue(policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), policy)
            self.assertTrue(policy.endswith("frame-ancestors 'none'"), policy)
            self.assertEqual(response.getheader("X-Content-Type-Options"), "nosniff")
            self.assertEqual(response.getheader("Referrer-Policy"), "no-referrer")
            again, body = self.get("/ClamScanner/" + ("" if name == "index.html" else name),
                                   headers={"If-None-Match": response.getheader("ETag")})
            self.assertEqual((again.status, body), (304, b""), name)
        for target in ("/ClamScanner/CMakeLists.txt", "/ClamScanner/index.html", "/ClamScanner/../page.css"):
            self.assertIn(self.get(target)[0].status, (401, 404), target)
        self.assertEqual(self.get("/ClamScanner/", "HEAD")[1], b"")
        self.assertEqual(self.get("/ClamScanner/", "POST")[0].status, 405)

    def test_no_markup_is_made_of_texts(self):
        for name in os.listdir(PAGE):
            if name.endswith((".js", ".html")):
                with open(os.path.join(PAGE, name), encoding="utf-8") as file:
                    text = file.read()
                self.assertIsNone(re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|style=|"
                                            r"DOMParser|setHTML|https?://(?!www\.w3\.org)", text), name)


class ViewInfectedFile(ServiceCase):
    """The function behind "look inside", without a browser."""

    def setUp(self):
        self.account, self.client = self.new_account()

    def test_both_envelopes_and_the_command(self):
        path = self.account.write("find\udcff", EICAR)
        self.client.scan()
        wanted = {"content": EICAR.decode(), "cut": 0, "encoding": "text", "file": path, "size": len(EICAR)}
        for documented in (False, True):
            for method in ("GET", "POST"):
                arguments = {"path": path if method == "POST" else os.fsencode(path)}
                self.assertEqual(self.client.call("view_infected_file", arguments, documented=documented, method=method),
                                 wanted)
        command = subprocess.run(
            [self.service.installed_program("uapi"), "--config", self.service.config_file, "--output=json",
             f"--user={self.account.name}", "ClamScanner", "view_infected_file", b"path=" + os.fsencode(path)],
            capture_output=True, check=True)
        self.assertEqual(json.loads(command.stdout)["result"]["data"], wanted)

    def test_what_has_changed_since_it_was_found_is_told(self):
        """Else malware shows its owner something harmless, and has itself ignored."""
        path = self.account.write("find", EICAR)
        self.client.scan()
        result = self.client.result("view_infected_file", {"path": path}, method="POST")
        self.assertIsNone(result["warnings"])
        self.account.write("find", "harmless")
        result = self.client.result("view_infected_file", {"path": path}, method="POST")
        self.assertEqual(result["data"]["content"], "harmless")
        self.assertIn("has changed since it was found", result["warnings"][0])
        self.assertIn(result["warnings"][0], result["messages"])

    def test_nothing_but_finds_and_no_links(self):
        secret = self.account.write("secret", "a password")
        path = self.account.write("find", EICAR)
        below = self.account.write("directory/find", EICAR)
        taken = self.account.write("taken", EICAR)
        other, others = self.new_account("other")
        foreign = other.write("find", EICAR)
        others.scan()
        self.client.scan()
        self.client.disinfect({taken: "quarantine"})
        self.account.write("taken", "another content")
        for refused in (secret, foreign, taken, "/etc/shadow", path + "/../secret", "find/../secret"):
            result = self.client.result("view_infected_file", {"path": refused}, method="POST")
            self.assertEqual((result["status"], result["data"]), (0, None), refused)
            self.assertIn("not in the list of infected files", result["errors"][0])
        os.unlink(path)
        for replace, problem in ((lambda: os.symlink(secret, path), "links are not followed"),
                                 (lambda: os.mkfifo(path), "not a regular file"),
                                 (lambda: os.symlink("/etc/shadow", path), "links are not followed")):
            replace()
            result = self.client.result("view_infected_file", {"path": path}, method="POST")
            os.unlink(path)
            self.assertIn(problem, result["errors"][0])
        result = self.client.result("view_infected_file", {"path": path}, method="POST")
        self.assertIn("not there any more", result["errors"][0])
        os.rename(os.path.dirname(below), self.account.path("moved"))
        for target in (self.account.path("moved"), other.home):
            os.symlink(target, os.path.dirname(below))
            result = self.client.result("view_infected_file", {"path": below}, method="POST")
            os.unlink(os.path.dirname(below))
            self.assertIn("links are not followed", result["errors"][0])


if __name__ == "__main__":
    main()
