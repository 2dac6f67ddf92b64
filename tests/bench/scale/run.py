"""Whether one account's long list delays another: an account polls its status while another one has very many files
scanned, or very many actions carried out, and while nothing else happens. And what the lists of the statistics cost
with a year's history. Run as root; --small takes five minutes. Trust ratios, counts and processor time: the latencies
are of one machine, and all else that runs there is in them."""

import argparse
import contextlib
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

from client import wait_until  # noqa: E402
from polling import Polling  # noqa: E402
from service import Service  # noqa: E402
from statistics_client import StatisticsClient  # noqa: E402
from test_files import EICAR  # noqa: E402

QUIET_SECONDS = 20
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
LISTS = 40
ACCOUNTS = 2000


@dataclass(frozen=True)
class Scale:
    unreadable: int
    infected: int
    actions: int
    tasks: int


FULL = Scale(unreadable=100_000, infected=30_000, actions=450_000, tasks=830_000)
SMALL = Scale(unreadable=20_000, infected=2_000, actions=100_000, tasks=830_000)


@dataclass
class Measured:
    name: str
    milliseconds: list = field(default_factory=list)  # of each poll
    turns: list = field(default_factory=list)  # those that jobd found too long

    def p99(self):
        return statistics.quantiles(self.milliseconds, n=100)[98] if len(self.milliseconds) > 1 else float("nan")


class Polls(Polling):
    def __init__(self, client, measured):
        super().__init__(client, 0.02)
        self.measured = measured

    def poll(self):
        began = time.monotonic()
        self.client.call("get_scan_status")
        self.measured.milliseconds.append((time.monotonic() - began) * 1000)


@contextlib.contextmanager
def polled(service, client, name, table):
    measured = Measured(name)
    before = len(service.long_turns_logged())
    with Polls(client, measured):
        yield
    measured.turns = service.long_turns_logged()[before:]
    table.append(measured)


def processor_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


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


def scan_of_many(service, scale, poller, table):
    account = service.add_account("many")
    client = service.client(account)
    make_files(account, "closed", scale.unreadable, lambda _: b"x", 0o600, owner=False)
    make_files(account, "infected", scale.infected, lambda _: EICAR, 0o644, owner=True)
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


def lines_of(path):
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return sum(1 for _ in file)
    return 0


def many_actions(service, scale, poller, table):
    account = service.add_account("actions")
    client = service.client(account)
    with polled(service, poller, f"{scale.actions:,} actions on unlisted paths", table):
        client.call("disinfect_files", {"actions": {f"/nowhere/{i}": "delete" for i in range(scale.actions)}})
        wait_until(lambda: client.call("check_disinfection_status", {"last_id": scale.actions})["status"] == "done", 900,
                   "its end")


def plant_history(service, tasks):
    state = service.path("state")
    service.stop("jobd")
    with contextlib.closing(sqlite3.connect(os.path.join(state, "jobs.sqlite"))) as database, database:
        owner = database.execute("SELECT max(id) FROM account").fetchone()[0]
        database.executemany("INSERT INTO account(uid, name, home, file_system, inode, born_ns) VALUES(?, ?, ?, 0, 0, 0)",
                             ((60_000 + i, b"u%d" % i, b"/home/u%d" % i) for i in range(ACCOUNTS)))
        first = database.execute("SELECT max(id) FROM account").fetchone()[0] - ACCOUNTS + 1
        # Half of them are those of one account.
        now = int(time.time() * 1000)
        rows = ((owner if i % 2 else first + i // 2 % ACCOUNTS, random.choice((1, 1, 2, 3)), now - 37_000 * (tasks - i))
                for i in range(tasks))
        database.executemany("INSERT INTO task(account, kind, state, outcome, created_ms, ended_ms, "
                             "ended_running_ms, starts, pruned, walked, total_files, scanned_files) "
                             "VALUES(?, 0, 2, ?, ?3, ?3 + 9000, 0, 1, 2, 1, 20, 20)", rows)
    for name in os.listdir(state):
        if name.startswith("jobs.sqlite"):
            user = service.users["jobd"]
            os.chown(os.path.join(state, name), user.pw_uid, user.pw_gid)
    began = time.monotonic()
    service.start("jobd")
    return (time.monotonic() - began) * 1000


def lists_of_history(service, scale):
    """Processor milliseconds of jobd for one list, by what is listed."""
    account = service.add_account("history")
    client = service.client(account)
    client.scan()
    started = plant_history(service, scale.tasks)
    host = service.host_user.pw_name
    subprocess.run(["chpasswd"], input=f"{host}:a-password-for-lists", text=True, check=True)
    signer = StatisticsClient(service.statistics_url, "", "")
    pages = {"the first page": {"CurrentPage": 1}, "a page in the middle": {"CurrentPage": scale.tasks // 400},
             "by status and type": {"Status": 3, "ScanType": "user", "CurrentPage": 50},
             "a time in the middle": {"StartTime": int(time.time() * 1000) - 18_500 * scale.tasks}}
    costs = {"start of jobd (wall clock)": started}
    for whose, user, password in (("host", host, "a-password-for-lists"), ("account", account.name, account.password)):
        for name, parameters in pages.items():
            before = processor_ms(service.pid("jobd"))
            for _ in range(LISTS):
                answer = signer.call_basic(user, password, "ListVirusScanTask", {"PageSize": 100, **parameters})
                assert answer.status == 200, answer.body
            costs[f"{whose}: {name}"] = (processor_ms(service.pid("jobd")) - before) / LISTS
    return costs


def report(table, costs):
    quiet = table[0]
    print("| while | polls | p50 ms | p99 ms | of quiet | long turns of jobd, ms |")
    print("|---|---|---|---|---|---|")
    for measured in table:
        print(f"| {measured.name} | {len(measured.milliseconds)} | {statistics.median(measured.milliseconds):.1f} | "
              f"{measured.p99():.1f} | {measured.p99() / quiet.p99():.1f} | {measured.turns or 'none'} |")
    print("\n| list of the statistics | processor ms of jobd |")
    print("|---|---|")
    for name, milliseconds in costs.items():
        print(f"| {name} | {milliseconds:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    scale = SMALL if options.small else FULL
    table = []
    with Service(build=options.build, with_host_user=True) as service:
        account = service.add_account("poller")
        service.wait_until_it_serves(account)
        poller = service.client(account)
        account.write("found", EICAR)
        poller.scan()
        with polled(service, poller, "nothing else happens", table):
            time.sleep(QUIET_SECONDS)
        many_actions(service, scale, poller, table)
        scan_of_many(service, scale, poller, table)
        report(table, lists_of_history(service, scale))


if __name__ == "__main__":
    main()
