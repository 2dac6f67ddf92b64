"""Tests that the client of the statistics interface signs as real client libraries do (their signatures are in
signature_vectors.json), and sends exactly what it prepared."""

import json
import os
import re
import socket
import threading
import unittest
from dataclasses import replace
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

from statistics_client import StatisticsAnswer, StatisticsClient, with_changed_byte

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "signature_vectors.json"), encoding="utf-8") as file:
    VECTORS = json.load(file)

STATISTIC = "GetVirusScanLatestTaskStatistic"
NONCE = "5f3c1e9a7b2d4c60a1b2c3d4e5f60718"
HARD = {"Remark": "a b+c*~/ü'()!", "Uuid": ""}


def vectors(kind):
    found = [vector for vector in VECTORS if vector["kind"] == kind]
    assert found, f"no vectors of {kind}"
    return found


def signed_headers(prepared):
    return re.search("SignedHeaders=([^,]*),", prepared.headers["authorization"])[1].split(";")


def signature(prepared):
    """Of either kind."""
    if "authorization" in prepared.headers:
        return prepared.headers["authorization"].rpartition("Signature=")[2]
    return parameters(prepared)["Signature"]


def parameters(prepared):
    """As a server reads them, of the query and of the form."""
    text = "&".join(filter(None, (urlsplit(prepared.target).query, prepared.body.decode())))
    values = parse_qs(text, keep_blank_values=True, strict_parsing=True)
    assert all(len(value) == 1 for value in values.values()), values
    return {name: value for name, (value,) in values.items()}


class Vectors(unittest.TestCase):
    def v1(self, vector, **changed):
        values = {**vector["params"], **changed}
        # All go in as overrides: the vector says everything that is signed.
        client = StatisticsClient("http://sas.example.test", "not used", vector["accessKeySecret"])
        return client.prepare_v1(values.pop("Action"), method=vector["method"], **values)

    def v3(self, vector, **changed):
        client = StatisticsClient(f"http://{vector['host']}{vector['path']}", vector["accessKeyId"],
                                  vector["accessKeySecret"])
        headers = {**vector["headers"], **changed}
        action = headers.pop("x-acs-action")
        return client.prepare_v3(action, vector["query"], vector["method"], body=vector["body"].encode(), **headers)

    def test_v1(self):
        for vector in vectors("v1"):
            with self.subTest(vector["name"]):
                prepared = self.v1(vector)
                self.assertEqual(parameters(prepared), {**vector["params"], "Signature": vector["signature"]})

    def test_v3(self):
        for vector in vectors("v3"):
            with self.subTest(vector["name"]):
                prepared = self.v3(vector)
                self.assertEqual(prepared.headers, {**vector["headers"], "authorization": vector["authorization"]})
                self.assertEqual(parameters(replace(prepared, body=b"")), vector["query"])

    def test_whatever_is_changed_changes_the_signature(self):
        for vector in vectors("v1"):
            for name, value in vector["params"].items():
                with self.subTest(vector["name"], changed=name):
                    self.assertNotEqual(signature(self.v1(vector, **{name: value + "x"})), vector["signature"])
                    self.assertNotEqual(signature(self.v1(vector, **{name: None})), vector["signature"])
        for vector in vectors("v3"):
            right = signature(self.v3(vector))
            for name in signed_headers(self.v3(vector)):
                with self.subTest(vector["name"], changed=name):
                    changed = self.v3(vector, **{name: vector["headers"][name] + "x"})
                    self.assertNotEqual(signature(changed), right)
            self.assertEqual(signature(self.v3(vector, accept="text/xml", **{"user-agent": None})), right)


class Requests(unittest.TestCase):
    def setUp(self):
        self.client = StatisticsClient("http://127.0.0.1:18099", "key-id", "secret")

    def test_a_space_travels_either_way_under_the_same_signature(self):
        for prepare, how in ((self.client.prepare_v1, {"Timestamp": "2024-02-20T08:30:00Z"}),
                             (self.client.prepare_v3, {"x_acs_date": "2024-02-20T08:30:00Z"})):
            for method in ("GET", "POST"):
                twenty, plus = (prepare("ListVirusScanMachine", HARD, method, nonce=NONCE, parameters_in="query",
                                        space=space, **how) for space in ("%20", "+"))
                self.assertIn("Remark=a%20b%2Bc%2A~%2F", twenty.target)
                self.assertIn("Remark=a+b%2Bc%2A~%2F", plus.target)
                self.assertEqual(signature(plus), signature(twenty))
                self.assertEqual(parameters(plus), parameters(twenty))

    def test_v1_signs_parameters_alike_in_the_query_and_in_a_form(self):
        own, protocol = {"ScanType": "user", "ScanPath": ["/home/a", "/home/b c"]}, {"Action", "Version", "Signature"}
        flat = {"ScanType": "user", "ScanPath.1": "/home/a", "ScanPath.2": "/home/b c"}
        seen = set()
        for parameters_in, protocol_in in (("body", None), ("query", None), ("body", "query"), ("query", "body")):
            with self.subTest(parameters_in, protocol=protocol_in):
                prepared = self.client.prepare_v1("CreateVirusScanOnceTask", own, "POST", nonce=NONCE,
                                                  Timestamp="2024-02-20T08:30:00Z", parameters_in=parameters_in,
                                                  protocol_in=protocol_in)
                query = parameters(replace(prepared, body=b"")) if "?" in prepared.target else {}
                self.assertEqual(set(flat) <= set(query), parameters_in == "query")
                self.assertEqual(protocol <= set(query), (protocol_in or parameters_in) == "query")
                self.assertLessEqual(flat.items(), parameters(prepared).items())
                self.assertEqual("content-type" in prepared.headers, bool(prepared.body))
                seen.add(signature(prepared))
        self.assertEqual(len(seen), 1)

    def test_parameters_are_sorted_by_name(self):
        prepared = self.client.prepare_v3("CreateVirusScanOnceTask", {"ScanPath": ["/"] * 10})
        query = prepared.canonical_request.split("\n")[2]
        self.assertTrue(query.startswith("ScanPath.1=%2F&ScanPath.10=%2F&ScanPath.2=%2F&"), query)

    def test_everything_of_the_protocol_can_be_replaced_or_left_out(self):
        for name in parameters(self.client.prepare_v1(STATISTIC)):
            with self.subTest(name):
                self.assertEqual(parameters(self.client.prepare_v1(STATISTIC, **{name: ""}))[name], "")
                self.assertNotIn(name, parameters(self.client.prepare_v1(STATISTIC, **{name: None})))
        for name in self.client.prepare_v3(STATISTIC).headers:
            with self.subTest(name):
                given = {name.replace("-", "_"): "x"}
                self.assertEqual(self.client.prepare_v3(STATISTIC, **given).headers[name], "x")
                without = self.client.prepare_v3(STATISTIC, **{name: None})
                self.assertNotIn(name, without.headers)
                if name != "authorization":
                    self.assertNotIn(name, signed_headers(without))

    def test_the_list_of_signed_headers(self):
        usual = ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"]
        self.assertEqual(signed_headers(self.client.prepare_v3(STATISTIC)), usual)
        prepared = self.client.prepare_v3(STATISTIC, content_type="application/octet-stream",
                                          x_acs_credentials_provider="static_ak", also_signed=("accept", "user-agent"))
        more = ["accept", "content-type", "user-agent", "x-acs-credentials-provider"]
        self.assertEqual(signed_headers(prepared), sorted(usual + more))
        self.assertIn("\nhost:127.0.0.1:18099\n", prepared.canonical_request)
        self.assertIn("\naccept:application/json\ncontent-type:application/octet-stream\n", prepared.canonical_request)
        for name in usual:
            prepared = self.client.prepare_v3(STATISTIC, not_signed=(name,))
            self.assertEqual(signed_headers(prepared), [other for other in usual if other != name])
            self.assertIn(name, prepared.headers)

    def test_nonces_and_the_clock(self):
        prepare = self.client.prepare_v1, self.client.prepare_v3
        nonces = [self.of_either(call(STATISTIC), "SignatureNonce") for call in prepare for _ in range(2)]
        self.assertEqual(len(set(nonces)), 4)
        for call in prepare:
            self.assertEqual(self.of_either(call(STATISTIC, nonce=NONCE), "SignatureNonce"), NONCE)
            for shift in (0, -3600, 86400):
                text = self.of_either(call(STATISTIC, shift=shift), "Timestamp")
                stamp = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
                self.assertAlmostEqual((stamp - datetime.now(timezone.utc)).total_seconds(), shift, delta=60)

    @staticmethod
    def of_either(prepared, name):
        if "authorization" not in prepared.headers:
            return parameters(prepared)[name]
        return prepared.headers[{"SignatureNonce": "x-acs-signature-nonce", "Timestamp": "x-acs-date"}[name]]

    def test_basic_credentials_stand_in_place_of_a_signature(self):
        prepared = self.client.prepare_basic("someone", "pass:word", STATISTIC, {"Lang": "en"})
        self.assertEqual(prepared.headers["authorization"], "Basic c29tZW9uZTpwYXNzOndvcmQ=")
        self.assertEqual(parameters(prepared), {"Action": STATISTIC, "Version": "2018-12-03", "Lang": "en"})
        posted = self.client.prepare_basic("someone", "x", STATISTIC, {"Lang": "en"}, "POST", Version=None)
        self.assertEqual((posted.target, posted.body), ("/", b"Action=" + STATISTIC.encode() + b"&Lang=en"))

    def test_one_byte_is_changed(self):
        prepared = self.client.prepare_v3("CreateVirusScanOnceTask", {"ScanType": "system"}, parameters_in="body")
        for part in ("target", "method", "body", "authorization", "x-acs-date"):
            changed = with_changed_byte(prepared, part)
            others = {"headers", "method", "target", "body"} - {part if part not in prepared.headers else "headers"}
            self.assertEqual([getattr(changed, name) for name in others], [getattr(prepared, name) for name in others])
            old, new = (value.headers.get(part) or getattr(value, part) for value in (prepared, changed))
            self.assertEqual((len(new), new[:-1]), (len(old), old[:-1]))
            self.assertNotEqual(new, old)
        self.assertEqual(with_changed_byte(prepared, "body", 0).body, b"acanType=system")

    def test_answers_of_both_forms(self):
        error = {"RequestId": "X", "Message": "M", "HostId": "h", "Code": "InvalidVersion", "Recommend": ""}
        answer = StatisticsAnswer(400, {}, json.dumps(error).encode())
        self.assertEqual((answer.json, answer.code), (error, "InvalidVersion"))
        body = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoPermission</Code></Error>"
        answer = StatisticsAnswer(400, {}, body)
        self.assertEqual((answer.xml.tag, answer.code), ("Error", "NoPermission"))
        self.assertIsNone(StatisticsAnswer(200, {}, b'{"RequestId": "X", "Data": {}}').code)


class Sending(unittest.TestCase):
    def sent(self, prepare, chunked=False):
        """What was prepared, and what came: the first line, the headers and the body as it travelled."""
        reply = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"
        came = []

        def listen():
            connection, (address, _) = listener.accept()
            with connection, connection.makefile("rb") as stream:
                first = stream.readline()
                lines = [line.decode("latin-1").rstrip("\r\n") for line in iter(stream.readline, b"\r\n")]
                headers = dict(line.split(": ", 1) for line in lines)
                if "transfer-encoding" in headers:
                    body = b"".join(iter(stream.readline, b"\r\n")) + b"\r\n"
                else:
                    body = stream.read(int(headers.get("content-length", 0)))
                came.extend((address, first, headers, body))
                connection.sendall(reply)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(30)
            thread = threading.Thread(target=listen)
            thread.start()
            client = StatisticsClient(f"http://127.0.0.1:{listener.getsockname()[1]}", "key-id", "secret", "127.0.0.2")
            prepared = prepare(client)
            answer = client.send(prepared, chunked)
            thread.join()
        self.assertEqual((answer.status, answer.headers["content-type"], answer.body), (400, "text/plain", b"no"))
        self.assertEqual(came.pop(0), "127.0.0.2")
        return prepared, came

    def test_what_was_prepared_is_sent_and_nothing_else(self):
        for prepare in (lambda client: client.prepare_v1(STATISTIC, HARD, space="+"),
                        lambda client: client.prepare_v1(STATISTIC, HARD, "POST"),
                        lambda client: client.prepare_v3(STATISTIC, HARD, "POST", accept=None, user_agent=None),
                        lambda client: client.prepare_v3(STATISTIC, HARD, "GET", also_signed=("accept",)),
                        lambda client: with_changed_byte(client.prepare_v3(STATISTIC, body=b"\0\xff\r\n"), "body", 1),
                        lambda client: client.prepare_basic("someone", "x", STATISTIC, HARD)):
            prepared, (line, headers, body) = self.sent(prepare)
            length = {"content-length": str(len(prepared.body))} if prepared.method == "POST" else {}
            self.assertEqual(line, f"{prepared.method} {prepared.target} HTTP/1.1\r\n".encode())
            self.assertEqual(headers, {**prepared.headers, **length})
            self.assertEqual(body, prepared.body)

    def test_a_form_in_chunks(self):
        prepared, (_, headers, body) = self.sent(
            lambda client: client.prepare_v3(STATISTIC, {"Lang": "en"}, parameters_in="body"), chunked=True)
        self.assertEqual(headers, {**prepared.headers, "transfer-encoding": "chunked"})
        self.assertEqual(body, b"7\r\nLang=en\r\n0\r\n\r\n")


if __name__ == "__main__":
    unittest.main()
