"""A centre of many machines for tests and demos: a PostgreSQL of its own, from Debian's package, as an unprivileged
user; clamscanner-fleetd; and the administrator's command."""

import contextlib
import glob
import json
import os
import signal
import subprocess

import accounts
from client import wait_until
from service import Readiness
from simulated_machine import Authority, Machine


def postgres_programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not found:
        raise RuntimeError("there is no PostgreSQL: sudo tests/packages.sh fleet")
    return found[-1]


class Cluster:
    """A PostgreSQL below a service's directory. Only its socket is open; it asks the kernel who connects. `megabytes`: it
    has a file system of its own of that size."""

    def __init__(self, service, name="postgres", megabytes=0):
        self.service = service
        self.user = service.users["postgres"]
        self.name = name
        self.data = service.path(f"{name}-data")
        self.sockets = service.path(f"{name}-socket")
        self.process = None
        for place in (self.data, self.sockets):
            os.mkdir(place, 0o700 if place == self.data else 0o755)
            if megabytes and place == self.data:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", place], check=True)
            os.chown(place, self.user.pw_uid, self.user.pw_gid)

    def create(self):
        self.run("initdb", "-D", self.data, "-U", self.user.pw_name, "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8",
                 "--no-sync")
        return self.start()

    def copy_of(self, other):
        """A streaming replica of another one."""
        self.run("pg_basebackup", "-D", self.data, "-h", other.sockets, "-R", "--checkpoint=fast", "--no-sync")
        return self.start()

    def start(self):
        self.process = self.service.launch(
            [f"{postgres_programs()}/postgres", "-D", self.data, "-k", self.sockets, "-c", "listen_addresses=",
             "-c", "max_connections=40", "-c", "shared_buffers=64MB",
             # It is killed here, but no machine loses its power, and the disk may be slow.
             "-c", "fsync=off"], user=self.user)
        wait_until(lambda: self.run("pg_isready", "-h", self.sockets, check=False).returncode == 0, 60, "PostgreSQL")
        return self

    def kill(self):
        """SIGKILL to every process of it at once. It is over when all are gone: as long as one has its memory, no other
        one starts."""
        self.process.send_signal(signal.SIGSTOP)
        doomed = [pid for pid in accounts.processes_of(self.user.pw_uid)
                  if self.data in command_of(pid) or self.process.pid == parent_of(pid)]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(command_of(pid) for pid in doomed), 60, "the end of every process of PostgreSQL")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def promote(self):
        self.sql("SELECT pg_promote()")

    def sql(self, text, database="postgres"):
        """The rows, each a list of texts."""
        done = self.run("psql", "-h", self.sockets, "-d", database, "-AtqX", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", text)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def run(self, program, *words, check=True):
        done = subprocess.run(["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups",
                               f"{postgres_programs()}/{program}", *words], capture_output=True, text=True, cwd="/",
                              check=False, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PGTZ": "UTC"})
        if check and done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")
        return done


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Centre:
    """What a service needs to be a centre. It is made before the service writes its configuration."""

    DATABASE = "clamscanner_fleet"

    def __init__(self, service, replica=False, megabytes=0):
        self.service = service
        self.cluster = Cluster(service, megabytes=megabytes).create()
        user = service.users["fleetd"].pw_name
        self.cluster.run("createuser", "-h", self.cluster.sockets, user)
        self.cluster.run("createdb", "-h", self.cluster.sockets, "-O", user, self.DATABASE)
        self.replica = Cluster(service, "replica") if replica else None
        os.mkdir(service.path("tls"), 0o755)
        self.authority = Authority(service.path("tls"))
        self.machines = []
        self.others = {}

    def config(self, **more):
        hosts = [self.cluster] + ([self.replica] if self.replica else [])
        return {"database": f"host={','.join(cluster.sockets for cluster in hosts)} dbname={self.DATABASE}",
                "user": self.service.users["fleetd"].pw_name, "keys_directory": self.service.path("fleet-keys"),
                "ca_file": self.authority.ca_file, "look_seconds": 1, "task_look_seconds": 1, **more}

    def stop(self):
        for machine in self.machines:
            machine.stop()
        for process in self.others.values():
            process.kill()
            process.wait()
        for cluster in (self.replica, self.cluster):
            if cluster:
                cluster.stop()

    # ---- The administrator's command ---------------------------------------------------------------------------------

    def run(self, *words, text="", check=True):
        done = subprocess.run([self.service.installed_program("clamscanner-fleet"), "--config", self.service.config_file,
                               "--json", *words], input=text, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"clamscanner-fleet {' '.join(words)}: status {done.returncode}: {done.stderr}")
        return done

    def rows(self, *words):
        return [json.loads(line) for line in self.run(*words).stdout.splitlines()]

    def new_machine(self, name, **how):
        """One that listens; `how`: of its certificate."""
        machine = Machine(name, self.authority.certificate(name, **how)).start()
        self.machines.append(machine)
        return machine

    def add(self, machine, name=None):
        self.run("add-machine", name or machine.name, machine.url,
                 text=f"AccessKeyId: {machine.key[0]}\nAccessKeySecret: {machine.key[1]}\n")
        return machine

    def machine(self, name):
        return next(row for row in self.rows("list") if row["name"] == name)

    def summary(self):
        return self.rows("status")[0]

    def parts(self):
        return {row["machine"]: row for row in self.rows("status")[1:]}

    def wait_for_end(self, seconds=60):
        wait_until(lambda: self.summary()["status"] == 100, seconds, "the end of the scan of all machines")
        return self.summary()

    def wait_for_problem(self, name, part, seconds=30):
        return wait_until(lambda: part in (problem := self.machine(name)["problem"]) and problem, seconds,
                          f"{name}: … {part} …")

    def sql(self, text):
        return self.cluster.sql(text, self.DATABASE)

    # ---- Another clamscanner-fleetd ------------------------------------------------------------------------------------

    def start_other(self, name):
        """On the same host, with its own sockets, as on another one."""
        place = self.service.path(f"run-{name}")
        os.mkdir(place)
        os.mkdir(f"{place}/fleetd")
        user = self.service.users["fleetd"]
        os.chown(f"{place}/fleetd", user.pw_uid, user.pw_gid)
        with open(self.service.config_file, encoding="utf-8") as file:
            text = file.read().replace(json.dumps(self.service.path("run")), json.dumps(place))
        config = self.service.path(f"{name}.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        ready = Readiness(f"clamscanner-{self.service.suffix}-{name}")
        process = self.service.launch([self.service.program("clamscanner-fleetd"), "--config", config], user=user,
                                      environment={"NOTIFY_SOCKET": ready.address})
        assert ready.wait(process, 60), "it does not start"
        ready.close()
        self.others[name] = process
        return process
