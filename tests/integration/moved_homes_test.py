"""What lies in the quarantine of a home moves with the home: after usermod, on a new disk and from a backup it is listed
and can be restored again once a scan has been there. It is adopted by the records beside it, which their owner can
write: so a forged one hides nothing, and gets nobody anything that they could not do by themselves."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import time
from email.message import EmailMessage

import accounts
from client import check_records
from quarantine_test import QUARANTINE, QuarantineCase, facts, read
from service_case import main
from test_files import EICAR

POSTMARK = b"From a@example.org Thu Nov 29 22:33:52 2001\n"
OPAQUE = "0123456789abcdef" * 2


class MovedCase(QuarantineCase):
    def quarantined(self, relative="public_html/x.php"):
        """A file in the quarantine: its facts before, and its row in the list."""
        path = self.infected(relative, 0o640)
        os.setxattr(path, "user.note", b"mine")
        before = facts(path)
        [row] = self.quarantine(path)
        return before, row

    def go_on_as(self, **changes):
        self.account = dataclasses.replace(self.account, **changes)
        self.client = self.service.client(self.account)

    def usermod(self, *words):
        """As a panel does it."""
        command = self.service.installed_program("clamscanner-account")
        name = self.account.name
        subprocess.run([command, "--config", self.service.config_file, "hold", name], check=True)
        accounts.change(["usermod", *words, name])
        subprocess.run([command, "--config", self.service.config_file, "release", name], check=True)

    def have_account_looked_up(self):
        """jobd reuses what it knows of an account for ten seconds, unless the list of accounts changes."""
        accounts.change(["usermod", "--comment", "moved", self.account.name])

    def in_new_home(self, path, old):
        return self.account.path(os.path.relpath(path, old))

    def found(self):
        return {row["file"] for row in self.client.call("list_infected_files")}

    def forge(self, opaque=OPAQUE, content=EICAR, **changes):
        """A file and a record of it, as the account, or what has taken it over, can write them."""
        record = {"accessed": "0.000000000", "extended_attributes": {}, "file": self.account.path("x"),
                  "group": self.account.gid, "mode": "0644", "modified": "0.000000000", "owner": self.account.uid,
                  "quarantined": "1", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
                  "virus_type": "Harmless", **changes}
        file = self.account.write(f"{QUARANTINE}/{opaque}", content, 0o400)
        self.account.write(f"{QUARANTINE}/{opaque}.json", json.dumps(record), 0o600)
        os.chmod(self.account.path(QUARANTINE), 0o700)
        return file


class MovedHomes(MovedCase):
    def check_adopted(self, before, row, old_home):
        path = self.in_new_home(row["file"], old_home)
        begun = int(time.time())
        self.client.scan()
        again = self.listed()
        self.assertEqual(set(again), {path})
        for key in ("id", "virus_type", "size", "sha256"):
            self.assertEqual(again[path][key], row[key])
        self.assertGreaterEqual(int(again[path]["time"]), begun)
        # It is the owner's word until a scan has found it, so it is found.
        captured = self.captured(before[0])
        self.assertEqual(self.found(), {captured})
        self.client.scan()
        self.assertEqual(self.found(), {captured})
        self.assertEqual(set(self.listed()), {path})
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(facts(path), before)
        self.assertEqual((self.listed(), self.in_quarantine(before[0]), self.found()), ({}, [], set()))

    def test_a_home_that_usermod_moved(self):
        before, row = self.quarantined()
        old = self.account.home
        self.usermod("--home", old + "-new", "--move-home")
        self.go_on_as(home=old + "-new")
        self.check_adopted(before, row, old)

    def test_an_account_that_usermod_renamed(self):
        before, row = self.quarantined()
        name = self.account.name + "x"
        self.addCleanup(accounts.remove_user, name)
        self.usermod("--login", name)
        self.go_on_as(name=name)
        self.check_adopted(before, row, self.account.home)

    def test_a_home_on_another_disk(self):
        before, row = self.quarantined()
        home = self.account.home
        os.rename(home, home + "-old")
        subprocess.run(["cp", "-a", home + "-old", home], check=True)
        self.have_account_looked_up()
        self.check_adopted(before, row, home)

    def test_a_home_from_a_backup(self):
        before, row = self.quarantined()
        home = self.account.home
        subprocess.run(["cp", "-a", home, home + "-backup"], check=True)
        shutil.rmtree(home)
        subprocess.run(["cp", "-a", home + "-backup", home], check=True)
        self.have_account_looked_up()
        self.check_adopted(before, row, home)

    def test_a_message_goes_back_into_its_mailbox(self):
        mail = b"".join(self.message(subject, attached) for subject, attached in
                        (("one", b"good"), ("two", EICAR), ("three", b"good, too")))
        mailbox = self.account.write("mail/inbox", mail, 0o600)
        self.client.scan()
        [step] = check_records(self.client.disinfect({mailbox: "quarantine"})).values()
        self.assertEqual(step["state"], "mailbox-cleansed")
        [row] = self.listed().values()
        old = self.account.home
        self.usermod("--home", old + "-new", "--move-home")
        self.go_on_as(home=old + "-new")
        self.client.scan()
        mailbox = self.account.path("mail/inbox")
        self.assertEqual([row["id"]], [again["id"] for again in self.listed().values()])
        # Confirmed where it lies: no message is taken out of a message.
        captured = self.account.path(QUARANTINE, row["id"])
        [step] = check_records(self.client.disinfect({captured: "delete"})).values()
        self.assertEqual(step["state"], "quarantined")
        self.client.scan()
        self.assertEqual(self.found(), set())
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(sorted(read(mailbox).split(POSTMARK)), sorted(mail.split(POSTMARK)))

    @staticmethod
    def message(subject, attached):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", subject
        message.set_content("see there")
        message.add_attachment(attached, maintype="application", subtype="octet-stream", filename="x")
        return POSTMARK + message.as_bytes() + b"\n"

    def test_what_was_adopted_can_be_quarantined_where_it_lies(self):
        before, row = self.quarantined()
        old = self.account.home
        self.usermod("--home", old + "-new", "--move-home")
        self.go_on_as(home=old + "-new")
        self.client.scan()
        [captured] = self.found()
        [step] = check_records(self.client.disinfect({captured: "quarantine"})).values()
        self.assertEqual(step["state"], "quarantined")
        self.assertEqual(self.found(), set())
        self.client.scan()
        self.assertEqual(self.found(), set())
        path = self.in_new_home(row["file"], old)
        self.assertEqual(self.listed()[path]["id"], row["id"])
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(facts(path), before)

    def test_one_that_is_usable_is_quarantined_anew_and_goes_back_where_it_was(self):
        before, row = self.quarantined()
        old = self.account.home
        self.usermod("--home", old + "-new", "--move-home")
        self.go_on_as(home=old + "-new")
        os.chmod(self.captured(before[0]), 0o700)
        self.client.scan()
        [captured] = self.found()
        [step] = check_records(self.client.disinfect({captured: "quarantine"})).values()
        self.assertEqual(step["state"], "quarantined")
        path = self.in_new_home(row["file"], old)
        self.assertEqual(set(self.listed()), {path})
        self.client.scan()
        self.assertEqual(self.found(), set())
        self.assertEqual(self.restore(self.listed()[path]["id"]), ["restored"])
        self.assertEqual(facts(path), before)

    def test_what_was_adopted_can_be_deleted_in_both_ways(self):
        rows = self.quarantine(*(self.infected(name) for name in "ab"))
        old = self.account.home
        self.usermod("--home", old + "-new", "--move-home")
        self.go_on_as(home=old + "-new")
        self.client.scan()
        ids = [row["id"] for row in rows]
        self.assertEqual(self.found(), {self.account.path(QUARANTINE, one) for one in ids})
        self.assertEqual(self.states("delete_quarantined_files", ids[0]), ["deleted"])
        self.assertEqual(self.found(), {self.account.path(QUARANTINE, ids[1])})
        [step] = check_records(self.client.disinfect({self.account.path(QUARANTINE, ids[1]): "delete"})).values()
        self.assertEqual(step["state"], "deleted")
        self.assertEqual((self.listed(), self.found()), ({}, set()))
        self.client.scan()
        self.assertEqual((self.listed(), self.found()), ({}, set()))


class ForgedRecords(MovedCase):
    def test_a_forged_record_hides_nothing(self):
        file = self.forge()
        for _ in range(3):
            status = self.client.scan()
            self.assertEqual(status["infected_files"], [file])
            self.assertEqual(set(self.listed()), {self.account.path("x")})
        # Nor does one of a file that is clean by today's signatures.
        clean = self.forge("f" * 32, b"clean", file=self.account.path("y"))
        total = self.client.scan()["total_file_count"]
        os.unlink(clean + ".json")
        os.unlink(clean)
        self.assertEqual(self.client.scan()["total_file_count"], total - 2)
        self.assertEqual(set(self.listed()), {self.account.path("x")})

    def test_what_changed_since_is_not_restored(self):
        file = self.forge()
        self.client.scan()
        os.chmod(file, 0o600)
        with open(file, "ab") as out:
            out.write(b"more")
        self.assertEqual(self.restore(OPAQUE), ["error"])
        self.client.scan()
        self.assertEqual(self.listed(), {})

    def test_a_restore_can_only_touch_what_the_account_could(self):
        other, _ = self.new_account("other")
        names = iter("0123456789abcdef")
        for path in (other.path("here"), "/etc/cron.d/here", self.account.path("..", other.name, "here"),
                     self.account.path(QUARANTINE, "here"), "here", ""):
            self.forge(next(names) * 32, file=path)
        self.forge(next(names) * 32, file="/etc/cron.d/here", home="/")
        self.forge(next(names) * 32, file=self.account.path("set"), mode="6777", owner=0, group=0,
                   extended_attributes={"security.capability": "01", "user.x": "00"})
        os.symlink(other.home, self.account.path("link"))
        self.forge(next(names) * 32, file=self.account.path("link/here"))
        self.client.scan()
        rows = self.listed()
        self.assertEqual(set(rows), {self.account.path(name) for name in ("set", "etc/cron.d/here", "link/here")})
        states = {path: self.restore(row["id"])[0] for path, row in rows.items()}
        self.assertEqual(states, {self.account.path("set"): "restored", self.account.path("link/here"): "error",
                                  self.account.path("etc/cron.d/here"): "restored"})
        status = os.stat(self.account.path("set"))
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7000),
                         (self.account.uid, self.account.gid, 0))
        self.assertEqual(os.listdir(other.home), [])
        self.assertFalse(os.path.exists("/etc/cron.d/here"))

    def test_broken_records_end_no_scan(self):
        found = self.infected("x")
        for number, text in enumerate(("", "{", "[" * 100_000, "x" * 2_000_000, "{}")):
            self.forge(f"{number}" * 32, b"clean")
            self.account.write(f"{QUARANTINE}/{number:032x}.json", text, 0o600)
            self.account.write(f"{QUARANTINE}/{str(number) * 32}.json", text, 0o600)
        os.truncate(self.forge("a" * 32, b"clean", size=2**62), 2**40)
        status = self.client.scan()
        self.assertEqual((status["infected_files"], self.listed()), ([found], {}))


if __name__ == "__main__":
    main()
