"""What a web server must pass to the service unchanged, what it must not pass on, and what happens to bodies that are
chunked, too long or truncated."""

import os
import shutil
import socket

from client import wait_until
from service import FRONTS
from service_case import ServiceCase, main
from statistics_client import StatisticsClient
from web_front import ROOT, Responder

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
START_SCAN = "/execute/ClamScanner/start_scan"
CAP = 1024 * 1024
DISINFECT_CAP = 16 * 1024 * 1024


def padded(text, size):
    return text + b"&x=" + b"x" * (size - len(text) - 3)


def in_pieces(body, size=50_000):
    """As http.client sends what has no length: chunked."""
    return (body[at:at + size] for at in range(0, len(body), size))


class Bodies(ServiceCase):
    def never_scanned(self, client):
        return client.call("get_scan_status")["time_started"] == ""

    def test_a_body_that_comes_in_chunks(self):
        for size in (100, 200_000, CAP):
            _, client = self.new_account()
            answer = client.send("POST", START_SCAN, in_pieces(padded(b"scan_type=home", size)), FORM)
            self.assertEqual((answer.status, answer.result()["status"]), (200, 1), answer.body)
            client.finish_scan()

    def test_a_body_in_chunks_over_the_cap(self):
        _, client = self.new_account()
        answer = client.send("POST", START_SCAN, in_pieces(padded(b"scan_type=home", CAP + 1)), FORM)
        self.assertEqual((answer.status, answer.result()["status"]), (413, 0), answer.body)
        self.assertTrue(self.never_scanned(client))

    def test_a_body_is_taken_whole_up_to_the_cap_and_not_at_all_beyond(self):
        _, client = self.new_account()
        for function, cap in (("start_scan", CAP), ("disinfect_files", DISINFECT_CAP)):
            for size in (cap + 1, 2 * cap):
                answer = client.send("POST", f"/execute/ClamScanner/{function}", padded(b"scan_type=home", size), FORM)
                self.assertEqual((answer.status, answer.result()["status"]), (413, 0), answer.body[:500])
        self.assertTrue(self.never_scanned(client))
        answer = client.send("POST", START_SCAN, padded(b"scan_type=home", CAP), FORM)
        self.assertEqual((answer.status, answer.result()["status"]), (200, 1), answer.body)
        client.finish_scan()

    def test_a_body_far_beyond_every_limit_is_never_acted_on(self):
        _, client = self.new_account()
        try:
            answer = client.send("POST", START_SCAN, padded(b"scan_type=home", 40_000_000), FORM)
            self.assertGreaterEqual(answer.status, 400)
        except ConnectionError:
            pass  # A web server may close without reading it all.
        self.assertTrue(self.never_scanned(client))

    def test_a_body_that_is_cut_off_is_never_acted_on(self):
        _, client = self.new_account()
        said = padded(b"scan_type=home", 1000)
        for sent in (14, 999):
            with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
                header = {"Host": "localhost", "Content-Length": len(said), "Authorization": client.authorization(),
                          "Connection": "close", **FORM}
                lines = [f"POST {START_SCAN} HTTP/1.1", *(f"{name}: {value}" for name, value in header.items()), "", ""]
                connection.sendall("\r\n".join(lines).encode() + said[:sent])
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            self.assertNotIn(b" 200 ", answer[:20])
        self.assertTrue(self.never_scanned(client))

    def test_a_body_of_malformed_chunks_is_never_acted_on(self):
        if self.service.front.takes_malformed_chunks:
            self.skipTest("this web server passes on what came before, as the file in apache/ says")
        _, client = self.new_account()
        for rest in (b"zz\r\nx\r\n", b"2\r\n&y\r\nzz\r\n", b"2\r\n&yXX0\r\n\r\n", b"-5\r\n\r\n", b"fffffffffffffffff\r\nx\r\n"):
            with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
                header = {"Host": "localhost", "Transfer-Encoding": "chunked", "Connection": "close",
                          "Authorization": client.authorization(), **FORM}
                lines = [f"POST {START_SCAN} HTTP/1.1", *(f"{name}: {value}" for name, value in header.items()), "", ""]
                connection.sendall("\r\n".join(lines).encode() + b"e\r\nscan_type=home\r\n" + rest)
                answer = connection.recv(65536)
            self.assertIn(answer.split()[1], (b"400", b"413"), rest)
        self.assertTrue(self.never_scanned(client))


class Answers(ServiceCase):
    def test_an_encoded_name_reaches_the_service_as_it_was_sent(self):
        _, client = self.new_account()
        for asked, function in (("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("a%2fb%2F", "a/b/"), ("%C3%A4", "ä")):
            answer = client.send("GET", f"/ClamScanner/{asked}")
            self.assertEqual((answer.status, answer.json()["func"]), (404, function), answer.body)
        self.assertEqual(client.send("GET", "/ClamScanner/get%5Fscan_status").status, 200)
        self.assertEqual(client.send("GET", "/execute/Clam%53canner/get_scan_status").status, 200)

    def test_an_answer_is_neither_compressed_nor_replaced(self):
        _, client = self.new_account()
        accepts = {"Accept-Encoding": "gzip, br", "Accept": "text/html"}
        for target, status in (("get_scan_status", 200), ("nonsense", 404)):
            answer = client.send("GET", f"/ClamScanner/{target}", headers=accepts)
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["content-type"], "application/json; charset=utf-8")
            self.assertNotIn("content-encoding", answer.headers)
            self.assertEqual(answer.headers["content-length"], str(len(answer.body)))
            answer.result()

    def test_a_head_says_how_long_the_answer_is(self):
        _, client = self.new_account()
        whole = client.send("GET", "/ClamScanner/get_scan_status")
        head = client.send("HEAD", "/ClamScanner/get_scan_status")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], str(len(whole.body)))


def another_front(case, **site):
    """A web server of the same kind before the same responder, whose site is another one, as long as the test lasts."""
    service = case.service
    other = type(service.front)(service.path("beside"), service.front.responder, service.launch)
    for name, value in site.items():
        setattr(other, name, value)
    case.addCleanup(shutil.rmtree, other.directory, ignore_errors=True)
    case.addCleanup(other.stop)
    other.start()
    return other


class OtherWebServersHabits(ServiceCase):
    """What a web server does by itself, unless it is told not to."""

    def raw(self, port, method, target):
        _, client = self.new_account()
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Authorization: {client.authorization()}",
                     "Connection: close", "", ""]
            connection.sendall("\r\n".join(lines).encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return int(answer.split()[1]), answer, client.authorization().encode()

    def test_no_trace_echoes_a_password(self):
        ports = (self.service.front.port, self.service.front.statistics_port)
        for port in ports:
            for target in ("/ClamScanner/get_scan_status", "/execute/ClamScanner/start_scan", "/", "*", "/other"):
                status, answer, password = self.raw(port, "TRACE", target)
                self.assertGreaterEqual(status, 400, (target, answer))
                self.assertNotIn(password, answer, target)

    def test_no_page_of_the_site_is_in_the_way(self):
        front = self.service.front
        if front.name == "apache2":
            front = another_front(self, more=front.more + "FallbackResource /index.html\n")
            front.write("documents/index.html", "<html>It works!</html>\n")
            os.mkdir(front.path("documents", "ClamScanner"))
        for target in ("/ClamScanner", "/execute/ClamScanner/", "/ClamScanner/nothing"):
            status, answer, _ = self.raw(front.port, "GET", target)
            self.assertIn(status, (401, 404), answer)
            self.assertIn(b'"status":0', answer)
        # What is there is the service's own page.
        status, answer, _ = self.raw(front.port, "GET", "/ClamScanner/")
        self.assertEqual(status, 200, answer)
        self.assertIn(b"Content-Security-Policy: default-src 'none';", answer)

    def test_the_root_of_the_statistics_is_no_page(self):
        front = another_front(self)
        os.makedirs(front.path("documents"), exist_ok=True)
        front.write("documents/index.html", "<html>It works!</html>\n")
        status, answer, _ = self.raw(front.statistics_port, "GET", "/")
        self.assertIn(b'"RequestId"', answer)
        self.assertEqual(status, 400, answer)


class AnAccountsSite(ServiceCase):
    """The same files in the site of a customer, whose pages would be of one origin with the service."""

    def setUp(self):
        self.account, self.client = self.new_account()

    def test_is_refused(self):
        os.mkdir(self.account.path("public_html"))
        front = another_front(self, document_root=self.account.path("public_html"))
        self.client.port = front.port
        for function in ("get_scan_status", "start_scan?scan_type=home"):
            answer = self.client.send("GET", f"/ClamScanner/{function}")
            self.assertEqual(answer.status, 403, answer.body)
            self.assertIn("serves the content of an account", answer.body.decode())
        statistics = StatisticsClient(f"http://127.0.0.1:{front.statistics_port}", "", "")
        answer = statistics.call_basic(self.account.name, self.account.password, "GetVirusScanLatestTaskStatistic")
        self.assertEqual((answer.status, answer.code), (403, "NoPermission"))
        self.client.port = self.service.front.port
        self.assertEqual(self.client.ask("get_scan_status").status, 200)

    def test_the_panels_own_is_not(self):
        front = another_front(self, document_root=self.service.path("no-signatures"))
        self.client.port = front.port
        self.assertEqual(self.client.ask("get_scan_status").status, 200)


class ParametersOfTheResponder(ServiceCase):
    """The same site once more, with a responder that says what it is told."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        service = cls.service
        program = shutil.copy(os.path.join(ROOT, "tests/integration/echo_responder.py"), service.path("echo_responder"))
        os.chmod(program, 0o755)
        user = service.users["fcgi"]
        responder = Responder(service.path("run/fcgi/echo.sock"), user.pw_name, program, service.config_file)
        cls.front = FRONTS[service.front_name](service.path("echo"), responder, service.launch)
        if not cls.front.spawns_responder:
            process = service.launch([program, "--socket", responder.socket], user=user)
            cls.addClassCleanup(process.wait)
            cls.addClassCleanup(process.terminate)
            wait_until(lambda: os.path.exists(responder.socket), 10, "the responder's socket")
        cls.addClassCleanup(cls.front.stop)
        cls.front.start()

    def told(self, method, target, body=b"", headers=None):
        client = self.service.client(user="name", password="word")
        client.port = self.front.port
        client.checks = []  # what answers is not the service
        answer = client.send(method, target, body, headers)
        self.assertEqual(answer.status, 200, answer.body)
        told = answer.json()
        names = [name for name, _ in told["parameters"]]
        self.assertEqual(len(names), len(set(names)), "a parameter is told once")
        return dict(told["parameters"]), told["body_length"]

    def test_what_it_reads(self):
        target = "/cpsess12/execute/ClamScanner/a%2fb%20c?d=%65&d=+%2F"
        headers = {"Content-Type": "text/x", "Origin": "https://a.example", "Sec-Fetch-Site": "none"}
        parameters, length = self.told("POST", target, b"12345", headers)
        expected = {"REQUEST_METHOD": "POST", "REQUEST_URI": target, "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "5",
                    "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": f"127.0.0.1:{self.front.port}",
                    "HTTP_AUTHORIZATION": "Basic bmFtZTp3b3Jk", "HTTP_ORIGIN": "https://a.example",
                    "HTTP_SEC_FETCH_SITE": "none"}
        self.assertEqual({name: parameters.get(name) for name in expected}, expected)
        self.assertEqual(length, 5)
        self.assertIn(parameters.get("REQUEST_SCHEME", "http"), ("", "http"))
        self.assertIn(parameters.get("HTTPS", "off"), ("", "off"))

    def test_the_length_of_a_body_that_comes_in_chunks(self):
        for size in (5, 5_000_000):
            parameters, length = self.told("POST", "/ClamScanner/x", in_pieces(b"x" * size))
            self.assertEqual((parameters.get("CONTENT_LENGTH"), length), (str(size), size))

    def test_what_a_client_cannot_set(self):
        parameters, _ = self.told("GET", "/ClamScanner/x", headers={"Cookie": "a=b", "Proxy": "http://evil.example",
                                                                    "Https": "on", "Remote-Addr": "192.0.2.1"})
        self.assertEqual(parameters.get("HTTP_COOKIE", ""), "")
        self.assertEqual(parameters.get("HTTP_PROXY", ""), "")
        self.assertEqual(parameters["REMOTE_ADDR"], "127.0.0.1")
        self.assertIn(parameters.get("HTTPS", "off"), ("", "off"))


if __name__ == "__main__":
    main()
