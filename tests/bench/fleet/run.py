"""What a centre of many machines costs: simulated machines, each with a port, a key and a TLS connection of its own, and a
real clamscanner-fleetd, PostgreSQL and web server. First quiet, then during a scan of all of them; then a database of very
many finds. Run as root; --small takes about two minutes. The simulated machines run on the same processors, so only
processor time and memory of clamscanner-fleetd and PostgreSQL say what a centre needs; latencies have all of it in them."""

import argparse
import multiprocessing
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "integration"))

import accounts
from client import wait_until
from fleet import Centre, parent_of
from service import Service
from simulated_machine import Machine
from statistics_client import StatisticsClient

TICKS = os.sysconf("SC_CLK_TCK")
STATISTIC, CREATE, EVENTS = "GetVirusScanLatestTaskStatistic", "CreateVirusScanOnceTask", "ListVirusScanMachineEvent"


def simulate(names, certificate, finds, scan_seconds, pipe):
    """Runs in a process of its own: some of the machines. Each ordered scan lasts for some seconds."""
    machines = [Machine(name, certificate).start() for name in names]
    pipe.send([(machine.name, machine.port, machine.key) for machine in machines])
    began = {}
    while not pipe.poll(0.2):
        for machine in machines:
            scan = machine.scans[-1] if machine.scans else None
            if scan is None or scan.ended:
                continue
            age = time.time() - began.setdefault(scan.id, time.time())
            scan.status, scan.percent = 10, min(99, int(100 * age / scan_seconds))
            if age > scan_seconds:
                machine.end_scan([("Bench.Virus", f"/home/{machine.name}/{number}.php") for number in range(finds)])
    pipe.send(sum(len(machine.requests) for machine in machines))


class Simulation:
    def __init__(self, count, certificate, finds, scan_seconds, processes=4):
        names = [f"m{number:04}" for number in range(count)]
        self.pipes, self.processes = [], []
        for number in range(processes):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=simulate, daemon=True,
                                              args=(names[number::processes], certificate, finds, scan_seconds, theirs))
            process.start()
            self.pipes.append(ours)
            self.processes.append(process)
        self.machines = [machine for pipe in self.pipes for machine in pipe.recv()]

    def end(self):
        """How many requests they answered."""
        for pipe in self.pipes:
            pipe.send("end")
        total = sum(pipe.recv() for pipe in self.pipes)
        for process in self.processes:
            process.join(10)
        return total


def add_all(centre, machines):
    """As the command does it, but all at once: a command for each would take minutes."""
    rows = []
    user = centre.service.users["fleetd"]
    for name, port, (key_id, secret) in machines:
        path = centre.service.path("fleet-keys", f"{name}.key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(f"{key_id}\n{secret}\n")
        os.chown(path, user.pw_uid, user.pw_gid)
        rows.append(f"(gen_random_uuid(), '{name}', 'https://127.0.0.1:{port}')")
    centre.sql(f"INSERT INTO machine(uuid, name, url) VALUES {','.join(rows)}; UPDATE fleet SET changes = changes + 1")


def seconds_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid):
    """MiB, shared pages by their share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024


class Cost:
    """Processor time of clamscanner-fleetd and of PostgreSQL, over some time."""

    def __init__(self, service):
        self.fleetd = service.pid("fleetd")
        cluster = service.centre.cluster
        self.postgres = [pid for pid in accounts.processes_of(cluster.user.pw_uid)
                         if pid == cluster.process.pid or parent_of(pid) == cluster.process.pid]
        self.before = self._now()
        self.began = time.monotonic()

    def _now(self):
        return seconds_of(self.fleetd), sum(seconds_of(pid) for pid in self.postgres if os.path.exists(f"/proc/{pid}"))

    def show(self, what, machines):
        took = time.monotonic() - self.began
        fleetd, postgres = (after - before for after, before in zip(self._now(), self.before))
        print(f"{what}: over {took:.0f} s clamscanner-fleetd {100 * fleetd / took:.1f} % and PostgreSQL "
              f"{100 * postgres / took:.1f} % of a core; each machine {1000 * fleetd / took / machines:.3f} and "
              f"{1000 * postgres / took / machines:.3f} ms a second", flush=True)
        return fleetd / took, postgres / took


def timed(client, action, parameters=None):
    began = time.perf_counter()
    answer = client.call_v3(action, parameters)
    took = time.perf_counter() - began
    assert answer.status == 200, answer.body
    return took * 1000, answer.json


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def fleet(service, client, scale):
    centre = service.centre
    simulation = Simulation(scale.machines, centre.authority.certificate("simulated"), scale.finds, scale.scan_seconds)
    add_all(centre, simulation.machines)
    wait_until(lambda: centre.sql("SELECT count(*) FROM machine WHERE seen IS NULL") == [["0"]], 300, "all to answer")
    print(f"{scale.machines} machines, asked every {scale.look} s, during a scan every {scale.task_look} s")
    cost = Cost(service)
    time.sleep(scale.quiet_seconds)
    cost.show("quiet", scale.machines)
    memory = memory_of(cost.fleetd)
    print(f"memory of clamscanner-fleetd: {memory:.1f} MiB, {1024 * memory / scale.machines:.0f} KiB a machine")

    assert client.call_v3(CREATE, {"ScanType": "system"}).status == 200
    cost, began, polls, data = Cost(service), time.monotonic(), [], {}
    while data.get("Status") != 100:
        took, answer = timed(client, STATISTIC)
        polls.append(took)
        data = answer["Data"]
        time.sleep(0.05)
        assert time.monotonic() - began < 900, data
    duration = time.monotonic() - began
    cost.show("during the scan", scale.machines)
    memory = memory_of(cost.fleetd)
    asked = simulation.end()
    assert data["SuspiciousCount"] == scale.machines * scale.finds, data
    assert centre.sql("SELECT count(*) FROM finding") == [[str(scale.machines * scale.finds)]]
    print(f"scan of all: {duration:.0f} s for scans of {scale.scan_seconds} s; {scale.machines * scale.finds} finds; "
          f"{asked} requests answered in all; memory {memory:.1f} MiB")
    print(f"the statistic meanwhile: {len(polls)} calls, median {sorted(polls)[len(polls) // 2]:.1f} ms, p99 "
          f"{p99(polls):.1f} ms", flush=True)


def many_finds(service, client, scale):
    """As many finds as a bad day brings, in the latest task."""
    centre = service.centre
    each = scale.database // scale.machines
    began = time.monotonic()
    centre.sql("INSERT INTO task(id, asked_by, deadline, ended, whole) VALUES ('ffffffffffffffffffffffff00000000', 'bench', "
               "now(), now(), true)")
    centre.sql("INSERT INTO subtask(task, machine, state, result, infected, findings, risk, completed, collected) "
               f"SELECT 'ffffffffffffffffffffffff00000000', id, 100, 'ok', {each}, {each}, 3, true, true FROM machine")
    centre.sql("INSERT INTO finding(subtask, event, found_ms, signature, path) SELECT s.id, n, 1700000000000, "
               "'Php.Malware.Agent-' || (n % 100), ('/home/account' || (n % 700) || "
               "'/public_html/wp-content/uploads/2026/11/' || md5(n::text) || '.php')::bytea "
               f"FROM subtask s, generate_series(1, {each}) n WHERE s.task = 'ffffffffffffffffffffffff00000000'")
    centre.sql("ANALYZE")
    count = scale.machines * each
    size = int(centre.sql("SELECT pg_total_relation_size('finding')")[0][0])
    print(f"{count} finds: {size / 2**20:.0f} MiB, {size / count:.0f} bytes each (written in "
          f"{time.monotonic() - began:.0f} s)")
    last = count // 100
    for what, action, parameters in (("the statistic", STATISTIC, None), ("page 1", EVENTS, {"CurrentPage": 1, "PageSize": 100}),
                                     (f"page {min(10_000, last)}", EVENTS, {"CurrentPage": min(10_000, last), "PageSize": 100}),
                                     (f"page {last}, the last", EVENTS, {"CurrentPage": last, "PageSize": 100})):
        times = []
        for _ in range(20):
            took, answer = timed(client, action, parameters)
            times.append(took)
        if action == EVENTS:
            assert len(answer["Data"]) == 100 and answer["PageInfo"]["TotalCount"] == count
        print(f"{what}: median {sorted(times)[10]:.1f} ms, worst {max(times):.1f} ms", flush=True)


class Scale:
    def __init__(self, small):
        self.machines = 50 if small else 500
        self.look, self.task_look = (5, 2) if small else (60, 10)
        self.quiet_seconds = 20 if small else 60
        self.scan_seconds = 10 if small else 60
        self.finds = 100
        self.database = 100_000 if small else 5_000_000


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--small", action="store_true")
    scale = Scale(options.parse_args().small)
    config = {"fleet": {"look_seconds": scale.look, "task_look_seconds": scale.task_look},
              "statistics": {"max_nonces_per_key": 1_000_000}}
    with Service(front="nginx", with_host_user=True, make_centre=Centre, config=config) as service:
        service.centre.run("init")
        client = StatisticsClient(service.statistics_url, *service.add_access_key(service.host_user.pw_name))
        fleet(service, client, scale)
        many_finds(service, client, scale)


if __name__ == "__main__":
    main()
