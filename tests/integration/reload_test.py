"""The web server reloads while clients keep sending requests and starting scans: no request is lost, and none is half
done. Behind mod_fcgid a request may get no answer, or a page of Apache's own; then nothing of it was done either."""

import re
import threading

from client import wait_until
from service_case import ServiceCase, main
from test_files import EICAR

POLLERS = 4
STARTERS = 2
RELOADS = 10
ANSWERS_BETWEEN = 30  # so that each reload meets the clients at work
# Of a client; the service itself answers within a second here, if the disk does. Where requests may stay without an
# answer, each of them costs as much.
PATIENCE_SECONDS = 60
PATIENCE_WHERE_SOME_GET_NO_ANSWER = 10


class Clients:
    """Threads, each with a fresh connection for every request, that work until they are told to stop."""

    def __init__(self):
        self.answers = 0
        self.unanswered = []  # why, of each request
        self._faults = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = []

    def begin(self, work, *arguments):
        thread = threading.Thread(target=self._go_on, args=(work, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _go_on(self, work, *arguments):
        try:
            while not self._stopping.is_set():
                work(*arguments)
        except Exception as fault:
            self._faults.append(fault)

    def end(self):
        """Fails as any of the threads did."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            raise TimeoutError("a client does not come to its end")
        if self._faults:
            raise self._faults[0]

    def ask(self, client, function, arguments=None):
        """The inner object of the service's answer; None where no such answer came."""
        try:
            result = client.result(function, arguments)
        except (OSError, AssertionError, ValueError) as fault:
            with self._lock:
                self.unanswered.append(fault)
            return None
        with self._lock:
            self.answers += 1
        return result

    def await_true(self, condition, what):
        wait_until(lambda: self._faults or condition(), 60, what)

    def await_answers(self, count):
        wanted = self.answers + count
        self.await_true(lambda: self.answers >= wanted, "answers to the clients")


def is_apaches(fault):
    """Whether a request got no answer, or a page of the web server's own: the service's answers are JSON."""
    return isinstance(fault, TimeoutError) or re.match(r"\w+: HTTP 50[03]: b'<!DOCTYPE HTML", str(fault))


class Reload(ServiceCase):
    def setUp(self):
        self.clients = Clients()
        self.scans_done = 0

    def new_client(self):
        account, _ = self.new_account()
        may_wait = PATIENCE_WHERE_SOME_GET_NO_ANSWER if self.service.front.may_leave_requests_unanswered else PATIENCE_SECONDS
        return account, self.service.client(account, timeout=may_wait)

    def poll(self, client):
        self.clients.ask(client, "get_scan_status")

    def scan_once(self, account, client, written):
        """Whether a scan was done shows in a file that no scan before can have found."""
        path = account.write(f"infected-{len(written)}", EICAR)
        written.append(path)
        started = self.clients.ask(client, "start_scan", {"scan_type": "home"})
        status = self.status_of(client)
        if started is None:
            self.assertEqual(status["scan_complete"], 1, "a scan was begun that nobody was told of")
            self.assertNotIn(path, status["infected_files"])
            return
        self.assertEqual(started["status"], 1, started)
        while status["scan_complete"] == 0:
            status = self.status_of(client)
        self.assertEqual(set(status["infected_files"]), set(written))
        self.scans_done += 1

    def status_of(self, client):
        while (result := self.clients.ask(client, "get_scan_status")) is None:
            pass
        return result["data"]

    def test_a_reload_loses_no_request(self):
        front = self.service.front
        for _ in range(POLLERS):
            self.clients.begin(self.poll, self.new_client()[1])
        for _ in range(STARTERS):
            self.clients.begin(self.scan_once, *self.new_client(), [])
        old = set()
        for _ in range(RELOADS):
            self.clients.await_answers(ANSWERS_BETWEEN)
            old |= front.workers()
            front.reload()
            wait_until(lambda: front.workers() - old, 60, "new workers")
        self.clients.await_answers(ANSWERS_BETWEEN)
        self.clients.await_true(lambda: self.scans_done >= RELOADS, "scans beside and after the reloads")
        self.clients.end()
        if front.may_leave_requests_unanswered:
            self.assertEqual([fault for fault in self.clients.unanswered if not is_apaches(fault)], [])
        else:
            self.assertEqual(self.clients.unanswered, [])
            wait_until(lambda: not front.workers() & old, 60, "the old workers' end")


if __name__ == "__main__":
    main()
