"""A machine of a fleet as its centre sees it: a statistics server over TLS that verifies signatures, nonces and times as
authd does, with scans that go as the test wants, and every way in which a machine that was taken over may answer."""

import calendar
import gzip
import hashlib
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from statistics_client import V3_ALGORITHM, VERSION, v3_canonical_request, v3_signature, v3_string_to_sign

STATISTIC, CREATE = "GetVirusScanLatestTaskStatistic", "CreateVirusScanOnceTask"
TASKS, EVENTS = "ListVirusScanTask", "ListVirusScanMachineEvent"
WHOLE_MACHINE = 1 << 63  # in the second half of a scan's id
CLOCK_LIMIT = 15 * 60


class Authority:
    """Signs the certificates of the machines; `ca_file` is what the centre believes."""

    def __init__(self, directory):
        self.directory = directory
        self.ca_file = f"{directory}/ca.pem"
        self._key = f"{directory}/ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                      "-subj", "/CN=fleet test", "-keyout", self._key, "-out", self.ca_file)

    def certificate(self, name, alternative="IP:127.0.0.1", common_name=None):
        """A file with a certificate and its key. With a `common_name` it has no other one."""
        base = f"{self.directory}/{name}"
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8",
                      "-subj", f"/CN={common_name or name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        with open(f"{base}.ext", "w", encoding="ascii") as file:
            file.write("" if common_name else f"subjectAltName={alternative}\n")
        self._openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.ca_file, "-CAkey", self._key, "-CAcreateserial",
                      "-days", "2", "-extfile", f"{base}.ext", "-out", f"{base}.crt")
        with open(f"{base}.pem", "w", encoding="ascii") as both:
            for part in ("crt", "key"):
                with open(f"{base}.{part}", encoding="ascii") as file:
                    both.write(file.read())
        return f"{base}.pem"

    @staticmethod
    def _openssl(*words):
        subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Scan:
    def __init__(self, number, whole=True, begun=None):
        self.begun_ms = int((begun or time.time()) * 1000)
        self.id = f"{self.begun_ms:016x}{number | (WHOLE_MACHINE if whole else 0):016x}"
        self.status = 0
        self.percent = 0
        self.completed = True
        self.finds = []  # of (event, virus, path)

    @property
    def ended(self):
        return self.status == 100


class Machine:
    def __init__(self, name, certificate):
        self.name = name
        self.key = (f"cs{uuid.uuid4().hex[:22]}", uuid.uuid4().hex)
        self.certificate = certificate
        self.lock = threading.RLock()
        self.requests = []  # of (action, parameters)
        self.created = 0
        self.clock_ahead = 0
        self.answer = {}  # action -> what it does in place of a right answer: called with (handler, body)
        self.ends_at_once = None  # finds with which every ordered scan ends; None: the test ends it
        self._nonces = set()
        self._server = None
        self.port = 0
        self.install()

    def install(self):
        """As after an installation from nothing: another identity, no scans, and all numbers from the beginning."""
        with self.lock:
            self.uuid = str(uuid.uuid4())
            self.scans = []
            self._events = 0

    # ---- What the test lets happen -------------------------------------------------------------------------------------

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        machine = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def __init__(self, *arguments):
                self.open = set()
                super().__init__(*arguments)

            def finish_request(self, request, client_address):
                request.settimeout(60)
                wrapped = context.wrap_socket(request, server_side=True)
                self.open.add(wrapped)
                try:
                    machine.make_handler()(wrapped, client_address, self)
                finally:
                    self.open.discard(wrapped)
                    wrapped.close()

            def handle_error(self, request, client_address):
                pass  # the centre closes connections as it likes

        self._server = Server(("127.0.0.1", self.port), None)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """As when its power fails: connections end, and nobody listens."""
        if not self._server:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        for connection in list(server.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def begin_scan(self, whole=True, begun=None):
        with self.lock:
            self.scans.append(Scan(len(self.scans) + 1, whole, begun))
            return self.scans[-1]

    def end_scan(self, finds=(), completed=True):
        with self.lock:
            scan = self.scans[-1]
            for virus, path in finds:
                self._events += 1
                scan.finds.append((self._events, virus, path))
            scan.status, scan.percent, scan.completed = 100, 100, completed

    def count(self, action):
        with self.lock:
            return sum(1 for asked, _ in self.requests if asked == action)

    # ---- What it answers -----------------------------------------------------------------------------------------------

    def take(self, action, parameters):
        with self.lock:
            self.requests.append((action, parameters))
            if action == STATISTIC:
                return 200, {"Data": self.statistic()}
            if action == TASKS:
                return 200, self.tasks(parameters)
            if action == EVENTS:
                return 200, self.events(parameters)
            if action == CREATE:
                return self.create()
        return 404, error("InvalidAction.NotFound")

    def statistic(self):
        if not self.scans:
            return {}
        scan = self.scans[-1]
        found = len(scan.finds)
        done = scan.ended and scan.completed
        data = {"TaskId": scan.id, "ScanTime": scan.begun_ms, "Status": scan.status, "SuspiciousCount": found,
                "SuspiciousMachine": int(found > 0), "SafeMachine": int(done and not found), "ScanMachine": 1,
                "ScanType": "system", "Progress": str(scan.percent), "MachineName": self.name,
                "CompleteMachine": int(done), "UnCompleteMachine": int(not done)}
        return data | ({"RiskLevel": "high"} if found else {})

    def tasks(self, parameters):
        wanted = [scan for scan in self.scans if scan.id == parameters.get("TaskId")]
        return {"PageInfo": {"CurrentPage": 1, "PageSize": 1, "TotalCount": len(wanted)},
                "List": [{"TaskId": scan.id, "InstanceName": self.name, "InternetIp": "192.0.2.7", "IntranetIp": "10.0.0.7",
                          "Uuid": self.uuid} for scan in wanted]}

    def events(self, parameters):
        page, size = int(parameters["CurrentPage"]), int(parameters["PageSize"])
        finds = self.scans[-1].finds if self.scans else []
        part = finds[(page - 1) * size:page * size]
        return {"PageInfo": {"CurrentPage": page, "PageSize": size, "TotalCount": len(finds)},
                "Data": [{"EventId": event, "EventName": virus, "Level": "serious", "LastTimeStamp": 1700000000000,
                          "Details": [{"NameDisplay": "Path", "ValueDisplay": path, "Type": "text"}]}
                         for event, virus, path in part]}

    def create(self):
        if self.scans and not self.scans[-1].ended:
            return 400, error("OperationDenied")
        self.created += 1
        self.begin_scan()
        if self.ends_at_once is not None:
            self.end_scan(self.ends_at_once)
        return 200, {}

    def refusal(self, method, target, headers):
        """As authd refuses: the key, the time, the signature, the nonce."""
        found = re.fullmatch(rf"{V3_ALGORITHM} Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]+)",
                             headers.get("authorization", ""))
        if not found or found[1] != self.key[0]:
            return 404, error("InvalidAccessKeyId.NotFound")
        needed = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
        if not needed <= set(found[2].split(";")) or headers["x-acs-version"] != VERSION:
            return 400, error("InvalidVersion")
        sent = calendar.timegm(time.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ"))
        if abs(sent - (time.time() + self.clock_ahead)) > CLOCK_LIMIT:
            return 400, error("InvalidTimeStamp.Expired")
        query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        text = v3_string_to_sign(v3_canonical_request(method, "/", query, headers, found[2].split(";")))
        if v3_signature(self.key[1], text) != found[3] or \
                headers["x-acs-content-sha256"] != hashlib.sha256(b"").hexdigest():
            return 400, error("SignatureDoesNotMatch")
        with self.lock:
            if headers["x-acs-signature-nonce"] in self._nonces:
                return 400, error("SignatureNonceUsed")
            self._nonces.add(headers["x-acs-signature-nonce"])
        return None

    def make_handler(self):
        machine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                headers = {name.lower(): value for name, value in self.headers.items()}
                refused = machine.refusal(self.command, self.path, headers)
                action = headers.get("x-acs-action", "")
                parameters = dict(parse_qsl(urlsplit(self.path).query))
                status, body = refused or machine.take(action, parameters)
                text = json.dumps({"RequestId": str(uuid.uuid4()).upper(), **body}).encode()
                if status == 200 and action in machine.answer:
                    return machine.answer[action](self, text)
                self.reply(status, text)

            def reply(self, status, text):
                self.send_response(status)
                self.send_header("Content-Type", "application/json;charset=utf-8")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def date_time_string(self, timestamp=None):
                return super().date_time_string(time.time() + machine.clock_ahead)

            def log_message(self, *arguments):
                pass

        return Handler


def error(code):
    return {"Message": "no", "HostId": "", "Code": code, "Recommend": "-"}


# ---- What a machine that was taken over may do ---------------------------------------------------------------------------

def changed(**members):
    """A right answer with other members in its Data."""
    def answer(handler, body):
        document = json.loads(body)
        document["Data"].update(members)
        handler.reply(200, json.dumps(document).encode())
    return answer


def with_text(text):
    return lambda handler, body: handler.reply(200, text)


def replaced(before, after):
    """A right answer with other bytes in it."""
    def answer(handler, body):
        assert before in body, body
        handler.reply(200, body.replace(before, after))
    return answer


def raw(head, rest=b"", endless_part=b""):
    """Any bytes in place of an answer, and then others without an end."""
    def answer(handler, body):
        handler.wfile.write(head.replace(b"\n", b"\r\n") + rest)
        handler.close_connection = True
        while endless_part:
            handler.wfile.write(endless_part)
    return answer


BOMB = gzip.compress(b" " * 40_000_000)  # 39 KB


def cut_off(handler, body):
    """The connection ends in the middle, without TLS's own end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-1])
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def endless(handler, body):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def endless_headers(handler, body):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-More: " + b"a" * 1000 + b"\r\n")


def hang(handler, body):
    time.sleep(300)


def drip(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body:
        handler.wfile.write(bytes([byte]))
        time.sleep(1)


def redirect(location):
    def answer(handler, body):
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return answer
