"""API tokens, as UAPI's clients use them: made with the password alone, good for their account as long as nothing of it
changes, and in nobody's reach who runs as the account. With curl, with a public client library that can do nothing else,
and behind each web server."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from urllib.parse import urlencode

import accounts
from accounts import Account
from client import wait_until
from service_case import ServiceCase, main
from test_files import EICAR
from web_front import ROOT

DAY = 86400
PACKAGES = os.path.join(ROOT, "tests", "clients", "token")


def bearer(account, token):
    return f"cpanel {account.name}:{token}"


class TokenCase(ServiceCase):
    config = {"login": {"failure_milliseconds": 200}}

    def order(self, client, function, *, method="GET", documented=False, authorization=True, headers=None, **arguments):
        """The answer of a function of the module Tokens."""
        target = ("" if documented else "/execute") + "/Tokens/" + function
        if method != "POST":
            target += "?" + urlencode(arguments) if arguments else ""
            return client.send(method, target, headers=headers, authorization=authorization)
        return client.send("POST", target, json.dumps(arguments).encode(),
                           {"Content-Type": "application/json", **(headers or {})}, authorization=authorization)

    def result(self, client, function, **how):
        answer = self.order(client, function, **how)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.result()

    def data(self, client, function, **how):
        result = self.result(client, function, **how)
        self.assertEqual((result["status"], result["errors"]), (1, None))
        return result["data"]

    def make(self, client, name="one", function="create_full_access", **arguments):
        return self.data(client, function, name=name, **arguments)["token"]

    def tokens(self, client):
        return {row["name"]: row for row in self.data(client, "list")}

    def ask(self, account, token, function="get_scan_status", *, method="GET", **arguments):
        """The answer to a call that brings a token."""
        client = self.service.client(account)
        target = f"/execute/ClamScanner/{function}"
        if method == "POST":
            return client.send("POST", target, json.dumps(arguments).encode(), {"Content-Type": "application/json"},
                               authorization=bearer(account, token))
        return client.send("GET", target + ("?" + urlencode(arguments) if arguments else ""),
                           authorization=bearer(account, token))

    def status(self, account, token, function="get_scan_status", **how):
        return self.ask(account, token, function, **how).status

    def check_refused(self, answer, status, words):
        self.assertEqual(answer.status, status, answer.body)
        result = answer.result()
        self.assertEqual((result["status"], result["data"]), (0, None))
        self.assertRegex(result["errors"][0], words)

    def log(self):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def tokens_file(self, account):
        return self.service.path("authd-state", "tokens", f"{account.name}.tokens")

    def administer(self, *words, status=0):
        done = subprocess.run([self.service.installed_program("clamscanner-tokens"), "--config",
                               self.service.config_file, *words], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def end_processes_of(self, account):
        self.assertTrue(accounts.end_processes_of(account.uid, 20))


class Tokens(TokenCase):
    def test_a_token_is_made_with_the_password_and_does_the_main_job(self):
        account, client = self.new_account()
        infected = account.write("public_html/x.php", EICAR)
        made = self.data(client, "create_full_access", name="panel")
        self.assertRegex(made["token"], "^[A-Z0-9]{32}$")
        self.assertAlmostEqual(made["create_time"], time.time(), delta=60)
        self.assertEqual(made["expires_at"], made["create_time"] + 90 * DAY)
        url = f"http://127.0.0.1:{self.service.front.port}/execute/ClamScanner/"

        def curl(function, *more):
            done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--header",
                                   "Authorization: " + bearer(account, made["token"]), *more, url + function],
                                  capture_output=True, text=True, check=True)
            answer = json.loads(done.stdout)
            self.assertEqual(answer["status"], 1, answer)
            return answer["data"]

        curl("start_scan?scan_type=home")
        wait_until(lambda: curl("get_scan_status")["scan_complete"] == 1, 60, "the scan")
        self.assertEqual([row["file"] for row in curl("list_infected_files")], [infected])
        curl("disinfect_files", "--json", json.dumps({"actions": {infected: "delete"}}))
        wait_until(lambda: curl("check_disinfection_status")["status"] == "done", 60, "the disinfection")
        self.assertFalse(os.path.exists(infected))

    def test_both_envelopes_and_both_methods(self):
        _, client = self.new_account()
        names = []
        for method in ("GET", "POST"):
            for documented in (False, True):
                names.append(f"{method}-{int(documented)}")
                answer = self.order(client, "create_full_access", method=method, documented=documented, name=names[-1])
                self.assertEqual("result" in answer.json(), documented)
                self.assertRegex(answer.result()["data"]["token"], "^[A-Z0-9]{32}$")
        self.assertEqual(sorted(self.tokens(client)), sorted(names))
        form = client.send("POST", "/cpsess0123456789/execute/Tokens/revoke", urlencode({"name": names[0]}).encode(),
                           {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(form.result()["data"], 1)
        self.assertEqual(client.send("HEAD", "/execute/Tokens/list").status, 200)

    def test_the_list_has_the_public_fields_and_ours(self):
        account, client = self.new_account()
        token = self.make(client, "a")
        self.make(client, "b", "create_limited", expires_at=0)
        self.make(client, "c", readonly=1)
        self.assertEqual(self.status(account, token), 200)
        rows = self.tokens(client)
        self.assertEqual([rows[name]["has_full_access"] for name in "abc"], [1, 0, 1])
        self.assertEqual([rows[name]["readonly"] for name in "abc"], [0, 0, 1])
        self.assertEqual([rows[name]["features"] for name in "abc"], [[], ["list", "scan"], []])
        self.assertEqual([rows[name]["state"] for name in "abc"], ["valid"] * 3)
        self.assertIsNone(rows["b"]["expires_at"])
        self.assertEqual(rows["a"]["first_used_from"], "127.0.0.1")
        self.assertAlmostEqual(rows["a"]["last_used"], time.time(), delta=60)
        self.assertEqual([rows["b"][name] for name in ("first_used", "first_used_from", "last_used", "last_used_from")],
                         [None] * 4)
        self.assertNotIn(token, json.dumps(rows))

    def test_rename_and_revoke(self):
        account, client = self.new_account()
        token = self.make(client, "old")
        self.assertIsNone(self.data(client, "rename", name="old", new_name="new"))
        self.assertEqual(list(self.tokens(client)), ["new"])
        self.assertEqual(self.status(account, token), 200)
        self.check_refused(self.order(client, "rename", name="old", new_name="x"), 200, '"name" is "old", which no')
        self.make(client, "other")
        self.check_refused(self.order(client, "rename", name="new", new_name="other"), 200, '"new_name" is "other"')
        self.check_refused(self.order(client, "create_limited", name="other"), 200, '"name" is "other", which another')
        # It was good a moment ago, and everything about the account is remembered.
        self.assertEqual(self.data(client, "revoke", name="new"), 1)
        self.check_refused(self.ask(account, token), 401, "token is wrong")
        self.assertEqual(self.data(client, "revoke", name="new"), 1)  # as in UAPI

    def test_what_is_wrong_is_named(self):
        _, client = self.new_account()
        for arguments, words in (({}, '"name" is missing'), ({"name": ""}, '"name" is ""'),
                                 ({"name": "a b"}, '"name" is "a b"'), ({"name": "x" * 51}, '"name" is "x'),
                                 ({"name": "ä"}, "letters, digits, hyphens and underscores"),
                                 ({"name": "x", "expires_at": "tomorrow"}, '"expires_at" is "tomorrow"'),
                                 ({"name": "x", "expires_at": -1}, '"expires_at" is "-1"'),
                                 ({"name": "x", "expires_at": 1}, '"expires_at" is "1"'),
                                 ({"name": "x", "readonly": "maybe"}, '"readonly" is "maybe"')):
            for method in ("GET", "POST"):
                with self.subTest(arguments, method=method):
                    self.check_refused(self.order(client, "create_full_access", method=method, **arguments), 200, words)
        self.check_refused(self.order(client, "rename", name="x"), 200, '"new_name" is missing')
        self.check_refused(self.order(client, "no_such"), 404, "no function")
        self.check_refused(self.order(client, "list", method="PUT"), 405, "GET, HEAD, POST")
        self.check_refused(self.order(client, "revoke", method="DELETE", name="x"), 405, "GET, POST")
        self.assertEqual(self.tokens(client), {})

    def test_16_tokens_and_no_more(self):
        _, client = self.new_account()
        for number in range(16):
            self.make(client, f"t{number}")
        self.check_refused(self.order(client, "create_full_access", name="more"), 200, "has 16 tokens")
        self.data(client, "revoke", name="t3")
        self.make(client, "more")

    def test_the_header_in_all_its_forms(self):
        account, client = self.new_account()
        token = self.make(client)
        for scheme in ("cpanel ", "CPANEL ", "cPanel   "):
            answer = client.send("GET", "/ClamScanner/get_scan_status", authorization=f"{scheme}{account.name}:{token}")
            self.assertEqual(answer.status, 200, scheme)
        for header in ("cpanel", f"cpanel {account.name}", f"cpanel :{token}", f"cpanel{account.name}:{token}",
                       f"whm {account.name}:{token}", f"Bearer {token}", f"cpanel {account.name} :{token}"):
            answer = client.send("GET", "/ClamScanner/get_scan_status", authorization=header)
            self.assertEqual(answer.status, 401, header)
            self.assertIn("www-authenticate", answer.headers)

    def test_a_limited_token_scans_and_lists(self):
        account, client = self.new_account()
        limited, reads = self.make(client, "l", "create_limited"), self.make(client, "r", readonly=1)
        for token in (limited, reads):
            for function in ("get_scan_paths", "get_scan_status", "list_infected_files", "list_unscanned_files",
                             "list_quarantined_files", "check_disinfection_status"):
                self.assertEqual(self.status(account, token, function), 200, function)
            for function in ("cancel_scan", "disinfect_files", "restore_quarantined_files", "delete_quarantined_files"):
                answer = self.ask(account, token, function, method="POST", actions={"/x": "ignore"}, ids=["0" * 32])
                self.check_refused(answer, 403, f'"{function}" needs the password, or a token made with')
        self.check_refused(self.ask(account, reads, "start_scan", scan_type="home"), 403, "may only read")
        self.check_refused(self.ask(account, limited, "view_infected_file", path="/x"), 403, "start scans and read of them")
        self.assertEqual(self.status(account, reads, "view_infected_file"), 200)
        self.assertEqual(self.ask(account, limited, "start_scan", scan_type="home").result()["status"], 1)
        # Nor may they touch tokens; the read-only one sees them.
        for token, statuses in ((limited, (403, 403, 403, 403)), (reads, (200, 403, 403, 403))):
            orders = (("list", {}), ("rename", {"name": "l", "new_name": "x"}), ("revoke", {"name": "l"}),
                      ("create_full_access", {"name": "x"}))
            self.assertEqual(tuple(self.order(client, function, authorization=bearer(account, token), **arguments).status
                                   for function, arguments in orders), statuses)
        self.assertEqual(set(self.tokens(client)), {"l", "r"})

    def test_a_token_makes_no_token_but_lists_renames_and_revokes(self):
        account, client = self.new_account()
        mine = bearer(account, self.make(client))
        for function in ("create_full_access", "create_limited"):
            self.check_refused(self.order(client, function, authorization=mine, name="x"), 403, "account's password")
        self.data(client, "rename", authorization=mine, name="one", new_name="two")
        self.assertEqual([row["name"] for row in self.data(client, "list", authorization=mine)], ["two"])
        self.assertEqual(self.data(client, "revoke", authorization=mine, name="two"), 1)
        self.check_refused(self.order(client, "list", authorization=mine), 401, "token is wrong")

    def test_an_expired_token_says_so(self):
        account, client = self.new_account()
        expires = int(time.time()) + 20
        token = self.make(client, expires_at=expires)
        self.assertEqual(self.status(account, token), 200)
        time.sleep(max(0, expires + 1 - time.time()))
        self.check_refused(self.ask(account, token), 401, "has expired")
        self.assertEqual(self.tokens(client)["one"]["state"], "expired")

    def test_a_new_password_suspends(self):
        account, client = self.new_account()
        token = self.make(client)
        self.assertEqual(self.status(account, token), 200)
        accounts.change(["chpasswd"], input=f"{account.name}:another-password\n")
        self.check_refused(self.ask(account, token), 401, "suspended")
        client.password = "another-password"
        self.assertEqual(self.tokens(client)["one"]["state"], "suspended")
        self.assertEqual(self.status(account, self.make(client, "two")), 200)

    def test_a_closed_account_has_no_valid_token(self):
        account, client = self.new_account()
        token = self.make(client)
        accounts.change(["usermod", "--expiredate", "1", account.name])
        self.assertIn(self.status(account, token), (401, 403))
        accounts.change(["usermod", "--expiredate", "", account.name])
        self.assertEqual(self.status(account, token), 200)
        accounts.change(["usermod", "--lock", account.name])
        self.assertEqual(self.status(account, token), 401)

    def test_a_held_account_is_asked_to_wait(self):
        account, client = self.new_account()
        token = self.make(client)
        command = [self.service.installed_program("clamscanner-account"), "--config", self.service.config_file]
        subprocess.run([*command, "hold", account.name], check=True, capture_output=True)
        self.assertEqual(self.status(account, token), 503)
        self.assertEqual(self.order(client, "create_full_access", name="two").status, 503)
        subprocess.run([*command, "release", account.name], check=True, capture_output=True)
        self.assertEqual(self.status(account, token), 200)

    def test_the_next_owner_of_the_name_inherits_none(self):
        account, client = self.new_account()
        token = self.make(client)
        self.assertEqual(self.status(account, token), 200)
        self.service.make_room(account)
        self.assertIn(self.status(account, token), (401, 403))
        accounts.add_again(account, account.password)
        self.check_refused(self.ask(account, token), 401, "earlier account")
        self.assertEqual(self.tokens(client), {})
        self.assertEqual(self.status(account, self.make(client)), 200)
        self.assertIn("made for an earlier account", self.log())

    def test_an_account_with_another_name_is_another_account(self):
        account, client = self.new_account()
        token = self.make(client)
        other = Account(f"{account.name}x", account.password, account.home, account.uid, account.gid)
        self.end_processes_of(account)
        accounts.change(["usermod", "--login", other.name, account.name])
        try:
            self.assertEqual(self.status(other, token), 401)
            self.assertNotEqual(self.status(account, token), 200)
            self.assertEqual(self.tokens(self.service.client(other)), {})
        finally:
            self.end_processes_of(account)
            accounts.change(["usermod", "--login", account.name, other.name])
        self.assertEqual(self.status(account, token), 200)

    def test_guesses_are_penalised(self):
        account, client = self.new_account()
        token = self.make(client)
        for name in (account.name, "nobody-of-that-name"):
            attacker = self.service.client(user=name, password="")
            for number in range(10):
                began = time.monotonic()
                answer = attacker.send("GET", "/execute/ClamScanner/get_scan_status",
                                       authorization=f"cpanel {name}:{number:032}")
                self.check_refused(answer, 401, "token is wrong")
                self.assertGreater(time.monotonic() - began, 0.19)
            answer = attacker.send("GET", "/execute/ClamScanner/get_scan_status", authorization=f"cpanel {name}:{'X' * 32}")
            self.check_refused(answer, 429, "too many")
            self.assertIn("retry-after", answer.headers)
        # The password is counted together with them.
        self.assertEqual(self.service.client(user=account.name, password="wrong").ask("get_scan_status").status, 429)
        self.assertEqual(self.status(account, token), 429)  # it was never used from here

    def test_guesses_do_not_shut_out_a_token_that_is_in_use(self):
        account, client = self.new_account()
        token = self.make(client)
        self.assertEqual(self.status(account, token), 200)
        for number in range(10):
            self.assertEqual(self.status(account, f"{number:032}"), 401)
        self.assertEqual(self.status(account, "X" * 32), 429)
        self.assertEqual(self.status(account, token), 200)

    def test_a_page_of_another_site_makes_none(self):
        _, client = self.new_account()
        for method in ("GET", "POST"):
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
                for function, arguments in (("create_full_access", {"name": "x"}), ("revoke", {"name": "x"}),
                                            ("rename", {"name": "x", "new_name": "y"})):
                    answer = self.order(client, function, method=method, headers=headers, **arguments)
                    self.check_refused(answer, 403, "another site")
        self.assertEqual(self.tokens(client), {})

    def test_without_the_password_nothing_is_told_or_done(self):
        account, client = self.new_account()
        stranger = self.service.client(user=account.name, password="wrong")
        for function in ("create_full_access", "create_limited", "list", "rename", "revoke"):
            self.check_refused(self.order(stranger, function, name="x", new_name="y"), 401, "is missing or wrong")
            self.assertEqual(self.order(stranger, function, authorization=None, name="x").status, 401)
        self.assertEqual(self.tokens(client), {})

    def test_uapi_and_the_agent_make_none(self):
        account, client = self.new_account()
        uapi = [self.service.installed_program("uapi"), "--config", self.service.config_file]
        for command, user in (([*uapi, "Tokens", "create_full_access", "name=x"], account),
                              ([*uapi, f"--user={account.name}", "Tokens", "list"], None)):
            setpriv = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"] if user else []
            done = subprocess.run([*setpriv, *command], capture_output=True, text=True, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("over HTTP alone", json.loads(done.stdout)["result"]["errors"][0])
        self.assertEqual(self.tokens(client), {})

    def test_nobody_else_reads_the_files(self):
        account, client = self.new_account()
        self.make(client)
        self.assertTrue(os.path.exists(self.tokens_file(account)))
        directory = os.path.dirname(self.tokens_file(account))
        for uid, gid in ((account.uid, account.gid), *((user.pw_uid, user.pw_gid) for user in self.service.users.values())):
            for command in (["ls", directory], ["cat", self.tokens_file(account)], ["touch", directory + "/x"]):
                done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *command],
                                      capture_output=True, text=True, check=False)
                self.assertNotEqual(done.returncode, 0, (uid, command))

    def test_the_token_itself_is_nowhere(self):
        account, client = self.new_account()
        token = self.make(client)
        self.assertEqual(self.status(account, token), 200)
        found = subprocess.run(["grep", "--recursive", "--text", "--files-with-matches", token,
                                self.service.directory, "/run/clamscanner"], capture_output=True, text=True, check=False)
        self.assertEqual(found.stdout, "")
        with open(self.tokens_file(account), encoding="ascii") as file:
            self.assertIn(hashlib.sha256(token.encode()).hexdigest(), file.read())

    def test_making_and_first_use_are_logged_once(self):
        account, client = self.new_account()
        token = self.make(client, "logged")
        for _ in range(3):
            self.assertEqual(self.status(account, token), 200)
        name = f"the token logged of {account.name} "
        self.assertEqual(len(re.findall(name + r"was made from 127\.0\.0\.1 \(full, expires at \d+\)", self.log())), 1)
        self.assertEqual(len(re.findall(name + r"was used for the first time, from 127\.0\.0\.1", self.log())), 1)

    def test_a_damaged_file_is_said_and_not_written_over(self):
        account, client = self.new_account()
        token = self.make(client)
        with open(self.tokens_file(account), "a", encoding="ascii") as file:
            file.write("half a li")
        self.assertEqual(self.status(account, token), 503)
        for function, arguments in (("create_full_access", {"name": "two"}), ("list", {}), ("revoke", {"name": "one"})):
            self.check_refused(self.order(client, function, **arguments), 200, "damaged")
        self.assertIn(f"no token of {account.name} is valid: ", self.log())
        self.assertEqual(client.ask("get_scan_status").status, 200)
        self.administer("revoke", account.name)
        self.assertEqual(self.status(account, self.make(client)), 200)

    def test_the_administrator_lists_and_revokes(self):
        account, client = self.new_account()
        tokens = [self.make(client, name) for name in ("a", "b", "c")]
        self.assertEqual(self.status(account, tokens[0]), 200)
        listed = self.administer("list", account.name)
        self.assertRegex(listed, r"(?m)^a full made 20\S+Z expires 20\S+Z last used 20\S+Z$")
        self.assertRegex(listed, r"(?m)^b full made 20\S+Z expires 20\S+Z last used never$")
        self.administer("revoke", account.name, "a")
        self.assertEqual([self.status(account, token) for token in tokens], [401, 200, 200])
        self.administer("revoke", account.name, "a", status=os.EX_DATAERR)
        self.administer("revoke", account.name)
        self.assertEqual([self.status(account, token) for token in tokens], [401] * 3)
        self.administer("revoke", "../x", status=os.EX_NOUSER)
        self.assertEqual(self.administer("list", account.name), "")

    def test_a_killed_authd_loses_no_token(self):
        account, client = self.new_account()
        for number in range(3):
            token = self.make(client, f"t{number}")
            self.service.kill("authd")
            self.service.start("authd")
            self.service.wait_until_it_serves(account)
            self.assertEqual(self.status(account, token), 200)
        self.data(client, "revoke", name="t1")
        self.service.kill("authd")
        self.service.start("authd")
        self.service.wait_until_it_serves(account)
        self.assertEqual(set(self.tokens(client)), {"t0", "t2"})


class Configured(TokenCase):
    config = {"login": {"failure_milliseconds": 200},
              "tokens": {"max_per_account": 2, "default_days": 1, "suspend_on_password_change": False}}

    def test_the_configuration_is_heeded(self):
        account, client = self.new_account()
        token = self.make(client)
        row = self.tokens(client)["one"]
        self.assertEqual(row["expires_at"], row["create_time"] + DAY)
        accounts.change(["chpasswd"], input=f"{account.name}:another-password\n")
        self.assertEqual(self.status(account, token), 200)
        client.password = "another-password"
        self.make(client, "two")
        self.check_refused(self.order(client, "create_full_access", name="three"), 200, "has 2 tokens")


class SwitchedOff(TokenCase):
    config = {"tokens": {"enabled": False}}

    def test_none_is_made_or_taken(self):
        account, client = self.new_account()
        self.check_refused(self.order(client, "create_full_access", name="x"), 403, "switched API tokens off")
        self.check_refused(self.ask(account, "X" * 32), 403, "switched API tokens off")


class TokenOnlyClient(TokenCase):
    """A public library of npm's that speaks no password: it comes as TypeScript, and is compiled here."""

    @classmethod
    def setUpClass(cls):
        # Beside node_modules: what is in there, the compiler takes for compiled.
        cls.built = os.path.join(PACKAGES, "built")
        with open(os.path.join(PACKAGES, "package-lock.json"), "rb") as file:
            wanted = hashlib.sha256(file.read()).hexdigest()
        mark = os.path.join(cls.built, wanted)
        if not os.path.exists(mark):
            cls.run_node(["npm", "ci"])
            shutil.rmtree(cls.built, ignore_errors=True)
            shutil.copytree(os.path.join(PACKAGES, "node_modules", "cpanel-uapi", "src"), os.path.join(cls.built, "src"))
            cls.run_node(["unshare", "--net", "node", "node_modules/typescript/bin/tsc", "--outDir", cls.built,
                          "--module", "commonjs", "--target", "es2019", "--esModuleInterop", "--skipLibCheck", "--types",
                          "node", os.path.join(cls.built, "src", "index.ts")])
            open(mark, "w", encoding="ascii").close()
        super().setUpClass()

    @staticmethod
    def run_node(command, **how):
        done = subprocess.run(command, cwd=PACKAGES, capture_output=True, text=True, timeout=300, **how)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def call(self, account, token, *calls):
        """What the library gives for each (module, function, arguments)."""
        order = {"uri": f"http://127.0.0.1:{self.service.front.port}", "username": account.name, "token": token,
                 "calls": calls}
        return json.loads(self.run_node(["node", "calls.cjs", self.built], input=json.dumps(order)))

    def test_it_does_what_tokens_may(self):
        account, client = self.new_account()
        infected = account.write("x", EICAR)
        token = self.make(client, "library")
        started, refused, listed, renamed = self.call(
            account, token, ("ClamScanner", "start_scan", {"scan_type": "home"}),
            ("Tokens", "create_full_access", {"name": "another"}), ("Tokens", "list", None),
            ("Tokens", "rename", {"name": "library", "new_name": "renamed"}))
        self.assertEqual((started["status"], refused["status"], renamed["status"]), (1, 0, 1))
        self.assertIn("password", refused["errors"][0])
        self.assertEqual([row["name"] for row in listed["data"]], ["library"])
        client.finish_scan()
        status, found = self.call(account, token, ("ClamScanner", "get_scan_status", None),
                                  ("ClamScanner", "list_infected_files", None))
        self.assertEqual(status["data"]["scan_complete"], 1)
        self.assertEqual([row["file"] for row in found["data"]], [infected])
        revoked, after = self.call(account, token, ("Tokens", "revoke", {"name": "renamed"}), ("Tokens", "list", None))
        self.assertEqual((revoked["data"], after["status"]), (1, 0))
        self.assertIn("token is wrong", after["errors"][0])


if __name__ == "__main__":
    main()
