"""The base of every web server in front of a service: a directory, a port and a process of its own, and a site that
includes the same file that administrators include."""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Responder:
    """What a web server has to know about the responder: where it listens, its user, and how it is started."""
    socket: str
    user: str
    program: str
    config_file: str


@dataclass(frozen=True)
class Site:
    """What a site has beside the service: TLS on a second port, also for the statistics, and a header that is believed
    about a client's address."""
    tls_port: int = 0
    statistics_tls_port: int = 0
    certificate: str = ""
    key: str = ""
    address_header: str = ""


class WebFront:
    """A kind of web server says: `name`, `snippet` and `statistics_snippet` (the shipped files), `spawns_responder`,
    `reload_signal`, `command()` and `configuration()`."""

    spawns_responder = False
    document_root = None  # of its sites; none: an empty directory of its own
    # The differences that lie in a web server itself; all else is expected of each alike.
    may_leave_requests_unanswered = False  # when it is reloaded
    takes_malformed_chunks = False

    def __init__(self, directory, responder, launch, *, port=0, site=Site()):
        self.statistics_port = 0
        self.directory = directory
        self.responder = responder
        self.launch = launch
        self.wanted_port = port
        self.port = port
        self.site = site
        self.process = None

    def start(self):
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        self.prepare()
        # Between our choice of a port and the web server's bind another process may take it.
        for attempt in range(5):
            self.port = self.wanted_port or free_port()
            self.statistics_port = free_port()
            if self._start_once():
                return
            if self.wanted_port:
                break
        raise RuntimeError(f"{self.name} does not start on port {self.port}:\n{self._errors()}")

    def prepare(self):
        """What is done once, before the first start."""

    def _start_once(self):
        self.write("site.conf", self.configuration())
        self.process = self.launch(self.command())
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
                continue
            # Somebody else may be the one that listens there: then ours ends.
            if os.path.exists(self.path("server.pid")):
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def reload(self):
        """Tells it to take up its configuration anew while it goes on serving."""
        os.kill(self.process.pid, self.reload_signal)

    def workers(self):
        """The pids of the processes that it started: after a reload they are others."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return set(file.read().split())

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    @property
    def error_log(self):
        return self.path("error.log")

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def install(self, shipped, name, replacements):
        """A shipped file, with this service's own places: each pattern stands in it exactly once."""
        with open(os.path.join(ROOT, shipped), encoding="utf-8") as file:
            text = file.read()
        for pattern, place in replacements.items():
            text, replaced = re.subn(pattern, lambda match, place=place: place, text, flags=re.MULTILINE)
            assert replaced == 1, f"{shipped} has {replaced} times {pattern}"
        self.write(name, text)

    def _errors(self):
        try:
            with open(self.error_log, encoding="utf-8", errors="replace") as file:
                return file.read()[-2000:]
        except FileNotFoundError:
            return ""
