"""Two accounts on one machine, one of them hostile: nothing that it asks for, leaves in its home or does to its own
processes reveals, changes or delays anything of the other's."""

import concurrent.futures
import os
import signal
import time

from client import check_records, wait_until
from service_case import ServiceCase, main
from test_files import EICAR, clean_page

LOG = ".clamavconnector.disinfection.log"
SCAN_LOG = ".clamavconnector.scan.log"
QUARANTINE = "quarantine_clamavconnector"


class TwoAccounts(ServiceCase):
    # One job at a time, so that whoever holds the slot delays everybody.
    config = {"jobs": {"max_running": 1, "stall_seconds": 2, "abandon_seconds": 10, "retry_seconds": 2},
              "agents": {"request_seconds": 5}}

    def setUp(self):
        self.victim, self.victims = self.new_account("victim")
        self.hostile, self.hostiles = self.new_account("hostile")
        # A careless owner: anybody who knows the path may read, and even write there.
        self.treasure = self.victim.write("public_html/treasure.php", EICAR)
        os.chmod(self.victim.path("public_html"), 0o777)
        os.chmod(self.victim.home, 0o755)
        self.before = self.fingerprint()

    def tearDown(self):
        self.assertEqual(self.fingerprint(), self.before, "the victim's home is as it was")

    def fingerprint(self):
        """The victim's files, except the log that their own scans write."""
        seen = {}
        for directory, names, files in os.walk(self.victim.home):
            for name in names + files:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                content = None
                if name in files:
                    with open(path, "rb") as file:
                        content = file.read()
                seen[path] = (status.st_ino, status.st_mode, status.st_uid, content)
        seen.pop(self.victim.path(SCAN_LOG), None)
        return seen

    def as_hostile(self, path):
        os.chown(path, self.hostile.uid, self.hostile.gid, follow_symlinks=False)
        return path

    def symlink(self, target, relative):
        os.symlink(target, self.hostile.path(relative))
        return self.as_hostile(self.hostile.path(relative))

    def mentions_of_the_victim(self):
        text = b"".join(self.hostiles.ask(function).body for function in
                        ("get_scan_status", "list_infected_files", "check_disinfection_status", "get_scan_paths"))
        return self.victim.name.encode() in text

    def test_a_scan_follows_no_symlinks(self):
        self.symlink(self.victim.path("public_html"), "public_html")
        self.symlink(self.treasure, "treasure")
        self.symlink(self.victim.home, "other")
        status = self.hostiles.scan()
        self.assertEqual(status["infected_files"], [])
        self.assertFalse(self.mentions_of_the_victim())
        # The same if the directory to scan is itself replaced by a link.
        result = self.hostiles.result("start_scan", {"scan_type": "public_html"})
        if result["status"] == 1:
            self.assertEqual(self.hostiles.finish_scan()["infected_files"], [])
        self.assertFalse(self.mentions_of_the_victim())

    def test_the_others_paths_cannot_be_disinfected(self):
        self.victims.scan()
        self.hostile.write("bait", EICAR)
        self.hostiles.scan()
        for spelling in (self.treasure, self.treasure[1:], f"{self.hostile.home}/../{self.victim.name}/public_html/treasure.php",
                         f"../{self.victim.name}/public_html/treasure.php", f"/{self.treasure}",
                         f"{self.hostile.home}//bait/../../{self.victim.name}/public_html/treasure.php"):
            for action in ("delete", "quarantine"):
                steps = check_records(self.hostiles.disinfect({spelling: action}))
                self.assertEqual([step["state"] for step in steps.values()], ["error"], spelling)
        self.assertEqual([entry["file"] for entry in self.victims.call("list_infected_files")], [self.treasure])
        self.assertEqual(self.victims.call("check_disinfection_status")["status"], "none")

    def test_a_hard_link_to_the_others_file_is_not_acted_on(self):
        # The kernel forbids users to make one, unless fs.protected_hardlinks is off: so root makes it.
        link = self.hostile.path("link")
        os.link(self.treasure, link)
        self.addCleanup(os.unlink, link)
        self.hostiles.scan()
        for action in ("delete", "quarantine"):
            self.assertEqual(check_records(self.hostiles.disinfect({link: action}))[link]["state"], "error")
        self.assertEqual(os.stat(self.treasure).st_nlink, 2)

    def test_a_disinfection_does_not_follow_a_directory_exchanged_for_a_symlink(self):
        path = self.hostile.write("public_html/treasure.php", EICAR)
        self.hostiles.scan()
        os.rename(self.hostile.path("public_html"), self.hostile.path("aside"))
        self.symlink(self.victim.path("public_html"), "public_html")
        for action in ("delete", "quarantine"):
            self.assertEqual(check_records(self.hostiles.disinfect({path: action}))[path]["state"], "error")

    def test_a_file_exchanged_for_a_link_is_not_followed(self):
        path = self.hostile.write("treasure.php", EICAR)
        self.hostiles.scan()
        os.unlink(path)
        self.symlink(self.treasure, "treasure.php")
        self.assertEqual(check_records(self.hostiles.disinfect({path: "delete"}))[path]["state"], "error")

    def test_a_quarantine_that_leads_elsewhere_is_not_used(self):
        path = self.hostile.write("bait", EICAR)
        self.hostiles.scan()
        self.symlink(self.victim.path("public_html"), QUARANTINE)
        for action in ("quarantine", "delete"):
            check_records(self.hostiles.disinfect({path: action}))
            self.assertEqual(self.fingerprint(), self.before)

    def test_a_forged_log_has_no_effect(self):
        record = ('{"file":"%s","id":1,"message":"","state":"deleted","type":"step"}\n'
                  '{"id":2,"message":"","state":"success","status":"done","type":"done"}\n' % self.treasure)
        self.hostile.write(LOG, record)
        self.hostile.write(SCAN_LOG, record)
        self.assertEqual(self.hostiles.call("check_disinfection_status")["details"], [])
        self.assertEqual(self.hostiles.call("list_infected_files"), [])
        bait = self.hostile.write("bait", EICAR)
        self.hostiles.scan()
        records = self.hostiles.disinfect({bait: "delete"})
        self.assertEqual(set(check_records(records)), {bait})
        self.assertFalse(self.mentions_of_the_victim())

    def test_a_log_that_is_a_link_is_not_written_through(self):
        bait = self.hostile.write("bait", EICAR)
        self.symlink(self.treasure, SCAN_LOG)
        self.symlink(self.treasure, LOG)
        self.hostiles.scan()
        check_records(self.hostiles.disinfect({bait: "delete"}))

    def test_answers_are_of_the_account_that_asks(self):
        mine = self.hostile.write("mine", EICAR)
        self.victims.scan()
        self.hostiles.scan()
        self.assertEqual([entry["file"] for entry in self.victims.call("list_infected_files")], [self.treasure])
        self.assertEqual([entry["file"] for entry in self.hostiles.call("list_infected_files")], [mine])
        self.assertFalse(self.mentions_of_the_victim())


class StoppedProcesses(ServiceCase):
    config = {**TwoAccounts.config, "agents": {"request_seconds": 15}}

    def test_stopping_ones_own_processes_delays_nobody_else(self):
        victim, victims = self.new_account("victim")
        hostile, hostiles = self.new_account("hostile")
        found = victim.write("found", EICAR)
        for number in range(2000):
            hostile.write(f"docs/{number}", clean_page(number, 4000))
        hostiles.call("start_scan", {"scan_type": "home"})
        held = [wait_until(lambda: self.of(hostile, "clamscanner-runner"), 30, "a runner")[0],
                self.of(hostile, "clamscanner-agent")[0]]
        for process in held:
            os.kill(process.pid, signal.SIGSTOP)

        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            stuck = [pool.submit(hostiles.ask, "get_scan_status") for _ in range(60)]
            took = []
            start = time.monotonic()
            victims.call("start_scan", {"scan_type": "home"})
            took.append(time.monotonic() - start)

            def poll():
                start = time.monotonic()
                status = victims.call("get_scan_status")
                took.append(time.monotonic() - start)
                return status["scan_complete"] == 1

            wait_until(poll, 30, "the victim's scan, beside a job that stands still")
            self.assertLess(max(took), 10, "a poll waited for somebody else's agent")
            self.assertEqual(victims.call("get_scan_status")["infected_files"], [found])
            self.assertTrue({ask.result().status for ask in stuck} <= {200, 503}, "answered in the end, or told to wait")

        for process in held:
            try:
                os.kill(process.pid, signal.SIGCONT)
            except ProcessLookupError:
                pass  # authd ended it
        wait_until(lambda: hostiles.ask("get_scan_status").status == 200, 30, "an agent that answers")
        self.assertEqual(hostiles.finish_scan()["total_file_count"], 2000)

    def of(self, account, program):
        return [process for process in self.service.processes(program) if process.uid == account.uid]


if __name__ == "__main__":
    main()
