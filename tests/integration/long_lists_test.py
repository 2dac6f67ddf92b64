"""An account with a very long list does not delay others: whatever jobd does for it is done in small pieces. Measured
by the turns of its event loop that jobd logs, in processor time, so that a busy machine does not matter."""

import json
import os

from cancel_test import make_many
from client import Refused, wait_until
from polling import Polling
from service_case import ServiceCase, main
from test_files import EICAR

DISINFECTION_LOG = ".clamavconnector.disinfection.log"
SCAN_LOG = ".clamavconnector.scan.log"
ACTIONS = 200_000
LONG_TURN_MS = 20  # of processor time
TIMES_WITH_SANITIZER = 10
UNREADABLE = 30_000
LISTED = 100_000


class Poller(Polling):
    """Another account that asks for its status."""

    def __init__(self, client):
        super().__init__(client, 0.05)
        self.answers = 0

    def poll(self):
        status = self.client.call("get_scan_status")
        if status["scan_complete"] != 1:
            raise AssertionError(f"the poller's own scan was over: {status}")
        self.answers += 1


class LongLists(ServiceCase):
    def poller(self):
        account, client = self.new_account("other")
        account.write("found", EICAR)
        client.scan()
        return Poller(client)

    def assert_others_were_served(self, poller, turns_before):
        self.assertGreater(poller.answers, 0)
        turns = self.service.long_turns_logged()[turns_before:]
        is_sanitized = os.path.basename(self.service.build).startswith("build-")
        limit = LONG_TURN_MS * (TIMES_WITH_SANITIZER if is_sanitized else 1)
        self.assertEqual([turn for turn in turns if turn > limit], [], f"of the turns of jobd's loop: {turns}")

    def wait_for_lines(self, path, count):
        """The last line of the copy in the home, which jobd feeds line by line."""
        def last_line():
            try:
                with open(path, "rb") as file:
                    lines = file.read().splitlines()
            except FileNotFoundError:
                return None
            return lines[-1] if len(lines) >= count else None

        return wait_until(last_line, 300, f"{count} lines in {path}")

    def test_actions_on_paths_that_are_in_no_list(self):
        account, client = self.new_account("poster")
        with self.poller() as poller:
            before = len(self.service.long_turns_logged())
            actions = {f"/nowhere/{i}": "delete" for i in range(ACTIONS)}
            planned = client.call("disinfect_files", {"actions": actions, "dry_run": "1"})
            self.assertEqual(len(planned), ACTIONS)
            self.assertEqual(planned[-1]["file"], f"/nowhere/{ACTIONS - 1}")
            client.call("disinfect_files", {"actions": actions})
            last = self.wait_for_lines(account.path(DISINFECTION_LOG), ACTIONS + 1)
            self.assertEqual(json.loads(last)["type"], "done")
            self.assert_others_were_served(poller, before)

    def test_files_that_cannot_be_read(self):
        account, client = self.new_account("closed")
        os.makedirs(account.path("closed"))
        for number in range(UNREADABLE):
            # They belong to root: the account can neither read them nor change that.
            os.close(os.open(account.path("closed", str(number)), os.O_CREAT | os.O_WRONLY, 0o600))
        with self.poller() as poller:
            before = len(self.service.long_turns_logged())
            client.call("start_scan", {"scan_type": "home"})
            last = self.wait_for_lines(account.path(SCAN_LOG), 1 + UNREADABLE)
            self.assertIn(b"not scanned", last)
            self.assert_others_were_served(poller, before)

    def test_two_names_of_one_file_in_a_long_request(self):
        account, client = self.new_account("twice")
        found = account.write("found", EICAR)
        client.scan()
        actions = {"found": "delete", **{f"/nowhere/{i}": "delete" for i in range(3000)}}
        for dry_run in ("0", "1"):
            with self.assertRaisesRegex(Refused, "same file"):
                client.call("disinfect_files", {"actions": {**actions, found: "ignore"}, "dry_run": dry_run})
        # Nothing of it was queued, and two equal actions are one.
        planned = client.call("disinfect_files", {"actions": {**actions, found: "delete"}, "dry_run": "1"})
        self.assertEqual(len(planned), 3001)
        self.assertTrue(client.call("disinfect_files", {"actions": {**actions, found: "delete"}})["task_id"])

    def test_a_scan_of_many_files_that_is_cancelled(self):
        account, client = self.new_account("many")
        make_many(account, "many", LISTED)
        with self.poller() as poller:
            before = len(self.service.long_turns_logged())
            client.call("start_scan", {"scan_type": "home"})
            wait_until(lambda: client.call("get_scan_status")["total_file_count"] >= LISTED, 300, "the walk")
            client.call("cancel_scan")
            status = client.finish_scan(60)
            listed = client.call("list_unscanned_files")
            self.assertEqual(status["scanned_file_count"], status["total_file_count"])
            self.assertGreater(len(listed), 0)
            self.assert_others_were_served(poller, before)


if __name__ == "__main__":
    main()
