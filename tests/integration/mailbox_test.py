"""Mailboxes of many messages (mbox), as Debian's mail programs make them and go on writing into them: an infected
message is removed and can be restored, every other byte stays, and no mail is lost or duplicated by deliveries in
between.

The expected messages follow from what the programs did: they are the pieces by which the mailbox grew."""

import collections
import concurrent.futures
import contextlib
import hashlib
import os
import random
import re
import subprocess
import threading
import time
import unittest
from email.message import EmailMessage

from client import check_records, wait_until
from quarantine_test import QUARANTINE, QuarantineCase, facts, read
from service_case import SOAK, main
from test_files import EICAR, clean_page, eicar_zip

MAILBOX = "mail/inbox"
SENDER = "alice@example.org"
POSTMARK = f"From {SENDER} Thu Nov 29 22:33:52 2001\n".encode()
DELIVERY_SECONDS = 600 if SOAK else 25
PATIENCE_SECONDS = 60  # for a mail program that waits for locks
# EX_TEMPFAIL: a mail server then tries again. dovecot exits with it if messages are not where it expected them, and
# finds them the next time; it does so whichever program moved them.
TEMPORARY_FAILURE = 75
LOCK_SECONDS = 30  # how long the service waits for a lock
POSTFIX = "/usr/lib/postfix/sbin/master"

# Both locks, as in a usual procmailrc, but without the pause of eight seconds.
PROCMAIL_RULES = f"LOCKSLEEP=1\n:0:\n$HOME/{MAILBOX}\n"
DOVECOT_CONFIG = "log_path = /dev/stderr\nssl = no\npostmaster_address = postmaster@localhost\n"
# The order of procmail and postfix. With dovecot's default order, procmail and dovecot would block each other.
DOVECOT_LOCKS_WITH_OTHERS = "mbox_write_locks = dotlock fcntl\n"
MUTT_CONFIG = ("set sendmail=/bin/true copy=yes fcc_attach=yes mbox_type=mbox hostname=localhost folder=~/mail\n"
               "set confirmcreate=no confirmappend=no delete=yes quit=yes\n")

# No port, and only this mail server's own users and directories.
POSTFIX_MAIN = """compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
myhostname = localhost
mydestination = localhost
myorigin = localhost
inet_interfaces = loopback-only
alias_maps =
alias_database =
default_transport = error
home_mailbox = {mailbox}
in_flow_delay = 0
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
"""
POSTFIX_SERVICES = """pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
postlog unix-dgram n - n - 1 postlogd
"""

FCNTL_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as mailbox:
    fcntl.lockf(mailbox, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


def text(number):
    """A text that is in no other message."""
    return clean_page(number, random.Random(number).randrange(300, 8000)) + "\n"


def message(number, infected=False):
    """A message as a mail server hands it to the delivery program."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["X-Number"] = SENDER, "bob@example.org", "A letter", number
    # Not every program quotes such a line in a body, and none may take it for the beginning of a message.
    mail.set_content(text(number) + "\nFrom here on it is a letter.\n", cte="7bit")
    if infected:
        mail.add_attachment(EICAR, maintype="application", subtype="octet-stream", filename="invoice.com")
    return mail.as_bytes()


def numbers_in(content):
    return re.findall(rb"^X-Number: (\S+?)\r?$", content, re.MULTILINE)


def state(path):
    """The metadata that a mailbox keeps when messages are taken out."""
    status = os.stat(path)
    return status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns


def joined(parts, infected, those):
    return b"".join(part for number, part in enumerate(parts) if (number in infected) == those)


def as_user(account, *command):
    # Without new privileges: procmail, which is setuid, would look for the account's mail in /var/mail.
    return ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all", "--no-new-privs", *command]


def environment(account):
    return {"HOME": account.home, "USER": account.name, "LOGNAME": account.name, "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8", "TERM": "xterm"}


def run(account, *command, content=b""):
    return subprocess.run(as_user(account, *command), input=content, capture_output=True, cwd=account.home,
                          env=environment(account), timeout=PATIENCE_SECONDS)


class Postfix:
    """A mail server of the test's own, which delivers as the account's user."""

    def __init__(self, service):
        self.service = service
        self.directory = service.path("postfix")

    def __enter__(self):
        for name in ("", "config", "queue", "data"):
            os.mkdir(os.path.join(self.directory, name), 0o755)
        subprocess.run(["chown", "postfix", os.path.join(self.directory, "data")], check=True)
        for name, content in (("main.cf", POSTFIX_MAIN.format(directory=self.directory, mailbox=MAILBOX)),
                              ("master.cf", POSTFIX_SERVICES)):
            with open(os.path.join(self.config, name), "w", encoding="ascii") as file:
                file.write(content)
        # Creates the directories of the queue.
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "check"], check=True, capture_output=True,
                       timeout=PATIENCE_SECONDS)
        # The shell ends with us, even if we are killed, and ends the server: a process that changes its user, as the
        # server does, gets no parent-death signal.
        self.process = self.service.launch(
            ["sh", "-c", f"{POSTFIX} -c {self.config} & trap 'kill $!; wait' TERM; wait"])
        wait_until(lambda: os.path.exists(os.path.join(self.directory, "queue/public/qmgr")), 20, "postfix")
        return self

    def __exit__(self, *fault):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def config(self):
        return os.path.join(self.directory, "config")

    def submit(self, account, content):
        subprocess.run(["/usr/sbin/sendmail", "-C", self.config, "-i", "-f", SENDER, account.name], input=content,
                       check=True, capture_output=True, timeout=PATIENCE_SECONDS)

    def has_nothing_to_do(self):
        # In the order in which a message passes through them, so that none is missed.
        return not any(os.listdir(os.path.join(self.directory, "queue", name))
                       for name in ("maildrop", "incoming", "active", "deferred", "active"))


class MailboxCase(QuarantineCase):
    def setUp(self):
        super().setUp()
        self.path = self.account.path(MAILBOX)
        self.prepare(self.account)

    @staticmethod
    def prepare(account):
        for name, content in ((".procmailrc", PROCMAIL_RULES), ("dovecot.conf", DOVECOT_CONFIG),
                              (".muttrc", MUTT_CONFIG)):
            account.write(name, content)
        os.mkdir(account.path("mail"), 0o700)
        os.chown(account.path("mail"), account.uid, account.gid)

    def rows(self, path):
        """The quarantined messages of this mailbox, in their order in the mailbox."""
        rows = [row for row in self.client.call("list_quarantined_files") if row["file"] == path]
        for row in rows:
            self.assertRegex(row["id"], r"^[0-9a-f]{28}\.eml$")
            self.assertIn("eicar", row["virus_type"].lower())
        return rows

    def kept(self, row):
        """The message for a row of that list."""
        content = read(self.account.path(QUARANTINE, row["id"]))
        self.assertEqual((row["size"], row["sha256"]), (str(len(content)), hashlib.sha256(content).hexdigest()))
        return content

    def disinfect(self, action, *paths, wanted="mailbox-cleansed"):
        steps = check_records(self.client.disinfect(dict.fromkeys(paths, action)))
        self.assertEqual(set(steps), set(paths))
        for step in steps.values():
            self.assertEqual(step["state"], wanted, step)

    def found(self):
        return sorted(self.client.scan()["infected_files"])

    def listed_as_infected(self):
        return sorted(row["file"] for row in self.client.call("list_infected_files"))

    def nothing_is_left_over(self):
        names = os.listdir(os.path.dirname(self.path))
        self.assertEqual([name for name in names if name.endswith(".lock") or "clamscanner" in name], [])
        if not self.client.call("list_quarantined_files"):
            self.assertEqual(os.listdir(self.account.path(QUARANTINE)), [])

    # ---- The mail programs ---------------------------------------------------------------------------------------

    def deliver_by_procmail(self, content):
        return run(self.account, "procmail", "-f", SENDER, f"ORGMAIL={self.path}", content=content).returncode

    def deliver_by_dovecot(self, content, location=f"mbox:~/mail:INBOX=~/{MAILBOX}"):
        return run(self.account, "/usr/lib/dovecot/dovecot-lda", "-c", self.account.path("dovecot.conf"), "-o",
                   f"mail_location={location}", "-f", SENDER, content=content).returncode

    def read_by_dovecot(self, path):
        """The numbers of the messages that dovecot sees in a mailbox."""
        done = run(self.account, "doveadm", "-c", self.account.path("dovecot.conf"), "-o",
                   f"mail_location=mbox:~/mail:INBOX={path}", "fetch", "hdr.x-number", "mailbox", "INBOX", "all")
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.findall(r"^hdr\.x-number: (\S*)$", done.stdout.decode(), re.MULTILINE)

    def send_by_mutt(self, number, infected):
        """Writes into the mailbox of sent mail."""
        attachment = self.service.path("invoice.zip")  # not in the home, where a scan would find it
        with open(attachment, "wb") as file:
            file.write(eicar_zip())
        attached = ["-a", attachment] if infected else []
        done = run(self.account, "mutt", "-n", "-e", f"set record={self.path}", "-e", f"my_hdr X-Number: {number}",
                   "-s", "A letter", *attached, "--", "bob@example.org",
                   content=(text(number) + "\nFrom here on it is a letter.\n").encode())
        self.assertEqual(done.returncode, 0, done.stderr)

    def save_by_mutt(self, path, other):
        """Copies every message of one mailbox into another, as a user would: mutt does that only on a terminal."""
        keys = f"<tag-pattern>~A\\n<tag-prefix><save-message>{other}\\n<quit>"
        command = f"mutt -n -f {path} -e 'push \"{keys}\"'"
        with subprocess.Popen(as_user(self.account, "script", "--quiet", "--return", "--command", command, "/dev/null"),
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=self.account.home,
                              env=environment(self.account)) as process:
            try:
                self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
            finally:
                process.kill()


class MailPrograms(MailboxCase):
    """Infected messages are taken out of mailboxes that mail programs made, and put back."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Debian's packages do not allow this mail server beside another one.
        cls.postfix = cls.enterClassContext(Postfix(cls.service)) if os.path.exists(POSTFIX) else None

    def needs_postfix(self):
        if not self.postfix:
            raise unittest.SkipTest("SKIPPED: postfix is not installed")

    def deliver_by_postfix(self, content):
        self.postfix.submit(self.account, content)
        wait_until(self.postfix.has_nothing_to_do, PATIENCE_SECONDS, "postfix")
        return 0

    def delivered(self, deliver, infected, count=5):
        """Has the program deliver `count` messages. Returns them as they are in the mailbox."""
        ends = [0]
        for number in range(count):
            self.assertEqual(deliver(message(f"m{number}", number in infected)), 0)
            ends.append(os.stat(self.path).st_size)
        return self.cut(self.path, ends)

    def cut(self, path, ends):
        content = read(path)
        parts = [content[begin:end] for begin, end in zip(ends, ends[1:])]
        self.assertEqual([numbers_in(part) for part in parts], [[f"m{i}".encode()] for i in range(len(parts))])
        return parts

    def there_and_back(self, path, parts, infected):
        rest, bad = joined(parts, infected, False), [parts[number] for number in infected]
        before = facts(path), state(path)
        self.assertEqual(self.found(), [path])
        self.disinfect("ignore", path, wanted="no-action")
        self.assertEqual((facts(path), state(path)), before)
        self.assertEqual(self.listed_as_infected(), [path])

        for action in ("quarantine", "delete"):
            with self.subTest(action):
                before = state(path)
                self.disinfect(action, path)
                self.assertEqual(read(path), rest)
                self.assertEqual(state(path), before)
                self.assertEqual(self.listed_as_infected(), [])
                if action == "delete":
                    self.assertEqual(self.found(), [])
                rows = self.rows(path)
                self.assertEqual(sorted(self.kept(row) for row in rows), sorted(bad))
                self.nothing_is_left_over()

                ids = {self.kept(row): row["id"] for row in rows}
                self.assertEqual(self.restore(*(ids[one] for one in bad)), ["restored"] * len(bad))
                self.assertEqual(read(path), rest + b"".join(bad))
                self.assertEqual(state(path)[:-1], before[:-1])
                self.assertEqual(self.rows(path), [])
                if action == "quarantine":  # because no scan since then has found the mailbox clean
                    self.assertEqual(self.listed_as_infected(), [path])
                self.assertEqual(self.found(), [path])
                self.nothing_is_left_over()

        # A message deleted from the quarantine is gone; the mailbox is unaffected.
        self.disinfect("delete", path)
        ids = [row["id"] for row in self.rows(path)]
        self.assertEqual(self.states("delete_quarantined_files", *ids), ["deleted"] * len(bad))
        self.assertEqual((read(path), self.found()), (rest, []))
        self.nothing_is_left_over()
        self.assertEqual(self.read_by_dovecot(path), [f"m{i}" for i in range(len(parts)) if i not in infected])

    def goes_on(self, deliver):
        """A program that has indexed the old mailbox can use the cleansed one."""
        before = self.read_by_dovecot(self.path)
        for number in ("n0", "n1"):
            self.assertEqual(deliver(message(number)), 0)
        self.assertEqual(self.read_by_dovecot(self.path), [*before, "n0", "n1"])

    def test_procmail(self):
        infected = (1, 4)
        self.there_and_back(self.path, self.delivered(self.deliver_by_procmail, infected), infected)
        self.goes_on(self.deliver_by_procmail)

    def test_dovecot(self):
        # In the first message dovecot stores its metadata of the whole mailbox.
        infected = (0, 3)
        self.there_and_back(self.path, self.delivered(self.deliver_by_dovecot, infected), infected)
        self.goes_on(self.deliver_by_dovecot)

    def test_postfix(self):
        self.needs_postfix()
        infected = (0, 4)
        self.there_and_back(self.path, self.delivered(self.deliver_by_postfix, infected), infected)
        self.goes_on(self.deliver_by_postfix)

    def test_mutt(self):
        infected, ends = (2,), [0]
        for number in range(4):
            self.send_by_mutt(f"m{number}", number in infected)
            ends.append(os.stat(self.path).st_size)
        parts = self.cut(self.path, ends)
        saved = self.account.path("mail/saved")
        self.there_and_back(self.path, parts, infected)
        for part in parts:
            with open(self.path, "ab" if part is not parts[0] else "wb") as file:
                file.write(part)
        self.save_by_mutt(self.path, saved)
        self.assertEqual((read(self.path), read(saved)), (b"", b"".join(parts)))
        self.there_and_back(saved, parts, infected)

    # ---- Meanwhile -----------------------------------------------------------------------------------------------

    def keep_delivering(self, name, deliver, pause, stop, delivered):
        """Returns how many there were, and how often one had to be tried again."""
        count = retries = 0
        while not stop.is_set():
            content, tries = message(f"{name}-{count}"), 0
            while status := deliver(content):
                self.assertEqual(status, TEMPORARY_FAILURE, f"{name} gave up")
                self.assertLess(tries := tries + 1, 50, f"{name} does not get the mailbox")
                time.sleep(0.2)
            retries += tries
            count += 1
            delivered[name] = count
            stop.wait(pause)
        return count, retries

    def cleanse_and_restore(self, infected, seconds, delivered):
        """For so long, and until each program has met it. Returns how often, and how often it had to be repeated."""
        deadline, rounds, asked = time.monotonic() + seconds, 0, 0
        while time.monotonic() < deadline or ((rounds < 2 or min(delivered.values()) < 6)
                                              and time.monotonic() < deadline + 3 * PATIENCE_SECONDS):
            self.assertEqual(self.found(), [self.path])
            # If a mail program changes a message after its scan, or holds the locks for long, the mailbox stays in the
            # list.
            asked += self.ask_until(lambda: not self.listed_as_infected(), lambda: self.client.disinfect(
                {self.path: "delete" if rounds % 2 else "quarantine"}))
            rows = self.rows(self.path)
            self.assertEqual(len(rows), len(infected), "off the list, but infected")
            asked += self.ask_until(lambda: not self.rows(self.path), lambda: self.restore(
                *(row["id"] for row in self.rows(self.path))))
            rounds += 1
        return rounds, asked - 2 * rounds

    def ask_until(self, done, ask):
        for tries in range(10):
            if done():
                return tries
            ask()
        self.fail("it does not come to an end")

    def deliver_meanwhile(self, programs, seconds):
        infected = (1, 4)
        self.delivered(self.deliver_by_procmail, infected, 6)
        stop, delivered = threading.Event(), dict.fromkeys(programs, 0)
        with concurrent.futures.ThreadPoolExecutor(len(programs)) as pool:
            loops = {name: pool.submit(self.keep_delivering, name, *how, stop, delivered) for name, how in programs.items()}
            try:
                rounds, again = self.cleanse_and_restore(infected, seconds, delivered)
            finally:
                stop.set()
            counts = {name: loop.result(2 * PATIENCE_SECONDS) for name, loop in loops.items()}
        print(f"{rounds} rounds, {again} asked for again; delivered, and tried again: {counts}", flush=True)
        self.assertGreater(rounds, 1)
        self.assertGreater(min(count for count, _ in counts.values()), 5)

        numbers = [f"m{i}" for i in range(6)] + [f"{name}-{i}" for name, (count, _) in counts.items()
                                                for i in range(count)]
        bad = {f"m{i}" for i in infected}
        self.each_is_there_once(numbers)
        self.assertEqual(self.found(), [self.path])
        self.disinfect("quarantine", self.path)
        self.each_is_there_once([number for number in numbers if number not in bad])
        self.assertEqual(self.found(), [])
        kept = [self.kept(row) for row in self.rows(self.path)]
        self.assertEqual(sorted(numbers_in(b"".join(kept))), sorted(number.encode() for number in bad))
        self.nothing_is_left_over()
        self.assertEqual(collections.Counter(self.read_by_dovecot(self.path)), collections.Counter(set(numbers) - bad))

    def each_is_there_once(self, numbers):
        content = read(self.path)
        self.assertEqual(collections.Counter(number.decode() for number in numbers_in(content)),
                         collections.Counter(numbers))
        self.assertEqual([number for number in numbers if content.count(text(number).encode()) != 1], [],
                         "not whole, or twice")

    def test_mail_delivered_meanwhile_is_there_once(self):
        with open(self.account.path("dovecot.conf"), "a", encoding="ascii") as file:
            file.write(DOVECOT_LOCKS_WITH_OTHERS)
        # dovecot keeps its locks into the next second: without a pause, hardly any other program would get them.
        programs = {"procmail": (self.deliver_by_procmail, 0.1), "dovecot": (self.deliver_by_dovecot, 1)}
        if self.postfix:
            programs["postfix"] = (self.deliver_by_postfix, 0.1)
        self.deliver_meanwhile(programs, DELIVERY_SECONDS)

    def test_mail_delivered_only_by_dovecot(self):
        self.deliver_meanwhile({"dovecot": (self.deliver_by_dovecot, 0.5)}, DELIVERY_SECONDS / 3)


class HeldLocks(MailboxCase):
    """A program that holds one of the two locks has exclusive access to the mailbox."""

    def setUp(self):
        self.accounts = [self.new_account(kind) for kind in ("dot", "fcntl")]
        self.locks = (self.dotlock, self.fcntl_lock)
        for account, client in self.accounts:
            self.prepare(account)
            account.write(MAILBOX, b"".join(POSTMARK + message(f"m{i}", i == 1) + b"\n" for i in range(3)))
            self.assertEqual(client.scan()["infected_files"], [account.path(MAILBOX)])

    @contextlib.contextmanager
    def fcntl_lock(self, account):
        """In a separate process: this one would lose the lock each time it reads the mailbox."""
        command = as_user(account, "python3", "-c", FCNTL_LOCK, account.path(MAILBOX))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=account.home,
                              env=environment(account)) as process:
            self.assertEqual(process.stdout.readline(), b"locked\n")
            yield
            process.stdin.close()

    @contextlib.contextmanager
    def dotlock(self, account):
        with subprocess.Popen(as_user(account, "cat"), stdin=subprocess.PIPE) as process:
            lock = account.write(MAILBOX + ".lock", f"{process.pid}\n", 0o444)
            before = facts(lock), os.stat(lock).st_ino
            yield
            self.assertEqual((facts(lock), os.stat(lock).st_ino), before, "somebody took the lock away")
            os.unlink(lock)
            process.stdin.close()

    def in_parallel(self, attempt):
        with concurrent.futures.ThreadPoolExecutor(len(self.accounts)) as pool:
            list(pool.map(lambda of: attempt(*of[0], of[1]), zip(self.accounts, self.locks)))

    def is_cleansed(self, account, step):
        self.assertEqual(step["state"], "mailbox-cleansed", step["message"])
        self.assertEqual(numbers_in(read(account.path(MAILBOX))), [b"m0", b"m2"])
        self.assertEqual(os.listdir(account.path("mail")), [os.path.basename(MAILBOX)])

    def test_a_lock_held_for_long(self):
        self.in_parallel(self.held_for_long)

    def held_for_long(self, account, client, lock):
        path = account.path(MAILBOX)
        before = facts(path), state(path)
        with lock(account):
            began = time.monotonic()
            step = check_records(client.disinfect({path: "quarantine"}))[path]
            self.assertGreater(time.monotonic() - began, LOCK_SECONDS - 1)
            self.assertEqual(step["state"], "error", step["message"])
            self.assertIn("locked", step["message"])
            self.assertEqual((facts(path), state(path)), before)
            self.assertEqual(client.call("list_quarantined_files"), [])
            self.assertEqual([row["file"] for row in client.call("list_infected_files")], [path])
        self.is_cleansed(account, check_records(client.disinfect({path: "quarantine"}))[path])

    def test_a_lock_released_in_time(self):
        self.in_parallel(self.given_back)

    def given_back(self, account, client, lock):
        path = account.path(MAILBOX)
        before = facts(path), state(path)
        with lock(account):
            client.call("disinfect_files", {"actions": {path: "delete"}})
            time.sleep(4)
            self.assertNotEqual(client.call("check_disinfection_status")["status"], "done")
            self.assertEqual((facts(path), state(path)), before)
        self.is_cleansed(account, check_records(client.finish_disinfection())[path])


class Forms(MailboxCase):
    """Unusual mailboxes, and files that are not mailboxes."""

    def test_positions_of_infected_messages_and_line_ends(self):
        good, bad, other = (POSTMARK + message(name, name != "good") + b"\n" for name in ("good", "bad", "other"))
        crlf = [one.replace(b"\n", b"\r\n") for one in (good, bad, other)]
        # The messages, which of them are infected, and what must precede and follow one that is put back.
        forms = {
            "first": ([bad, good], (0,), b"", b""),
            "last": ([good, bad], (1,), b"", b""),
            "only": ([bad], (0,), b"", b""),
            "none but infected ones": ([bad, other], (0, 1), b"", b""),
            "last, and cut short": ([good, bad.rstrip(b"\n")], (1,), b"", b"\n\n"),
            "before one that is cut short": ([bad, good.rstrip(b"\n")], (0,), b"\n\n", b""),
            "without a last empty line": ([bad, good[:-1]], (0,), b"\n", b""),
            "empty lines before the first": ([b"\n\n" + good, bad], (1,), b"", b""),
            "empty lines at the end": ([good, bad + b"\n\n", other], (1, 2), b"", b""),
            "crlf": (crlf, (1, 2), b"", b""),
            "nothing but crlf": (crlf[1:], (0, 1), b"", b""),
        }
        paths = {name: self.account.write(f"mail/{name}", b"".join(form[0])) for name, form in forms.items()}
        for path in paths.values():
            os.chmod(path, 0o640)
            os.utime(path, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
        for action in ("quarantine", "delete", "cleanse_mailbox"):
            before = {name: state(path) for name, path in paths.items()}
            self.assertEqual(self.found(), sorted(paths.values()))
            self.disinfect(action, *paths.values())
            self.assertEqual(self.found(), [])
            for name, (parts, infected, _, _) in forms.items():
                with self.subTest(name, action=action):
                    self.assertEqual(read(paths[name]), joined(parts, infected, False))
                    self.assertEqual(state(paths[name]), before[name])
                    self.assertEqual(sorted(self.kept(row) for row in self.rows(paths[name])),
                                     sorted(parts[number] for number in infected))
            for name, (parts, infected, front, behind) in forms.items():
                with self.subTest(name, restored_after=action):
                    ids = {self.kept(row): row["id"] for row in self.rows(paths[name])}
                    back = [parts[number] for number in infected]
                    self.assertEqual(self.restore(*(ids[one] for one in back)), ["restored"] * len(back))
                    self.assertEqual(read(paths[name]),
                                     joined(parts, infected, False) + front + b"".join(back) + behind)
            # As they were at the beginning.
            for name, (parts, *_) in forms.items():
                with open(paths[name], "wb") as file:
                    file.write(b"".join(parts))
        self.assertEqual(self.client.call("list_quarantined_files"), [])
        self.nothing_is_left_over()

    def test_maildir_messages_are_files(self):
        def deliver(number, infected=False):
            before = set(os.listdir(new)) if os.path.isdir(new) else set()
            self.assertEqual(self.deliver_by_dovecot(message(number, infected), "maildir:~/Maildir"), 0)
            [name] = set(os.listdir(new)) - before
            return os.path.join(new, name)

        def seen(path):
            there = os.path.join(self.account.path("Maildir/cur"), os.path.basename(path) + ":2,S")
            os.rename(path, there)
            return there

        new = self.account.path("Maildir/new")
        infected = [deliver("m0", True), seen(deliver("m1", True))]
        innocent = [deliver("m2"), seen(deliver("m3"))]
        before = {path: facts(path) for path in infected + innocent}
        rows = self.quarantine(*infected)
        for row in rows:
            self.assertRegex(row["id"], "^[0-9a-f]{32}$")
        self.assertEqual({path: facts(path) for path in innocent}, {path: before[path] for path in innocent})
        self.assertEqual(self.found(), [])
        self.assertEqual(self.restore(*(row["id"] for row in rows)), ["restored"] * 2)
        self.assertEqual({path: facts(path) for path in infected + innocent}, before)
        self.assertEqual(self.found(), sorted(infected))
        self.disinfect("delete", *infected, wanted="deleted")
        self.assertEqual([path for path in before if os.path.exists(path)], innocent)

    def test_a_single_message_is_a_file(self):
        for name, begin in (("letter", b"From here on, dear Bob,\nI write to you:\n\n"),
                            ("letter with a head", b"From the desk of Alice\nSubject: you\n\n")):
            with self.subTest(name):
                letter = begin + EICAR + b"\n"
                path = self.account.write(f"docs/{name}", letter, 0o640)
                before = facts(path)
                [row] = self.quarantine(path)
                self.assertRegex(row["id"], "^[0-9a-f]{32}$")
                self.assertEqual(self.captured(letter), self.account.path(QUARANTINE, row["id"]))
                self.assertEqual(self.restore(row["id"]), ["restored"])
                self.assertEqual(facts(path), before)
                self.assertEqual(self.found(), [path])
                self.disinfect("delete", path, wanted="deleted")
                self.assertFalse(os.path.lexists(path))


    def test_only_a_mailbox_is_cleansed(self):
        good, bad = (POSTMARK + message(name, name == "bad") + b"\n" for name in ("good", "bad"))
        mailbox = self.account.write(MAILBOX, good + bad)
        others = [self.infected("docs/plain"), self.account.write("Maildir/cur/1.x:2,S", message("m", True)),
                  self.account.write("docs/letter", b"From here on, dear Bob,\nI write to you:\n\n" + EICAR + b"\n"),
                  self.account.write("mail/packed.zip", eicar_zip())]
        self.assertEqual(self.found(), sorted([mailbox, *others]))
        fine = self.account.write("docs/fine", "fine")
        before = {path: facts(path) for path in (mailbox, fine, *others)}
        actions = dict.fromkeys(before, "cleanse_mailbox")

        planned = {step["file"]: step for step in
                   self.client.call("disinfect_files", {"actions": actions, "dry_run": 1})}
        self.assertEqual({path: step["state"] for path, step in planned.items()},
                         {**dict.fromkeys(before, "mailbox-cleansed"), fine: "error"})
        for path in (mailbox, *others):
            self.assertIn("anything else is an error", planned[path]["message"])
        self.assertEqual({path: facts(path) for path in before}, before)

        records = self.client.disinfect(actions)
        steps = check_records(records)
        self.assertEqual({path: step["state"] for path, step in steps.items()},
                         {**dict.fromkeys(before, "error"), mailbox: "mailbox-cleansed"})
        for path in others:
            self.assertIn("not a mailbox", steps[path]["message"])
        self.assertEqual(records[-1]["state"], "error")
        self.assertEqual(read(mailbox), good)
        self.assertEqual([self.kept(row) for row in self.rows(mailbox)], [bad])
        self.assertEqual({path: facts(path) for path in (fine, *others)},
                         {path: before[path] for path in (fine, *others)})
        self.assertEqual(self.listed_as_infected(), sorted(others))


if __name__ == "__main__":
    main()
