"""Speaks the service's HTTP as its clients do: Basic credentials on every request, both envelopes."""

import base64
import http.client
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

OUTER_FIELDS = {"apiversion", "func", "module", "result"}
RESULT_FIELDS = {"data", "errors", "messages", "metadata", "status", "warnings"}
CHANGING = {"disinfect_files", "cancel_scan", "restore_quarantined_files", "delete_quarantined_files", "ignore_files",
            "unignore_files", "set_schedule", "set_notifications", "confirm_notifications"}


@dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)

    def result(self):
        """The inner object of either envelope; fails where the form is not what the contract says."""
        document = self.json()
        if "result" in document:
            assert set(document) == OUTER_FIELDS, f"envelope with {sorted(document)}"
            assert document["apiversion"] == 3, document
            document = document["result"]
        assert set(document) == RESULT_FIELDS, f"result with {sorted(document)}"
        return document


class Refused(AssertionError):
    """A call that was to succeed did not."""


class Client:
    checks = []  # called with (method, target, answer, body) for each answer that any client gets

    def __init__(self, port, account=None, *, user=None, password=None, source=None, timeout=60):
        self.port = port
        self.user = account.name if account else user
        self.password = account.password if account else password
        self.source = source
        self.timeout = timeout
        self.seen = None  # called with (method, target, body, answer) after each request

    def authorization(self):
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def send(self, method, target, body=b"", headers=None, authorization=True):
        sent = dict(headers or {})
        if authorization is True:
            sent["Authorization"] = self.authorization()
        elif authorization:
            sent["Authorization"] = authorization
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout,
                                                source_address=(self.source, 0) if self.source else None)
        try:
            connection.request(method, target, body or None, sent)
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()
        for check in self.checks:
            check(method, target, answer, body)
        if self.seen:
            self.seen(method, target, body, answer)
        return answer

    def ask(self, function, arguments=None, *, documented=False, method=None):
        """One call in the form that suits the function: JSON for what changes something, else the query."""
        target = f"/ClamScanner/{function}" if documented else f"/execute/ClamScanner/{function}"
        method = method or ("POST" if function in CHANGING else "GET")
        if method == "POST":
            # Bytes of names that are no UTF-8 travel as lone surrogates, \udc80 to \udcff, both ways.
            return self.send(method, target, json.dumps(arguments or {}).encode(), {"Content-Type": "application/json"})
        return self.send(method, target + ("?" + urlencode(arguments) if arguments else ""))

    def result(self, function, arguments=None, **how):
        answer = self.ask(function, arguments, **how)
        if answer.status != 200:
            raise Refused(f"{function}: HTTP {answer.status}: {answer.body[:500]!r}")
        return answer.result()

    def call(self, function, arguments=None, **how):
        """The data of a call that must succeed."""
        result = self.result(function, arguments, **how)
        if result["status"] != 1:
            raise Refused(f"{function}: {result['errors']}")
        return result["data"]

    def scan(self, scan_type="home", seconds=120):
        """Scans to the end; the last status."""
        self.call("start_scan", {"scan_type": scan_type})
        return self.finish_scan(seconds)

    def finish_scan(self, seconds=120):
        return wait_until(lambda: self._if(self.call("get_scan_status"), lambda data: data["scan_complete"] == 1),
                          seconds, "the scan's end")

    def disinfect(self, actions, seconds=120):
        """Disinfects to the end; the records."""
        self.call("disinfect_files", {"actions": actions})
        return self.finish_disinfection(seconds)

    def finish_disinfection(self, seconds=120):
        status = wait_until(lambda: self._if(self.call("check_disinfection_status"),
                                             lambda data: data["status"] == "done"), seconds, "the disinfection's end")
        return status["details"]

    @staticmethod
    def _if(value, holds):
        return value if holds(value) else None


def wait_until(condition, seconds, what):
    """The first true value of condition(); fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def log_is_whole(path):
    """Whether a disinfection's log in the home has its last line, which is written after clients see the end."""
    try:
        with open(path, "rb") as file:
            return b'"done"' in file.read().rpartition(b'"type"')[2]
    except FileNotFoundError:
        return False


def check_records(records):
    """What every log of a finished disinfection must be; its steps by file name."""
    assert [record["id"] for record in records] == list(range(1, len(records) + 1)), "ids have a gap"
    states = {"step": {"deleted", "quarantined", "no-action", "mailbox-cleansed", "error"},
              "issue": {"error", "warning"}, "done": {"success", "info", "error"}}
    fields = {"step": {"file", "id", "message", "state", "type"}, "issue": {"id", "message", "state", "type"},
              "done": {"id", "message", "state", "status", "type"}}
    for record in records:
        assert set(record) == fields[record["type"]], record
        assert record["state"] in states[record["type"]], record
        assert isinstance(record["message"], str), record
    assert [record["type"] for record in records].count("done") == 1 and records[-1]["type"] == "done", "no end"
    assert records[-1]["status"] == "done", records[-1]
    steps = [record for record in records if record["type"] == "step"]
    by_file = {step["file"]: step for step in steps}
    assert len(by_file) == len(steps), "a file has two steps"
    return by_file
