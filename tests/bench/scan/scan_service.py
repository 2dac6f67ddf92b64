"""The service as the benchmark asks it: scans, from the HTTP call that starts them to the status that says complete;
what its engine's processes have in memory; and how long a status takes."""

import http.client
import json
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from service import Service

SCAN_POLL_SECONDS = 0.02
FIRST_VERDICT_POLL_SECONDS = 0.005
STATUS_PAUSE_SECONDS = 0.002  # between two statuses whose time is taken: the client shall not be what is busy
MOST_SCAN_SECONDS = 4 * 3600
ENGINE = "clamscanner-engine"
RUNNER = "clamscanner-runner"


class ScanService(Service):
    """Its run directory, where workers put what they unpack, on a tmpfs, as /run is everywhere but in a test."""

    def _make_places(self):
        super()._make_places()
        run = self.path("run")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,nosuid,nodev", "tmpfs", run], check=True)
        for daemon in self.users:
            self._make_owned(f"run/{daemon}", daemon, 0o755)

    def knows_full_scans(self):
        """Whether start_scan has the argument that makes it scan again what it remembers as clean."""
        document = self.client().send("GET", "/ClamScanner/openapi.json", authorization=False).json()
        arguments = document["components"]["schemas"]["StartScanArguments"].get("properties", {})
        return "full" in arguments

    def engine_memory(self):
        """The proportional set sizes, in bytes, of all processes of the engine."""
        return [size for process in self.processes(ENGINE) if (size := _proportional_set_size(process.pid))]

    def jobs_under_way(self):
        return len(self.processes(RUNNER))

    def times_loaded(self):
        """How often an engine has loaded its signatures, by its own words."""
        with open(self.path("programs.log"), encoding="utf-8", errors="replace") as log:
            return sum("signatures loaded" in line for line in log)

    def warnings(self):
        with open(self.path("programs.log"), encoding="utf-8", errors="replace") as log:
            return [line.rstrip() for line in log if ": warning: " in line]


def _proportional_set_size(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended meanwhile


@dataclass
class Scan:
    seconds: float
    status: dict
    warnings: list


class Owner:
    """An account's owner with a connection that is kept, as a panel's front end has one."""

    def __init__(self, service, account):
        self.account = account
        self.client = service.client(account)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.client.port, timeout=120)
        self.headers = {"Authorization": self.client.authorization()}
        # Logged in before anything is measured.
        service.wait_until_it_serves(account)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, function, **arguments):
        query = "?" + urlencode(arguments) if arguments else ""
        self.connection.request("GET", f"/execute/ClamScanner/{function}{query}", headers=self.headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{function}: HTTP {response.status}: {body[:500]!r}")
        result = json.loads(body)
        if result["status"] != 1:
            raise RuntimeError(f"{function}: {result['errors']}")
        return result

    def connect_anew(self):
        """The web server closes a connection that was idle for long. It is opened when it is used next."""
        self.connection.close()

    def start_scan(self, **arguments):
        self.connect_anew()
        self.ask("start_scan", scan_type="home", **arguments)

    def has_finished(self):
        return self.ask("get_scan_status")["data"]["scan_complete"] == 1

    def scan(self, pause=SCAN_POLL_SECONDS, **arguments):
        begun = time.monotonic()
        self.start_scan(**arguments)
        while True:
            result = self.ask("get_scan_status")
            seconds = time.monotonic() - begun
            if result["data"]["scan_complete"] == 1:
                return Scan(seconds, result["data"], result["warnings"])
            if seconds > MOST_SCAN_SECONDS:
                raise TimeoutError(f"a scan takes more than {MOST_SCAN_SECONDS} s: {result}")
            time.sleep(pause)

    def found(self):
        """Path to name."""
        return {entry["file"]: entry["virus_type"] for entry in self.client.call("list_infected_files")}

    def time_of_status(self):
        begun = time.monotonic()
        self.ask("get_scan_status")
        seconds = time.monotonic() - begun
        time.sleep(STATUS_PAUSE_SECONDS)
        return seconds
