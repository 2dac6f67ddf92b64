"""What waits for its turn says how many jobs come before it, and the number is right: while those in front end, are
cancelled, or are put there, and after a restart; and nobody learns more of others than that number."""

import re

from client import wait_until
from service_case import ServiceCase, main
from test_files import EICAR, SlowFiles

SLOW_FILES = 150  # a scan that does not end by itself meanwhile
SENTENCE = re.compile(r"^The (scan|disinfection) waits for its turn: at the moment "
                      r"(it is the next|1 job comes before it|\d+ jobs come before it)\.$")


class Queue(ServiceCase):
    config = {"jobs": {"max_running": 1}}

    def place(self, client, function="get_scan_status"):
        """How many come before; None: it does not wait. The sentence says the same."""
        result = client.result(function)
        told = [text for text in result["messages"] or [] if "turn" in text]
        if not result["metadata"]:
            self.assertEqual(told, [])
            return None
        self.assertEqual(set(result["metadata"]), {"jobs_before"})
        before = result["metadata"]["jobs_before"]
        [sentence] = told
        self.assertRegex(sentence, SENTENCE)
        self.assertIn({0: "it is the next", 1: "1 job comes"}.get(before, f"{before} jobs come"), sentence)
        return before

    def wait_for(self, wanted):
        """Until each is where it should be."""
        def look():
            return {name: self.place(client, *function) for name, (client, *function) in wanted_clients.items()} == places
        wanted_clients = {name: how for name, (_, *how) in wanted.items()}
        places = {name: place for name, (place, *_) in wanted.items()}
        wait_until(look, 20, f"the places {places}")

    def test_the_number_is_right_whatever_happens(self):
        infected, disinfecting = self.new_account("infected")
        find = infected.write("find", EICAR)
        disinfecting.scan()
        slow, running = self.new_account("slow")
        SlowFiles().fill(slow, SLOW_FILES)
        running.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: running.call("get_scan_status")["scanned_file_count"], 60, "the first file of the long scan")
        self.assertIsNone(self.place(running))

        one, two, three, late = (self.new_account(f"n{number}") for number in range(4))
        for account, client in (one, two, three):
            account.write("clean", "clean")
            client.call("start_scan", {"scan_type": "home"})
        self.wait_for({"one": (0, one[1]), "two": (1, two[1]), "three": (2, three[1]), "running": (None, running)})
        self.assertEqual(two[1].call("list_history")[0]["result"], "queued")

        # Who has had a scan comes after those who had none, and one that is new after that comes before it.
        disinfecting.call("disinfect_files", {"actions": {find: "quarantine"}})
        disinfection = (disinfecting, "check_disinfection_status")
        self.wait_for({"disinfection": (3, *disinfection), "three": (2, three[1])})
        self.assertEqual(disinfecting.call("check_disinfection_status")["status"], "queued")
        late[1].call("start_scan", {"scan_type": "home"})
        self.wait_for({"disinfection": (4, *disinfection), "late": (3, late[1])})
        two[1].call("cancel_scan")
        self.wait_for({"one": (0, one[1]), "two": (None, two[1]), "three": (1, three[1]), "late": (2, late[1]),
                       "disinfection": (3, *disinfection)})

        # After a restart nothing is known of who used how much: they come in the order in which they were queued.
        self.service.kill("jobd")
        self.service.start("jobd")
        self.service.wait_until_it_serves(one[0])
        self.wait_for({"running": (None, running), "one": (0, one[1]), "three": (1, three[1]),
                       "disinfection": (2, *disinfection), "late": (3, late[1])})

        running.call("cancel_scan")
        for _, client in (one, three, late):
            client.finish_scan()
            self.assertIsNone(self.place(client))
        disinfecting.finish_disinfection()
        self.assertIsNone(self.place(*disinfection))

    def test_who_does_not_wait_is_told_nothing(self):
        account, client = self.new_account()
        self.assertIsNone(self.place(client))
        self.assertIsNone(self.place(client, "check_disinfection_status"))
        account.write("clean", "clean")
        client.scan()
        self.assertIsNone(self.place(client))


if __name__ == "__main__":
    main()
