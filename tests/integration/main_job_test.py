"""The main job as clients do it, in both envelopes, and every refusal of the contract, through a web server."""

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import time
from urllib.parse import quote, urlencode

import accounts
from client import check_records, log_is_whole, wait_until
from service_case import ServiceCase, main
from test_files import EICAR, eicar_zip
from web_front import Site, free_port

LOG = ".clamavconnector.disinfection.log"
QUARANTINE = "quarantine_clamavconnector"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


class TheMainJob(ServiceCase):
    def do_it(self, documented):
        account, client = self.new_account()
        account.write("public_html/index.html", "<p>fine</p>")
        doomed = account.write("public_html/doomed.php", EICAR)
        packed = account.write("public_html/packed.zip", eicar_zip())
        moved = account.write("mail/new/moved", EICAR)
        kept = account.write("kept.txt", EICAR)

        paths = client.call("get_scan_paths", documented=documented)
        self.assertEqual({path["id"] for path in paths}, {"home", "mail", "public_html"})
        self.assertTrue(all(set(path) == {"id", "message"} and path["message"] for path in paths))

        never = client.result("get_scan_status", documented=documented)
        self.assertEqual(never["data"], {"current_file": "", "infected_files": [], "scan_complete": 1,
                                         "scanned_file_count": 0, "scanned_file_size": 0, "time_started": "",
                                         "total_file_count": 0, "total_file_size_MiB": 0})
        self.assertTrue(never["messages"])
        self.assertEqual(client.call("list_infected_files", documented=documented), [])

        self.assertIsNone(client.call("start_scan", {"scan_type": "home"}, documented=documented))
        status = client.finish_scan()
        self.assertEqual(set(status), {"current_file", "infected_files", "scan_complete", "scanned_file_count",
                                       "scanned_file_size", "time_started", "total_file_count", "total_file_size_MiB"})
        self.assertEqual(set(status["infected_files"]), {doomed, packed, moved, kept})
        self.assertEqual(status["scanned_file_count"], 5)
        self.assertEqual(status["total_file_count"], 5)
        self.assertEqual(status["total_file_size_MiB"], 1)
        self.assertEqual(status["current_file"], "")
        self.assertRegex(status["time_started"], r"^[0-9]{10,}$")
        self.assertTrue(any("signature" in warning for warning in
                            client.result("get_scan_status", documented=documented)["warnings"] or []))

        listed = client.call("list_infected_files", documented=documented)
        self.assertEqual({entry["file"] for entry in listed}, {doomed, packed, moved, kept})
        self.assertTrue(all("eicar" in entry["virus_type"].lower() for entry in listed), listed)
        for entry in listed:
            on_disk = os.stat(entry["file"])
            self.assertEqual((entry["size"], entry["changed"]), (str(on_disk.st_size), str(int(on_disk.st_ctime))))
            self.assertEqual(entry["first_found"], entry["time"])
            self.assertLessEqual(int(status["time_started"]), int(entry["time"]))
            self.assertLessEqual(int(entry["time"]), time.time())

        nothing = client.call("check_disinfection_status", documented=documented)
        self.assertEqual(nothing, {"details": [], "log": account.path(LOG), "status": "none"})
        queued = client.call("disinfect_files", {"actions": {doomed: "delete", packed: "delete", moved: "quarantine",
                                                             kept: "ignore"}}, documented=documented)
        self.assertEqual(queued["log"], account.path(LOG))
        self.assertRegex(queued["task_id"], r"^[0-9a-f]{8}/[0-9a-f]{14}$")

        records = client.finish_disinfection()
        steps = check_records(records)
        self.assertEqual({path: step["state"] for path, step in steps.items()},
                         {doomed: "deleted", packed: "deleted", moved: "quarantined", kept: "no-action"})
        self.assertFalse(any(os.path.lexists(path) for path in (doomed, packed, moved)))
        with open(kept, "rb") as file:
            self.assertEqual(file.read(), EICAR)
        self.assert_in_quarantine(account, 1)

        later = client.call("check_disinfection_status", {"last_id": 2}, documented=documented)
        self.assertEqual(later["details"], records[2:])
        beyond = client.call("check_disinfection_status", {"last_id": 1000}, documented=documented)
        self.assertEqual(beyond["details"], records)

        self.assertEqual([entry["file"] for entry in client.call("list_infected_files")], [kept])
        wait_until(lambda: log_is_whole(queued["log"]), 30, "the log in the home")
        with open(queued["log"], encoding="utf-8") as log:
            self.assertEqual([json.loads(line) for line in log], records)
        self.assertEqual(os.stat(queued["log"]).st_mode & 0o7777, 0o600)
        self.assertEqual(os.stat(queued["log"]).st_uid, account.uid)

    def assert_in_quarantine(self, account, count):
        quarantine = account.path(QUARANTINE)
        self.assertEqual(os.stat(quarantine).st_mode & 0o7777, 0o700)
        captured = []
        for name in os.listdir(quarantine):
            with open(os.path.join(quarantine, name), "rb") as file:
                if file.read() == EICAR:
                    captured.append(name)
        self.assertEqual(len(captured), count)
        for name in captured:
            self.assertRegex(name, r"^[0-9a-f]{32}$")
            self.assertEqual(os.stat(os.path.join(quarantine, name)).st_mode & 0o7777, 0o400)

    def test_in_the_documented_envelope(self):
        self.do_it(documented=True)

    def test_in_the_live_envelope(self):
        self.do_it(documented=False)

    def test_finds_are_sorted_by_size_and_time(self):
        account, client = self.new_account()
        sizes = {account.write(f"public_html/{number}", EICAR + b" " * number): len(EICAR) + number
                 for number in (7, 900, 30)}
        old = account.write("public_html/old", EICAR)
        os.utime(old, (1_000_000_000, 1_000_000_000))
        sizes[old] = len(EICAR)
        client.scan()
        asked = {"api.sort_column": "size", "api.sort_method": "numeric"}
        rows = client.call("list_infected_files", asked)
        self.assertEqual([row["file"] for row in rows], sorted(sizes, key=sizes.get))
        self.assertEqual([row["size"] for row in rows], [str(size) for size in sorted(sizes.values())])
        page = client.result("list_infected_files", {**asked, "api.sort_reverse": 1, "api.paginate_start": 2,
                                                     "api.paginate_size": 2})
        self.assertEqual(page["data"], [rows[2], rows[1]])
        self.assertEqual(page["metadata"]["paginate"]["total_results"], 4)
        # When it was changed is not what the account has set.
        changed = next(int(row["changed"]) for row in rows if row["file"] == old)
        self.assertAlmostEqual(changed, time.time(), delta=600)

        # A file that is found again keeps the time of the first find, until its content is another.
        time.sleep(1.1)
        account.write("public_html/7", EICAR + b" " * 8)
        client.scan("public_html")
        again = {row["file"]: row for row in client.call("list_infected_files")}
        self.assertEqual(set(again), set(sizes))
        for row in rows:
            fresh = again[row["file"]]
            self.assertLess(int(row["time"]), int(fresh["time"]))
            if row["file"].endswith("/7"):
                self.assertEqual((fresh["size"], fresh["first_found"]), (str(len(EICAR) + 8), fresh["time"]))
            else:
                self.assertEqual({**fresh, "time": row["time"]}, row)
        newest = client.call("list_infected_files", {"api.sort_column": "first_found", "api.sort_method": "numeric",
                                                     "api.sort_reverse": 1, "api.columns": "file"})
        self.assertTrue(newest[0]["file"].endswith("/7"), newest)
        # That mails are to tell it again changes nothing.
        for enabled in (0, 1):
            client.call("set_notifications", {"enabled": enabled})
        client.scan()
        first = {row["file"]: row["first_found"] for row in client.call("list_infected_files")}
        self.assertEqual(first, {path: row["first_found"] for path, row in again.items()})

    def test_a_second_disinfection_starts_its_log_anew(self):
        account, client = self.new_account()
        first, second = account.write("first", EICAR), account.write("second", EICAR)
        client.scan()
        check_records(client.disinfect({first: "delete"}))
        records = client.disinfect({second: "delete"})
        self.assertEqual(set(check_records(records)), {second})

    def test_each_scan_type_scans_its_directory(self):
        account, client = self.new_account()
        found = {"mail": account.write("mail/new/a", EICAR), "public_html": account.write("public_html/b", EICAR)}
        for scan_type, path in found.items():
            self.assertEqual(client.scan(scan_type)["infected_files"], [path])

    def test_a_panels_session_prefix_is_decoration(self):
        _, client = self.new_account()
        answer = client.send("GET", "/cpsess1234567890/execute/ClamScanner/get_scan_status")
        self.assertEqual((answer.status, answer.result()["status"]), (200, 1))

    def test_a_path_without_its_leading_slash_is_taken_from_the_root_or_the_home(self):
        account, client = self.new_account()
        from_root, from_home = account.write("a", EICAR), account.write("docs/b", EICAR)
        client.scan()
        steps = check_records(client.disinfect({from_root.lstrip("/"): "delete", "docs/b": "delete"}))
        self.assertEqual({path: step["state"] for path, step in steps.items()},
                         {from_root: "deleted", from_home: "deleted"})

    def test_a_path_that_no_scan_called_infected_is_left_alone(self):
        account, client = self.new_account()
        fine = account.write("fine", "fine")
        steps = check_records(client.disinfect({fine: "delete", "/etc/passwd": "delete"}))
        self.assertEqual({path: step["state"] for path, step in steps.items()}, {fine: "error", "/etc/passwd": "error"})
        self.assertTrue(os.path.exists(fine))

    def test_a_file_that_is_clean_by_now_is_left_alone(self):
        account, client = self.new_account()
        path = account.write("changed", EICAR)
        client.scan()
        account.write("changed", "harmless")
        self.assertEqual(check_records(client.disinfect({path: "delete"}))[path]["state"], "no-action")
        self.assertTrue(os.path.exists(path))
        self.assertEqual(client.call("list_infected_files"), [])

    def test_arguments_arrive_in_every_form(self):
        account, client = self.new_account()
        path = account.write("a", EICAR)
        multipart = (b"--x\r\nContent-Disposition: form-data; name=\"scan_type\"\r\n\r\nhome\r\n--x--\r\n")
        for body, headers in ((b"scan_type=home", FORM), (b'{"scan_type": "home"}', JSON),
                              (multipart, {"Content-Type": "multipart/form-data; boundary=x"})):
            answer = client.send("POST", "/execute/ClamScanner/start_scan", body, headers)
            self.assertEqual(answer.result()["status"], 1, answer.body)
            client.finish_scan()
        form = urlencode({"actions": json.dumps({path: "delete"})}).encode()
        self.assertEqual(client.send("POST", "/execute/ClamScanner/disinfect_files", form, FORM).result()["status"], 1)
        self.assertEqual(check_records(client.finish_disinfection())[path]["state"], "deleted")

    def test_actions_arrive_in_every_form(self):
        """As the contract has them, as the samples of UAPI's reference do, and as pages and scripts write objects."""
        account, client = self.new_account()
        target = "/execute/ClamScanner/disinfect_files"
        multipart = {"Content-Type": "multipart/form-data; boundary=x"}

        def part(head, content):
            return f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n--x--\r\n".encode()

        def in_brackets(path, safe=""):
            return quote(f"actions[{path}]".encode(errors="surrogateescape"), safe) + "=delete"

        forms = {
            "whole body": lambda path: (target, json.dumps({path: "delete"}).encode(), JSON),
            "whole body, no slash": lambda path: (target, json.dumps({path[1:]: "delete"}).encode(), JSON),
            "form [1].php": lambda path: (target, in_brackets(path).encode(), FORM),
            "form, plain brackets [x][y]": lambda path: (target, in_brackets(path, "[]/").encode(), FORM),
            "query é+&=": lambda path: (f"{target}?{in_brackets(path)}", b"", {}),
            "query \udcff": lambda path: (f"{target}?{in_brackets(path)}", b"", {}),
            "multipart": lambda path: (target, part(f'name="actions[{path}]"', "delete"), multipart),
            "blob": lambda path: (target, part('name="actions"; filename="blob"\r\nContent-Type: application/json',
                                               json.dumps({path: "delete"})), multipart),
            "curl's file": lambda path: (target, part('name="actions"; filename="a.json"\r\nContent-Type: '
                                                      'application/json', json.dumps({path: "delete"})), multipart),
        }
        paths = {name: account.write(name, EICAR) for name in forms}
        self.assertEqual(set(client.scan()["infected_files"]), set(paths.values()))
        for name, request in forms.items():
            with self.subTest(name):
                answer = client.send("POST", *request(paths[name]))
                self.assertEqual((answer.status, answer.result()["status"]), (200, 1), answer.body)
                steps = check_records(client.finish_disinfection())
                self.assertEqual({path: step["state"] for path, step in steps.items()}, {paths[name]: "deleted"})
        self.assertEqual(client.call("list_infected_files"), [])

    def test_what_is_no_map_of_actions_changes_nothing(self):
        account, client = self.new_account()
        path = account.write("a", EICAR)
        client.scan()
        target = "/execute/ClamScanner/disinfect_files"
        for body, headers in ((json.dumps({path: "delete", "b": "remove"}), JSON),
                              (json.dumps({path: "delete", "dry_run": 1}), JSON),
                              (json.dumps({path: "delete", "actions": "delete"}), JSON),
                              (json.dumps([{path: "delete"}]), JSON),
                              (f"actions[{path}]=delete&actions[{path}]=ignore", FORM),
                              (f"actions[{path}=delete", FORM),
                              (f"actions[{path}]=delete&actions=" + quote(json.dumps({path: "ignore"})), FORM),
                              (json.dumps({path: "delete"}), {"Content-Type": "text/plain"})):
            answer = client.send("POST", target, body.encode(), headers)
            self.assertEqual(answer.result()["status"], 0, body)
            self.assertTrue(answer.result()["errors"])
        answer = client.send("POST", f"{target}?dry_run=1", json.dumps({path: "delete"}).encode(), JSON)
        self.assertEqual([step["state"] for step in answer.result()["data"]], ["deleted"])
        self.assertEqual(client.call("check_disinfection_status")["status"], "none")
        self.assertTrue(os.path.exists(path))


class Refusals(ServiceCase):
    config = {"scan": {"public_ftp": False}}

    def refused(self, answer, status):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["content-type"], "application/json; charset=utf-8")
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
        result = answer.result()
        self.assertEqual((result["status"], result["data"]), (0, None))
        self.assertEqual([type(error) for error in result["errors"]], [str])
        return result["errors"][0]

    def declined(self, client, function, arguments, *words, **how):
        error = self.refused(client.ask(function, arguments, **how), 200)
        for word in words:
            self.assertIn(word, error)

    def test_without_right_credentials(self):
        account, client = self.new_account()
        texts = set()
        for authorization in (None, "Basic", "Basic !!!!", "Basic bm9jb2xvbg==", "Bearer abc", "Basic Og==",
                              self.service.client(account, password=None).authorization()[:-4]):
            answer = client.send("GET", "/ClamScanner/get_scan_status", authorization=authorization)
            texts.add(self.refused(answer, 401))
            self.assertRegex(answer.headers["www-authenticate"], r'^Basic realm="[^"]+", charset="UTF-8"$')
        for user, password in ((account.name, "wrong"), ("nobody-of-that-name", "wrong"), ("root", "wrong"),
                               (account.name, account.password + "x"), (account.name + "\n", account.password)):
            answer = self.service.client(user=user, password=password).ask("start_scan", {"scan_type": "home"})
            texts.add(self.refused(answer, 401))
        self.assertEqual(len(texts), 1, "one text, whether the user exists or not")

    def test_the_users_existence_does_not_show_in_the_time(self):
        account, _ = self.new_account()
        took = {account.name: [], "nobody-of-that-name": []}
        for number in range(4):
            for user, times in took.items():
                start = time.monotonic()
                client = self.service.client(user=user, password=f"wrong{number}")
                self.refused(client.ask("get_scan_status"), 401)
                times.append(time.monotonic() - start)
        # A machine that is busy only ever adds to it.
        one, other = (min(times) for times in took.values())
        self.assertLess(abs(one - other), 0.25, took)

    def test_an_expired_account(self):
        account, client = self.new_account()
        accounts.change(["chage", "-E", "0", account.name])
        self.refused(client.ask("get_scan_status"), 403)
        # And says nothing of it to those who do not know the password.
        self.refused(self.service.client(user=account.name, password="wrong").ask("get_scan_status"), 401)
        accounts.change(["chage", "-E", "-1", account.name])
        self.assertEqual(client.ask("get_scan_status").status, 200)

    def test_a_new_password_counts_at_once(self):
        account, client = self.new_account()
        accounts.change(["chpasswd"], input=f"{account.name}:another\n")
        self.refused(client.ask("get_scan_status"), 401)
        self.assertEqual(self.service.client(user=account.name, password="another").ask("get_scan_status").status, 200)

    def test_a_locked_account(self):
        account, client = self.new_account()
        accounts.change(["usermod", "--lock", account.name])
        self.refused(client.ask("get_scan_status"), 401)

    def test_a_system_user(self):
        name = f"low{accounts.random_letters(6)}"
        entry = self.service._add_user(name, accounts.add_system_user)
        self.assertLess(entry.pw_uid, 1000)
        accounts.change(["chpasswd"], input=f"{name}:secret\n")
        self.refused(self.service.client(user=name, password="secret").ask("get_scan_status"), 403)

    def test_too_many_failures(self):
        account, client = self.new_account()
        guesser = self.service.client(user=account.name, source="127.0.0.9")
        for number in range(10):
            guesser.password = f"wrong-{number}"
            self.assertEqual(guesser.ask("get_scan_status").status, 401)
        answer = guesser.ask("get_scan_status")
        self.refused(answer, 429)
        self.assertGreater(int(answer.headers["retry-after"]), 0)
        self.assertEqual(client.ask("get_scan_status").status, 200, "the owner elsewhere is not shut out")

    def test_an_unknown_function(self):
        _, client = self.new_account()
        answer = client.send("GET", "/ClamScanner/does_not_exist")
        self.refused(answer, 404)
        self.assertEqual((answer.json()["func"], answer.json()["module"]), ("does_not_exist", "ClamScanner"))
        long = client.send("GET", "/ClamScanner/" + "a" * 300)
        self.refused(long, 404)
        self.assertEqual(long.json()["func"], "a" * 128)
        self.refused(client.send("GET", "/execute/ClamScanner/get_scan_status/more"), 404)

    def test_an_unknown_module(self):
        _, client = self.new_account()
        targets = ("/execute/Email/list_pops?domain=example.com", "/cpsess0123456789/execute/Email/list_pops",
                   "/execute/clamscanner/get_scan_status", "/execute/ClamScannerx/get_scan_status", "/execute/Email",
                   "/execute/", "/execute", "/cpsess1/execute", "/cpsess1/execute/", "/execute/%45mail/x%2Fy")
        for target in targets:
            for method in ("GET", "POST"):
                answer = client.send(method, target)
                self.assertIn("There is no module", self.refused(answer, 404))
                self.assertEqual(set(answer.json()), {"data", "errors", "messages", "metadata", "status", "warnings"})
            self.assertEqual(client.send("HEAD", target).status, 404)
            stranger = client.send("GET", target, authorization=None)
            self.refused(stranger, 401)
            self.assertIn("www-authenticate", stranger.headers)
        self.refused(client.send("POST", targets[0], headers={"Sec-Fetch-Site": "cross-site"}), 403)
        self.refused(client.send("POST", targets[0], b"x" * (1024 * 1024 + 1), FORM), 413)

    def test_a_method_that_the_function_does_not_take(self):
        _, client = self.new_account()
        answer = client.send("GET", "/execute/ClamScanner/disinfect_files")
        self.refused(answer, 405)
        self.assertEqual(answer.headers["allow"], "POST")
        answer = client.send("DELETE", "/execute/ClamScanner/get_scan_status")
        self.refused(answer, 405)
        self.assertEqual({method.strip() for method in answer.headers["allow"].split(",")}, {"GET", "HEAD", "POST"})

    def test_head_reads(self):
        _, client = self.new_account()
        answer = client.send("HEAD", "/execute/ClamScanner/get_scan_status")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_a_cross_site_change(self):
        _, client = self.new_account()
        host = f"127.0.0.1:{self.service.front.port}"
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Origin": f"http://{host}"},
                        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
                        {"Origin": f"https://{host}"}, {"Referer": "http://evil.example/"},
                        {"Referer": f"https://{host}/panel"}):
            for method, function in (("POST", "disinfect_files"), ("GET", "start_scan?scan_type=home")):
                answer = client.send(method, f"/execute/ClamScanner/{function}", headers=headers)
                self.assertIn(f"its header {next(iter(headers))}.", self.refused(answer, 403))
            self.assertEqual(client.send("GET", "/execute/ClamScanner/get_scan_status",
                                         headers=headers).status, 200)
        for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"},
                        # Behind a proxy that changes Host, and one that ends TLS.
                        {"Sec-Fetch-Site": "same-origin", "Origin": "https://panel.example"},
                        {"Origin": f"https://{host}", "X-Forwarded-Proto": "https"},
                        {"Sec-Fetch-Site": "none"}, {"Origin": f"http://{host}"}, {"Referer": f"http://{host}/panel"}):
            answer = client.send("GET", "/execute/ClamScanner/start_scan?scan_type=home", headers=headers)
            self.assertEqual(answer.result()["status"], 1, headers)
            client.finish_scan()

    def test_a_pages_own_script_gets_no_challenge(self):
        _, client = self.new_account()
        client.password += "x"
        for headers, challenged in (({}, True), ({"Sec-Fetch-Dest": "document"}, True),
                                    ({"Sec-Fetch-Dest": "empty"}, False)):
            for authorization in (True, None, "Basic x"):
                answer = client.send("GET", "/execute/ClamScanner/get_scan_status", headers=headers,
                                     authorization=authorization)
                self.refused(answer, 401)
                self.assertEqual("www-authenticate" in answer.headers, challenged, headers)

    def test_a_body_over_the_cap(self):
        _, client = self.new_account()
        for function, size in (("start_scan", 1024 * 1024 + 1), ("disinfect_files", 16 * 1024 * 1024 + 1)):
            answer = client.send("POST", f"/execute/ClamScanner/{function}", b"x" * size, FORM)
            self.refused(answer, 413)

    def test_a_body_of_an_unknown_type(self):
        _, client = self.new_account()
        for content_type in ("text/xml", "application/octet-stream"):
            answer = client.send("POST", "/execute/ClamScanner/start_scan", b"<a/>", {"Content-Type": content_type})
            self.refused(answer, 415)

    def test_arguments_of_start_scan(self):
        account, client = self.new_account()
        self.declined(client, "start_scan", {}, "scan_type")
        self.declined(client, "start_scan", {"scan_type": "everything"}, "scan_type", "home", "public_html")
        self.declined(client, "start_scan", {"scan_type": "public_html"}, "public_html")  # not there
        account.write("public_ftp/file", "x")
        self.declined(client, "start_scan", {"scan_type": "public_ftp"}, "public_ftp")  # switched off
        twice = client.send("GET", "/execute/ClamScanner/start_scan?scan_type=home&scan_type=mail")
        self.assertIn("scan_type", self.refused(twice, 200))
        for body in (b"{", b'{"scan_type": 1}', b"[]", b'{"scan_type": "home"} x', b'{"scan_type": "\xff"}'):
            self.refused(client.send("POST", "/execute/ClamScanner/start_scan", body, JSON), 200)
        self.assertEqual({path["id"] for path in client.call("get_scan_paths")}, {"home"})

    def test_arguments_of_disinfect_files(self):
        account, client = self.new_account()
        path = account.write("a", EICAR)
        client.scan()
        for actions in ({}, None, [], "x", {path: "destroy"}, {path: 1}, {path: "delete", "b": None}):
            self.declined(client, "disinfect_files", {"actions": actions}, "actions")
        self.declined(client, "disinfect_files", {}, "actions")
        for text in (f'{{"actions": {{"{path}": "delete", "{path}": "delete"}}}}',
                     f'{{"actions": {{"{path}": "delete", "{path[1:]}": "ignore"}}}}', "{", '{"actions": {"\\ud800": "delete"}}'):
            self.refused(client.send("POST", "/execute/ClamScanner/disinfect_files", text.encode(), JSON), 200)
        self.assertEqual(client.call("check_disinfection_status")["status"], "none")
        self.assertTrue(os.path.exists(path))

    def test_arguments_of_check_disinfection_status(self):
        _, client = self.new_account()
        for last_id in ("0", "-1", "abc", "1.5", "9007199254740992", "99999999999999999999", ""):
            self.declined(client, "check_disinfection_status", {"last_id": last_id}, "last_id")
        for last_id in ("1", "9007199254740991"):
            client.call("check_disinfection_status", {"last_id": last_id})

    def test_one_job_at_a_time(self):
        account, client = self.new_account()
        path = account.write("a", EICAR)
        with self.service.stopped("engine"):
            client.call("start_scan", {"scan_type": "home"})
            again = client.result("start_scan", {"scan_type": "home"})
            early = client.result("disinfect_files", {"actions": {path: "delete"}})
        self.assertEqual((again["status"], early["status"]), (0, 0))
        client.finish_scan()
        client.call("disinfect_files", {"actions": {path: "delete"}})
        client.finish_disinfection()


class TheSiteSnippet(ServiceCase):
    """Clients are made to seem to come from elsewhere by a header that the web server believes."""

    ELSEWHERE = {"X-Real-IP": "192.0.2.1"}

    @classmethod
    def site(cls, service):
        cls.tls_port = free_port()
        key, certificate = service.path("key"), service.path("certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return Site(tls_port=cls.tls_port, certificate=certificate, key=key, address_header="X-Real-IP")

    def over_tls(self, client, headers):
        context = ssl.create_default_context(cafile=self.service.path("certificate"))
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls_port, context=context, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/execute/ClamScanner/get_scan_status",
                               headers={**headers, "Authorization": client.authorization()})
            return connection.getresponse().status

    def test_a_plain_connection_is_answered_from_this_machine_only(self):
        _, client = self.new_account()
        for target in ("/ClamScanner/get_scan_status", "/execute/ClamScanner/get_scan_status",
                       "/cpsess1/execute/ClamScanner/get_scan_status"):
            self.assertEqual(client.send("GET", target).status, 200)
            refused = client.send("GET", target, headers=self.ELSEWHERE)
            self.assertEqual(refused.status, 403)
            self.assertIn(b"HTTPS", refused.body)
        for target in ("/execute/Email/list_pops", "/cpsess1/execute/Email/list_pops"):
            self.assertEqual(client.send("GET", target).status, 404)
            self.assertIn(b"HTTPS", client.send("GET", target, headers=self.ELSEWHERE).body)

    def test_over_tls_everybody_is_answered(self):
        _, client = self.new_account()
        self.assertEqual(self.over_tls(client, self.ELSEWHERE), 200)
        self.assertEqual(self.over_tls(client, {}), 200)

    def test_other_addresses_are_not_passed_on(self):
        _, client = self.new_account()
        for target in ("/", "/executes/ClamScanner/get_scan_status", "/x/execute/ClamScanner/get_scan_status",
                       "/cpsess/execute/ClamScanner/get_scan_status", "/cpsess1x/execute/ClamScanner/get_scan_status",
                       "/cpsess1/frontend/x", "/xClamScanner/get_scan_status", "/ClamScannerx/get_scan_status"):
            self.assertEqual(client.send("GET", target).status, 404)
            self.assertIn("html", client.send("GET", target).headers["content-type"])


class CommandLine(ServiceCase):
    def uapi(self, *words, account=None, given=""):
        command = [self.service.installed_program("uapi"), f"--config={self.service.config_file}", *words]
        if account:
            command = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", *command]
        return subprocess.run(command, input=given, capture_output=True, text=True, cwd="/",
                              env={"PATH": "/usr/bin:/bin"})

    def test_a_user_asks_for_themselves(self):
        account, client = self.new_account()
        account.write("a", EICAR)
        client.scan()
        done = self.uapi("--output=json", "ClamScanner", "get_scan_status", account=account)
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual((document["func"], document["module"], document["apiversion"]),
                         ("get_scan_status", "ClamScanner", 3))
        self.assertEqual(document["result"]["data"]["infected_files"], [account.path("a")])
        pretty = self.uapi("--output=jsonpretty", "ClamScanner", "list_infected_files", account=account)
        self.assertEqual(json.loads(pretty.stdout)["result"]["data"][0]["file"], account.path("a"))
        self.assertGreater(pretty.stdout.count("\n"), 5)

    def test_a_refusal_is_an_exit_status(self):
        account, _ = self.new_account()
        done = self.uapi("--output=json", "ClamScanner", "start_scan", "scan_type=nonsense", account=account)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["result"]["status"], 0)

    def test_root_asks_for_a_user(self):
        account, client = self.new_account()
        account.write("a", EICAR)
        client.scan()
        done = self.uapi("--output=json", f"--user={account.name}", "ClamScanner", "list_infected_files")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["result"]["data"][0]["file"], account.path("a"))

    def test_arguments_come_on_standard_input(self):
        account, client = self.new_account()
        for as_root in (False, True):
            for whole in (False, True):
                path = account.write("a \u00e9%25", EICAR)
                client.scan()
                actions = {path: "delete"}
                user, caller = ((f"--user={account.name}",), None) if as_root else ((), account)
                done = self.uapi("--input=json", *user, "ClamScanner", "disinfect_files", account=caller,
                                 given=json.dumps(actions if whole else {"actions": actions}))
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
                self.assertEqual(check_records(client.finish_disinfection())[path]["state"], "deleted")
        done = self.uapi("--input=json", "ClamScanner", "disinfect_files", account=account, given='{"/a":"remove"}')
        self.assertEqual((done.returncode, json.loads(done.stdout)["result"]["status"]), (1, 0))
        done = self.uapi("--input", "json", "ClamScanner", "start_scan", account=account, given='{"scan_type":"home"}')
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        client.finish_scan()

    def test_options_are_taken_in_either_form(self):
        account, _ = self.new_account()
        for words in (("--output", "jsonpretty"), ("--output=jsonpretty",)):
            for user, caller in (((), account), (("--user", account.name), None), ((f"--user={account.name}",), None)):
                done = self.uapi(*words, *user, "ClamScanner", "get_scan_status", account=caller)
                with self.subTest(words=words, user=user):
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertTrue(done.stdout.startswith("{\n"), done.stdout[:40])

    def test_a_user_may_not_ask_for_another(self):
        account, _ = self.new_account()
        other, _ = self.new_account()
        done = self.uapi("--output=json", f"--user={other.name}", "ClamScanner", "get_scan_status", account=account)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    main()
