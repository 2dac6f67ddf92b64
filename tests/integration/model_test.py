"""Several accounts whose clients call at random, each answer held against a model of what the contract allows; and
clients of one account that start scans at the same moment."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from account_model import BUSY, AccountModel
from service_case import SOAK, ServiceCase, main
from test_files import EICAR

ACCOUNTS = 4
CALLS = 20_000 if SOAK else 600  # of each account
RACES = 10


class RandomClients(ServiceCase):
    def test_every_answer_is_one_that_the_model_allows(self):
        seed = int(os.environ.get("CLAMSCANNER_SEED") or random.randrange(2**32))
        print(f"seed {seed} (CLAMSCANNER_SEED={seed} repeats the calls)", flush=True)
        models = [AccountModel(self, *self.new_account(), seed + number) for number in range(ACCOUNTS)]

        def play(model):
            try:
                # On a fast machine all of them may fall into one scan: then it goes on, so that there is something to see.
                for number in range(10 * CALLS):
                    if number >= CALLS and model.scan is not None and model.disinfection is not None:
                        break
                    model.step()
            except Exception as fault:
                raise AssertionError(f"{model.account.name}, after {model.calls[-12:]}") from fault
            return model.calls

        with ThreadPoolExecutor(ACCOUNTS) as players:
            played = list(players.map(play, models))
        print(f"{sum(map(len, played))} calls; " + ", ".join(
            f"{name} {sum(calls.count(name) for calls in played)}" for name in sorted(set(played[0]))), flush=True)
        # A run in which nothing happened would prove nothing.
        for model in models:
            self.assertIsNotNone(model.scan)
            self.assertIsNotNone(model.disinfection)


class ClientsOfOneAccount(ServiceCase):
    def one_wins(self, results):
        won = [number for number, result in enumerate(results) if result["status"] == 1]
        self.assertEqual(len(won), 1, results)
        for number, result in enumerate(results):
            if number not in won:
                self.assertIn(BUSY, result["errors"][0])
        return won[0]

    def race(self, client, count, call):
        """The results of so many calls made at the same moment."""
        start = threading.Barrier(count)

        def one(number):
            start.wait()
            return call(number)

        with ThreadPoolExecutor(count) as callers:
            return list(callers.map(one, range(count)))

    def test_of_simultaneous_scans_exactly_one_starts(self):
        account, client = self.new_account()
        for number in range(200):
            account.write(f"public_html/{number}.html", "<p>page")
        for _ in range(RACES):
            with self.service.stopped("engine"):
                self.one_wins(self.race(client, 6, lambda number: client.result("start_scan", {"scan_type": "home"})))
            client.finish_scan()

    def test_of_simultaneous_jobs_exactly_one_starts(self):
        account, client = self.new_account()
        path = account.write("virus", EICAR)
        client.scan()
        calls = (("start_scan", {"scan_type": "home"}), ("disinfect_files", {"actions": {path: "quarantine"}}))
        winners = set()
        for _ in range(RACES):
            account.write("virus", EICAR)
            with self.service.stopped("engine"):
                winners.add(self.one_wins(self.race(client, 4, lambda number: client.result(*calls[number % 2]))) % 2)
            client.finish_scan()
            if client.call("check_disinfection_status")["status"] != "none":
                client.finish_disinfection()
            client.scan()
        print("won by", *(calls[winner][0] for winner in sorted(winners)), flush=True)


if __name__ == "__main__":
    main()
