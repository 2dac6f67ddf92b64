"""Who may connect to which socket of the daemons, and what those who may can do there to others: connect and say nothing,
say half, never listen, come by the thousand."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

from client import wait_until
from service_case import ServiceCase, main

WIRE_VERSION_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "auth", "base", "wire.h")
ASK_SCAN_STATUS = 42
CLOSED_IN = 30  # seconds, for whoever is silent
MOST_OF_AN_ACCOUNT = 16  # jobs.max_connections_per_account
QUICK_MS = 1000  # of another account's polls, beside 20 times what they take undisturbed

# Run as another user. Connects to each socket that it is told of, and says what came of it.
KNOCK = """
import json, socket, sys
said = {}
for path, kind in json.loads(sys.argv[1]).items():
    one = socket.socket(socket.AF_UNIX, getattr(socket, kind))
    one.settimeout(5)
    try:
        one.connect(path)
        said[path] = "let in" if one.recv(1) else "closed"
    except TimeoutError:
        said[path] = "let in"
    except OSError as fault:
        said[path] = type(fault).__name__
print(json.dumps(said))
"""

# Holds connections to jobd open in each of these ways until its input ends; says how many jobd has closed, by way.
HOLD = """
import json, select, socket, struct, sys
path, question = sys.argv[1], bytes.fromhex(sys.argv[2])
ways = {"silent": b"", "half a length": b"\\x09", "half a question": question[:5], "never listens": question * 3000}
open_ones = {}
for way, bytes_sent in ways.items():
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    one.setblocking(False)
    try:
        one.send(bytes_sent)
    except BlockingIOError:
        pass
    open_ones[way] = one
print("held", flush=True)
poll = select.poll()
by_fd = {one.fileno(): way for way, one in open_ones.items()}
for fd in by_fd:
    poll.register(fd, 0)  # its end is told all the same
left = dict(by_fd)
while left:
    for fd, events in poll.poll(1000):
        poll.unregister(fd)
        print(left.pop(fd), flush=True)
    if select.select([0], [], [], 0)[0]:
        break
"""

# Connects again and again, until its input ends, and keeps what jobd leaves open.
FLOOD = """
import select, socket, sys, time
path = sys.argv[1]
kept = []
most = 0
while not select.select([0], [], [], 0)[0]:
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    try:
        one.connect(path)
        kept.append(one)
    except OSError:
        one.close()
    if len(kept) >= 1000:
        # What jobd will close it has closed soon.
        def is_open(one):
            try:
                return one.recv(1) != b""
            except BlockingIOError:
                return True
            except OSError:
                return False
        patience = time.monotonic() + 10
        while len(kept) > 16 and time.monotonic() < patience:
            time.sleep(0.1)
            kept = [one for one in kept if is_open(one)]
        most = max(most, len(kept))
print(most)
"""

# Passes a TCP socket along that lingers for a minute, in one of several ways. Told "go" it sends, and then the socket is
# in the message alone: whoever drops the message waits for it. Ends with its input.
PASS_ALONG = """
import os, socket, struct, sys
path, question, way = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3]
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
lingers = socket.create_connection(listener.getsockname())
reads_nothing, _ = listener.accept()
lingers.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
lingers.setblocking(False)
try:
    while True:
        lingers.send(b"x" * 65536)
except BlockingIOError:
    lingers.setblocking(True)
print("ready", flush=True)
sys.stdin.readline()
jobs = socket.socket(socket.AF_UNIX)
jobs.connect(path)
first, then, flags = {"with a question": (b"", question, 0), "with half a question": (b"", question[:5], 0),
                      "with nonsense": (b"", b"\\xff" * 8, 0), "behind a question": (question, question, 0),
                      "behind nonsense": (b"\\xff" * 8, question, 0),
                      "out of band": (b"", b"\\xff", socket.MSG_OOB)}[way]
if first:
    jobs.send(first)
carrier = lingers
if way == "with nonsense":  # inside another socket
    carrier, into = socket.socketpair()
    socket.send_fds(into, [b"x"], [lingers.fileno()])
socket.send_fds(jobs, [then], [carrier.fileno()], flags)
lingers.close()
carrier.close()
print("sent", flush=True)
jobs.settimeout(10)
try:
    while jobs.recv(65536):
        pass
    print("closed", flush=True)
except ConnectionError:
    print("closed", flush=True)
except TimeoutError:
    print("left open", flush=True)
sys.stdin.read()
os._exit(0)
"""
WAYS_TO_PASS = ("with a question", "with half a question", "with nonsense", "behind a question", "behind nonsense",
                "out of band")

# Sends nonsense on one connection after the other.
NONSENSE = """
import socket, sys, time
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(sys.argv[1])
        try:
            one.send(b"\\xff" * 64)
            one.recv(1)
        except OSError:
            pass
"""


def wire_version():
    with open(WIRE_VERSION_FILE, encoding="utf-8") as file:
        line = next(line for line in file if "wire_version =" in line)
    return int(line.partition("=")[2].strip(" ;\n"))


def question():
    """AskScanStatus as a frame."""
    message = struct.pack("<BH", wire_version(), ASK_SCAN_STATUS)
    return struct.pack("<I", len(message)) + message


class Sockets(ServiceCase):
    def as_user(self, user, script, *words):
        return subprocess.Popen(["setpriv", f"--reuid={user.uid if hasattr(user, 'uid') else user.pw_uid}",
                                 f"--regid={user.gid if hasattr(user, 'gid') else user.pw_gid}", "--clear-groups",
                                 "--pdeathsig=KILL", sys.executable, "-c", script, *words],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")

    def knock(self, user, sockets):
        with self.as_user(user, KNOCK, json.dumps(sockets)) as process:
            return json.loads(process.communicate(timeout=60)[0])

    def sockets(self):
        run = self.service.path("run")
        found = {}
        for directory, _, names in os.walk(run):
            for name in names:
                if name.endswith(".sock"):
                    kind = "SOCK_STREAM" if name in ("jobs.sock", "fcgi.sock") or "admin" in name else "SOCK_SEQPACKET"
                    found[os.path.join(directory, name)] = kind
        return found

    def polls(self, client, seconds, at_least=300):
        """The 99th percentile of so many, in milliseconds: one that the machine itself keeps waiting does not count."""
        took, statuses = [], set()
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(took) < at_least:
            begun = time.monotonic()
            statuses.add(client.ask("get_scan_status").status)
            took.append(1000 * (time.monotonic() - begun))
            time.sleep(0.01)
        self.assertEqual(statuses, {200})
        return sorted(took)[min(len(took) - 1, len(took) * 99 // 100)]

    def test_an_account_may_connect_to_jobd_alone(self):
        account, _ = self.new_account()
        sockets = self.sockets()
        jobs = self.service.path("run/jobd/jobs.sock")
        self.assertIn(jobs, sockets)
        self.assertGreaterEqual(len(sockets), 7, sockets)
        for path, what in self.knock(account, sockets).items():
            self.assertEqual(what, "let in" if path == jobs else "PermissionError", path)

    def test_a_system_user_is_not_let_in_to_jobd(self):
        jobs = {self.service.path("run/jobd/jobs.sock"): "SOCK_STREAM"}
        self.assertEqual(set(self.knock(self.service.users["fcgi"], jobs).values()), {"closed"})

    def test_jobd_may_connect_to_the_engine(self):
        engine = {self.service.path("run/engine/engine.sock"): "SOCK_SEQPACKET"}
        for user, what in (("jobd", "let in"), ("fcgi", "PermissionError")):
            said = self.knock(self.service.users[user], engine)
            # The engine gives a job five seconds to come.
            self.assertIn(*set(said.values()), {what, "closed"} if what == "let in" else {what})

    def test_whoever_is_silent_is_closed_and_nobody_else(self):
        account, client = self.new_account()
        other, others = self.new_account()
        with self.as_user(account, HOLD, self.service.path("run/jobd/jobs.sock"), question().hex()) as process:
            self.assertEqual(process.stdout.readline(), "held\n")
            begun = time.monotonic()
            closed = set()
            reader = threading.Thread(target=lambda: closed.update(line.strip() for line in process.stdout))
            reader.start()
            while time.monotonic() - begun < CLOSED_IN and reader.is_alive():
                self.assertEqual(client.ask("get_scan_status").status, 200)
                self.assertEqual(others.ask("get_scan_status").status, 200)
                time.sleep(0.2)
            process.stdin.close()
            reader.join(10)
        self.assertEqual(closed, {"silent", "half a length", "half a question", "never listens"})
        # An agent that was idle for longer finds jobd again, for a question that changes something, too.
        accounts_client = client
        accounts_client.call("get_scan_status")
        time.sleep(21)
        accounts_client.scan()

    def test_a_thousand_connections_of_one_account(self):
        account, client = self.new_account()
        other, others = self.new_account()
        quiet = self.polls(others, 3)
        with self.as_user(account, FLOOD, self.service.path("run/jobd/jobs.sock")) as process:
            busy = self.polls(others, 5)
            # Its owner is served, too: what is idle makes room.
            self.assertEqual(client.ask("get_scan_status").status, 200)
            kept = int(process.communicate(timeout=60)[0])
        self.assertLessEqual(kept, MOST_OF_AN_ACCOUNT)
        self.assertLess(busy, QUICK_MS + 20 * quiet)

    def test_what_is_passed_along_is_waited_for_by_nobody(self):
        """Whoever drops the last reference to a socket that lingers waits for it, if that is not taken care of."""
        account, client = self.new_account()
        _, others = self.new_account()
        jobd = self.service.pid("jobd")
        jobs = self.service.path("run/jobd/jobs.sock")
        for user in (account, self.service.users["fcgi"]):
            for way in WAYS_TO_PASS:
                with self.subTest(way, user=user), self.as_user(user, PASS_ALONG, jobs, question().hex(), way) as process:
                    self.assertEqual(process.stdout.readline(), "ready\n")
                    # So that the message is the last that has the socket when jobd comes to it.
                    with self.service.stopped("jobd"):
                        print("go", file=process.stdin, flush=True)
                        self.assertEqual(process.stdout.readline(), "sent\n")
                    begun = time.monotonic()
                    self.assertEqual(others.ask("get_scan_status").status, 200)
                    self.assertEqual(process.stdout.readline(), "closed\n")
                    self.polls(others, 0.5, at_least=1)  # what jobd has closed is dropped a moment later
                    self.assertLess(time.monotonic() - begun, 10)
                    process.stdin.close()
        client.scan()
        wait_until(lambda: len([one for one in self.service.processes("clamscanner-jobd") if one.depth == 1]) == 0, 20,
                   "the end of jobd's children")

    def test_nonsense_fills_no_log(self):
        account, _ = self.new_account()
        log = self.service.path("programs.log")
        before = os.path.getsize(log)
        with self.as_user(account, NONSENSE, self.service.path("run/jobd/jobs.sock"), "3") as process:
            process.communicate(timeout=60)
        with open(log, encoding="utf-8", errors="replace") as lines:
            lines.seek(before)
            said = [line for line in lines if f"closing a connection of uid {account.uid}" in line]
        self.assertIn(len(said), range(1, 20))
        self.assertIn("others before", "".join(said))

    def test_a_daemon_that_lets_nobody_in_holds_up_no_other(self):
        account, client = self.new_account()
        other, others = self.new_account()
        quiet = self.polls(others, 2)
        queue = []
        self.addCleanup(lambda: [one.close() for one in queue])
        with self.service.stopped("engine"):
            while True:
                one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                queue.append(one)
                one.setblocking(False)
                try:
                    one.connect(self.service.path("run/engine/engine.sock"))
                except BlockingIOError:
                    break
            client.call("start_scan", {"scan_type": "home"})
            self.assertLess(self.polls(others, 3), QUICK_MS + 20 * quiet)
            status = client.result("get_scan_status")
            self.assertFalse(status["data"]["scan_complete"])
        for one in queue:
            one.close()
        wait_until(lambda: client.call("get_scan_status")["scan_complete"], 60, "the scan's end")


if __name__ == "__main__":
    main()
