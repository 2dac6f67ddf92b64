"""A virtual machine's host may give its cores to other machines for a while. What is measured meanwhile says nothing."""

import os
import subprocess
import sys
import time

MOST_STOLEN = 0.03
PROBE_SECONDS = 2
PAUSE_SECONDS = 10

_SPIN = f"import time\nend = time.monotonic() + {PROBE_SECONDS}\nwhile time.monotonic() < end: pass"


class StolenTime:
    """Of the time that processes here wanted to work since this was made, the share that was given to other machines."""

    def __init__(self):
        self._begun = _worked_and_stolen()

    def share(self):
        worked, stolen = (now - begun for now, begun in zip(_worked_and_stolen(), self._begun))
        return stolen / max(1, worked + stolen)


def _worked_and_stolen():
    """Of all cores since they started, in ticks; proc(5)."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return user + nice + system + irq + softirq, steal


class CalmMeasurements:
    """Made while all cores are ours, as far as that can be waited for: `patience` seconds altogether."""

    def __init__(self, patience, tell):
        self._patience = patience
        self._tell = tell
        self._repeated = 0
        self._worst = 0.0

    def make(self, measure):
        """What `measure` returns; if it was disturbed, it is made again, and the least disturbed one counts."""
        tries = []
        while True:
            self._await_calm()
            stolen, begun = StolenTime(), time.monotonic()
            result = measure()
            tries.append((stolen.share(), result))
            if tries[-1][0] <= MOST_STOLEN or self._patience <= 0:
                break
            self._tell(f"once more: {tries[-1][0]:.0%} of the cores' time was stolen")
            self._patience -= time.monotonic() - begun
        self._repeated += len(tries) - 1
        share, result = min(tries, key=lambda one: one[0])
        self._worst = max(self._worst, share)
        return result

    def note(self):
        return (f"at most {self._worst:.1%} of the cores' time was stolen in a measurement; {self._repeated} were made "
                "again because it was more")

    def _await_calm(self):
        while True:
            begun, stolen = time.monotonic(), StolenTime()
            for process in [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(os.cpu_count())]:
                process.wait()
            if stolen.share() <= MOST_STOLEN or self._patience <= 0:
                return
            time.sleep(PAUSE_SECONDS)
            self._patience -= time.monotonic() - begun
