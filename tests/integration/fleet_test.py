"""The centre of many machines: clamscanner-fleetd, its PostgreSQL and the five actions are real; the machines are
simulated (simulated_machine.py), so that they can be away, wrong and hostile. Real machines: fleet_of_hosts_test.py."""

import contextlib
import glob
import json
import os
import secrets
import socket
import subprocess
import threading
import time
import uuid

import simulated_machine as hostile
from client import wait_until
from fleet import Centre
from service_case import ServiceCase, main
from simulated_machine import CREATE, EVENTS, STATISTIC, TASKS
from statistics_client import StatisticsClient

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIRUS = "Test.Virus-1"
COUNTS = ("Status", "SuspiciousCount", "SuspiciousMachine", "SafeMachine", "ScanMachine", "CompleteMachine",
          "UnCompleteMachine")


def finds(count, place="/home/a"):
    return [(VIRUS, f"{place}/{number:04}.php") for number in range(count)]


class FleetCase(ServiceCase):
    with_host_user = True
    make_centre = Centre

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.centre = cls.service.centre
        cls.centre.run("init")
        key = cls.service.add_access_key(cls.service.host_user.pw_name)
        cls.host = StatisticsClient(cls.service.statistics_url, *key)
        cls.serial = 0

    def setUp(self):
        # An empty fleet for each test; what earlier ones found stays in the database.
        self.addCleanup(self.remove_all)

    def remove_all(self):
        for row in self.centre.rows("list"):
            self.centre.run("remove-machine", row["name"])
        wait_until(lambda: self.centre.sql("SELECT count(*) FROM task WHERE ended IS NULL") == [["0"]], 30, "no open task")
        for machine in self.centre.machines:
            machine.stop()
        self.centre.machines.clear()

    def machines(self, *names, **how):
        type(self).serial += 1
        made = [self.centre.add(self.centre.new_machine(f"{name}-{self.serial}", **how)) for name in names]
        return made if len(made) > 1 else made[0]

    def ask(self, action, parameters=None):
        answer = self.host.call_v3(action, parameters)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def data(self):
        data = self.ask(STATISTIC)["Data"]
        for name in COUNTS:
            self.assertIs(type(data[name]), int, name)
        self.assertEqual(data["CompleteMachine"] + data["UnCompleteMachine"], data["ScanMachine"])
        self.assertLessEqual(data["SafeMachine"], data["CompleteMachine"])
        self.assertEqual(data["Progress"] == "100", data["Status"] == 100)
        return data

    def numbers(self):
        data = self.data()
        return {name: data[name] for name in COUNTS}

    def wait_for(self, **wanted):
        """Until these numbers are told."""
        last = {}

        def told():
            last.update(self.numbers())
            return all(last[name] == value for name, value in wanted.items())

        try:
            wait_until(told, 30, str(wanted))
        except TimeoutError:
            self.fail(f"not {wanted}, but {last}; {self.centre.parts()}")
        return last

    def scan(self):
        self.assertEqual(self.host.call_v3(CREATE, {"ScanType": "system"}).status, 200)

    def all_events(self, size=100, **more):
        events, page = [], 1
        while True:
            found = self.ask(EVENTS, {"CurrentPage": page, "PageSize": size, **more})
            events += found["Data"]
            if page * size >= found["PageInfo"]["TotalCount"]:
                return events, found["PageInfo"]["TotalCount"]
            page += 1

    @staticmethod
    def paths(events):
        return sorted(event["Details"][0]["ValueDisplay"] for event in events)

    def end_task_now(self):
        """Its deadline is over."""
        self.centre.sql("UPDATE task SET deadline = now() WHERE ended IS NULL")
        return self.centre.wait_for_end()


class TheFleet(FleetCase):
    def test_one_scan_of_three_machines_at_each_moment(self):
        clean, infected, slow = self.machines("clean", "infected", "slow")
        self.scan()
        wait_until(lambda: all(machine.created == 1 for machine in (clean, infected, slow)), 30, "the orders")
        self.assertEqual(self.wait_for(Status=0, ScanMachine=3),
                         {"Status": 0, "SuspiciousCount": 0, "SuspiciousMachine": 0, "SafeMachine": 0, "ScanMachine": 3,
                          "CompleteMachine": 0, "UnCompleteMachine": 3})
        again = self.host.call_v3(CREATE, {"ScanType": "system"})
        self.assertEqual((again.status, again.code), (400, "OperationDenied"))
        slow.scans[-1].status, slow.scans[-1].percent = 10, 50
        clean.end_scan()
        self.wait_for(Status=10, SafeMachine=1, CompleteMachine=1, UnCompleteMachine=2)
        wait_until(lambda: self.data()["Progress"] == "50", 30, "a third of 100 + 0 + 50")
        infected.end_scan(finds(3))
        self.wait_for(SuspiciousCount=3, SuspiciousMachine=1, SafeMachine=1, CompleteMachine=2)
        slow.end_scan()
        last = self.wait_for(Status=100)
        self.assertEqual(last, {"Status": 100, "SuspiciousCount": 3, "SuspiciousMachine": 1, "SafeMachine": 2,
                                "ScanMachine": 3, "CompleteMachine": 3, "UnCompleteMachine": 0})
        data = self.data()
        self.assertEqual((data["RiskLevel"], data["ScanType"], data["Progress"]), ("high", "system", "100"))
        self.assertNotIn("MachineName", data)
        self.assertEqual([machine.created for machine in (clean, infected, slow)], [1, 1, 1])
        self.check_lists(data["TaskId"], clean, infected, slow)

    def check_lists(self, task, clean, infected, slow):
        machines = self.ask("ListVirusScanMachine")
        self.assertEqual(machines["PageInfo"]["TotalCount"], 1)
        self.assertEqual({name: machines["Data"][0][name] for name in ("InstanceName", "InternetIp", "IntranetIp",
                                                                       "EventCount")},
                         {"InstanceName": infected.name, "InternetIp": "192.0.2.7", "IntranetIp": "10.0.0.7",
                          "EventCount": 3})
        uuid = machines["Data"][0]["Uuid"]
        self.assertEqual(uuid, self.centre.machine(infected.name)["uuid"])
        events, total = self.all_events(size=2)
        self.assertEqual((self.paths(events), total), ([path for _, path in finds(3)], 3))
        self.assertEqual({(event["InstanceName"], event["EventName"], event["Level"]) for event in events},
                         {(infected.name, VIRUS, "serious")})
        self.assertEqual(len(self.all_events(Uuid=uuid)[0]), 3)
        self.assertEqual(self.all_events(Uuid=self.centre.machine(clean.name)["uuid"])[1], 0)
        self.assertEqual(self.ask(EVENTS, {"CurrentPage": 1000, "PageSize": 100})["Data"], [])
        tasks = self.ask(TASKS, {"TaskId": task})
        self.assertEqual([(row["TaskId"], row["Status"], row["Progress"]) for row in tasks["List"]], [(task, 2, 100)])
        parts = self.ask(TASKS, {"RootTaskId": task, "PageSize": "2"})
        self.assertEqual(parts["PageInfo"]["TotalCount"], 3)
        parts = parts["List"] + self.ask(TASKS, {"RootTaskId": task, "PageSize": "2", "CurrentPage": "2"})["List"]
        self.assertEqual([row["InstanceName"] for row in parts], [clean.name, infected.name, slow.name])
        for row in parts:
            self.assertEqual([found["InstanceName"] for found in self.ask(TASKS, {"TaskId": row["TaskId"]})["List"]],
                             [row["InstanceName"]])
        self.assertEqual(self.ask(TASKS, {"TaskId": "0" * 32})["List"], [])
        self.assertEqual(self.ask(TASKS, {"RootTaskId": task, "Status": "3"})["List"], [])

    def test_many_pages_of_several_machines(self):
        numbers = (120, 0, 35, 7)
        made = self.machines("a", "b", "c", "d")
        for machine, number in zip(made, numbers):
            machine.ends_at_once = finds(number, f"/home/{machine.name}")
        self.scan()
        self.centre.wait_for_end()
        wanted = sorted(path for machine in made for _, path in machine.ends_at_once)
        for size in (1, 7, 100):
            events, total = self.all_events(size)
            self.assertEqual((total, self.paths(events)), (sum(numbers), wanted), size)
            self.assertEqual(len({event["EventId"] for event in events}), sum(numbers))

    def test_a_scan_that_ended_badly_is_not_safe(self):
        machine = self.machines("bad")
        self.scan()
        wait_until(lambda: machine.created, 30, "the order")
        machine.end_scan(completed=False)
        last = self.wait_for(Status=100)
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"], last["UnCompleteMachine"]), (0, 0, 1))
        self.assertEqual(self.centre.parts()[machine.name]["result"], "failed")
        self.assertEqual(self.data()["MachineName"], machine.name)

    def test_a_scan_of_its_own_is_not_taken_for_the_ordered_one(self):
        machine = self.machines("busy")
        machine.begin_scan()
        self.scan()
        time.sleep(3)
        self.assertEqual((machine.created, self.numbers()["Status"]), (0, 0))
        machine.end_scan(finds(5))
        wait_until(lambda: machine.created == 1, 30, "the order")
        self.assertEqual(self.numbers()["SuspiciousCount"], 0)
        machine.end_scan(finds(2))
        self.assertEqual(self.wait_for(Status=100)["SuspiciousCount"], 2)

    def test_no_other_scan_is_taken_for_the_ordered_one(self):
        machine = self.machines("others")
        machine.begin_scan()
        machine.end_scan(finds(3, "/home/before"))
        create, machine.create = machine.create, lambda: (400, hostile.error("OperationDenied"))
        self.scan()
        self.centre.wait_for_problem(machine.name, "did not begin the scan")
        hour_ago = time.time() - 3600
        for what, begin in (("the one before", lambda: None), ("an account's own", lambda: machine.begin_scan(whole=False)),
                            ("one that a backup brought back", lambda: machine.begin_scan(begun=hour_ago))):
            if begin():
                machine.end_scan(finds(4, "/home/other"))
            asked = machine.count(STATISTIC)
            wait_until(lambda asked=asked: machine.count(STATISTIC) >= asked + 2, 30, "two more looks")
            numbers = self.numbers()
            self.assertEqual((numbers["Status"], numbers["SuspiciousCount"], self.all_events()[1]), (0, 0, 0), what)
        machine.create = create
        machine.ends_at_once = finds(2, "/home/ordered")
        self.assertEqual(self.wait_for(Status=100)["SuspiciousCount"], 2)
        self.assertEqual(self.paths(self.all_events()[0]), [path for _, path in finds(2, "/home/ordered")])

    def test_no_machines_no_scan(self):
        refused = self.host.call_v3(CREATE, {"ScanType": "system"})
        self.assertEqual((refused.status, refused.code), (400, "OperationDenied"))
        self.assertIn("no machine", refused.json["Message"])

    def test_an_owner_does_not_speak_for_the_fleet(self):
        self.machines("any").ends_at_once = finds(4)
        self.scan()
        self.centre.wait_for_end()
        account, _ = self.new_account()
        signer = StatisticsClient(self.service.statistics_url, *self.service.add_access_key(account.name))
        self.assertEqual(signer.call_v3(STATISTIC).json["Data"], {})
        self.assertEqual(signer.call_v3(EVENTS).json["Data"], [])
        asked = subprocess.run(
            ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "python3", "-c",
             "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10);"
             "print(s.recv(1))", self.service.path("run/fleetd/fleet.sock")], capture_output=True, text=True, check=False)
        self.assertTrue("b''" in asked.stdout or "ConnectionReset" in asked.stderr, asked)


class Faults(FleetCase):
    def test_a_machine_that_is_away_and_comes_back(self):
        there, away = self.machines("there", "away")
        there.ends_at_once = []
        away.stop()
        self.scan()
        self.wait_for(SafeMachine=1, CompleteMachine=1, UnCompleteMachine=1)
        self.centre.wait_for_problem(away.name, "nobody listens")
        self.assertNotEqual(self.numbers()["Status"], 100)
        away.start()
        wait_until(lambda: away.created == 1, 30, "the order")
        wait_until(lambda: self.centre.machine(away.name)["problem"] == "", 30, "no problem any more")
        away.end_scan(finds(250))
        self.assertEqual(self.wait_for(Status=100)["SuspiciousCount"], 250)
        self.assertEqual(self.all_events()[1], 250)

    def test_away_in_the_middle_of_everything_nothing_is_lost_and_nothing_twice(self):
        machine = self.machines("flaky")

        def break_off(action):
            def answer(handler, body):
                machine.stop()
                del machine.answer[action]  # now it may be started again
                raise ConnectionError
            machine.answer[action] = answer

        break_off(CREATE)  # the scan begins, and the answer is lost
        self.scan()
        wait_until(lambda: machine.created == 1 and CREATE not in machine.answer, 30, "the order")
        time.sleep(2)
        machine.start()
        machine.end_scan(finds(1000))

        def break_off_later(handler, body):
            if machine.count(EVENTS) < 4:
                return handler.reply(200, body)
            machine.stop()
            del machine.answer[EVENTS]
            raise ConnectionError

        machine.answer[EVENTS] = break_off_later
        wait_until(lambda: EVENTS not in machine.answer, 30, "the fourth page")
        self.assertIn(int(self.centre.parts()[machine.name]["findings"]), range(200, 401))
        machine.start()
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], machine.created), (1000, 1))
        events, total = self.all_events()
        self.assertEqual((total, self.paths(events)), (1000, [path for _, path in finds(1000)]))
        self.assertEqual(len({event["EventId"] for event in events}), 1000)

    def test_a_machine_that_was_away_while_its_own_timer_scanned_again(self):
        machine = self.machines("nightly")
        self.scan()
        wait_until(lambda: machine.created == 1, 30, "the order")
        self.wait_for(Status=0)
        machine.stop()
        machine.end_scan(finds(3, "/home/before"))
        machine.begin_scan()
        machine.end_scan(finds(2, "/home/after"))
        machine.start()
        self.assertEqual(self.wait_for(Status=100)["SuspiciousCount"], 2)
        self.assertEqual(self.paths(self.all_events()[0]), [path for _, path in finds(2, "/home/after")])

    def test_one_away_at_the_deadline_is_never_safe(self):
        there, away = self.machines("there", "away")
        there.ends_at_once = []
        away.stop()
        self.scan()
        self.wait_for(SafeMachine=1)
        self.end_task_now()
        self.assertEqual(self.numbers(), {"Status": 100, "SuspiciousCount": 0, "SuspiciousMachine": 0, "SafeMachine": 1,
                                          "ScanMachine": 2, "CompleteMachine": 1, "UnCompleteMachine": 1})
        self.assertEqual(self.centre.parts()[away.name]["result"], "offline")
        self.assertEqual(self.ask(TASKS)["List"][0]["Status"], 3)
        # What comes too late changes nothing any more.
        away.start()
        time.sleep(3)
        self.assertEqual((self.numbers()["SafeMachine"], away.created), (1, 0))

    def test_a_machine_that_refuses_the_order(self):
        machine = self.machines("refuses")
        machine.begin_scan()
        machine.end_scan(finds(4))
        machine.create = lambda: (400, hostile.error("OperationDenied"))
        self.scan()
        self.centre.wait_for_problem(machine.name, "did not begin the scan")
        time.sleep(3)
        # What an earlier scan found is no answer to this order.
        self.assertEqual((self.numbers()["SuspiciousCount"], self.all_events()[1]), (0, 0))
        self.end_task_now()
        last = self.numbers()
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"], last["SuspiciousMachine"]), (0, 0, 0))
        part = self.centre.parts()[machine.name]
        self.assertEqual((part["result"], part["findings"]), ("refused", 0))
        self.assertIn("OperationDenied", part["problem"])

    def test_half_of_the_finds_at_the_deadline(self):
        machine = self.machines("halfway")
        self.scan()
        wait_until(lambda: machine.created == 1, 30, "the order")
        machine.answer[EVENTS] = lambda handler, body: (
            handler.reply(200, body) if machine.count(EVENTS) == 1 else hostile.hang(handler, body))
        machine.end_scan(finds(150))
        self.wait_for(SuspiciousCount=150)
        wait_until(lambda: self.all_events()[1] == 100, 30, "the first page")
        self.end_task_now()
        last = self.numbers()
        self.assertEqual((last["CompleteMachine"], last["SuspiciousMachine"], last["SafeMachine"]), (0, 1, 0))

    def test_a_clock_that_is_a_day_off_is_told(self):
        ahead, behind = self.machines("ahead", "behind")
        ahead.clock_ahead, behind.clock_ahead = 86_400, -86_400
        self.assertRegex(self.centre.wait_for_problem(ahead.name, "clock"), r"its clock is 86[34]\d\d s ahead of ours")
        self.assertRegex(self.centre.wait_for_problem(behind.name, "clock"), r"its clock is 86[34]\d\d s behind ours")
        self.scan()
        time.sleep(2)
        self.assertEqual((ahead.created, behind.created), (0, 0))
        ahead.clock_ahead = behind.clock_ahead = 0
        wait_until(lambda: (ahead.created, behind.created) == (1, 1), 30, "the orders")

    def test_a_machine_that_was_installed_anew(self):
        machine = self.machines("anew")
        machine.ends_at_once = finds(3, "/home/old")
        self.scan()
        first = self.centre.wait_for_end()["task"]
        self.assertEqual(self.centre.machine(machine.name)["reinstalled"], "")
        machine.install()
        machine.ends_at_once = finds(2, "/home/new")
        self.scan()
        self.assertEqual(self.centre.wait_for_end()["infected_files"], 2)
        self.assertNotEqual(self.centre.machine(machine.name)["reinstalled"], "")
        rows = self.centre.rows("findings", machine.name)
        self.assertEqual(sorted((row["file"], row["installation"]) for row in rows),
                         [("/home/new/0000.php", "present"), ("/home/new/0001.php", "present"),
                          *((f"/home/old/{number:04}.php", "earlier") for number in range(3))])
        self.assertEqual({row["task"] for row in rows if row["installation"] == "earlier"}, {first})
        self.assertEqual(self.paths(self.all_events()[0]), ["/home/new/0000.php", "/home/new/0001.php"])

    def test_installed_anew_in_the_middle_of_the_scan(self):
        machine = self.machines("middle")
        self.scan()
        wait_until(lambda: machine.created == 1, 30, "the order")
        self.wait_for(Status=0)
        machine.scans[-1].status = 10
        self.wait_for(Status=10)
        machine.install()
        machine.begin_scan()
        last = self.wait_for(Status=100)
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"]), (0, 0))
        self.assertEqual(self.centre.parts()[machine.name]["result"], "failed")

    def test_a_thousand_finds_of_each_of_ten_machines_at_once(self):
        made = self.machines(*(f"full{number}" for number in range(10)))
        for machine in made:
            machine.ends_at_once = finds(1000, f"/home/{machine.name}")
        began = time.monotonic()
        self.scan()
        self.centre.wait_for_end(120)
        took = time.monotonic() - began
        self.assertEqual(self.numbers()["SuspiciousCount"], 10_000)
        self.assertEqual(self.centre.sql("SELECT count(*), count(DISTINCT (subtask, event)) FROM finding JOIN subtask s "
                                         "ON s.id = subtask WHERE task = (SELECT id FROM task ORDER BY number DESC LIMIT 1)"),
                         [["10000", "10000"]])
        print(f"10,000 finds of 10 machines are at the centre after {took:.1f} s")

    def test_a_machine_that_is_removed_is_asked_no_more(self):
        gone, stays = self.machines("gone", "stays")
        self.scan()
        wait_until(lambda: gone.created and stays.created, 30, "the orders")
        key = self.service.path("fleet-keys", f"{gone.name}.key")
        self.assertTrue(os.path.exists(key))
        self.centre.run("remove-machine", gone.name)
        self.assertFalse(os.path.exists(key))

        def is_left_alone():
            asked = len(gone.requests)
            time.sleep(3)
            return len(gone.requests) == asked

        wait_until(is_left_alone, 30, "it to be let go")
        stays.end_scan()
        last = self.wait_for(Status=100)
        self.assertEqual((last["ScanMachine"], last["CompleteMachine"]), (2, 1))

    def test_a_machine_may_come_back_under_its_name(self):
        machine = self.machines("again")
        machine.ends_at_once = finds(1)
        self.scan()
        self.centre.wait_for_end()
        self.centre.run("remove-machine", machine.name)
        self.centre.add(machine)
        machine.ends_at_once = finds(2)
        self.scan()
        self.assertEqual(self.centre.wait_for_end()["infected_files"], 2)
        self.assertEqual(self.centre.machine(machine.name)["problem"], "")


class TheDatabase(FleetCase):
    def test_killed_in_the_middle(self):
        made = self.machines("a", "b", "c")
        self.scan()
        wait_until(lambda: all(machine.created == 1 for machine in made), 30, "the orders")
        made[0].end_scan(finds(500, "/home/a"))
        made[1].end_scan(finds(500, "/home/b"))
        wait_until(lambda: made[0].count(EVENTS) >= 2, 30, "the second page")
        self.centre.cluster.kill()
        answer = self.host.call_v3(STATISTIC)
        self.assertEqual((answer.status, answer.code), (500, "ServerError"), answer.body)
        made[2].end_scan()
        time.sleep(2)
        self.centre.cluster.start()
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], last["SuspiciousMachine"], last["SafeMachine"], last["CompleteMachine"]),
                         (1000, 2, 1, 3))
        events, total = self.all_events()
        self.assertEqual((total, len({event["EventId"] for event in events})), (1000, 1000))
        self.assertEqual(self.paths(events), sorted(path for place in "ab" for _, path in finds(500, f"/home/{place}")))
        self.assertEqual([machine.created for machine in made], [1, 1, 1])
        self.assertEqual(self.service.restart_what_ended(), {})

    def test_killed_ten_times(self):
        made = self.machines("a", "b")
        for machine in made:
            machine.ends_at_once = finds(700, f"/home/{machine.name}")
            machine.answer[EVENTS] = lambda handler, body: (time.sleep(0.3), handler.reply(200, body))
        self.scan()
        for number in range(10):
            time.sleep(0.2 + number / 10)
            self.centre.cluster.kill()
            self.centre.cluster.start()
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], [machine.created for machine in made]), (1400, [1, 1]))
        events, total = self.all_events()
        self.assertEqual((total, len(events), len(set(self.paths(events)))), (1400, 1400, 1400))

    # What clamscanner-fleetd writes: a trigger that refuses it.
    STATEMENTS = {
        "what there was before the order": ("UPDATE OF before ON subtask", "OLD.before IS NULL"),
        "which scan the machine began": ("UPDATE OF remote_task ON subtask", "true"),
        "who the machine is": ("INSERT ON installation", "true"),
        "its finds, the second page": ("INSERT ON finding", "NEW.event = 150"),
        "its numbers at the end": ("UPDATE OF state ON subtask", "NEW.state = 100"),
        "what is wrong with it": ("UPDATE OF problem ON machine", "NEW.problem <> ''"),
    }

    @contextlib.contextmanager
    def trigger(self, what, body):
        """`body` runs before the statement does; its first run knows that by nextval('tries') = 1."""
        event, condition = self.STATEMENTS[what]
        self.centre.sql(f"""
            CREATE SEQUENCE tries;
            CREATE FUNCTION try() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                $$ BEGIN IF nextval('tries') = 1 THEN {body}; END IF; RETURN NEW; END $$;
            CREATE TRIGGER try BEFORE {event} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION try();""")
        try:
            yield lambda: int(self.centre.sql("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM tries")[0][0])
        finally:
            self.centre.sql("DROP FUNCTION try CASCADE; DROP SEQUENCE tries")

    def machine_that_is_looked_after(self, what):
        """It is looked at whether the order is ever sent before what there was is written."""
        machine = self.machines("kept")
        create, unwritten = machine.create, []

        def checked_create():
            unwritten.extend(self.centre.sql("SELECT id FROM subtask WHERE state < 100 AND before IS NULL"))
            return create()

        machine.create, machine.unwritten = checked_create, unwritten
        machine.ends_at_once = finds(250)
        if what == "what is wrong with it":
            machine.clock_ahead = 86_400
        return machine

    def check_that_it_is_whole(self, what, machine):
        if machine.clock_ahead:
            self.centre.wait_for_problem(machine.name, "clock")
            machine.clock_ahead = 0
        self.assertEqual(self.wait_for(Status=100), {
            "Status": 100, "SuspiciousCount": 250, "SuspiciousMachine": 1, "SafeMachine": 0, "ScanMachine": 1,
            "CompleteMachine": 1, "UnCompleteMachine": 0}, what)
        events, total = self.all_events()
        self.assertEqual((total, len(set(self.paths(events)))), (250, 250), what)
        self.assertEqual((machine.created, machine.unwritten), (1, []), what)
        self.assertEqual(self.centre.parts()[machine.name]["findings"], 250, what)
        self.remove_all()

    def test_what_the_database_refuses_is_not_taken_for_written(self):
        """The connection stays, so nothing but the refusal says that it was not written."""
        for what in self.STATEMENTS:
            with self.trigger(what, "RAISE EXCEPTION 'refused by the test'") as tries:
                machine = self.machine_that_is_looked_after(what)
                self.scan()
                wait_until(lambda tries=tries: tries() >= 2, 30, f"the second try: {what}")
                self.check_that_it_is_whole(what, machine)

    def test_killed_in_the_very_statement(self):
        for what in self.STATEMENTS:
            with self.trigger(what, "PERFORM pg_sleep(600)"):
                machine = self.machine_that_is_looked_after(what)
                self.scan()
                wait_until(lambda: self.centre.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 30, what)
                self.centre.cluster.kill()
                self.centre.cluster.start()
                # What a sequence had counted may be gone with the crash.
                self.centre.sql("SELECT setval('tries', 5)")
            self.check_that_it_is_whole(what, machine)

    def test_another_leads_when_the_leader_is_killed(self):
        made = self.machines("a", "b")
        self.scan()
        wait_until(lambda: all(machine.created == 1 for machine in made), 30, "the orders")
        other = self.centre.start_other("second")
        made[0].end_scan(finds(300, "/home/a"))
        wait_until(lambda: made[0].count(EVENTS) >= 1, 30, "the first page")
        before = {machine.name: len(machine.requests) for machine in made}
        self.service.kill("fleetd")
        wait_until(lambda: all(len(machine.requests) > before[machine.name] for machine in made), 30, "the other's looks")
        self.service.start("fleetd")  # it follows now, and answers agents
        made[1].end_scan()
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], last["SafeMachine"], last["CompleteMachine"]), (300, 1, 2))
        events, total = self.all_events()
        self.assertEqual((total, len(set(self.paths(events)))), (300, 300))
        self.assertEqual([machine.created for machine in made], [1, 1])
        other.kill()
        other.wait()
        self.centre.others.clear()
        made[0].ends_at_once = made[1].ends_at_once = []
        self.scan()
        self.assertEqual(self.wait_for(Status=100)["SafeMachine"], 2)

    def test_a_database_that_is_empty_or_of_another_version_is_told(self):
        self.assertEqual(self.centre.rows("init"), [{"version_before": 2}])
        self.centre.sql("UPDATE fleet SET version = 99")
        self.addCleanup(self.centre.sql, "UPDATE fleet SET version = 2")
        refused = self.centre.run("list", check=False)
        self.assertEqual(refused.returncode, 69)
        self.assertIn("newer version", refused.stderr)
        self.assertEqual(self.host.call_v3(STATISTIC).status, 500)

    def test_a_database_of_version_1_is_brought_up_to_date(self):
        """With a task in the middle, as an upgrade of the package finds it."""
        fleet = self.service.users["fleetd"].pw_name
        with open(os.path.join(ROOT, "jobs/fleet/schema/1.sql"), encoding="utf-8") as file:
            first = file.read()
        for other, encoding in (("old_fleet", "UTF8"), ("latin_fleet", "LATIN1")):
            self.centre.cluster.run("createdb", "-h", self.centre.cluster.sockets, "-O", fleet, "-T", "template0",
                                    "-E", encoding, "--locale=C", other)
        self.centre.cluster.sql(f"SET ROLE \"{fleet}\"; {first}; INSERT INTO machine(uuid, name, url) VALUES "
                                "(gen_random_uuid(), 'old', 'https://old'); INSERT INTO task(id, asked_by, deadline) VALUES "
                                "(repeat('0', 32), 'x', now()); INSERT INTO subtask(task, machine) SELECT repeat('0', 32), 1",
                                "old_fleet")
        config = self.service.path("old.toml")
        for database, status, said in (("old_fleet", 0, '{"version_before":1}'), ("old_fleet", 0, '{"version_before":2}'),
                                       ("latin_fleet", 69, "has the encoding LATIN1; accepted: UTF8")):
            with open(self.service.config_file, encoding="utf-8") as file:
                text = file.read().replace(f"dbname={Centre.DATABASE}", f"dbname={database}")
            with open(config, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([self.service.installed_program("clamscanner-fleet"), "--config", config, "--json", "init"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(said, done.stdout + done.stderr)
        self.assertEqual(self.centre.cluster.sql("SELECT begun FROM subtask", "old_fleet"), [["0"]])


class Failover(FleetCase):
    make_centre = staticmethod(lambda service: Centre(service, replica=True))

    def test_a_replica_that_is_promoted(self):
        replica = self.centre.replica.copy_of(self.centre.cluster)
        made = self.machines("a", "b")
        self.scan()
        wait_until(lambda: all(machine.created == 1 for machine in made), 30, "the orders")
        made[0].end_scan(finds(400, "/home/a"))
        wait_until(lambda: made[0].count(EVENTS) >= 2, 30, "the second page")
        [[written]] = self.centre.cluster.sql("SELECT pg_current_wal_lsn()")
        wait_until(lambda: replica.sql(f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == [["t"]], 60, "the replica")
        self.centre.cluster.kill()
        replica.promote()
        old, self.centre.cluster = self.centre.cluster, replica
        self.addCleanup(old.stop)
        made[1].end_scan()
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], last["SafeMachine"], last["CompleteMachine"]), (400, 1, 2))
        events, total = self.all_events()
        self.assertEqual((total, len(set(self.paths(events)))), (400, 400))


class FullDisk(FleetCase):
    make_centre = staticmethod(lambda service: Centre(service, megabytes=200))

    def test_a_full_disk_at_the_centre_loses_nothing(self):
        machine = self.machines("much")
        machine.ends_at_once = [(VIRUS, f"/home/{number:05}/{secrets.token_hex(900)}") for number in range(6000)]
        filler = os.path.join(self.centre.cluster.data, "filler")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(b"x" * 2**20) == 2**20 and os.statvfs(filler).f_bavail * 4096 > 2 * 2**20:
                pass
        self.scan()
        wait_until(lambda: "No space left" in self.log() or self.centre.cluster.process.poll() is not None, 60, "no room")
        time.sleep(3)
        self.assertEqual(self.service.restart_what_ended(), {}, "clamscanner-fleetd goes on")
        os.unlink(filler)
        if self.centre.cluster.process.poll() is not None:
            self.centre.cluster.kill()
            self.centre.cluster.start()
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], machine.created), (6000, 1))
        events, total = self.all_events()
        self.assertEqual((total, len(set(self.paths(events)))), (6000, 6000))

    def log(self):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            return file.read()


class Hostile(FleetCase):
    """Machines that were taken over, each beside a good one: they lie about themselves alone."""

    ANSWERS = {
        STATISTIC: {
            "nothing": hostile.with_text(b""), "no JSON": hostile.with_text(b"<html>"),
            "deep": hostile.with_text(b'{"Data":' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
            "endless": hostile.endless, "endless headers": hostile.endless_headers, "hanging": hostile.hang,
            "dripping": hostile.drip, "elsewhere": hostile.redirect("https://127.0.0.1:1/"),
            "a file": hostile.redirect("file:///etc/passwd"),
            "safe, and not ended": hostile.changed(SafeMachine=1, CompleteMachine=1, UnCompleteMachine=0),
            "many machines": hostile.changed(ScanMachine=500, SafeMachine=500, CompleteMachine=500),
            "numbers as texts": hostile.changed(Status="100"), "negative": hostile.changed(SuspiciousCount=-1),
            "huge": hostile.changed(SuspiciousCount=2**63), "no number": hostile.changed(ScanTime=1e300),
            "another's task": hostile.changed(TaskId="../../etc/passwd"),
            "a task of 64 KiB": hostile.changed(TaskId="a" * 65_000),
            "NaN": hostile.changed(SuspiciousCount=float("nan")), "infinite": hostile.changed(ScanTime=float("inf")),
            "2^64": hostile.changed(ScanTime=2**64),
            "1e0": hostile.replaced(b'"ScanMachine": 1', b'"ScanMachine": 1e0'),
            "years after": hostile.changed(ScanTime=253_402_300_800_000),
            "two answers in one": hostile.replaced(b'"Data": {', b'"Data": {}, "Data": {'),
            "a name twice": hostile.replaced(b'"Status": 0', b'"Status": 0, "Status": 0'),
            "no UTF-8": hostile.replaced(b'"system"', b'"\xff\xfe"'),
            "a bomb": hostile.raw(b"HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: %d\n\n" % len(hostile.BOMB),
                                  hostile.BOMB),
            "a bomb on the way": hostile.raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n", hostile.BOMB),
            "cut off": hostile.cut_off,
            "more than one chunk can be": hostile.raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nfffffffffffffffff\n",
                                                      b"{}"),
            "a negative length": hostile.raw(b"HTTP/1.1 200 OK\nContent-Length: -1\n\n", b"{}"),
            "endless trailers": hostile.raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n",
                                            endless_part=b"X-More: " + b"a" * 1000 + b"\r\n"),
            "an endless header": hostile.raw(b"HTTP/1.1 200 OK\nX-More: ", endless_part=b"a" * 65_536),
            "an endless status": hostile.raw(b"HTTP/1.1 200 ", endless_part=b"a" * 65_536),
            "endless promises": hostile.raw(b"", endless_part=b"HTTP/1.1 100 Continue\r\n\r\n"),
            "another protocol": hostile.raw(b"HTTP/1.1 101 Switching Protocols\nUpgrade: h2c\nConnection: Upgrade\n\n", b"PRI"),
            "no HTTP": hostile.raw(b"SSH-2.0-OpenSSH\n"),
        },
        TASKS: {
            "another's id": hostile.with_text(b'{"List":[{"TaskId":"00000000000000000000000000000000","Uuid":"x"}]}'),
            "no uuid": hostile.with_text(b'{"List":[]}'), "a hanging list": hostile.hang,
            "an address of 64 KiB": hostile.replaced(b'192.0.2.7', b"1" * 64_000),
            "no address": hostile.replaced(b'192.0.2.7', b"::1"),
            "a uuid with a nul": hostile.replaced(b'"Uuid": "', b'"Uuid": "\\u0000'),
            "two uuids": hostile.replaced(b'"Uuid": ', b'"Uuid": "", "Uuid": '),
        },
        EVENTS: {
            "endless finds": hostile.endless, "no finds": hostile.with_text(b"{}"),
            "more than a page": lambda handler, body: handler.reply(200, json.dumps(
                {"PageInfo": {"TotalCount": 1}, "Data": [json.loads(body)["Data"][0]] * 101}).encode()),
            "a nul": lambda handler, body: handler.reply(200, body.replace(b"Test.Virus-1", b"Test\\u0000")),
            "an escape": lambda handler, body: handler.reply(200, body.replace(b"Test.Virus-1", b"\\u001b[2J")),
            "half a letter": lambda handler, body: handler.reply(200, body.replace(b"Test.Virus-1", b"\\udcff")),
            "an escape of one letter": hostile.replaced(b"Test.Virus-1", b"\\u009b2J"),
            "a nul in a path": hostile.replaced(b"/home/a/0000", b"/home/a/\\u0000"),
            "no UTF-8 in a path": hostile.replaced(b"/home/a/0000", b"/home/a/\xff"),
            "half a letter in a path": hostile.replaced(b"/home/a/0000", b"/home/a/\\ud800"),
            "no path": hostile.replaced(b"/home/a/0000", b"home"),
            "a path of a mebibyte": hostile.replaced(b"/home/a/0000", b"/" + b"x" * 2**20),
            "an event of 2^63": hostile.replaced(b'"EventId": 1,', b'"EventId": 9223372036854775808,'),
            "an event below nothing": hostile.replaced(b'"EventId": 1,', b'"EventId": -1,'),
            "an event twice": hostile.replaced(b'"EventId": 1,', b'"EventId": 1, "EventId": 2,'),
            "four million numbers": hostile.replaced(b'"Data": [', b'"More": [' + b"1," * 4_000_000 + b'1], "Data": ['),
            "millions of names": hostile.replaced(b'"Data": [', b'"":0,' * 1_500_000 + b'"Data": ['),
        },
    }

    def test_whatever_it_answers(self):
        good = self.machines("good")
        bad = {}
        for action, answers in self.ANSWERS.items():
            for number, (what, answer) in enumerate(answers.items()):
                machine = self.machines(f"bad-{action[:7]}-{number}")
                bad[what] = machine
                machine.ends_at_once = finds(3)
                machine.answer[action] = answer
        good.ends_at_once = finds(7)
        for machine in bad.values():
            # It has something to lie about already.
            machine.begin_scan()
            if STATISTIC not in machine.answer:
                machine.end_scan()
        self.scan()
        began = time.monotonic()
        wait_until(lambda: self.centre.parts()[good.name]["result"] == "ok", 25, "the good one's end")
        print(f"the good one of {len(bad) + 1} machines ended after {time.monotonic() - began:.1f} s")
        hanging = ("hanging", "dripping", "a hanging list")  # which are given up only after 30 s
        told = {machine.name for what, machine in bad.items() if what not in hanging}
        wait_until(lambda: told <= {row["name"] for row in self.centre.rows("list") if row["problem"]}, 60,
                   "a problem of each of them")
        with open(f"/proc/{self.service.pid('fleetd')}/status", encoding="ascii") as status:
            memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        print(f"clamscanner-fleetd had at most {memory // 1024} MiB")
        self.assertLess(memory, 120 * 1024, "KiB of memory")
        self.end_task_now()
        parts = self.centre.parts()
        for what, machine in bad.items():
            with self.subTest(what):
                self.assertEqual(parts[machine.name]["result"], "offline")
        last = self.numbers()
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"], last["ScanMachine"]), (1, 0, len(bad) + 1))
        listed = self.ask("ListVirusScanMachine")["Data"]
        self.assertIn(good.name, [row["InstanceName"] for row in listed])
        good_uuid = self.centre.machine(good.name)["uuid"]
        self.assertEqual(self.all_events(Uuid=good_uuid)[1], 7)
        self.assertEqual(self.service.restart_what_ended(), {})

    def installations_of(self, machine):
        return int(self.centre.sql(f"SELECT count(*) FROM installation i JOIN machine m ON m.id = i.machine "
                                   f"WHERE m.name = '{machine.name}'")[0][0])

    def let_an_hour_pass_for(self, machine):
        self.centre.sql(f"UPDATE machine SET reinstalled = now() - interval '61 minutes' WHERE name = '{machine.name}'")

    def test_a_machine_that_says_at_each_look_that_it_was_installed_anew(self):
        machine = self.machines("ever-anew")

        def anew():
            machine.install()
            machine.begin_scan()
            machine.end_scan()
            return hostile.Machine.statistic(machine)

        machine.statistic = anew
        self.assertIn("several hosts", self.centre.wait_for_problem(machine.name, "installed anew again"))
        first = self.centre.machine(machine.name)["reinstalled"]
        asked = machine.count(STATISTIC)
        wait_until(lambda: machine.count(STATISTIC) >= asked + 5, 60, "five more looks")
        # The one that it said first, and one that it was told to be anew.
        self.assertEqual(self.installations_of(machine), 2)
        self.assertEqual(self.centre.machine(machine.name)["reinstalled"], first)
        # It is believed once an hour, and however long it goes on, few are kept.
        for _ in range(8):
            self.let_an_hour_pass_for(machine)
            wait_until(lambda: self.centre.sql(f"SELECT 1 FROM machine WHERE name = '{machine.name}' AND reinstalled > now() - "
                                               "interval '1 minute'"), 30, "it is believed")
        self.assertEqual(self.installations_of(machine), 8)
        # One that then stays as it is, is believed an hour later, and all is well.
        del machine.statistic
        time.sleep(2)
        self.let_an_hour_pass_for(machine)
        wait_until(lambda: self.centre.machine(machine.name)["problem"] == "", 30, "no problem any more")
        self.assertEqual(self.installations_of(machine), 8)
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            self.assertLessEqual(log.read().count(f"machine {machine.name} was installed anew"), 10)

    def test_two_hosts_at_one_address(self):
        machine = self.machines("two-in-one")
        sides = [(str(uuid.uuid4()), machine.begin_scan()) for _ in range(2)]
        state = {"looks": 0}

        def either():
            state["looks"] += 1
            machine.uuid, scan = sides[state["looks"] % 2]
            machine.scans = [scan]
            return hostile.Machine.statistic(machine)

        machine.statistic = either
        self.centre.wait_for_problem(machine.name, "do several hosts answer at its address?")
        self.assertEqual(self.installations_of(machine), 2)

    def test_a_machine_that_begins_scan_after_scan(self):
        good, machine = self.machines("good", "restless")
        good.ends_at_once = finds(1)
        machine.answer[EVENTS] = hostile.hang

        def again():
            if machine.created:
                machine.begin_scan()
                machine.scans[-1].status, machine.scans[-1].percent = 10, 1
            return hostile.Machine.statistic(machine)

        machine.statistic = again
        self.scan()
        last = self.wait_for(Status=100)
        self.assertEqual((last["CompleteMachine"], last["SafeMachine"], last["SuspiciousMachine"]), (1, 0, 1))
        part = self.centre.parts()[machine.name]
        self.assertEqual(part["result"], "failed")
        self.assertIn("8 scans since the order", part["problem"])

    def test_the_same_page_without_an_end(self):
        machine = self.machines("rounds")
        machine.ends_at_once = finds(1)
        machine.answer[EVENTS] = hostile.replaced(b'"TotalCount": 1', b'"TotalCount": 2147483647')
        self.scan()
        self.centre.wait_for_end(120)
        self.assertLessEqual(machine.count(EVENTS), 1000)
        self.assertEqual(self.all_events()[1], 1)

    def test_events_of_another_machine(self):
        one, other = self.machines("one", "other")
        one.ends_at_once, other.ends_at_once = finds(3, "/home/one"), finds(5, "/home/other")
        self.scan()
        self.centre.wait_for_end()
        for machine in (one, other):  # both number their finds from 1
            events, total = self.all_events(Uuid=self.centre.machine(machine.name)["uuid"])
            wanted = [path for _, path in machine.ends_at_once]
            self.assertEqual((total, self.paths(events)), (len(wanted), wanted))

    def test_numbers_that_go_back(self):
        machine = self.machines("back")
        self.scan()
        wait_until(lambda: machine.created, 30, "the order")
        scan = machine.scans[-1]
        scan.status, scan.percent, scan.finds = 10, 60, [(1, VIRUS, "/x"), (2, VIRUS, "/y")]
        self.wait_for(Status=10, SuspiciousCount=2)
        scan.status, scan.percent, scan.finds = 0, 5, []
        time.sleep(3)
        data = self.data()
        self.assertEqual((data["Status"], data["SuspiciousCount"], data["Progress"]), (10, 2, "60"))
        scan.status, scan.percent = 100, 100
        last = self.wait_for(Status=100)
        self.assertEqual((last["SuspiciousCount"], last["SafeMachine"]), (2, 0), "it said that it had found something")

    def test_a_machine_that_says_it_is_another(self):
        honest, liar = self.machines("honest", "liar")
        honest.ends_at_once = finds(2)
        honest.begin_scan()
        honest.end_scan()  # by this it has said who it is
        wait_until(lambda: honest.count(TASKS), 30, "its identity")
        liar.uuid = honest.uuid
        self.scan()
        self.wait_for(SuspiciousCount=2)
        wait_until(lambda: liar.created, 30, "the order")
        liar.end_scan(finds(900))
        self.centre.wait_for_problem(liar.name, honest.name)
        self.end_task_now()
        self.assertEqual(self.numbers()["SuspiciousCount"], 2)
        self.assertEqual(self.centre.machine(honest.name)["problem"], "")

    def test_more_finds_than_anybody_keeps(self):
        machine = self.machines("filler")
        machine.answer[EVENTS] = self.inventor()
        machine.answer[STATISTIC] = lambda handler, body: handler.reply(
            200, json.dumps({"Data": (data := json.loads(body)["Data"]) and {**data, "SuspiciousCount": 2**31 - 1,
                             "SuspiciousMachine": 1, "SafeMachine": 0, "RiskLevel": "low"}}).encode())
        machine.ends_at_once = []
        self.scan()
        self.centre.wait_for_end(120)
        size = int(self.centre.sql("SELECT finding_bytes FROM subtask ORDER BY id DESC LIMIT 1")[0][0])
        self.assertLess(size, 80 * 1024 * 1024)
        self.assertIn("the rest is to be looked at there", self.centre.parts()[machine.name]["problem"])

    @staticmethod
    def inventor():
        """New finds on every page, with the longest paths."""
        state = {"event": 0}

        def answer(handler, body):
            events = []
            for _ in range(100):
                state["event"] += 1
                path = f"/{state['event']:08}" + "x" * 60_000
                events.append({"EventId": state["event"], "EventName": VIRUS, "LastTimeStamp": 0,
                               "Details": [{"NameDisplay": "Path", "ValueDisplay": path}]})
            handler.reply(200, json.dumps({"PageInfo": {"TotalCount": 2**31 - 1}, "Data": events}).encode())
        return answer


def serve_badly(listener, said):
    """Until it is closed. None: says nothing."""
    held = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            held.append(connection)
            if said is not None:
                with contextlib.suppress(OSError):
                    connection.sendall(said)
                connection.close()


class Trust(FleetCase):
    def test_only_the_very_host_of_the_address_is_believed(self):
        other = self.machines("othername", alternative="DNS:other.example")
        self.assertIn("certificate", self.centre.wait_for_problem(other.name, "certificate"))
        self.assertEqual(other.requests, [])
        stranger_place = self.service.path("tls-strangers")
        os.makedirs(stranger_place, exist_ok=True)
        stranger = hostile.Machine("stranger", hostile.Authority(stranger_place).certificate("stranger")).start()
        self.centre.machines.append(stranger)
        self.centre.add(stranger)
        self.centre.wait_for_problem(stranger.name, "certificate")
        self.assertEqual(stranger.requests, [])

    def test_bytes_out_of_a_certificate_stop_nobody_else(self):
        """libcurl's words for the administrator quote its name, and are cut off in the middle of a letter: no database
        takes that, and what else was to be written with it would not be written either."""
        good = self.machines("good")
        liar = self.machines("badname", common_name="a" + 63 * "\U0001f600")
        good.ends_at_once = finds(2)
        self.scan()
        self.assertIn("certificate", self.centre.wait_for_problem(liar.name, "certificate"))
        self.wait_for(CompleteMachine=1, SuspiciousCount=2)
        self.assertEqual(liar.requests, [])
        self.end_task_now()

    def test_who_listens_and_does_not_speak_tls(self):
        """Each of these ends, and is told; the good one beside them is asked as ever."""
        good = self.machines("good")
        first = {"silent": None, "gone": b"", "no TLS": b"HTTP/1.1 200 OK\r\n\r\n",
                 "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
                 "a record without an end": b"\x16\x03\x03\xff\xff" + b"\0" * 70_000}
        listeners = []
        for number, said in enumerate(first.values()):
            listener = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(listener.close)
            listeners.append(listener)
            threading.Thread(target=serve_badly, args=(listener, said), daemon=True).start()
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            self.centre.run("add-machine", f"mute{number}", url, text="cs01\nabc\n")
        for number, what in enumerate(first):
            self.assertTrue(self.centre.wait_for_problem(f"mute{number}", ""), what)
        asked = good.count(STATISTIC)
        wait_until(lambda: good.count(STATISTIC) > asked, 10, "another look at the good one")

    def test_nothing_is_asked_in_the_clear(self):
        with socket.create_server(("127.0.0.1", 0)) as plain:
            plain.settimeout(0.2)
            port = plain.getsockname()[1]
            self.centre.run("add-machine", "plain", f"https://127.0.0.1:{port}", text="cs01\nabc\n")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    connection, _ = plain.accept()
                    with connection:
                        connection.settimeout(5)
                        first = connection.recv(3)
                        self.assertEqual(first[:2], b"\x16\x03", "it begins with TLS")
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                    break
            else:
                self.fail("nobody came")
        for url in ("http://127.0.0.1:1", "ftp://a", "https://a/b", "https://user@a", "https://a?b", "https://", "a", "https://a b"):
            refused = self.centre.run("add-machine", "x", url, text="cs01\nabc\n", check=False)
            self.assertEqual(refused.returncode, 64, url)
            self.assertIn("https://HOST", refused.stderr)

    def test_the_secret_is_in_its_file_alone(self):
        machine = self.machines("secretive")
        machine.ends_at_once = finds(1)
        self.scan()
        self.centre.wait_for_end()
        secret = machine.key[1]
        file = self.service.path("fleet-keys", f"{machine.name}.key")
        status = os.stat(file)
        self.assertEqual((status.st_mode & 0o777, status.st_uid), (0o600, self.service.users["fleetd"].pw_uid))
        with open(file, encoding="ascii") as text:
            self.assertIn(secret, text.read())
        dump = self.centre.cluster.run("pg_dump", "-h", self.centre.cluster.sockets, Centre.DATABASE).stdout
        self.assertIn("CREATE TABLE public.finding", dump)
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            self.assertNotIn(secret, dump + log.read())
        for line in glob.glob(f"/proc/{self.service.pid('fleetd')}/cmdline"):
            with open(line, encoding="utf-8") as words:
                self.assertNotIn(secret, words.read())

    def test_a_wrong_key_is_told(self):
        machine = self.centre.new_machine("wrongkey")
        for key, part in (("csnone\nabc\n", "does not know our access key"), (f"{machine.key[0]}\nabc\n", "another secret")):
            self.centre.run("add-machine", machine.name, machine.url, text=key)
            self.centre.wait_for_problem(machine.name, part)
        self.centre.add(machine)
        wait_until(lambda: self.centre.machine(machine.name)["problem"] == "", 30, "the right key's answer")
        os.unlink(self.service.path("fleet-keys", f"{machine.name}.key"))
        self.centre.wait_for_problem(machine.name, "access key is not on this host")

    def test_on_a_host_that_is_no_centre_it_does_not_start(self):
        config = self.service.path("no-centre.toml")
        with open(config, "w", encoding="ascii") as file:
            file.write("[fleet]\nuser = \"nobody\"\n")
        user = self.service.users["fleetd"]
        for program, words in (("clamscanner-fleetd", ()), ("clamscanner-fleet-command", ("list",))):
            done = subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
                                   self.service.program(program), "--config", config, *words], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 78, done.stderr)
            self.assertIn("this host is no centre of a fleet", done.stderr)

    def test_the_command_says_what_is_accepted(self):
        for words, text, status in ((("add-machine", "../x", "https://a"), "cs01\nabc\n", 64),
                                    (("add-machine", "x", "https://a"), "cs01\n", 78), (("nonsense",), "", 64),
                                    ((), "", 64), (("status", "no-task"), "", 75), (("remove-machine", "nobody"), "", 75)):
            done = self.centre.run(*words, text=text, check=False)
            self.assertEqual(done.returncode, status, (words, done.stderr))
            self.assertTrue(done.stderr)
        self.assertEqual(self.centre.rows("list"), [])
        account, _ = self.new_account()
        program = self.service.program("clamscanner-fleet-command")
        asked = subprocess.run(["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", program,
                                "--config", self.service.config_file, "list"], capture_output=True, text=True, check=False)
        self.assertEqual(asked.returncode, 78, asked.stderr)


if __name__ == "__main__":
    main()
