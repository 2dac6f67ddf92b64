"""jobd on a disk that takes a second for each sync: whoever only asks does not wait for it, and nothing is acknowledged
before it is there."""

import os
import shutil
import statistics
import subprocess
import sys
import time

from client import wait_until
from polling import Polling
from service_case import ServiceCase, main
from test_files import EICAR

SYNC_SECONDS = 1
MEASURED_SECONDS = 10
FINDS = 3000
QUESTION = os.path.join(os.path.dirname(__file__), "..", "fuzz", "corpus", "wire", "ask_scan_status")
# Sends a question when the connection has been let in, and waits for the connection's end.
SEND = """
import socket, struct, sys, time
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
time.sleep(3)
question = bytes.fromhex(sys.argv[2])
connection.sendall(struct.pack("<I", len(question)) + question)
connection.settimeout(50)
try:
    connection.recv(1)
except ConnectionResetError:
    pass
"""


class Polls(Polling):
    def __init__(self, client, function):
        super().__init__(client, 0.05)
        self.function = function
        self.took = []

    def poll(self):
        began = time.monotonic()
        self.client.call(self.function)
        self.took.append(time.monotonic() - began)


class SlowDisk(ServiceCase):
    def slow_down(self):
        library = self.service.path("libslow_sync.so")
        shutil.copy(os.path.join(self.service.build, "tests", "libslow_sync.so"), library)
        self.service.stop("jobd")
        self.service.start("jobd", {"LD_PRELOAD": library, "SLOW_SYNC_MILLISECONDS": f"{SYNC_SECONDS * 1000}"})

    def test_nonsense_from_an_account_that_is_looked_up_meanwhile_ends_nothing(self):
        busy, busy_client = self.new_account("busy")
        for number in range(FINDS):
            busy.write(f"{number}", EICAR)
        self.slow_down()
        jobd = self.service.pid("jobd")
        busy_client.call("start_scan", {"scan_type": "home"})
        with open(QUESTION, "rb") as file:
            question = file.read() + b"and more"
        for _ in range(3):
            account = self.service.add_account("stranger")
            subprocess.run([sys.executable, "-c", SEND, self.service.path("run/jobd/jobs.sock"), question.hex()],
                           user=account.uid, group=account.gid, extra_groups=[], check=True, timeout=60)
        self.assertEqual(self.service.pid("jobd"), jobd)
        self.assertIsNone(self.service.running["jobd"].poll(), "jobd ended")
        with open(self.service.path("programs.log"), encoding="utf-8") as log:
            self.assertIn("closing a connection of uid", log.read())
        busy_client.call("cancel_scan")
        wait_until(lambda: busy_client.call("get_scan_status")["scan_complete"], 120, "its end")

    def test_nobody_who_asks_waits_for_it(self):
        busy, busy_client = self.new_account("busy")
        for number in range(FINDS):
            busy.write(f"{number}", EICAR)
        poller, client = self.new_account("poller")
        found = poller.write("found", EICAR)
        client.scan()
        self.slow_down()
        client.disinfect({found: "ignore"})
        began = time.monotonic()
        busy_client.call("start_scan", {"scan_type": "home"})
        self.assertGreater(time.monotonic() - began, SYNC_SECONDS)
        # The scan just acknowledged is there, for whoever asks.
        self.assertEqual(busy_client.call("get_scan_status")["scan_complete"], 0)
        wait_until(lambda: busy_client.call("get_scan_status")["infected_files"], 60, "the first find")
        for function in ("get_scan_status", "list_infected_files", "check_disinfection_status"):
            with self.subTest(function), Polls(client, function) as polls:
                time.sleep(MEASURED_SECONDS)
                print(f"{function}: {len(polls.took)} polls, median {statistics.median(polls.took) * 1000:.1f} ms, "
                      f"slowest {max(polls.took) * 1000:.1f} ms", flush=True)
                # Few fall between two commits, where the loop itself answers, and that before its next commit.
                self.assertLess(statistics.median(polls.took), SYNC_SECONDS / 4)
                self.assertGreater(len(polls.took), MEASURED_SECONDS / SYNC_SECONDS * 2)
        self.assertEqual(busy_client.call("get_scan_status")["scan_complete"], 0, "it was busy all that time")
        busy_client.call("cancel_scan")
        wait_until(lambda: busy_client.call("get_scan_status")["scan_complete"], 120, "its end")


if __name__ == "__main__":
    main()
