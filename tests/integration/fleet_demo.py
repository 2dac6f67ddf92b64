"""What nginx/demo.sh --fleet does: a centre and three machines on this host, all of them the real programs, each with its
own prefix, sockets, databases, users and web server; and a PostgreSQL. One order scans all of them; one machine is ended
in the middle. The answer at each moment is printed, and compared with what is true."""

import contextlib
import json
import os
import signal
import sys

from client import wait_until
from demo import Checks, Stopped, StopOnce, progress_note, say, step
from fleet import Centre
from service import Service
from statistics_client import StatisticsClient
from web_front import Site, free_port

STATISTIC, CREATE = "GetVirusScanLatestTaskStatistic", "CreateVirusScanOnceTask"
NUMBERS = ("Status", "Progress", "ScanMachine", "CompleteMachine", "UnCompleteMachine", "SafeMachine", "SuspiciousMachine",
           "SuspiciousCount")
DEADLINE_MINUTES = 1
INFECTED = {"web1": 0, "web2": 3, "web3": 2}  # machine: infected files
# The machines share this host's accounts, as no real ones do. Each has a signature of its own, so each finds its own.
PATTERN = "the pattern of {}, by which it finds its own files alone"


def signature(name):
    return f"Demo-{name}:0:0:{PATTERN.format(name).encode().hex()}\n"


class Fleet:
    def __init__(self, stack):
        self.stack = stack
        self.service = stack.enter_context(Service(
            front="nginx", with_host_user=True, make_centre=Centre, tell=lambda text: progress_note(f"centre: {text}"),
            config={"fleet": {"deadline_minutes": DEADLINE_MINUTES}}))
        self.centre = self.service.centre
        self.centre.run("init")
        self.key = self.service.add_access_key(self.service.host_user.pw_name)
        self.client = StatisticsClient(self.service.statistics_url, *self.key)
        self.machines = {}

    def add_machine(self, name):
        certificate = self.centre.authority.certificate(name)
        port = free_port()
        machine = self.stack.enter_context(Service(
            front="nginx", with_host_user=True, tell=lambda text: progress_note(f"{name}: {text}"),
            site=lambda service: Site(statistics_tls_port=port, certificate=certificate, key=certificate)))
        with open(machine.path("no-signatures", "one.ndb"), "w", encoding="ascii") as database:
            database.write(signature(name))
        account = machine.add_account()
        for number in range(50):
            account.write(f"public_html/page-{number}.html", f"page {number} of {name}")
        for number in range(INFECTED[name]):
            account.write(f"public_html/uploads/{number}.php", PATTERN.format(name))
        key_id, secret = machine.add_access_key(machine.host_user.pw_name)
        self.centre.run("add-machine", name, f"https://127.0.0.1:{port}",
                        text=f"AccessKeyId: {key_id}\nAccessKeySecret: {secret}\n")
        self.machines[name] = machine

    def ask(self, action, parameters=None):
        answer = self.client.call_v3(action, parameters)
        if answer.status != 200:
            raise RuntimeError(f"{action}: {answer.status} {answer.body}")
        return answer.json

    def numbers(self):
        data = self.ask(STATISTIC)["Data"]
        return {name: data[name] for name in NUMBERS if name in data}

    def end(self, name):
        """As when its power fails."""
        machine = self.machines[name]
        machine.front.stop()
        for daemon in list(machine.running):
            machine.kill(daemon)


def show(title, numbers):
    say(f"{title}:")
    say("  " + json.dumps(numbers))
    say()


def walk(fleet, checks):
    step(1, "Three machines, each with an access key of its own")
    for row in fleet.centre.rows("list"):
        say("  " + json.dumps({name: row[name] for name in ("name", "url", "state")}))
    wait_until(lambda: all(row["state"] == "answers" for row in fleet.centre.rows("list")), 30, "all to answer")
    checks.that(fleet.ask(STATISTIC)["Data"] == {}, "nothing was ever scanned")

    step(2, "One order: scan all machines")
    # It is taken while the third one stands still, so that it is sure to be in the middle of its scan when it ends.
    hold(fleet.machines["web3"])
    fleet.ask(CREATE, {"ScanType": "system"})
    show("At once", first := fleet.numbers())
    checks.that((first["ScanMachine"], first["SafeMachine"], first["UnCompleteMachine"]) == (3, 0, 3),
                "three machines, none of them safe before it was scanned")
    wait_until(lambda: fleet.numbers()["CompleteMachine"] == 2, 120, "two machines' ends")
    show("Two have ended, one is under way", middle := fleet.numbers())
    checks.that(middle == {"Status": 10, "Progress": middle["Progress"], "ScanMachine": 3, "CompleteMachine": 2,
                           "UnCompleteMachine": 1, "SafeMachine": 1, "SuspiciousMachine": 1, "SuspiciousCount": 3},
                "one safe, one with three finds, one unfinished")
    checks.that(66 <= int(middle["Progress"]) < 100, "two thirds, and not all")

    step(3, "The third machine's power fails, in the middle of its scan")
    fleet.end("web3")
    wait_until(lambda: fleet.centre.machine("web3")["state"] == "problem", 30, "it to be missed")
    say(f"  clamscanner-fleet list: web3: {fleet.centre.machine('web3')['problem']}")
    show("It is away", away := fleet.numbers())
    checks.that(away["Status"] == 10 and away["SafeMachine"] == 1, "nobody takes it for safe, and the scan goes on")

    step(4, f"The deadline is over ({DEADLINE_MINUTES} min)")
    wait_until(lambda: fleet.numbers()["Status"] == 100, 60 * DEADLINE_MINUTES + 30, "the deadline")
    show("At the end", last := fleet.numbers())
    checks.that(last == {"Status": 100, "Progress": "100", "ScanMachine": 3, "CompleteMachine": 2, "UnCompleteMachine": 1,
                         "SafeMachine": 1, "SuspiciousMachine": 1, "SuspiciousCount": 3}, "what did not answer is not safe")
    results = {row["machine"]: row["result"] for row in fleet.centre.rows("status")[1:]}
    say(f"  clamscanner-fleet status: {json.dumps(results)}")
    checks.that(results == {"web1": "ok", "web2": "ok", "web3": "offline"}, "each one's result")

    step(5, "Which machines, and what is there")
    listed = fleet.ask("ListVirusScanMachine")["Data"]
    say("  " + json.dumps(listed))
    checks.that([(row["InstanceName"], row["EventCount"]) for row in listed] == [("web2", 3)], "the one with finds is listed")
    events = fleet.ask("ListVirusScanMachineEvent", {"Uuid": listed[0]["Uuid"]} if listed else {})["Data"]
    for event in events:
        say(f"  {event['InstanceName']}  {event['EventName']}  {event['Details'][0]['ValueDisplay']}")
    checks.that(sorted(os.path.basename(event["Details"][0]["ValueDisplay"]) for event in events) ==
                ["0.php", "1.php", "2.php"], "each of its finds, once")
    say()
    say("Every number was right." if not checks.failed else "WRONG:\n  " + "\n  ".join(checks.failed))
    return not checks.failed


def hold(machine):
    """Its engine stands still: scans begin there, and do not end."""
    for process in machine.processes("clamscanner-engine"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGSTOP)


def main():
    StopOnce()
    try:
        with contextlib.ExitStack() as stack:
            fleet = Fleet(stack)
            for name in INFECTED:
                fleet.add_machine(name)
            right = walk(fleet, Checks())
    except Stopped:
        progress_note("stopped, and cleaned up")
        return 130
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
