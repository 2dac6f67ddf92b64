"""One account's long job beside another one's polls."""

import contextlib
import os
import statistics
import subprocess
import sys
import time

from client import wait_until
from measured import leave_the_processors_to_the_service, polled, print_table
from service import Service
from test_files import EICAR

QUIET_SECONDS = 20


def make_files(account, directory, count, content, mode, owner):
    os.mkdir(account.path(directory))
    for number in range(count):
        path = account.path(directory, f"{number:07d}")
        with open(path, "wb") as file:
            file.write(content(number))
        os.chmod(path, mode)
        if owner:
            os.chown(path, account.uid, account.gid)
    os.chown(account.path(directory), account.uid, account.gid)


def lines_of(path):
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return sum(1 for _ in file)
    return 0


def scan_of_many(service, scale, poller, table):
    account = service.add_account("many")
    client = service.client(account)
    make_files(account, "closed", scale.unreadable, lambda _: b"x", 0o600, owner=False)
    make_files(account, "infected", scale.infected, lambda number: EICAR + f"{number}".encode(), 0o644, owner=True)
    with polled(service, poller, f"a scan with {scale.unreadable:,} unreadable and {scale.infected:,} infected files",
                table):
        client.call("start_scan", {"scan_type": "home"})
        status = client.finish_scan(1800)
        assert len(status["infected_files"]) == scale.infected, len(status["infected_files"])
        log = account.path(".clamavconnector.scan.log")
        wait_until(lambda: lines_of(log) > scale.unreadable + scale.infected, 600, "its log")
    with polled(service, poller, "lists of its files", table):
        for _ in range(5):
            assert len(client.call("list_infected_files")) == scale.infected
            assert len(client.call("list_unscanned_files")) == scale.unreadable
    with polled(service, poller, f"{scale.infected:,} deletions and quarantines", table):
        began = time.monotonic()
        actions = {path: ("delete", "quarantine")[number % 2] for number, path in enumerate(status["infected_files"])}
        client.call("disinfect_files", {"actions": actions})
        last = wait_until(lambda: (data := client.call("check_disinfection_status", {"last_id": len(actions)}))
                          ["status"] == "done" and data, 1800, "their end")
        took = time.monotonic() - began
        assert not os.listdir(account.path("infected")), "some are left"
        assert last["details"][-1]["type"] == "done", last
    return took / scale.infected * 1000


def many_actions(service, scale, poller, table):
    account = service.add_account("actions")
    client = service.client(account)
    with polled(service, poller, f"{scale.actions:,} actions on unlisted paths", table):
        client.call("disinfect_files", {"actions": {f"/nowhere/{i}": "delete" for i in range(scale.actions)}})
        wait_until(lambda: client.call("check_disinfection_status", {"last_id": scale.actions})["status"] == "done", 900,
                   "its end")


@contextlib.contextmanager
def both_processors_busy():
    """What the kernel's scheduler alone costs: each poll wakes eight processes one after another."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measure(build, scale):
    table = []
    with Service(build=build) as service:
        account = service.add_account("poller")
        service.wait_until_it_serves(account)
        poller = service.client(account)
        account.write("found", EICAR)
        poller.scan()
        with polled(service, poller, "nothing else happens", table):
            time.sleep(QUIET_SECONDS)
        with both_processors_busy(), polled(service, poller, "two processes of nobody's compute", table):
            time.sleep(QUIET_SECONDS)
        leave_the_processors_to_the_service()
        many_actions(service, scale, poller, table)
        each = scan_of_many(service, scale, poller, table)
    quiet = table[0]
    print_table(("another account's poll while", "polls", "p50 ms", "p99 ms", "p99 of quiet", "long turns of jobd, ms"),
                [(one.name, len(one.milliseconds), statistics.median(one.milliseconds), one.p99(),
                  one.p99() / quiet.p99(), one.turns or "none") for one in table])
    print(f"\n{each:.2f} ms for each of the deletions and quarantines")
