"""Nobody gets in without the password, whatever the account's line says; and nothing of a removed account is valid for
the next one with the same name, uid and home."""

import base64
import os
import pwd

import accounts
from service_case import main
from statistics_test import GET, StatisticsCase
from test_files import EICAR


class Passwords(StatisticsCase):
    config = {"login": {"account_failures": 1000, "failure_milliseconds": 50}}

    def status(self, account, password):
        return self.service.client(user=account.name, password=password).ask("get_scan_status").status

    def test_an_empty_password_field_lets_nobody_in(self):
        account, _ = self.new_account()
        accounts.change(["usermod", "--password", "", account.name])
        for password in ("anything", account.password, "x"):
            self.assertEqual(self.status(account, password), 401)
        with open("/etc/shadow", encoding="utf-8") as shadow:
            self.assertIn(f"\n{account.name}::", shadow.read())

    def test_a_locked_password_lets_nobody_in(self):
        account, _ = self.new_account()
        for field in ("!", "*", "!!", "x"):
            accounts.change(["usermod", "--password", field, account.name])
            for password in (account.password, field, "anything"):
                self.assertEqual(self.status(account, password), 401, (field, password))
        accounts.change(["chpasswd"], input=f"{account.name}:{account.password}\n")
        self.assertEqual(self.status(account, account.password), 200)
        accounts.change(["usermod", "--lock", account.name])
        self.assertEqual(self.status(account, account.password), 401)

    def test_a_password_is_right_in_utf_8_and_in_latin_1(self):
        """As btoa() in a browser sends it, and requests in Python when it is given a str."""
        account, _ = self.new_account()
        accounts.change(["chpasswd"], input=f"{account.name}:pässwörd£\n")
        client = self.service.client(account)
        for encoding in ("utf-8", "latin-1"):
            pair = f"{account.name}:pässwörd£".encode(encoding)
            answer = client.send("GET", "/execute/ClamScanner/get_scan_status",
                                 authorization="Basic " + base64.b64encode(pair).decode())
            self.assertEqual(answer.status, 200, encoding)
            answer = client.send("GET", "/execute/ClamScanner/get_scan_status",
                                 authorization="Basic " + base64.b64encode(pair + b"\xe4").decode())
            self.assertEqual(answer.status, 401, encoding)

    def test_a_password_that_must_be_changed_is_not_enough(self):
        account, _ = self.new_account()
        accounts.change(["chage", "--lastday", "0", account.name])
        self.assertEqual(self.status(account, account.password), 403)
        self.assertEqual(self.status(account, "wrong"), 401)


class Rules(StatisticsCase):
    """What PAM's account modules say binds remembered logins, too."""

    def setUp(self):
        with open(self.service.pam_file, encoding="utf-8") as file:
            self.before = file.read()
        self.addCleanup(self.write, self.before)

    def write(self, text):
        with open(self.service.pam_file, "w", encoding="utf-8") as file:
            file.write(text)

    def test_rules_about_addresses_bind_a_remembered_login(self):
        rules = self.service.path("access.conf")
        with open(rules, "w", encoding="utf-8") as file:
            file.write("- : ALL : 127.0.0.2\n")
        self.write(self.before + f"account required pam_access.so accessfile={rules}\n")
        account, client = self.new_account()
        elsewhere = {source: self.service.client(account, source=source) for source in ("127.0.0.2", "127.0.0.3")}
        self.assertEqual(elsewhere["127.0.0.3"].ask("get_scan_status").status, 200)
        for _ in range(3):
            self.assertEqual(elsewhere["127.0.0.2"].ask("get_scan_status").status, 403)
            self.assertEqual(client.ask("get_scan_status").status, 200)

    def test_a_changed_rule_binds_at_once(self):
        _, client = self.new_account()
        self.write(self.before + "account required pam_deny.so\n")
        self.assertEqual(client.ask("get_scan_status").status, 403)
        self.write(self.before)
        self.assertEqual(client.ask("get_scan_status").status, 200)


class FormerOwner(StatisticsCase):
    def check_refused(self, signer):
        for answer in (signer.call_v3(GET), signer.call_v1(GET, Format="JSON")):
            self.check_error(answer, 400, "InvalidAccessKeyId.Inactive")

    def test_a_key_is_not_valid_for_the_next_owner(self):
        account, _, signer = self.new_signer()
        self.assertEqual(signer.call_v3(GET).status, 200)
        self.service.make_room(account)
        self.assertNotEqual(signer.call_v3(GET).status, 200)
        accounts.add_again(account, "another-password")
        self.check_refused(signer)
        self.assertEqual(self.signer(account.name).call_v3(GET).status, 200)
        self.check_refused(signer)
        self.assertIn(f"the key {signer.key_id} was made for an earlier account", self.log())

    def test_nor_is_it_when_the_accounts_lines_are_the_same(self):
        """Accounts whose owner has no password have equal lines, so nothing in them tells."""
        account, _, _ = self.new_signer()
        self.service.make_room(account)
        account = accounts.add_again(account, None)
        signer = self.signer(account.name)
        lines = self.lines(account.name)
        self.assertEqual(signer.call_v3(GET).status, 200)
        self.service.make_room(account)
        accounts.add_again(account, None)
        self.assertEqual(self.lines(account.name), lines)
        self.check_refused(signer)

    def test_what_the_old_owner_had_found_is_not_shown_to_the_next(self):
        account, client, signer = self.new_signer()
        account.write("x", EICAR)
        client.call("start_scan", {"scan_type": "home"})
        self.assertEqual(self.await_end(signer)["SuspiciousCount"], 1)
        self.service.make_room(account)
        account = accounts.add_again(account, "another-password")
        self.assertEqual(self.service.client(account).call("list_infected_files"), [])
        self.assertEqual(self.data(self.signer(account.name)), {})

    def test_a_home_that_moved_needs_another_key(self):
        account, _, signer = self.new_signer()
        moved = account.home + "-moved"
        self.assertTrue(accounts.end_processes_of(account.uid, 20))
        accounts.change(["usermod", "--move-home", "--home", moved, account.name])
        self.check_refused(signer)
        self.assertEqual(self.signer(account.name).call_v3(GET).status, 200)

    def test_a_key_of_an_earlier_version_is_valid_for_nobody(self):
        account, _, signer = self.new_signer()
        self.assertEqual(signer.call_v3(GET).status, 200)
        file = self.service.path("access_keys")
        with open(file, encoding="utf-8") as keys:
            lines = keys.read().splitlines()
        with open(file, "w", encoding="utf-8") as keys:
            keys.writelines(" ".join(line.split()[:4]) + "\n" for line in lines if not line.startswith("#"))
        self.check_refused(signer)
        self.assertEqual(self.signer(account.name).call_v3(GET).status, 200)
        self.check_refused(signer)

    def test_a_host_user_needs_no_home(self):
        name = self.service.host_user.pw_name
        self.assertFalse(os.path.exists(pwd.getpwnam(name).pw_dir))
        self.assertEqual(self.signer(name).call_v3(GET).status, 200)

    def test_an_account_without_a_home_gets_no_key(self):
        account, _ = self.new_account()
        os.rename(account.home, account.home + "-away")
        with self.assertRaisesRegex(RuntimeError, "no home directory"):
            self.service.add_access_key(account.name)

    def lines(self, name):
        found = []
        for file in ("/etc/passwd", "/etc/shadow"):
            with open(file, encoding="utf-8") as lines:
                found += [line for line in lines if line.startswith(f"{name}:")]
        return found

    def log(self):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            return file.read()


if __name__ == "__main__":
    main()
