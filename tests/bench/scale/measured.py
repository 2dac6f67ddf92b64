"""What the parts of this benchmark share: polls of a status and how long each took, and what processes use."""

import contextlib
import multiprocessing
import os
import statistics
import sys
import time
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
POLL_EVERY = 0.01


@dataclass
class Measured:
    name: str
    milliseconds: list = field(default_factory=list)  # of each poll
    turns: list = field(default_factory=list)  # those that jobd found too long

    def p99(self):
        return percentile_99(self.milliseconds)


def leave_the_processors_to_the_service():
    """The client that makes the load would be on a machine of its own."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)  # not SCHED_IDLE: some kernels preempt that at their next tick only


def percentile_99(values):
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else float("nan")


@contextlib.contextmanager
def polled(service, client, name, table):
    """Polls as long as the block lasts, in a process of its own: a thread would wait for what this one does with its own
    requests and answers, too."""
    measured = Measured(name)
    before = len(service.long_turns_logged())
    over, ours = multiprocessing.Pipe()
    poller = multiprocessing.Process(target=_poll, args=(client, over), daemon=True)
    poller.start()
    over.close()  # so that its end is noticed
    try:
        ours.recv()  # it polls
        yield
    finally:
        ours.send(None)
        measured.milliseconds = ours.recv()
        poller.join()
    measured.turns = service.long_turns_logged()[before:]
    table.append(measured)


def _poll(client, over):
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    milliseconds = []
    over.send(None)
    while not over.poll(POLL_EVERY):
        began = time.monotonic()
        client.call("get_scan_status")
        milliseconds.append((time.monotonic() - began) * 1000)
    over.send(milliseconds)


def processor_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


def own_megabytes(pid):
    """What would be free if this process ended."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) / 1024


def print_table(header, rows):
    print("\n| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else f"{cell}" for cell in row) + " |")
    sys.stdout.flush()
