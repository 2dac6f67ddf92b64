"""Clients that call at random while every few seconds a process is killed: no answer is wrong, and nothing is left
behind. What an answer may be then: an error of the server's (a 5xx, or the connection's end), or one that is true."""

import collections
import http.client
import os
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from client import wait_until
from measured import print_table
from service import DAEMONS, Service
from sigkill_test import LEFT, ROLES
from test_files import EICAR, clean_page

ACCOUNTS = 4
CLEAN = 60
KILL_EVERY = 5
BUSY = "already queued or running"
QUARANTINE = "quarantine_clamavconnector"


class Owner:
    """One account, its files and what it knows of them."""

    def __init__(self, account, client, seed):
        self.account = account
        self.client = client
        self.choose = random.Random(seed)
        self.counts = collections.Counter()
        self.clean = {account.write(f"public_html/{number}.html", clean_page(number, 3000)): clean_page(number, 3000)
                      for number in range(CLEAN)}
        self.planted = {}  # path -> content
        self.account.write("mail/welcome", "there is a directory of mail")
        self.asked_to_remove = set()
        self.ids = {}  # id -> record of the disinfection that is followed

    def plant(self):
        content = EICAR + f" {self.account.name} {len(self.planted)}\n".encode()
        self.planted[self.account.write(f"mail/virus-{len(self.planted)}", content)] = content

    def ask(self, function, arguments=None):
        """The result, or None where the service could not answer."""
        try:
            answer = self.client.ask(function, arguments)
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            self.counts["no answer"] += 1
            return None
        self.counts[answer.status] += 1
        if answer.status != 200:
            assert answer.status in (500, 502, 503, 504), (function, answer)
            return None
        return answer.result()

    def step(self):
        move = self.choose.choices((self.scan, self.status, self.list, self.disinfect, self.follow, self.held),
                                   weights=(2, 6, 2, 2, 5, 1))[0]
        move()

    def scan(self):
        if self.choose.random() < 0.5:
            self.plant()
        result = self.ask("start_scan", {"scan_type": self.choose.choice(("home", "mail"))})
        assert result is None or result["status"] == 1 or BUSY in result["errors"][0], result

    def status(self):
        if (result := self.ask("get_scan_status")) is None:
            return
        data = result["data"]
        assert result["status"] == 1, result
        found = data["infected_files"]
        assert len(found) == len(set(found)), f"twice: {found}"
        assert set(found) <= set(self.planted), f"not infected: {set(found) - set(self.planted)}"
        assert data["scanned_file_count"] <= data["total_file_count"], data

    def list(self):
        if (result := self.ask("list_infected_files")) is not None:
            paths = [entry["file"] for entry in result["data"]]
            assert len(paths) == len(set(paths)) and set(paths) <= set(self.planted), paths

    def disinfect(self):
        if not self.planted:
            return
        some = self.choose.sample(sorted(self.planted), min(len(self.planted), 4))
        actions = {path: self.choose.choice(("quarantine", "delete", "ignore")) for path in some}
        actions[next(iter(self.clean))] = "delete"  # never found, so never touched
        self.asked_to_remove |= {path for path, action in actions.items() if action != "ignore"}
        result = self.ask("disinfect_files", {"actions": actions})
        assert result is None or result["status"] == 1 or BUSY in result["errors"][0], result
        if result is None or result["status"] == 1:
            self.ids = {}

    def follow(self):
        if (result := self.ask("check_disinfection_status")) is None:
            return
        records = result["data"]["details"]
        assert [record["id"] for record in records] == list(range(1, len(records) + 1)), "ids have a gap"
        for record in records:
            assert not (record["type"] == "step" and record["state"] in ("deleted", "quarantined")
                        and record["file"] in self.clean), record

    def held(self):
        self.ask("list_quarantined_files")

    # ---- When all is quiet again

    def settle(self):
        wait_until(lambda: (result := self.ask("get_scan_status")) and result["data"]["scan_complete"] == 1
                   and (result := self.ask("check_disinfection_status"))
                   and result["data"]["status"] in ("done", "none"), 300, f"the end of {self.account.name}'s jobs")

    def check(self):
        for path, content in self.clean.items():
            with open(path, "rb") as file:
                assert file.read() == content.encode(), f"{path} changed"
        missing = {path for path in self.planted if not os.path.exists(path)}
        assert missing <= self.asked_to_remove, f"gone, and nobody asked: {missing - self.asked_to_remove}"
        status = self.client.scan(seconds=300)
        assert set(status["infected_files"]) == set(self.planted) - missing, status
        assert status["scanned_file_count"] == status["total_file_count"], status


class Killer:
    def __init__(self, service, choose):
        self.service = service
        self.choose = choose
        self.killed = collections.Counter()
        self.fault = None
        self.kills = True  # when it is not, it only restarts what gave up because another was gone
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *fault):
        self._over.set()
        self._thread.join()

    def _work(self):
        try:
            due = time.monotonic() + KILL_EVERY
            while not self._over.wait(0.05):
                for name, status in self.service.restart_what_ended().items():
                    assert status >= 0, f"{name} was ended by signal {-status}, which nobody here sent"
                if self.kills and time.monotonic() >= due and self._kill(self.choose.choice(list(ROLES))):
                    due += KILL_EVERY
        except Exception as fault:
            self.fault = fault

    def _kill(self, role):
        program, depth = ROLES[role]
        chosen = [process for process in self.service.processes(program) if process.depth == depth]
        if not chosen:
            return False
        victim = self.choose.choice(chosen)
        daemon = next((name for name in DAEMONS if self.service.pid(name) == victim.pid), None)
        if daemon:
            self.service.kill(daemon)
            self.service.start(daemon)
        else:
            try:
                os.kill(victim.pid, 9)
            except ProcessLookupError:
                return False
        self.killed[role] += 1
        return True


def what_is_left(service):
    """Files and processes that belong to no job, once nobody asks any more."""
    left = [process.program for process in service.processes() if process.program == "clamscanner-runner"]
    for place, most in (("run/engine/tmp", LEFT), ("state/lists", 0)):
        files = [os.path.join(directory, name) for directory, below, names in os.walk(service.path(place))
                 for name in below + names]
        left += files if len(files) > most else []
    return left


def database_faults(service):
    faults = []
    for name in ("jobs.sqlite",):
        database = sqlite3.connect(f"file:{service.path('state', name)}?mode=ro", uri=True)
        faults += [row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
        faults += [f"a row without its parent: {row}" for row in database.execute("PRAGMA foreign_key_check")]
        database.close()
    return faults


def measure(build, scale):
    seed = int(os.environ.get("CLAMSCANNER_SEED") or random.randrange(2**32))
    print(f"\nCLAMSCANNER_SEED={seed}", flush=True)
    with Service(build=build, config={"jobs": {"retry_seconds": 1}, "agents": {"idle_seconds": 5}}) as service:
        owners = []
        for number in range(ACCOUNTS):
            account = service.add_account("random")
            service.wait_until_it_serves(account)
            owners.append(Owner(account, service.client(account), seed + number))
        end = time.monotonic() + scale.kill_seconds

        def play(owner):
            while time.monotonic() < end:
                owner.step()
                time.sleep(0.01)

        with Killer(service, random.Random(seed)) as killer:
            with ThreadPoolExecutor(ACCOUNTS) as players:
                list(players.map(play, owners))
            killer.kills = False
            for owner in owners:
                owner.settle()
            for owner in owners:
                owner.check()
        if killer.fault:
            raise killer.fault
        wait_until(lambda: not what_is_left(service), 60, "nothing to be left behind")
        faults = database_faults(service)
        assert not faults, faults
        answers = sum((owner.counts for owner in owners), collections.Counter())
    print_table((f"random calls of {ACCOUNTS} accounts for {scale.kill_seconds} s", "number"),
                [*(((f"answers with {what}" if isinstance(what, int) else what), count)
                   for what, count in sorted(answers.items(), key=str)),
                 *((f"killed: {role}", count) for role, count in sorted(killer.killed.items())),
                 ("wrong answers, files or processes left behind, faults of the database", 0)])
