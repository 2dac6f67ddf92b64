"""Very many owners at once: all of them poll each second from a cold start; and at new addresses, while strangers guess."""

import collections
import contextlib
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from client import Client
from measured import percentile_99, print_table, processor_ms
from service import Service
from wrong_logins_test import Strangers

SETTLED_AFTER = 30
CALLERS = 64  # threads that poll for all of them


class Owners:
    """Each polls once a second, or as often as the callers manage."""

    def __init__(self, clients):
        self._clients = clients
        self._begun = None
        self.answers = []  # (seconds since the beginning, status, seconds it took)
        self._lock = threading.Lock()

    def poll_for(self, seconds):
        self._begun = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(lambda caller: self._poll(self._clients[caller::CALLERS], seconds), range(CALLERS)))

    def _poll(self, clients, seconds):
        while (begun := time.monotonic()) < self._begun + seconds:
            for client in clients:
                started = time.monotonic()
                status = client.ask("get_scan_status").status
                with self._lock:
                    self.answers.append((started - self._begun, status, time.monotonic() - started))
            time.sleep(max(0, begun + 1 - time.monotonic()))

    def row(self, name, first, last):
        chosen = [(status, took) for at, status, took in self.answers if first <= at < last]
        statuses = collections.Counter(status for status, _ in chosen)
        took = [took * 1000 for _, took in chosen]
        return (name, len(chosen), len(chosen) / (last - first), statuses[503], dict(statuses), statistics.median(took),
                percentile_99(took), max(took))


def poll_from_cold(build, count, agents, seconds, rows):
    who = f"{count:,} owners, {agents:,} agents"
    with Service(build=build, config={"agents": {"max_agents": agents}}) as service:
        clients = [service.client(account) for account in service.add_accounts(count, "owner")]
        daemons = ("authd", "jobd", "fcgi")
        before = {name: processor_ms(service.pid(name)) for name in daemons}
        owners = Owners(clients)
        owners.poll_for(seconds)
        used = {name: processor_ms(service.pid(name)) - before[name] for name in daemons}
        rows.append(owners.row(f"{who}, the first {SETTLED_AFTER} s", 0, SETTLED_AFTER))
        rows.append(owners.row(f"{who}, after {SETTLED_AFTER} s", SETTLED_AFTER, seconds))
        return [(who, name, milliseconds / seconds) for name, milliseconds in used.items()]


def new_addresses_while_strangers_guess(build, owners, rows):
    with Service(build=build) as service:
        accounts = service.add_accounts(owners + 1, "owner")
        statuses, took = collections.Counter(), []
        with Strangers(service.client, [accounts[-1].name]) as strangers:
            time.sleep(3)
            for number, account in enumerate(accounts[:-1]):
                for round_ in range(2):
                    begun = time.monotonic()
                    client = service.client(account, source=f"127.4.{round_}.{number + 1}")
                    statuses[client.ask("get_scan_status").status] += 1
                    took.append((time.monotonic() - begun) * 1000)
        rows.append((f"{owners} owners at 2 new addresses each; 48 strangers got {dict(strangers.statuses)}", len(took), "",
                     statuses[503], dict(statuses), statistics.median(took), percentile_99(took), max(took)))


@contextlib.contextmanager
def unchecked_answers():
    """Checking each answer against the document takes more time than the answer."""
    checks, Client.checks = Client.checks, []
    try:
        yield
    finally:
        Client.checks = checks


def measure(build, scale):
    rows, used = [], []
    with unchecked_answers():
        for count, agents in scale.owners:
            used += poll_from_cold(build, count, agents, SETTLED_AFTER + scale.settled_seconds, rows)
        new_addresses_while_strangers_guess(build, 20, rows)
    print_table(("who asks", "polls", "a second", "of these 503", "statuses", "p50 ms", "p99 ms", "slowest ms"), rows)
    print_table(("polling each second", "daemon", "processor ms a second"), used)
