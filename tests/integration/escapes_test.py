"""Attempts of an account, or of malware that runs as its user, to make a scan skip a file, or to have other content
deleted than was found; and mail that must not be lost with an infected message."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import time

from client import check_records, wait_until
from quarantine_test import QUARANTINE, QuarantineCase, read
from service_case import main
from test_files import EICAR, eicar_zip

INSTEAD = "quarantined instead of deleted"
POSTMARK = b"From alice@example.org Thu Nov 29 22:33:52 2001\n"


# Matched by a signature of the tests' own, anywhere in a file.
MARK = b"as infected as can be in the middle of a file"


def letter(name, infected=False):
    body = MARK if infected else b"Good news of " + name.encode()
    return (f"Return-Path: <{name}@example.org>\nFrom: {name}@example.org\nSubject: {name}\n\n".encode() + body + b"\n")


class PassedOver(QuarantineCase):
    """A quarantined file is scanned like any other file as soon as it is not where it was put."""

    def setUp(self):
        super().setUp()
        self.path = self.infected("public_html/evil.php")
        self.content = read(self.path)
        [self.row] = self.quarantine(self.path)
        self.kept = self.account.path(QUARANTINE, self.row["id"])
        self.account.write("public_html/index.html", "clean")
        status = self.client.scan()
        self.assertEqual((status["infected_files"], status["total_file_count"]), ([], self.ordinary_files()))

    def ordinary_files(self):
        """All regular files of the home, except those that are in the quarantine as they were put there."""
        found = [os.path.join(directory, name) for directory, _, names in os.walk(self.account.home) for name in names]
        return len([path for path in found if os.path.isfile(path) and not os.path.islink(path)
                    and not (path == self.kept and os.stat(path).st_mode & 0o7777 == 0o400
                             and read(path) == self.content)])

    def finds(self, *paths):
        for arguments in ({}, {"full": 1}):
            for scan_type in ("home",) + ("public_html",) * all("public_html" in path for path in paths):
                with self.subTest(arguments, scan_type=scan_type):
                    self.client.call("start_scan", {"scan_type": scan_type, **arguments})
                    status = self.client.finish_scan()
                    self.assertEqual(sorted(status["infected_files"]), sorted(paths))
                    listed = [row["file"] for row in self.client.call("list_infected_files")]
                    self.assertEqual(sorted(listed), sorted(paths))
                    if scan_type == "home":
                        self.assertEqual(status["total_file_count"], self.ordinary_files())

    def test_moved_back(self):
        os.rename(self.kept, self.path)
        self.finds(self.path)

    def test_moved_back_and_made_usable(self):
        os.rename(self.kept, self.path)
        os.chmod(self.path, 0o644)
        self.finds(self.path)

    def test_linked_back(self):
        os.link(self.kept, self.path)
        self.finds(self.path)

    def test_linked_into_a_directory_called_like_the_quarantine(self):
        os.makedirs(self.account.path("public_html", QUARANTINE))
        there = self.account.path("public_html", QUARANTINE, self.row["id"])
        os.link(self.kept, there)
        self.finds(there)

    def test_made_usable_where_it_is(self):
        os.chmod(self.kept, 0o644)
        self.finds(self.kept)

    def test_given_another_name_where_it_is(self):
        os.rename(self.kept, self.kept + ".php")
        self.finds(self.kept + ".php")

    def test_rewritten_where_it_is(self):
        os.chmod(self.kept, 0o600)
        with open(self.kept, "wb") as file:
            file.write(EICAR + b" and more\n")
        os.chmod(self.kept, 0o400)
        self.finds(self.kept)

    def test_a_quarantine_moved_as_a_whole(self):
        os.rename(self.account.path(QUARANTINE), self.account.path("public_html/q"))
        self.finds(self.account.path("public_html/q", self.row["id"]))

    def test_new_files_that_may_reuse_its_inode(self):
        os.unlink(self.kept)
        self.finds(*(self.account.write(f"public_html/fresh{number}.php", self.content) for number in range(30)))


class TwoNames(QuarantineCase):
    def test_the_other_name_of_a_quarantined_file_is_found(self):
        path = self.infected("public_html/first.php")
        other = self.account.path("public_html/second.php")
        os.link(path, other)
        self.assertEqual(sorted(self.client.scan()["infected_files"]), sorted([path, other]))
        step = check_records(self.client.disinfect({path: "quarantine"}))[path]
        self.assertEqual(step["state"], "quarantined", step)
        status = self.client.scan()
        self.assertEqual((status["infected_files"], status["total_file_count"]), ([other], 4))  # a record and two logs
        step = check_records(self.client.disinfect({other: "quarantine"}))[other]
        self.assertEqual(step["state"], "quarantined", step)
        self.assertEqual(self.client.scan()["infected_files"], [])
        rows = {row["file"]: row["id"] for row in self.client.call("list_quarantined_files")}
        self.assertEqual(self.restore(rows[path], rows[other]), ["restored"] * 2)
        self.assertEqual(read(path), read(other))


class SomethingElse(QuarantineCase):
    """Only the content that was found is deleted; changed content is quarantined if infected, and left alone if
    clean."""

    def delete(self, path):
        return check_records(self.client.disinfect({path: "delete"}))[path]

    def is_kept_instead(self, path, content):
        step = self.delete(path)
        self.assertEqual(step["state"], "quarantined", step)
        self.assertIn(INSTEAD, step["message"])
        self.assertFalse(os.path.lexists(path))
        row = self.listed()[path]
        self.assertEqual(row["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(self.client.call("list_infected_files"), [])
        self.assertEqual(self.restore(row["id"]), ["restored"])
        self.assertEqual(read(path), content)

    def found(self, relative):
        path = self.infected(relative)
        self.assertEqual(self.client.scan()["infected_files"], [path])
        return path

    def test_another_infected_file_in_its_place(self):
        path = self.found("s.txt")
        os.unlink(path)
        self.account.write("s.txt", eicar_zip())
        self.is_kept_instead(path, read(path))

    def test_a_log_that_grew(self):
        path = self.found("access.log")
        with open(path, "ab") as file:
            file.write(b"a line of the owner's own\n" * 1000)
        self.is_kept_instead(path, read(path))

    def test_other_content_with_the_same_size_times_and_inode(self):
        path = self.found("s.txt")
        before = os.stat(path)
        content = read(path)[:-2] + b"X\n"
        with open(path, "r+b") as file:
            file.write(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.is_kept_instead(path, content)

    def test_a_quarantined_file_is_reported_as_changed(self):
        path = self.found("s.txt")
        with open(path, "ab") as file:
            file.write(b"more")
        step = check_records(self.client.disinfect({path: "quarantine"}))[path]
        self.assertEqual(step["state"], "quarantined", step)
        self.assertIn("changed since the scan", step["message"])

    def test_mode_times_and_inode_do_not_save_it(self):
        path = self.found("s.txt")
        copy = self.account.path("copy")
        shutil.copy(path, copy)
        self.as_owner(copy)
        os.rename(copy, path)
        os.chmod(path, 0o600)
        os.utime(path, ns=(1, 1))
        step = self.delete(path)
        self.assertEqual((step["state"], step["message"]), ("deleted", ""))
        self.assertEqual(self.client.call("list_quarantined_files"), [])

    def test_a_find_from_the_cache_can_be_deleted(self):
        path = self.found("s.txt")
        old = time.time_ns() - 10**10
        os.utime(path, ns=(old, old))
        time.sleep(1.1)  # a file changed just before its scan is not cached
        for _ in range(2):
            self.assertEqual(self.client.scan()["infected_files"], [path])
        self.assertEqual(self.delete(path)["state"], "deleted")

    def test_malware_that_rewrites_itself_all_the_time(self):
        path = self.infected("public_html/evil.php")
        writer = ("import os,sys,itertools\n"
                  "path, head = sys.argv[1], bytes.fromhex(sys.argv[2])\n"
                  "for number in itertools.count():\n"
                  "    with open(path + '.new', 'wb') as file: file.write(head + b' %d\\n' % number)\n"
                  "    os.rename(path + '.new', path)\n")
        writing = subprocess.Popen(["/usr/bin/python3", "-c", writer, path, EICAR.hex()],
                                   user=self.account.uid, group=self.account.gid, extra_groups=[])
        try:
            self.client.scan()
            self.assertIn(path, [row["file"] for row in self.client.call("list_infected_files")])
            for action in ("delete", "quarantine"):
                found = read(path)
                wait_until(lambda: read(path) != found, 60, "the file to be written anew")
                step = check_records(self.client.disinfect({path: action}))[path]
                self.assertEqual(step["state"], "quarantined", step)
                self.client.scan()
        finally:
            writing.kill()
            writing.wait()
        rows = [row for row in self.client.call("list_quarantined_files") if row["file"] == path]
        self.assertEqual(len(rows), 2)
        for row in rows:
            kept = self.account.path(QUARANTINE, row["id"])
            self.assertEqual(os.stat(kept).st_mode & 0o7777, 0o400)
            self.assertTrue(read(kept).startswith(EICAR))
            self.assertEqual(hashlib.sha256(read(kept)).hexdigest(), row["sha256"])

    def test_malware_that_keeps_its_file_open_and_writes(self):
        path = self.infected("public_html/evil.php")
        writer = ("import os,sys,itertools\n"
                  "file = os.open(sys.argv[1], os.O_WRONLY)\n"
                  "for number in itertools.count(): os.pwrite(file, b' %020d\\n' % number, int(sys.argv[2]))\n")
        writing = subprocess.Popen(["/usr/bin/python3", "-c", writer, path, str(len(EICAR))],
                                   user=self.account.uid, group=self.account.gid, extra_groups=[])
        try:
            wait_until(lambda: read(path)[len(EICAR):].startswith(b" 0000"), 60, "the first line that it writes")
            self.client.scan()
            step = check_records(self.client.disinfect({path: "delete"}))[path]
        finally:
            writing.kill()
            writing.wait()
        self.assertEqual(step["state"], "quarantined", step)
        self.assertFalse(os.path.lexists(path))
        kept = self.account.path(QUARANTINE, self.listed()[path]["id"])
        self.assertEqual(os.stat(kept).st_mode & 0o7777, 0o400)
        # It is no longer as recorded, so it is found where it is.
        self.assertEqual(self.client.scan()["infected_files"], [kept])


class MailCase(QuarantineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(cls.service.path("no-signatures/anywhere.ndb"), "w") as file:
            file.write(f"Test.Anywhere:0:*:{MARK.hex()}\n")


class Mail(MailCase):
    """A file that may hold more than one message is quarantined as a whole or cleansed, never deleted."""

    def stays(self, relative, content, states=("quarantined", "mailbox-cleansed")):
        path = self.account.write(relative, content)
        self.assertEqual(self.client.scan()["infected_files"], [path], "the scanner finds it")
        step = check_records(self.client.disinfect({path: "delete"}))[path]
        self.assertIn(step["state"], states, step)
        if step["state"] == "mailbox-cleansed":
            self.assertEqual(read(path).count(b"Good news"), content.count(b"Good news"))
            os.unlink(path)
            return
        self.assertIn("more than one message", step["message"])
        self.assertEqual(self.captured(content), self.account.path(QUARANTINE, self.listed()[path]["id"]))
        self.assertEqual(self.restore(self.listed()[path]["id"]), ["restored"])
        self.assertEqual(read(path), content)
        os.unlink(path)

    def test_stores_of_many_messages(self):
        first, bad, last = letter("first"), letter("bad", True), letter("last")
        mbox = b"\n".join(POSTMARK + one for one in (first, bad, last))
        other = b"\n".join(b"From x 29/11/2001 22.33\n" + one for one in (first, bad, last))
        dbox = b"2 M1e C5f3a1b2c\n" + b"".join(b"\1\2N       %016x\n" % len(one) + one for one in (first, bad, last))
        for name, content in {
                "mail/bom": b"\xef\xbb\xbf" + mbox, "mail/comment": b"# my mail\n" + mbox, "mail/dates": other,
                "mail/cut": mbox[5:], "mail/crlf": b"# mine\n" + mbox.replace(b"\n", b"\r\n"),
                "mdbox/storage/m.1": dbox, "docs/dbox": dbox,
                "mail/mmdf": b"".join(b"\1\1\1\1\n" + one + b"\1\1\1\1\n" for one in (first, bad, last)),
                "docs/babyl": b"BABYL OPTIONS: -*- rmail -*-\nVersion: 5\n\x1f" + b"\x1f\x0c\n0,,\n*** EOOH ***\n".join(
                    (b"", first, bad, last)),
                "docs/letters.txt": first + bad + last, "mail/one": bad, "docs/old.mbox": bad,
        }.items():
            with self.subTest(name):
                self.stays(name, content)

    def test_an_mbox_is_cleansed(self):
        content = b"\n".join(POSTMARK + one for one in (letter("first"), letter("bad", True), letter("last")))
        self.stays("mail/inbox", content, states=("mailbox-cleansed",))

    def test_a_maildir_file_is_one_message(self):
        for part in ("Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
            os.mkdir(self.account.path(part))
            self.as_owner(self.account.path(part))
        for name in ("Maildir/cur/1600000000.M1P1.host:2,S", "Maildir/new/1600000000.M2P1.host"):
            for action, state in (("quarantine", "quarantined"), ("delete", "deleted")):
                with self.subTest(name, action=action):
                    content = POSTMARK + letter(name.split("/")[1], True)
                    path = self.account.write(name, content)
                    self.client.scan()
                    step = check_records(self.client.disinfect({path: action}))[path]
                    self.assertEqual(step["state"], state, step)
                    self.assertFalse(os.path.lexists(path))
                    if action == "quarantine":
                        self.captured(content)

    def test_other_files_of_mail_directories_are_deleted(self):
        for name, content in {"mail/evil.php": b"<?php /* " + MARK + b" */ ?>\n", "mail/plain": MARK,
                              "docs/letter.eml": letter("bad", True)}.items():
            with self.subTest(name):
                path = self.account.write(name, content)
                self.client.scan()
                self.assertEqual(check_records(self.client.disinfect({path: "delete"}))[path]["state"], "deleted")
                self.assertEqual(self.client.call("list_quarantined_files"), [])


class KeptMail(MailCase):
    config = {**QuarantineCase.config, "quarantine": {"days": 1}}

    def test_files_that_may_hold_mail_never_expire(self):
        path = self.account.write("docs/letters", letter("good") + letter("bad", True))
        plain = self.infected("docs/plain")
        self.client.scan()
        check_records(self.client.disinfect({path: "delete", plain: "quarantine"}))
        self.service.stop("jobd")
        with sqlite3.connect(self.service.path("state/jobs.sqlite")) as database:
            database.execute("UPDATE quarantine SET time_ms = time_ms - 2 * 86400000, "
                             "running_ms = running_ms - 2 * 86400000")
        database.close()
        self.service.start("jobd")
        self.service.wait_until_it_serves(self.account)
        self.client.scan()
        wait_until(lambda: plain not in self.listed(), 60, "the end of what is too old")
        self.assertEqual(self.restore(self.listed()[path]["id"]), ["restored"])


if __name__ == "__main__":
    main()
