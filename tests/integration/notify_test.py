"""Mails to owners and to the administrator, and the administrator's hook: each once, whole, and through everything that
can go wrong on the way."""

import contextlib
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time

import accounts
from client import wait_until
from hanging_files import HangingFiles
from mail_receiver import MailReceiver
from service_case import ServiceCase, main
from test_files import EICAR

VIRUS = "Eicar-Test-Signature.UNOFFICIAL"
PAGE = "https://panel.example/ClamScanner/"
POSTFIX = "/usr/lib/postfix/sbin/master"
POSTFIX_MAIN = """compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = /dev/stdout
mydestination = localhost
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
myhostname = localhost
alias_maps =
alias_database =
local_recipient_maps =
home_mailbox = Mailbox
smtpd_banner = test
"""
POSTFIX_SERVICES = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
local unix - n n - - local
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def parsed(received):
    return email.message_from_bytes(received.data, policy=email.policy.default)


def text_of(received):
    return parsed(received).get_content().replace("\r\n", "\n")


class NotifyCase(ServiceCase):
    with_notifyd = True
    notifications = {}
    more_config = {}

    @classmethod
    def setUpClass(cls):
        cls.receiver = cls.enterClassContext(MailReceiver())
        cls.hooks = tempfile.mkdtemp(prefix="clamscanner_hooks.", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.hooks)
        os.chmod(cls.hooks, 0o755)
        os.mkdir(os.path.join(cls.hooks, "events"))
        os.chmod(os.path.join(cls.hooks, "events"), 0o777)
        cls.config = {"login": {"failure_milliseconds": 200},
                      "notifications": {"smtp_port": cls.receiver.port, "page_url": PAGE, "max_mails_a_day": 50,
                                        **cls.notifications}, **cls.more_config}
        super().setUpClass()

    def setUp(self):
        self.receiver.refusals.clear()
        self.receiver.before_reply = lambda: None
        self.account, self.client = self.new_account()

    def mails(self, recipient=None):
        wanted = recipient or f"{self.account.name}@localhost"
        return [mail for mail in self.receiver.received if mail.recipient == wanted]

    def wait_for_mail(self, number=1, recipient=None, seconds=60):
        return wait_until(lambda: (found := self.mails(recipient)) and len(found) >= number and found, seconds,
                          f"mail {number} to {recipient or self.account.name}")

    def no_more_mails(self, number, recipient=None, seconds=6):
        time.sleep(seconds)
        self.assertEqual(len(self.mails(recipient)), number)

    def told(self, client=None):
        """What the account's history says of mails, the latest first."""
        return [(row["action"], row["by"], row["message"]) for row in (client or self.client).call("list_history")
                if row["action"].endswith("_notifications")]

    def infect(self, *names):
        return [self.account.write(f"public_html/{name}", EICAR) for name in names]

    def set(self, client=None, **what):
        return (client or self.client).result("set_notifications", what)

    def code_sent_to(self, address, number=1):
        text = text_of(self.wait_for_mail(number, address)[-1])
        return re.search(r"^    ([0-9a-f]{20})$", text, re.MULTILINE)[1]

    def confirmed(self, address):
        self.assertEqual(self.set(address=address)["status"], 1)
        self.client.call("confirm_notifications", {"code": self.code_sent_to(address)})
        self.assertEqual(self.client.call("get_notifications")["address"], address)


class Owners(NotifyCase):
    def check_form(self, received):
        """What RFC 5322 and its successors ask of a mail."""
        for line in received.data.split(b"\r\n"):
            self.assertLessEqual(len(line), 998)
            self.assertNotRegex(line, rb"[\r\n]")
            self.assertRegex(line, rb"\A[ -~]*\Z")
        mail = parsed(received)
        self.assertEqual(mail.defects, [])
        self.assertEqual([mail[name] for name in ("Auto-Submitted", "MIME-Version")], ["auto-generated", "1.0"])
        for name in ("From", "To", "Subject", "Date", "Message-ID", "Content-Type"):
            self.assertEqual(len(mail.get_all(name)), 1, name)
        self.assertIsNotNone(mail["Date"].datetime)
        self.assertEqual(mail.get_content_type(), "text/plain")
        self.assertEqual(mail["To"].addresses[0].addr_spec, received.recipient)
        self.assertEqual(mail["From"].addresses[0].addr_spec, received.sender)
        return mail

    def test_a_find_is_told_once_with_where_and_what_to_do(self):
        [path] = self.infect("shell.php")
        self.client.scan()
        [received] = self.wait_for_mail()
        mail = self.check_form(received)
        text = text_of(received)
        print("\n--- a mail as it was received\n" + received.data.decode() + "---")
        self.assertIn(f"  {path}\n      {VIRUS}\n      found on 20", text)
        self.assertIn("nothing has been done about it yet", text)
        self.assertIn(PAGE, text)
        self.assertIn(f"1 infected file in the account {self.account.name} on ", mail["Subject"])

        self.client.scan()
        self.no_more_mails(1)
        [new] = self.infect("second.php")
        self.client.scan()
        text = text_of(self.wait_for_mail(2)[1])
        self.assertIn(new, text)
        self.assertNotIn("shell.php", text)

    def test_a_scan_without_finds_sends_nothing(self):
        self.account.write("clean", "clean")
        self.client.scan()
        self.no_more_mails(0)

    def test_names_never_become_lines_or_headers(self):
        names = ["a\nBcc: victim@example.com\n\nhello", "\n.\n", "=41", "\u202etxt.exe", "ä中", os.fsdecode(b"\xff\xfe")]
        self.infect(*names)
        self.client.scan()
        [received] = self.wait_for_mail()
        self.check_form(received)
        text = text_of(received)
        for shown in ("a\\u000aBcc: victim@example.com\\u000a\\u000ahello", "\\u000a.\\u000a", "=41", "\\u202etxt.exe",
                      "ä中", "\\xff\\xfe"):
            self.assertIn(f"/public_html/{shown}\n", text)
        self.assertEqual(self.mails("victim@example.com"), [])

    def test_many_finds_are_one_mail(self):
        self.infect(*(f"{i}.php" for i in range(300)))
        self.client.scan()
        [received] = self.wait_for_mail()
        self.check_form(received)
        text = text_of(received)
        self.assertIn("found 300 infected files", text)
        self.assertIn("and 250 more", text)
        self.no_more_mails(1)

    def test_an_address_counts_once_it_is_confirmed_and_the_old_one_is_told(self):
        address = f"{self.account.name}@mail.example"
        answer = self.set(address=address)
        self.assertEqual(answer["data"], {"address": "", "enabled": 1, "mails_per_day": 50,
                                          "unconfirmed_address": address})
        self.assertIn(address, answer["messages"][0])
        code = self.code_sent_to(address)
        self.infect("before.php")
        self.client.scan()
        self.wait_for_mail()

        wrong = self.client.result("confirm_notifications", {"code": code[::-1]})
        self.assertEqual(wrong["status"], 0)
        other, other_client = self.new_account()
        self.assertEqual(other_client.result("confirm_notifications", {"code": code})["status"], 0)
        self.client.call("confirm_notifications", {"code": code})
        self.assertEqual(self.client.result("confirm_notifications", {"code": code})["status"], 0)
        told = parsed(self.wait_for_mail(2)[1])
        self.assertIn("go elsewhere", told["Subject"])
        self.assertIn(address, told.get_content())
        self.infect("after.php")
        self.client.scan()
        self.assertIn("after.php", text_of(self.wait_for_mail(2, address)[1]))
        self.no_more_mails(2)

        self.assertEqual(self.set(address="")["data"]["address"], "")
        self.assertIn("the mailbox of the account", text_of(self.wait_for_mail(3, address)[2]))
        local = "the account's mailbox on this host"
        self.assertEqual(self.told(), [
            ("set_notifications", "owner", f"mails go to {local}; before: {address}"),
            ("confirm_notifications", "owner", f"mails go to {address}; before: {local}"),
            ("set_notifications", "owner",
             f"a code was sent to {address}; until it is confirmed, mails go to {local}")])
        self.assertEqual(self.told(other_client), [])

    def test_switching_off_is_told_and_what_is_there_is_told_after_switching_on(self):
        self.assertEqual(self.set(enabled=0)["data"]["enabled"], 0)
        self.assertIn("switched off", parsed(self.wait_for_mail()[0])["Subject"])
        self.infect("x.php")
        self.client.scan()
        self.no_more_mails(1)
        self.set(enabled=1)
        self.set(enabled=1)  # that changes nothing
        self.assertEqual(self.told(), [
            ("set_notifications", "owner", "mails about infected files are switched on"),
            ("set_notifications", "owner", "mails about infected files are switched off")])
        time.sleep(2)
        self.client.scan()
        self.assertIn("x.php", text_of(self.wait_for_mail(2)[1]))

    def uapi(self, *words, account=None):
        command = [self.service.installed_program("uapi"), f"--config={self.service.config_file}", *words]
        if account:
            command = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"},
                              check=False)
        return json.loads(done.stdout)["result"]

    def test_malware_that_runs_as_the_account_changes_nothing(self):
        for words in (("enabled=0",), ("address=thief@mail.example",)):
            refused = self.uapi("ClamScanner", "set_notifications", *words, account=self.account)
            self.assertEqual(refused["status"], 0)
            self.assertIn("needs the account's password", refused["errors"][0])
        self.assertEqual(self.uapi("ClamScanner", "get_notifications", account=self.account)["data"],
                         {"address": "", "enabled": 1, "mails_per_day": 50, "unconfirmed_address": ""})
        self.no_more_mails(0, "thief@mail.example", 3)
        done = self.uapi(f"--user={self.account.name}", "ClamScanner", "set_notifications", "enabled=0")
        self.assertEqual(done["errors"], None)
        self.assertEqual(done["data"]["enabled"], 0)
        self.assertEqual(self.told(), [
            ("set_notifications", "administrator", "mails about infected files are switched off")])

    def test_a_mount_over_the_home_keeps_no_mail_back_and_changes_no_address(self):
        """Whoever runs as the account can mount there what nobody else may look into (fusermount3)."""
        address = f"{self.account.name}@owner.example"
        self.confirmed(address)
        self.infect("x.php")
        self.service.stop("notify")
        self.client.scan()
        mount = HangingFiles(self.account.home, self.account, by=self.account.uid, allow_other=False)
        self.addCleanup(mount.end)
        self.service.stop("jobd")
        self.service.start("jobd")
        self.service.start("notify")
        self.assertIn("x.php", text_of(self.wait_for_mail(2, address)[-1]))
        mount.end()
        wait_until(lambda: self.client.call("get_notifications")["address"] == address, 20, "the address")

    def test_a_name_for_which_mails_are_refused_keeps_none_back(self):
        self.receiver.refused_text = b"a text that spam filters refuse"
        self.addCleanup(setattr, self.receiver, "refused_text", None)
        self.infect("a text that spam filters refuse.php", "y.php")
        self.client.scan()
        text = text_of(self.wait_for_mail()[0])
        self.assertIn("  2 files, which the list has", text)
        self.assertNotIn(".php", text)

    def test_an_address_that_refuses_mail_loses_none(self):
        address = f"{self.account.name}@full.example"
        self.confirmed(address)
        self.receiver.refusals["full.example"] = "550 no such user"
        self.infect("x.php")
        self.client.scan()
        self.assertIn("x.php", text_of(self.wait_for_mail(2)[-1]))
        self.no_more_mails(1, address)

    def test_one_account_that_must_wait_keeps_no_other_waiting(self):
        self.receiver.refusals[self.account.name] = "450 later"
        self.infect("x.php")
        self.client.scan()
        other, client = self.new_account()
        other.write("y.php", EICAR)
        client.scan()
        self.wait_for_mail(1, f"{other.name}@localhost")
        self.assertEqual(self.mails(), [])

    def test_a_mail_server_that_is_gone_gets_it_when_it_is_back(self):
        self.receiver.close()
        self.infect("x.php")
        self.client.scan()
        time.sleep(3)
        self.receiver.listen()
        self.wait_for_mail()
        self.no_more_mails(1)

    def test_what_was_quarantined_meanwhile_is_told(self):
        self.service.kill("notify")
        [path] = self.infect("x.php")
        self.client.scan()
        self.client.disinfect({path: "quarantine"})
        self.service.start("notify")
        self.assertIn("moved to the quarantine", text_of(self.wait_for_mail()[0]))

    def test_what_was_done_and_undone_meanwhile_is_told(self):
        self.service.kill("notify")
        moved, back = self.infect("moved.php", "back.php")
        fine = self.account.write("public_html/fine.php", EICAR + b" and fine")
        self.client.scan()
        self.client.disinfect({moved: "quarantine", back: "quarantine"})
        [row] = [row for row in self.client.call("list_quarantined_files") if row["file"] == back]
        [done] = self.client.call("restore_quarantined_files", {"ids": [row["id"]]})
        self.assertEqual(done["state"], "restored")
        self.client.call("ignore_files", {"files": [fine]})
        self.service.start("notify")
        text = text_of(self.wait_for_mail()[0])
        self.assertEqual(dict(re.findall(r"^  (/.*)\n      .*\n      found on .*; (.*)$", text, re.MULTILINE)),
                         {moved: "it was moved to the quarantine, from which it can be restored",
                          back: "it was moved to the quarantine, and brought back from it",
                          fine: "it was left as it is"})

    def test_a_home_that_is_not_there_for_a_while_loses_no_mail(self):
        address = f"{self.account.name}@mail.example"
        self.confirmed(address)
        self.service.kill("notify")
        self.infect("x.php")
        self.client.scan()
        home = self.account.home
        os.rename(home, home + "-away")
        # So that it is looked up anew at once.
        accounts.change(["usermod", "--comment", "away", self.account.name])
        self.service.start("notify")
        self.no_more_mails(1, address, 8)
        os.rename(home + "-away", home)
        self.assertIn("x.php", text_of(self.wait_for_mail(2, address)[1]))
        self.assertEqual(self.client.call("get_notifications")["address"], address)

    def test_a_host_whose_accounts_change_all_the_time_sends_mails(self):
        self.infect("x.php")
        stopping = threading.Event()

        def change_accounts():
            while not stopping.wait(0.1):
                os.utime("/etc/passwd")
        changing = threading.Thread(target=change_accounts)
        changing.start()
        try:
            self.client.scan()
            self.wait_for_mail()
        finally:
            stopping.set()
            changing.join()

    def test_no_mail_goes_to_whoever_has_the_name_later(self):
        self.service.kill("notify")
        self.infect("x.php")
        self.client.scan()
        accounts.remove_user(self.account.name)
        later = accounts.add_account(self.account.name, self.account.home + "-later")
        self.service.start("notify")
        self.no_more_mails(0, seconds=15)
        self.service.wait_until_it_serves(later)
        later.write("y.php", EICAR)
        self.service.client(later).scan()
        [mail] = self.wait_for_mail()
        self.assertNotIn("x.php", text_of(mail))

    def test_sigkill_at_any_moment_loses_nothing_and_repeats_at_most_the_same_mail(self):
        seed = random.randrange(10**6)
        print(f"seed {seed}")
        choose = random.Random(seed)
        names = []
        for number in range(15):
            names += [f"{number}.php"]
            self.infect(names[-1])
            self.client.call("start_scan", {"scan_type": "public_html"})
            for name in choose.choice((["notify"], ["jobd"], ["notify", "jobd"])):
                time.sleep(choose.uniform(0, 1.5))
                self.service.kill(name)
                self.service.start(name)
            wait_until(lambda: self._scan_ended(), 60, "the scan's end")

        def all_told():
            text = "".join(text_of(mail) for mail in self.mails())
            return all(f"/{name}\n" in text for name in names)
        wait_until(all_told, 120, "all finds to be told")
        # The last one may come once more, of a notifyd that was killed before it was told that it had gone.

        def no_more_come():
            number = len(self.mails())
            time.sleep(6)
            return len(self.mails()) == number

        wait_until(no_more_come, 120, "the end of all mails")
        by_id = {}
        for mail in self.mails():
            by_id.setdefault(parsed(mail)["Message-ID"], set()).add(mail.data)
        self.assertTrue(all(len(contents) == 1 for contents in by_id.values()))
        texts = [contents.pop().decode() for contents in by_id.values()]
        for name in names:
            self.assertEqual(sum(f"/{name}\r\n" in text for text in texts), 1, name)
        print(f"{len(self.mails())} mails received, {len(by_id)} different ones")

    def _scan_ended(self):
        answer = self.client.ask("get_scan_status")
        return answer.status == 200 and answer.result()["data"]["scan_complete"] == 1

    def test_killed_between_the_servers_word_and_ours_the_same_mail_comes_again(self):
        killed = threading.Event()

        def kill():
            if not killed.is_set() and self.mails():
                killed.set()
                self.service.running["notify"].kill()
        self.receiver.before_reply = kill
        self.infect("x.php")
        self.client.scan()
        wait_until(killed.is_set, 60, "the first delivery")
        self.service.kill("notify")
        self.service.start("notify")
        first, second = self.wait_for_mail(2)
        self.assertEqual(first.data, second.data)
        self.no_more_mails(2)


class Limit(NotifyCase):
    notifications = {"max_mails_a_day": 2}

    def test_what_comes_after_the_limit_waits(self):
        for number in range(4):
            self.infect(f"{number}.php")
            self.client.scan()
            if number < 2:
                self.wait_for_mail(number + 1)
        self.no_more_mails(2)


class AtNight(NotifyCase):
    """What scheduled and host scans find is quarantined by itself, and the mail waits for that."""

    more_config = {"quarantine": {"automatic": "all"}}

    def test_the_mail_tells_what_was_done(self):
        [path] = self.infect("x.php")
        done = subprocess.run([self.service.installed_program("clamscanner-scan"), "--config",
                               self.service.config_file, "--account", self.account.name, "--wait"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        text = text_of(self.wait_for_mail()[0])
        self.assertIn(f"  {path}\n", text)
        self.assertIn("moved to the quarantine", text)
        self.assertFalse(os.path.exists(path))
        self.no_more_mails(1)


class MailServer(NotifyCase):
    """A real one: Debian's postfix, which delivers to the account's mailbox."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.receiver.close()
        directory = cls.service.path("postfix")
        for name in ("", "config", "queue", "data"):
            os.mkdir(os.path.join(directory, name), 0o755)
        subprocess.run(["chown", "postfix", os.path.join(directory, "data")], check=True)
        config = os.path.join(directory, "config")
        for name, content in (("main.cf", POSTFIX_MAIN.format(directory=directory)),
                              ("master.cf", POSTFIX_SERVICES.format(port=cls.receiver.port))):
            with open(os.path.join(config, name), "w", encoding="ascii") as file:
                file.write(content)
        subprocess.run(["/usr/sbin/postfix", "-c", config, "check"], check=True, capture_output=True, timeout=60)
        process = cls.service.launch(["sh", "-c", f"{POSTFIX} -c {config} & trap 'kill $!; wait' TERM; wait"])
        cls.addClassCleanup(process.wait, 20)
        cls.addClassCleanup(process.terminate)
        wait_until(lambda: os.path.exists(os.path.join(directory, "queue/public/qmgr")), 20, "postfix")

    def test_an_owner_finds_the_mail_in_the_mailbox(self):
        self.infect("ä.php")
        self.client.scan()
        mailbox = self.account.path("Mailbox")
        wait_until(lambda: os.path.exists(mailbox) and os.path.getsize(mailbox), 60, "a mail in the mailbox")
        time.sleep(1)
        with open(mailbox, "rb") as file:
            content = file.read()
        print("\n--- a mailbox as postfix has written it\n" + content.decode() + "---")
        self.assertTrue(content.startswith(b"From "))
        mail = email.message_from_bytes(content.split(b"\n", 1)[1], policy=email.policy.default)
        self.assertEqual(mail.defects, [])
        self.assertIn("/public_html/ä.php\n", mail.get_content())
        self.assertIn(f"{self.account.name}@localhost", mail["To"])


class Administrator(NotifyCase):
    notifications = {"administrator": "root@admin.example"}

    def test_the_digest_comes_once_its_hour_has_struck(self):
        self.infect("x.php", "y.php")
        self.client.scan()
        self.wait_for_mail()
        self.no_more_mails(0, "root@admin.example", 3)
        # As if it had begun two days ago.
        self.service.stop("jobd")
        with contextlib.closing(sqlite3.connect(self.service.path("state/jobs.sqlite"))) as database:
            database.execute("UPDATE notice SET created_ms = created_ms - 2 * 86400000 WHERE kind = 4")
            database.commit()
        self.service.start("jobd")
        [digest] = self.wait_for_mail(1, "root@admin.example")
        print("\n--- a digest as it was received\n" + digest.data.decode() + "---")
        text = text_of(digest)
        self.assertIn("  2  new finds\n", text)
        self.assertIn(f"  2  {self.account.name}\n", text)
        self.assertIn("  1  scans: completed\n", text)
        self.no_more_mails(1, "root@admin.example")


class Hook(NotifyCase):
    @classmethod
    def setUpClass(cls):
        cls.notifications = {"hook": "", "hook_seconds": 3}
        super().setUpClass()
        cls.hook = os.path.join(cls.hooks, "hook")
        cls.write_hook("exit 0")
        with open(cls.service.config_file, encoding="utf-8") as file:
            text = file.read().replace('hook = ""', f"hook = {json.dumps(cls.hook)}")
        with open(cls.service.config_file, "w", encoding="utf-8") as file:
            file.write(text)
        for name in ("jobd", "notify"):
            cls.service.stop(name)
            cls.service.start(name)

    @classmethod
    def write_hook(cls, script):
        fresh = os.path.join(cls.hooks, "fresh")
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(fresh, 0o755)
        os.rename(fresh, cls.hook)

    def keeping(self, before=""):
        events = os.path.join(self.hooks, "events")
        return f"{before}\nf=$(mktemp {events}/new.XXXXXX); cat > $f; mv $f {events}/$(date +%s.%N)"

    def setUp(self):
        super().setUp()
        self.began = os.path.getsize(self.service.path("programs.log"))

    def hooks_ended_at_their_limit(self):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            file.seek(self.began)
            return file.read().count("the hook took too long")

    def events(self):
        directory = os.path.join(self.hooks, "events")
        found, known, repeated = [], set(), 0
        for name in sorted(name for name in os.listdir(directory) if not name.startswith("new.")):
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                lines = file.read()
            self.assertEqual(lines.count("\n"), 1)
            event = json.loads(lines)
            if event.get("account") == self.account.name:
                repeated += event["id"] in known
                if event["id"] not in known:
                    known.add(event["id"])
                    found.append(event)
        self.assertLessEqual(repeated, self.hooks_ended_at_their_limit(), "told twice")
        return found

    def wait_for_events(self, names, seconds=60):
        wait_until(lambda: [event["event"] for event in self.events()] == names, seconds,
                   f"events {names}, not {[event['event'] for event in self.events()]}")
        return self.events()

    def test_each_event_is_told_in_order(self):
        self.write_hook(self.keeping())
        [path, strange] = self.infect("a.php", os.fsdecode(b"\xff\n.php"))
        self.client.scan()
        finds = self.wait_for_events(["find", "find", "scan ended"])
        self.assertEqual({event["file"] for event in finds[:2]}, {path, strange})
        self.assertEqual({event["virus_type"] for event in finds[:2]}, {VIRUS})
        ended = finds[2]
        self.assertEqual({key: ended[key] for key in ("scan_type", "result", "infected", "unscanned", "uid")},
                         {"scan_type": "home", "result": "completed", "infected": 2, "unscanned": 0,
                          "uid": self.account.uid})
        self.client.disinfect({path: "delete", strange: "quarantine"})
        last = self.wait_for_events(["find", "find", "scan ended", "disinfected"])[-1]
        self.assertEqual((last["deleted"], last["quarantined"]), (1, 1))
        ids = [event["id"] for event in self.events()]
        self.assertEqual(ids, sorted(set(ids)))

    def test_a_hook_that_fails_is_run_again_and_loses_nothing(self):
        mark = os.path.join(self.hooks, "events", "new.failures")
        self.write_hook(self.keeping(f"echo x >> {mark}; [ $(wc -l < {mark}) -gt 2 ] || exit 7"))
        self.infect("a.php")
        self.client.scan()
        self.wait_for_mail()
        self.wait_for_events(["find", "scan ended"])
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            self.assertIn("the hook failed with status 7", file.read())

    def test_an_event_that_the_hook_cannot_take_keeps_no_other_accounts_waiting(self):
        """As a receiver does that takes no escape for a byte of a name."""
        keeping = self.keeping().strip()
        self.write_hook(keeping.replace("mv $f", "if grep -q udcff $f; then rm $f; exit 1; fi; mv $f"))
        self.infect("\udcff.php")
        self.client.scan()
        account, client = self.account, self.client
        self.account, self.client = self.new_account()
        self.infect("a.php")
        self.client.scan()
        self.wait_for_events(["find", "scan ended"], 40)
        self.account, self.client = account, client
        self.write_hook(keeping)
        self.wait_for_events(["scan ended", "find"], 120)

    def test_a_hook_that_hangs_is_ended_and_holds_nothing_up(self):
        left = os.path.join(self.hooks, "events", "new.left")
        self.write_hook(f"setsid sh -c 'echo $$ > {left}; exec sleep 600' & trap '' TERM; sleep 600")
        self.infect("a.php")
        begun = time.monotonic()
        self.client.scan()
        self.wait_for_mail()
        self.assertLess(time.monotonic() - begun, 20)
        wait_until(lambda: os.path.exists(left) and os.path.getsize(left), 20, "the hook")
        with open(left, encoding="ascii") as file:
            pid = int(file.read())
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 20, "what the hook has left to end")
        self.write_hook(self.keeping())
        self.wait_for_events(["find", "scan ended"])

    def test_a_hook_that_floods_holds_nothing_up(self):
        self.write_hook("exec yes")
        self.infect("a.php")
        self.client.scan()
        self.wait_for_mail()
        self.write_hook(self.keeping("head -c 10000000 /dev/zero; head -c 1000000 /dev/zero >&2"))
        self.wait_for_events(["find", "scan ended"])
        self.assertLess(os.path.getsize(self.service.path("programs.log")), 1_000_000)

    def test_a_hook_can_read_no_database_and_no_home(self):
        self.account.write("secret", "secret", 0o600)
        output = os.path.join(self.hooks, "events", "new.tried")
        self.write_hook(f"cat > /dev/null; (id -un; ls {self.service.path('state')}; cat {self.account.path('secret')}; "
                        f"ls {self.account.home}; ls /proc/self/fd; grep Cap /proc/self/status) > {output} 2>&1")
        self.infect("a.php")
        self.client.scan()

        def tried():
            with contextlib.suppress(FileNotFoundError), open(output, encoding="utf-8") as file:
                return (text := file.read()).count("CapAmb") == 1 and text
            return None
        text = wait_until(tried, 30, "the hook")
        self.assertTrue(text.startswith(self.service.users["notify"].pw_name + "\n"))
        self.assertEqual(text.count("Permission denied"), 3)
        self.assertEqual(set(re.findall(r"Cap\w+:\s*(\w+)", text)), {"0" * 16})

    def test_the_webhook_signs_what_it_sends_and_tries_again(self):
        secret = "a secret that nobody else has"
        got, answers, told_everybody = [], [500, 500, 200], []

        def is_told_everybody():
            """Everybody can read the arguments of a program."""
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                    if secret.encode() in file.read():
                        return True
            return False

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told_everybody.append(is_told_everybody())
                got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(answers.pop(0) if answers else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        config = os.path.join(self.hooks, "webhook.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"URL=http://127.0.0.1:{server.server_address[1]}/hook\nSECRET='{secret}'\n")
        webhook = self.service.installed_program("webhook")
        self.write_hook(f"CLAMSCANNER_WEBHOOK_CONF={config} exec {webhook}")
        self.infect("ä.php")
        self.client.scan()

        def events():
            return [event for headers, body in got if (event := json.loads(body)).get("account") == self.account.name]
        wait_until(lambda: any(event["event"] == "scan ended" for event in events()), 60, "the scan's end")
        self.assertIn("/public_html/ä.php", "".join(event.get("file", "") for event in events()))
        for headers, body in got:
            signed = headers["X-Clamscanner-Timestamp"].encode() + b"." + body
            self.assertEqual(headers["X-Clamscanner-Signature"],
                             "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest())
            self.assertLess(abs(time.time() - int(headers["X-Clamscanner-Timestamp"])), 60)
        # Two answers of 500; one whose delivery was ended at its limit comes once more.
        self.assertIn(len(got) - len({body for _, body in got}), range(2, 3 + self.hooks_ended_at_their_limit()))
        self.assertEqual(set(told_everybody), {False})


if __name__ == "__main__":
    main()
