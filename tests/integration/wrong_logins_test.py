"""A guesser tries ten different passwords a second while the account's owner keeps polling: no poll is refused, and
none waits as the guesser's own requests do. CLAMSCANNER_SOAK=1 measures for longer and also compares the slowest polls
with those of a quiet time, which is meaningful only on a quiet machine."""

import secrets
import statistics
import threading
import time

from client import Client
from service_case import SOAK, ServiceCase, main

SECONDS = 180 if SOAK else 20
GUESSES_A_SECOND = 10
FACTOR = 3  # of the slowest hundredth of the polls
POLL_EVERY = 0.01


class Guesser:
    """Sends each guess when it is due, whether the last was answered or not."""

    def __init__(self, client_for):
        self.client_for = client_for  # called with the guess's number
        self.statuses = []
        self.took_until_wrong = []  # of those answered 401, not refused as too many
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._guess)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *fault):
        self._ended.set()
        self._thread.join()

    def _guess(self):
        threads = []
        number = 0
        begun = time.monotonic()
        while not self._ended.wait(max(0, begun + (number + 1) / GUESSES_A_SECOND - time.monotonic())):
            client = self.client_for(number)
            client.password = secrets.token_hex(8)
            threads.append(threading.Thread(target=self._guess_once, args=(client,)))
            threads[-1].start()
            number += 1
        for thread in threads:
            thread.join()

    def _guess_once(self, client):
        start = time.monotonic()
        status = client.ask("get_scan_status").status
        if status == 401:
            self.took_until_wrong.append(time.monotonic() - start)
        self.statuses.append(status)


class WrongLogins(ServiceCase):
    def setUp(self):
        Client.checks.clear()  # this test measures time, and checking answers takes some

    def poll(self, client, seconds):
        """How long each poll took; fails on the first that is refused."""
        took = []
        end = time.monotonic() + seconds
        while (start := time.monotonic()) < end:
            answer = client.ask("get_scan_status")
            took.append(time.monotonic() - start)
            self.assertEqual(answer.status, 200, answer.body)
            time.sleep(max(0, POLL_EVERY - took[-1]))
        return took

    def test_the_guesser_does_not_slow_down_the_owner(self):
        owner, client = self.new_account("owner")
        other, _ = self.new_account("other")
        phases = {
            "another account": lambda number: self.service.client(other, source="127.0.0.2"),
            "the same account": lambda number: self.service.client(owner, source="127.0.0.2"),
            "the same account, from everywhere":
                lambda number: self.service.client(owner, source=f"127.1.{number // 250}.{number % 250 + 1}"),
        }
        quiet = self.poll(client, SECONDS)
        print(f"{'':<36}{'polls':>8}{'median':>12}{'p99':>12}")
        self.tell("quiet", quiet)
        for name, client_for in phases.items():
            with self.subTest(name), Guesser(client_for) as guesser:
                took = self.poll(client, SECONDS)
                self.tell(name, took)
                # What is only promised for guesses from one address: those from everywhere cost a password check each.
                if SOAK and "everywhere" not in name:
                    self.assertLess(percentile_99(took), FACTOR * percentile_99(quiet))
            # Wrong passwords are answered at a fixed time that no machine is slow enough to need for a poll.
            self.assertLess(statistics.median(took), min(guesser.took_until_wrong))
            self.assertGreater(len(guesser.statuses), SECONDS * GUESSES_A_SECOND * 0.8, "it did guess")
            self.assertNotIn(200, guesser.statuses)

    @staticmethod
    def tell(name, took):
        print(f"{name:<36}{len(took):>8}{statistics.median(took) * 1000:>9.2f} ms{percentile_99(took) * 1000:>9.2f} ms",
              flush=True)


def percentile_99(took):
    return statistics.quantiles(took, n=100)[98]


if __name__ == "__main__":
    main()
