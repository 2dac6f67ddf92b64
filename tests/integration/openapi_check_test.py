"""Tests that openapi_check can fail: right answers pass, and each fails when one thing in it is changed."""

import copy
import json
import unittest

from client import Answer
from openapi_check import Document, NotAsDocumented

LOGIN = 'Basic realm="x", charset="UTF-8"'
HEADERS = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store",
           "x-content-type-options": "nosniff", "date": "Thu, 01 Jan 1970 00:00:00 GMT"}
STATUS = {"current_file": "", "infected_files": ["/home/a/\udcff\udc80"], "scan_complete": 1, "scanned_file_count": 5,
          "scanned_file_size": 100, "time_started": "1700000000", "total_file_count": 5, "total_file_size_MiB": 1}
STEP = {"file": "/home/a/b", "id": 1, "message": "", "state": "deleted", "type": "step"}
ISSUE = {"id": 2, "message": "x", "state": "warning", "type": "issue"}
DONE = {"id": 3, "message": "", "state": "success", "status": "done", "type": "done"}
RECORDS = {"details": [STEP, ISSUE, DONE], "log": "/home/a/log", "status": "done"}
FIND = {"changed": "1600000000", "file": "/home/a/b", "first_found": "1700000000", "size": "68", "time": "1700000001",
        "virus_type": "Eicar"}
ROWS = [FIND, {**FIND, "changed": "", "file": "/home/a/c", "first_found": "", "size": "", "time": ""}]
PAGE = {"current_page": 1, "results_per_page": 2, "start_result": 1, "total_pages": 1, "total_results": 2}
SHAPED = {"filter": {"records_before_filter": 3}, "paginate": PAGE,
          "sort": [{"column": "file", "method": "lexicographic", "reverse": 0}]}


def result(data, **other):
    return {"data": data, "errors": None, "messages": None, "metadata": {}, "status": 1, "warnings": None, **other}


def refusal():
    return result(None, errors=["No."], status=0)


def envelope(function, inner, module="ClamScanner"):
    return {"apiversion": 3, "func": function, "module": module, "result": inner}


def answer(document, status=200, **headers):
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {**HEADERS, **more}, json.dumps(document).encode())


class OpenApiCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = Document()

    def passes(self, method, target, answer, body=b""):
        self.document.check(method, target, answer, body)

    def fails(self, method, target, answer, words=""):
        with self.assertRaises(NotAsDocumented, msg=f"{method} {target}: {answer}") as caught:
            self.document.check(method, target, answer)
        str(caught.exception).encode("ascii")
        self.assertIn(words, str(caught.exception))

    def fails_when_changed(self, function, inner, change):
        """In both envelopes, and passes as it was."""
        changed = copy.deepcopy(inner)
        change(changed)
        self.assertNotEqual(json.dumps(changed), json.dumps(inner))
        for method in ("GET", "POST"):
            if function == "disinfect_files" and method == "GET":
                continue
            self.passes(method, f"/execute/ClamScanner/{function}", answer(inner))
            self.passes(method, f"/ClamScanner/{function}", answer(envelope(function, inner)))
            self.fails(method, f"/execute/ClamScanner/{function}", answer(changed))
            self.fails(method, f"/ClamScanner/{function}", answer(envelope(function, changed)))

    def test_every_field_of_every_answer_is_needed_and_no_other_may_be_there(self):
        answers = {"get_scan_status": result(STATUS), "check_disinfection_status": result(RECORDS),
                   "list_infected_files": result(ROWS, metadata=SHAPED), "start_scan": result(None),
                   "get_scan_paths": result([{"id": "home", "message": "x"}]),
                   "disinfect_files": result({"log": "/l", "task_id": "0123abcd/0123456789abcd"})}
        for function, inner in answers.items():
            for path in paths_of_objects(inner):
                optional = path == ["metadata"]
                for name in [] if optional else list(at(inner, path)):
                    with self.subTest(function, path=path, missing=name):
                        self.fails_when_changed(function, inner, lambda value: at(value, path).pop(name))
                with self.subTest(function, path=path, added=True):
                    self.fails_when_changed(function, inner, lambda value: at(value, path).update(more=1))

    def test_values_outside_their_sets(self):
        for function, data, name, value in (
                ("get_scan_status", STATUS, "scan_complete", 2), ("get_scan_status", STATUS, "scan_complete", True),
                ("get_scan_status", STATUS, "scanned_file_count", -1), ("get_scan_status", STATUS, "time_started", 17),
                ("get_scan_status", STATUS, "time_started", "soon"),
                ("get_scan_status", STATUS, "infected_files", None),
                ("get_scan_status", STATUS, "infected_files", ["relative"]),
                ("get_scan_status", STATUS, "current_file", "/being/scanned"),
                ("check_disinfection_status", RECORDS, "status", "finished"),
                ("check_disinfection_status", RECORDS, "details", [{**STEP, "state": "success"}]),
                ("check_disinfection_status", RECORDS, "details", [{**DONE, "state": "deleted"}]),
                ("check_disinfection_status", RECORDS, "details", [{**ISSUE, "type": "other"}]),
                ("check_disinfection_status", RECORDS, "details", [{**STEP, "id": 0}]),
                ("disinfect_files", {"log": "/l", "task_id": "0123abcd/0123456789abcd"}, "task_id", "1"),
                ("list_infected_files", {"rows": ROWS}, "rows", [{**ROWS[0], "file": 1}])):
            with self.subTest(function, name=name, value=value):
                right, wrong = dict(data), {**data, name: value}
                if function == "list_infected_files":
                    right, wrong = right["rows"], wrong["rows"]
                self.fails_when_changed(function, result(right), lambda inner: inner.update(data=wrong))

    def test_success_and_refusal_do_not_mix(self):
        self.fails_when_changed("get_scan_status", result(STATUS), lambda inner: inner.update(status=0))
        self.fails_when_changed("get_scan_status", result(STATUS), lambda inner: inner.update(errors=["x"]))
        self.fails_when_changed("get_scan_status", refusal(), lambda inner: inner.update(status=1))
        self.fails_when_changed("start_scan", refusal(), lambda inner: inner.update(errors=None))
        self.fails_when_changed("start_scan", refusal(), lambda inner: inner.update(errors=[]))
        self.fails_when_changed("list_infected_files", refusal(), lambda inner: inner.update(data=[]))
        self.fails_when_changed("get_scan_status", result(STATUS), lambda inner: inner.update(warnings=[]))
        self.fails_when_changed("get_scan_status", result(STATUS), lambda inner: inner.update(messages=[1]))
        self.fails_when_changed("get_scan_status", result(STATUS), lambda inner: inner.update(metadata=None))
        self.fails_when_changed("get_scan_status", result(STATUS), lambda inner: inner.update(metadata=SHAPED))

    def test_the_outer_envelope(self):
        right = envelope("start_scan", result(None))
        self.passes("GET", "/ClamScanner/start_scan?scan_type=home", answer(right))
        for name, value in (("apiversion", "3"), ("func", "get_scan_status"), ("module", "Other"), ("result", None)):
            self.fails("GET", "/ClamScanner/start_scan", answer({**right, name: value}))
        self.fails("GET", "/execute/ClamScanner/start_scan", answer(right))
        self.fails("GET", "/ClamScanner/start_scan", answer(right["result"]))
        wrong_name = answer(envelope("get_scan_status", refusal()), 401, www_authenticate=LOGIN)
        self.fails("GET", "/ClamScanner/start_scan", wrong_name, "as asked")

    def test_headers(self):
        target, right = "/execute/ClamScanner/start_scan", answer(result(None))
        for name in ("content-type", "cache-control", "x-content-type-options"):
            without = Answer(200, {key: value for key, value in right.headers.items() if key != name}, right.body)
            self.fails("POST", target, without)
            self.fails("POST", target, Answer(200, {**right.headers, name: "other"}, right.body))
        for status, name, good, bad in ((401, "www_authenticate", LOGIN, "Basic"),
                                        (429, "retry_after", "30", "0"), (429, "retry_after", "1", "soon")):
            self.passes("POST", target, answer(refusal(), status, **{name: good}))
            self.fails("POST", target, answer(refusal(), status, **{name: bad}))
        self.fails("POST", target, answer(refusal(), 429))
        self.passes("POST", target, answer(refusal(), 401))  # for a page's script
        self.passes("POST", target, answer(refusal(), 503))
        self.fails("POST", target, answer(refusal(), 503, retry_after="later"))

    def test_an_unknown_module_is_refused_in_the_live_envelope(self):
        for target in ("/execute/Email/list_pops", "/cpsess1/execute/Email/list_pops?x=y", "/execute", "/execute/",
                       "/cpsess1/execute"):
            self.passes("GET", target, answer(refusal(), 404))
            self.fails("GET", target, answer(envelope("list_pops", refusal(), "Email"), 404))
            self.fails("GET", target, answer(result(None)))
            self.fails("GET", target, answer(refusal(), 405, allow="GET"))

    def test_a_locked_account_is_401_in_the_document(self):
        for name, response in self.document.tree["components"]["responses"].items():
            if name.endswith(("Unauthorized", "Forbidden")):
                self.assertEqual("locked" in response["description"], name.endswith("Unauthorized"), name)

    def test_every_server_is_the_one_that_the_document_comes_from(self):
        servers = [self.document.tree["servers"], *(item["servers"] for item in self.document.tree["paths"].values()
                                                    if "servers" in item)]
        self.assertEqual([[server["url"] for server in one] for one in servers], [["/"]])

    def test_what_the_document_does_not_have(self):
        right = answer(result(None))
        self.fails("GET", "/execute/ClamScanner/other", right, "unknown function")
        self.fails("DELETE", "/execute/ClamScanner/start_scan", right, "method")
        self.fails("HEAD", "/execute/ClamScanner/start_scan", Answer(200, HEADERS, b""), "method")
        self.fails("GET", "/execute/ClamScanner/disinfect_files", right, "method")
        for status in (201, 204, 302, 402, 418, 502):
            self.fails("POST", "/execute/ClamScanner/start_scan", answer(refusal(), status), str(status))
        self.fails("POST", "/execute/ClamScanner/start_scan", answer(refusal(), 404))
        self.fails("POST", "/execute/ClamScanner/start_scan", answer(refusal(), 405, allow="POST"))

    def test_an_unknown_function_and_method_have_their_place(self):
        self.passes("GET", "/execute/ClamScanner/other", answer(refusal(), 404))
        self.passes("GET", "/ClamScanner/a%20b/c", answer(envelope("a b/c", refusal()), 404))
        self.passes("GET", "/ClamScanner/" + "a" * 300, answer(envelope("a" * 128, refusal()), 404))
        self.passes("GET", "/ClamScanner/%ff", answer(envelope("\udcff", refusal()), 404))
        self.fails("GET", "/ClamScanner/other", answer(envelope("another", refusal()), 404), "as asked")
        self.passes("DELETE", "/execute/ClamScanner/start_scan", answer(refusal(), 405, allow="GET, POST"))
        self.fails("DELETE", "/execute/ClamScanner/start_scan", answer(refusal(), 405))

    def test_the_web_servers_own_answers_are_not_looked_at(self):
        page = Answer(403, {"content-type": "text/html"}, b"<html>")
        self.passes("GET", "/execute/ClamScanner/start_scan", page)
        self.passes("GET", "/elsewhere", Answer(200, {}, b""))
        self.fails("GET", "/execute/ClamScanner/start_scan", Answer(200, page.headers, page.body))
        self.fails("GET", "/execute/ClamScanner/start_scan", Answer(403, {**HEADERS, **page.headers}, page.body))

    def test_bodies_that_are_no_json(self):
        target = "/cpsess123/execute/ClamScanner/start_scan"
        right = answer(result(None))
        self.passes("GET", target, right)
        for body in (b"", b"{", right.body + b"}", right.body.replace(b'"status"', b'"status": 1, "status"'),
                     right.body.replace(b"null", b'"\xff"', 1)):
            self.fails("GET", target, Answer(200, HEADERS, body))

    def test_head_has_no_body(self):
        target = "/ClamScanner/get_scan_status"
        self.passes("HEAD", target, Answer(200, HEADERS, b""))
        self.fails("HEAD", target, Answer(200, HEADERS, b"{}"))
        self.fails("HEAD", target, Answer(200, {}, b""))

    def test_fewer_fields_only_with_columns(self):
        target, some = "/execute/ClamScanner/list_infected_files", answer(result([{"file": "/a"}]))
        self.fails("GET", target, some)
        self.passes("GET", target + "?api.columns=file", some)
        self.passes("POST", target, some, b"api.columns_0=file")
        self.fails("GET", target + "?api.columns=file", answer(result([{}])))
        self.fails("GET", target + "?api.columns=file", answer(result([{"path": "/a"}])))

    def test_both_ends_of_a_long_list_are_looked_at(self):
        target = "/execute/ClamScanner/list_infected_files"
        rows = [{**FIND, "file": f"/{number}"} for number in range(20_000)]
        self.passes("GET", target, answer(result(rows)))
        for index in (0, -1):
            self.fails("GET", target, answer(result(rows[:index] + [{}] if index else [{}] + rows)))

    def test_the_description_is_served_as_it_is(self):
        served = Answer(200, HEADERS, json.dumps(self.document.tree).encode())
        self.passes("GET", "/ClamScanner/openapi.json", served)
        self.passes("HEAD", "/ClamScanner/openapi.json?v=1", Answer(200, HEADERS, b""))
        changed = copy.deepcopy(self.document.tree)
        changed["paths"]["/ClamScanner/start_scan"]["post"]["summary"] += "!"
        self.fails("GET", "/ClamScanner/openapi.json", answer(changed), "not that of the sources")
        unwelcome = answer(envelope("openapi.json", refusal()), 401, www_authenticate=LOGIN)
        self.fails("GET", "/ClamScanner/openapi.json", unwelcome)


def at(value, path):
    for part in path:
        value = value[part]
    return value


def paths_of_objects(value, path=()):
    """Where objects stand in it, from the outside inwards."""
    if isinstance(value, dict):
        yield list(path)
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from paths_of_objects(member, (*path, name))


if __name__ == "__main__":
    unittest.main()
