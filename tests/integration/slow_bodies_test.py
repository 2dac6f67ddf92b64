"""Clients that send their bodies at one byte a second, more of them than a responder has threads: strangers, and one
account's own. Nobody else waits for them. CLAMSCANNER_SOAK=1 keeps it up for ten minutes, with password guesses beside
it, and compares an owner's slowest polls with those of a quiet time, which is meaningful only on a quiet machine."""

import base64
import contextlib
import socket
import statistics
import time

from client import Client
from service_case import SOAK, ServiceCase, main
from slow_senders import SlowSenders, head
from statistics_client import StatisticsClient
from wrong_logins_test import Guesser, percentile_99

MANY = 120  # a responder has 64 threads
SECONDS = 10
QUIET_SECONDS, SOAK_SECONDS = (60, 600) if SOAK else (5, 8)
PATIENCE_SECONDS = 10  # a poll's, on a busy machine: such bodies are waited for 30 s
POLL_EVERY = 0.02
FACTOR = 3  # of the slowest hundredth of the polls
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
START_SCAN = "/execute/ClamScanner/start_scan"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class SlowBodyCase(ServiceCase):
    def setUp(self):
        super().setUp()
        self.owner, self.client = self.new_account("owner")
        self.slow, self.slow_client = self.new_account("slow")

    def of_strangers(self, count):
        kinds = [{}, {"Authorization": "Basic x"}, {"Authorization": "Bearer x"}, basic(self.owner.name, "wrong"),
                 basic("nobody-of-this-name", "wrong")]
        targets = [START_SCAN, "/ClamScanner/disinfect_files", "/execute/ClamScanner/nothing"]
        return [head(targets[number % 3], {**FORM, **kinds[number % len(kinds)]}) for number in range(count)]

    def of_the_account(self, count):
        return [head(START_SCAN, {**FORM, **basic(self.slow.name, self.slow.password)})] * count

    def poll(self, client, seconds, method="GET"):
        took = []
        end = time.monotonic() + seconds
        while (start := time.monotonic()) < end:
            answer = client.ask("get_scan_status", method=method)
            took.append(time.monotonic() - start)
            self.assertEqual(answer.status, 200, answer.body)
            time.sleep(POLL_EVERY)
        return took


class SlowBodies(SlowBodyCase):
    def polls_are_answered(self, seconds=SECONDS):
        """The owner's, with and without a body."""
        for method in ("GET", "POST"):
            self.assertLess(max(self.poll(self.client, seconds / 2, method)), PATIENCE_SECONDS, method)

    @property
    def passes_bodies_on_as_they_come(self):
        """Whether the service sees slow bodies at all: other web servers take them in first."""
        return self.service.front_name == "proxy"

    def test_strangers(self):
        with SlowSenders(self.service.front.port, self.of_strangers(MANY)) as senders:
            self.polls_are_answered()
            if self.passes_bodies_on_as_they_come:
                self.assertEqual(senders.under_way(), 0, "each is refused after a few bytes")
        statuses = {status for status, _ in senders.answers}
        self.assertLessEqual(statuses, {401, 403, 429, 503}, statuses)
        if self.passes_bodies_on_as_they_come:
            self.assertGreater(len(senders.answers), MANY)
            self.assertIn(401, statuses)

    def test_one_account(self):
        with SlowSenders(self.service.front.port, self.of_the_account(MANY)) as senders:
            self.polls_are_answered()
            # Its own requests without a body neither.
            self.assertLess(max(self.poll(self.slow_client, 3)), PATIENCE_SECONDS)
            if self.passes_bodies_on_as_they_come:
                self.assertLessEqual(senders.under_way(), 64 // 8)
                self.assertIn(503, {status for status, _ in senders.answers})

    def test_signed_and_unsigned_requests_of_the_statistics(self):
        unsigned = [head("/", {**FORM}), head("/?Action=a&Version=b&SignatureVersion=1.0", {**FORM}), head("/", {}),
                    head("/?Action=a&Version=b", {**FORM, **basic(self.owner.name, "wrong")}),
                    head("/", {"Authorization": "ACS3-HMAC-SHA256 Credential=x,SignedHeaders=host,Signature=00"})]
        requests = [unsigned[number % len(unsigned)] for number in range(MANY)]
        with SlowSenders(self.service.front.statistics_port, requests) as senders:
            self.polls_are_answered()
            statistics_client = StatisticsClient(self.service.statistics_url, "", "")
            answer = statistics_client.call_basic(self.owner.name, self.owner.password,
                                                  "GetVirusScanLatestTaskStatistic")
            self.assertEqual(answer.status, 200, answer.body)
        self.assertNotIn(200, {status for status, _ in senders.answers})

    def test_a_slow_body_that_is_whole_is_answered(self):
        for headers, expected in ((basic(self.slow.name, self.slow.password), b"200"),
                                  (basic(self.slow.name, "wrong"), b"401"), ({}, b"401")):
            with socket.create_connection(("127.0.0.1", self.service.front.port), timeout=30) as connection:
                connection.sendall(head("/execute/ClamScanner/get_scan_status", {**FORM, **headers}, length=4))
                for byte in (b"x", b"=", b"1", b"2"):
                    time.sleep(0.5)
                    connection.sendall(byte)
                status = connection.recv(65536).split()[1]
            self.assertEqual(status, expected)


class TheOwnersPolls(SlowBodyCase):
    def test_slow_bodies_and_guesses_do_not_slow_them_down(self):
        Client.checks.clear()  # this measures time, and checking answers takes some
        quiet = self.poll(self.client, QUIET_SECONDS)
        print(f"\n{'':<36}{'polls':>8}{'median':>12}{'p99':>12}{'slowest':>12}")
        self.tell("quiet", quiet)
        port = self.service.front.port
        with contextlib.ExitStack() as attacks:
            strangers = attacks.enter_context(SlowSenders(port, self.of_strangers(MANY)))
            own = attacks.enter_context(SlowSenders(port, self.of_the_account(MANY // 3), "127.0.4.{}"))
            guesser = attacks.enter_context(
                Guesser(lambda number: self.service.client(self.owner, source="127.0.0.2")))
            took = self.poll(self.client, SOAK_SECONDS)
        self.tell("slow bodies and guesses", took)
        print(f"{len(strangers.answers)} answers to strangers' bodies, {len(own.answers)} to one account's, "
              f"{len(guesser.statuses)} to guesses", flush=True)
        self.assertNotIn(200, guesser.statuses)
        if SOAK:
            self.assertLess(percentile_99(took), FACTOR * percentile_99(quiet))
        late = [f"after {sum(took[:at]):.0f} s" for at, seconds in enumerate(took) if seconds > PATIENCE_SECONDS]
        self.assertEqual(late, [], "polls that took longer than anybody waits")

    @staticmethod
    def tell(name, took):
        times = (statistics.median(took), percentile_99(took), max(took))
        print(f"{name:<36}{len(took):>8}" + "".join(f"{seconds * 1000:>9.2f} ms" for seconds in times), flush=True)


if __name__ == "__main__":
    main()
