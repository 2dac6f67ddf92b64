"""The statistics interface as its clients use it: the numbers of real scans, every error, every way to authenticate."""

import json
import os
import re
import socket
import subprocess
import time

from client import wait_until
from clients_test import install_packages, run
from service_case import ServiceCase, main
from statistics_client import StatisticsClient, with_changed_byte
from test_files import EICAR, clean_page

GET = "GetVirusScanLatestTaskStatistic"
CREATE = "CreateVirusScanOnceTask"
UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
INTEGERS = ("Status", "SuspiciousCount", "SuspiciousMachine", "SafeMachine", "ScanMachine", "CompleteMachine",
            "UnCompleteMachine", "ScanTime")
TEXTS = ("TaskId", "ScanType", "Progress", "MachineName", "RiskLevel")


class StatisticsCase(ServiceCase):
    with_host_user = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.install_database()

    @classmethod
    def install_database(cls):
        with open(cls.service.path("no-signatures", "one.ndb"), "w", encoding="ascii") as database:
            database.write(f"Test-One:0:0:{b'the only signature of this test'.hex()}\n")

    def new_signer(self, kind="user"):
        account, client = self.new_account(kind)
        return account, client, self.signer(account.name)

    def signer(self, user, **how):
        return StatisticsClient(self.service.statistics_url, *self.service.add_access_key(user), **how)

    def check_error(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        if answer.headers["content-type"].startswith("application/json"):
            self.assertEqual(answer.headers["content-type"], "application/json;charset=utf-8")
            self.assertEqual(set(answer.json), {"RequestId", "Message", "HostId", "Code", "Recommend"})
            self.assertRegex(answer.json["RequestId"], UUID)
            self.assertTrue(answer.json["Recommend"])
        return answer

    def data(self, signer, action=GET, parameters=None):
        answer = signer.call_v3(action, parameters)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json.get("Data")

    def check_numbers(self, data):
        """What holds of every answer that is not empty."""
        for name, value in data.items():
            kind = int if name in INTEGERS else list if name == "ScanPath" else str
            self.assertIs(type(value), kind, name)
            self.assertIn(name, (*INTEGERS, *TEXTS, "ScanPath"))
        self.assertEqual(data["CompleteMachine"] + data["UnCompleteMachine"], data["ScanMachine"])
        self.assertLessEqual(data["SafeMachine"], data["CompleteMachine"])
        self.assertLessEqual(data["SafeMachine"] + data["SuspiciousMachine"], data["ScanMachine"])
        self.assertEqual(data["Progress"] == "100", data["Status"] == 100)
        self.assertEqual("RiskLevel" in data, data["SuspiciousCount"] > 0)
        self.assertEqual("ScanPath" in data, data["ScanType"] == "user")
        self.assertRegex(data["TaskId"], r"^[0-9a-f]{32}$")
        self.assertEqual(data["MachineName"], socket.gethostname())
        return data

    def await_end(self, signer):
        last = {}

        def ended():
            last.update(self.check_numbers(self.data(signer)))
            return last["Status"] == 100

        wait_until(ended, 60, "the scan's end")
        return last


class Numbers(StatisticsCase):
    def test_nothing_ever_scanned_is_an_empty_object(self):
        _, _, signer = self.new_signer()
        answer = signer.call_v3(GET)
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer.json.pop("RequestId"), UUID)
        self.assertEqual(answer.json["Data"], {})
        self.assertNotIn("Code", answer.json)

    def test_a_scan_from_beginning_to_end(self):
        account, client, signer = self.new_signer()
        for number in range(300):
            account.write(f"public_html/{number}.html", clean_page(number))
        infected = [account.write(f"public_html/infected-{number}", EICAR) for number in range(3)]
        begun = time.time()
        with self.service.stopped("engine"):
            client.call("start_scan", {"scan_type": "public_html"})
            seen = [self.check_numbers(self.data(signer))]
        self.assertNotEqual(seen[0]["Status"], 100, "it is seen while it is under way")
        self.assertLess(abs(seen[0]["ScanTime"] / 1000 - begun), 60)
        while seen[-1]["Status"] != 100:
            seen.append(self.check_numbers(self.data(signer)))
        order = [0, 10, 100]
        self.assertEqual(sorted((order.index(data["Status"]) for data in seen)),
                         [order.index(data["Status"]) for data in seen])
        self.assertEqual(sorted(int(data["Progress"]) for data in seen), [int(data["Progress"]) for data in seen])
        self.assertEqual(len({data["TaskId"] for data in seen}), 1)
        last = seen[-1]
        self.assertEqual({name: last[name] for name in ("SuspiciousCount", "SuspiciousMachine", "SafeMachine",
                                                        "CompleteMachine", "RiskLevel", "ScanType", "ScanPath")},
                         {"SuspiciousCount": len(infected), "SuspiciousMachine": 1, "SafeMachine": 0,
                          "CompleteMachine": 1, "RiskLevel": "high", "ScanType": "user",
                          "ScanPath": [account.path("public_html")]})

    def test_a_clean_home_is_safe(self):
        account, client, signer = self.new_signer()
        account.write("letter.txt", "Dear Sir or Madam,")
        client.call("start_scan", {"scan_type": "home"})
        last = self.await_end(signer)
        self.assertEqual((last["SafeMachine"], last["SuspiciousCount"], last["ScanPath"]), (1, 0, [account.home]))

    def test_each_sees_its_own(self):
        account, client, signer = self.new_signer()
        account.write("x", EICAR)
        client.call("start_scan", {"scan_type": "home"})
        self.assertEqual(self.await_end(signer)["SuspiciousCount"], 1)
        _, _, other = self.new_signer()
        self.assertEqual(self.data(other), {})
        self.assertEqual(other.call_v3("ListVirusScanMachineEvent").json["Data"], [])

    def test_tasks_and_finds_are_listed(self):
        account, client, signer = self.new_signer()
        paths = [account.write(f"infected {number}", EICAR) for number in range(3)]
        client.call("start_scan", {"scan_type": "home"})
        latest = self.await_end(signer)
        tasks = signer.call_v3("ListVirusScanTask", {"CurrentPage": "1", "PageSize": "10", "Status": "2"}).json
        self.assertEqual(tasks["PageInfo"], {"CurrentPage": 1, "PageSize": 10, "TotalCount": 1})
        self.assertEqual(tasks["List"][0]["TaskId"], latest["TaskId"])
        self.assertEqual(tasks["List"][0]["Progress"], 100)
        events = []
        for page in (1, 2):
            found = signer.call_v1("ListVirusScanMachineEvent", {"CurrentPage": str(page), "PageSize": "2"},
                                   Format="JSON").json
            self.assertEqual(found["PageInfo"]["TotalCount"], 3)
            events += found["Data"]
        self.assertEqual({event["Details"][0]["ValueDisplay"] for event in events}, set(paths))
        self.assertEqual({event["Level"] for event in events}, {"serious"})
        self.assertEqual({event["Details"][0]["ValueDisplay"]: str(event["LastTimeStamp"] // 1000) for event in events},
                         {row["file"]: row["time"] for row in client.call("list_infected_files")})
        machines = signer.call_v3("ListVirusScanMachine").json["Data"]
        self.assertEqual([machine["EventCount"] for machine in machines], [3])
        self.assertEqual(machines[0]["Uuid"], tasks["List"][0]["Uuid"])

    def test_a_scan_is_created(self):
        account, _, signer = self.new_signer()
        account.write("mail/x", EICAR)
        mail = account.path("mail")
        created = signer.call_v3(CREATE, {"ScanType": "user", "ScanPath": [mail]})
        self.assertEqual(created.status, 200, created.body)
        self.assertEqual(set(created.json), {"RequestId"})
        last = self.await_end(signer)
        self.assertEqual((last["ScanType"], last["ScanPath"], last["SuspiciousCount"]), ("user", [mail], 1))
        self.assertEqual(signer.call_v1(CREATE, {"ScanType": "system"}, method="POST").status, 200)
        last = self.await_end(signer)
        self.assertEqual(last["ScanType"], "system")
        self.check_error(signer.call_v3(CREATE, {"ScanType": "user", "ScanPath": ["/etc"]}), 400, "InvalidParameter")
        self.check_error(signer.call_v3(CREATE), 400, "MissingScanType")


class Errors(StatisticsCase):
    def setUp(self):
        self.account, _, self.signer_ = self.new_signer()

    def test_a_request_without_any_proof(self):
        signer = self.signer_
        unsigned = signer.call_v3(GET, authorization=None)
        self.check_error(unsigned, 400, "MissingAccessKeyId")
        self.assertEqual(unsigned.json["Message"], "AccessKeyId is mandatory for this action.")

    def test_what_is_mandatory(self):
        for name in ("AccessKeyId", "Action", "Version", "Timestamp", "SignatureNonce", "SignatureMethod",
                     "SignatureVersion", "Signature"):
            self.check_error(self.signer_.call_v1(GET, Format="JSON", **{name: None}), 400, f"Missing{name}")
        for header, name in (("x_acs_action", "Action"), ("x_acs_version", "Version"), ("x_acs_date", "Timestamp"),
                             ("x_acs_signature_nonce", "SignatureNonce"),
                             ("x_acs_content_sha256", "ContentSha256")):
            self.check_error(self.signer_.call_v3(GET, **{header: None}), 400, f"Missing{name}")

    def test_keys(self):
        key_id, secret = self.service.add_access_key(self.account.name)
        signer = StatisticsClient(self.service.statistics_url, key_id, secret)
        self.assertEqual(signer.call_v3(GET).status, 200)
        for verb, status, code in (("disable", 400, "InvalidAccessKeyId.Inactive"), ("enable", 200, None),
                                   ("remove", 404, "InvalidAccessKeyId.NotFound")):
            self.service.keys(verb, key_id)
            for answer in (signer.call_v3(GET), signer.call_v1(GET, Format="JSON")):
                self.assertEqual((answer.status, answer.code), (status, code))
        listed = self.service.keys("list")
        self.assertNotIn(key_id, listed)
        self.assertIn(f"{self.account.name} active", listed)
        self.assertNotIn(secret, listed)
        self.assertEqual(os.stat(self.service.path("access_keys")).st_mode & 0o777, 0o600)

    def test_time(self):
        for shift in (-16 * 60, 16 * 60):
            self.check_error(self.signer_.call_v3(GET, shift=shift), 400, "InvalidTimeStamp.Expired")
            self.check_error(self.signer_.call_v1(GET, shift=shift, Format="JSON"), 400, "InvalidTimeStamp.Expired")
        for shift in (-14 * 60, 14 * 60):
            self.assertEqual(self.signer_.call_v3(GET, shift=shift).status, 200)
        self.check_error(self.signer_.call_v3(GET, x_acs_date="today"), 400, "InvalidTimeStamp.Format")
        self.check_error(self.signer_.call_v1(GET, Timestamp="2024-02-20", Format="JSON"), 400,
                         "InvalidTimeStamp.Format")

    def test_a_wrong_signature_gets_the_string_to_sign(self):
        wrong = StatisticsClient(self.service.statistics_url, self.signer_.key_id, "wrong")
        for prepared in (wrong.prepare_v3(GET, {"Remark": "a b+c*~/ü'()!"}), wrong.prepare_v1(GET, Format="JSON")):
            answer = self.check_error(wrong.send(prepared), 400, "SignatureDoesNotMatch")
            before, _, text = answer.json["Message"].partition("server string to sign is:")
            self.assertEqual(before, "Specified signature is not matched with our calculation. ")
            self.assertEqual(text, prepared.string_to_sign)

    def test_a_replay_is_refused_also_after_a_restart(self):
        prepared = self.signer_.prepare_v3(GET)
        self.assertEqual(self.signer_.send(prepared).status, 200)
        self.check_error(self.signer_.send(prepared), 400, "SignatureNonceUsed")
        # A wrong signature uses up nothing.
        nonce = "a-nonce-of-mine"
        wrong = StatisticsClient(self.service.statistics_url, self.signer_.key_id, "wrong")
        self.check_error(wrong.call_v3(GET, nonce=nonce), 400, "SignatureDoesNotMatch")
        self.assertEqual(self.signer_.call_v3(GET, nonce=nonce).status, 200)
        self.service.kill("authd")
        self.service.start("authd")
        self.check_error(self.signer_.send(prepared), 400, "SignatureNonceUsed")
        self.check_error(self.signer_.call_v3(GET, nonce=nonce), 400, "SignatureNonceUsed")
        self.assertEqual(self.signer_.call_v3(GET).status, 200)

    def test_action_and_version(self):
        self.check_error(self.signer_.call_v3("DescribeEverything", x_acs_version="1"), 404, "InvalidAction.NotFound")
        self.check_error(self.signer_.call_v3(GET, x_acs_version="2011-01-01"), 400, "InvalidVersion")
        self.check_error(self.signer_.call_v1(GET, Version="2011-01-01", Format="JSON"), 400, "InvalidVersion")

    def test_an_account_that_is_closed(self):
        account, _, signer = self.new_signer()
        self.assertEqual(signer.call_v3(GET).status, 200)
        # That locks the password alone.
        subprocess.run(["usermod", "--lock", account.name], check=True)
        self.assertEqual(signer.call_v3(GET).status, 200)
        self.assertEqual(self.service.client(account).ask("get_scan_status").status, 401)
        subprocess.run(["usermod", "--expiredate", "1", account.name], check=True)
        self.check_error(signer.call_v3(GET), 403, "NoPermission")
        # Whether the account may is asked last.
        self.check_error(signer.call_v3("DescribeEverything"), 404, "InvalidAction.NotFound")

    def test_basic(self):
        client = StatisticsClient(self.service.statistics_url, "", "")
        self.assertEqual(client.call_basic(self.account.name, self.account.password, GET).status, 200)
        wrong = self.check_error(client.call_basic(self.account.name, "wrong", GET), 401, "InvalidCredentials")
        self.assertTrue(wrong.headers["www-authenticate"].startswith("Basic "))
        self.check_error(client.call_basic(self.account.name, self.account.password, "Nothing"), 404,
                         "InvalidAction.NotFound")
        script = client.call_basic(self.account.name, "wrong", GET, headers={"sec-fetch-dest": "empty"})
        self.check_error(script, 401, "InvalidCredentials")
        self.assertNotIn("www-authenticate", script.headers)

    def test_a_page_of_another_site(self):
        client = StatisticsClient(self.service.statistics_url, "", "")
        host = client.host
        for headers in ({"origin": "https://elsewhere.example"}, {"origin": f"https://{host}"}, {"origin": "null"},
                        {"referer": "http://elsewhere.example/"},
                        {"sec-fetch-site": "same-site", "origin": f"http://{host}"}):
            for method in ("GET", "POST"):
                answer = client.call_basic(self.account.name, self.account.password, CREATE, {"ScanType": "system"},
                                           method=method, headers=headers)
                self.check_error(answer, 403, "NoPermission")
                self.assertIn(f"its header {next(iter(headers)).title()}", answer.json["Message"])
            self.assertEqual(client.call_basic(self.account.name, self.account.password, GET,
                                               headers=headers).status, 200)

    def test_xml(self):
        for form in ({"Format": "XML"}, {"Format": None}):
            answer = self.signer_.call_v1(GET, **form)
            self.assertEqual((answer.status, answer.headers["content-type"]), (200, "text/xml;charset=utf-8"))
            self.assertEqual(answer.xml.tag, f"{GET}Response")
            self.assertRegex(answer.xml.find("RequestId").text, UUID)
            error = self.check_error(self.signer_.call_v1("Nothing", **form), 404, "InvalidAction.NotFound")
            self.assertEqual(error.xml.tag, "Error")
            self.assertEqual(error.xml.find("HostId").text, self.service.statistics_url.partition("//")[2])

    def test_one_byte_changed_anywhere(self):
        signer = self.signer_
        for prepare in (lambda: signer.prepare_v3("ListVirusScanMachine", {"Remark": "abc"}, also_signed=("accept",)),
                        lambda: signer.prepare_v1("ListVirusScanMachine", {"Remark": "abc"}, method="POST",
                                                  Format="JSON")):
            self.assertEqual(signer.send(prepare()).status, 200)
            for part in ("target", "body", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce",
                         "x-acs-content-sha256", "authorization", "accept"):
                prepared = prepare()
                whole = {"target": prepared.target, "body": prepared.body}.get(part, prepared.headers.get(part, ""))
                signs_with_headers = "authorization" in prepared.headers
                if len(whole) < 2 or (part not in ("target", "body") and not signs_with_headers):
                    continue
                for place in (-1, len(whole) // 2):
                    answer = signer.send(with_changed_byte(prepare() if place != -1 else prepared, part, place))
                    self.assertIn(answer.status, (400, 404), (part, place, answer.body))
                    self.assertRegex(answer.code, r"^(Signature|Invalid|Missing)", (part, place))

    def test_forms_that_clients_send(self):
        signer = self.signer_
        for answer in (signer.call_v3(GET, {"Remark": "a b"}, space="+"),
                       signer.call_v3(GET, {"Lang": "en"}, parameters_in="body"),
                       signer.send(signer.prepare_v3(GET, {"Lang": "en"}, parameters_in="body"), chunked=True),
                       signer.call_v1(GET, {"RegionId": "", "SignatureType": ""}, method="POST", Format="JSON"),
                       signer.call_v3(GET, also_signed=("accept", "user-agent"),
                                      x_acs_credentials_provider="static_ak"),
                       signer.call_v3(GET, method="POST", content_type="application/octet-stream")):
            self.assertEqual(answer.status, 200, answer.body)

    def test_a_token_of_a_security_token_service_is_not_read(self):
        """Libraries send it beside temporary keys, and sign it."""
        signer = self.signer_
        for token in ("CAIS8wF1q6Ft", "x" * 2000):
            for answer in (signer.call_v1(GET, SecurityToken=token), signer.call_v3(GET, x_acs_security_token=token)):
                self.assertEqual(answer.status, 200, answer.body)
        for prepared in (signer.prepare_v3(GET, x_acs_security_token="a"), signer.prepare_v1(GET, SecurityToken="a")):
            headers = {name: "b" if name == "x-acs-security-token" else value
                       for name, value in prepared.headers.items()}
            target = prepared.target.replace("SecurityToken=a", "SecurityToken=b")
            changed = type(prepared)(**{**vars(prepared), "headers": headers, "target": target})
            self.check_error(signer.send(changed), 400, "SignatureDoesNotMatch")

    def test_other_places_and_methods(self):
        self.check_error(self.signer_.call_v3(GET, method="PUT"), 404, "InvalidAction.NotFound")
        prepared = self.signer_.prepare_v3(GET)
        elsewhere = self.signer_.send(type(prepared)(**{**vars(prepared), "target": "/elsewhere?Action=x"}))
        self.assertEqual((elsewhere.status, elsewhere.json["Code"]), (404, "InvalidAction.NotFound"))
        self.assertEqual(elsewhere.headers["content-type"], "application/json;charset=utf-8")

    def test_too_much(self):
        long = self.signer_.call_v3(GET, method="POST", body=b"x" * (2 * 1024 * 1024))
        self.check_error(long, 413, "RequestTooLarge")


class Throttling(StatisticsCase):
    config = {"statistics": {"max_nonces_per_key": 5}}

    def test_a_key_has_a_limit(self):
        _, _, greedy = self.new_signer()
        for _ in range(5):
            self.assertEqual(greedy.call_v3(GET).status, 200)
        self.check_error(greedy.call_v3(GET), 400, "Throttling.User")
        _, _, other = self.new_signer()
        self.assertEqual(other.call_v3(GET).status, 200)


class Gone(StatisticsCase):
    def test_a_service_that_is_down_is_an_error_of_the_interface(self):
        _, _, signer = self.new_signer()
        self.service.stop("jobd")
        self.check_error(signer.call_v3(GET), 500, "ServerError")
        self.service.start("jobd")
        self.service.stop("authd")
        self.check_error(signer.call_v3(GET), 500, "ServerError")
        self.service.start("authd")
        if self.service.front.spawns_responder:
            return  # it starts another one
        self.service.stop("fcgi")
        gone = signer.call_v3(GET)
        self.assertIn(gone.status, (502, 503))
        self.assertEqual(gone.json["Code"], "ServerError")
        self.assertEqual(gone.headers["content-type"], "application/json;charset=utf-8")
        self.service.start("fcgi")


class RealClients(StatisticsCase):
    """Public client libraries, through their calls for any action."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        install_packages()

    def call(self, signer, what):
        return json.loads(run(["node", "statistics.mjs", self.service.statistics_url, signer.key_id, signer.secret,
                               what]))

    def test_they_see_the_numbers_while_a_scan_runs_and_after(self):
        account, client, signer = self.new_signer()
        for number in range(200):
            account.write(f"{number}.html", clean_page(number))
        account.write("infected", EICAR)
        # For as long as the libraries look, the scan gets no further than its begin.
        with self.service.stopped("engine"):
            client.call("start_scan", {"scan_type": "home"})
            for library, body in self.call(signer, "numbers").items():
                self.assertIn(self.check_numbers(body["Data"])["Status"], (0, 10), library)
        last = self.await_end(signer)
        for library, body in self.call(signer, "numbers").items():
            self.assertEqual(body["Data"], last, library)
        self.assertEqual(last["SuspiciousCount"], 1)
        for lists in self.call(signer, "lists").values():
            self.assertEqual(lists["ListVirusScanTask"]["PageInfo"]["TotalCount"], 1)
            self.assertEqual(lists["ListVirusScanMachine"]["Data"][0]["EventCount"], 1)
            self.assertEqual(lists["ListVirusScanMachineEvent"]["Data"][0]["Details"][0]["ValueDisplay"],
                             account.path("infected"))
        self.assertIn("RequestId", self.call(signer, "create"))
        self.assertEqual(self.await_end(signer)["ScanType"], "system")

    def test_they_recognise_errors(self):
        _, _, signer = self.new_signer()
        wanted = {"unknownKey": (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
                  "wrongSecret": (400, "SignatureDoesNotMatch", "server string to sign is:"),
                  "unknownAction": (404, "InvalidAction.NotFound", "Specified api is not found"),
                  "wrongVersion": (400, "InvalidVersion", "Specified parameter Version is not valid.")}
        for library, cases in self.call(signer, "errors").items():
            for case, (status, code, message) in wanted.items():
                self.assertEqual((cases[case]["status"], cases[case]["code"]), (status, code), (library, case))
                self.assertIn(message, cases[case]["message"], library)


if __name__ == "__main__":
    main()
