"""The Debian package on a Debian 12 with a real systemd: installed, used, disturbed, upgraded, removed, purged. Each test
goes on where the one before it ended. package_test.py PACKAGE, beside which the fleet's package is; tests/package.sh
--test runs it."""

import glob
import json
import os
import re
import shutil
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]
import demo
from client import check_records, wait_until
from container import CannotBoot
from installed import APACHE, DENIAL, NGINX, UNITS, Installed, Patient, fill, upgraded
from simulated_machine import Authority, Machine
from statistics_client import StatisticsClient

PACKAGE = sys.argv.pop() if len(sys.argv) > 1 and sys.argv[-1].endswith(".deb") else ""
README = os.path.join(HERE, "..", "..", "README.md")
FLEETD = "clamscanner-fleetd.service"
CONFIGURATION = "/etc/clamscanner/clamscanner.toml"
PAM = "/etc/pam.d/clamscanner"
MOST_EXPOSED = {"clamscanner-authd.service": 3.1}  # as low as PAM allows
USUALLY_EXPOSED = 2.0
PAGES = 6000
QUARANTINES = 400
STOPS = 20

# A call that a unit's list of system calls lacks usually just fails; here it ends the process, so that it is seen.
DENIED_CALLS_KILL = "[Service]\nSystemCallErrorNumber=kill\n"


# What may stand before a line of an agent's or a runner's.
OF_AN_ACCOUNT = r"(clamscanner-\w+\[\d+\] for \S+: )?"
# How long a turn of jobd's loop took is measured elsewhere, on a machine that is known.
# (No mail server is installed.)
ALWAYS = ["everybody waited while one turn of the loop took ", "a mail failed with status 3: "]
# What a daemon says while another one is away.
WHILE_RESTARTED = ["reference [0-9a-f]+: ", "a job waits: ", "ending the agent of ", "cannot (read|answer) a request: ",
                   "cannot send a reply: ", ".*; what is to be told waits in its outbox"]


def readme_block(first):
    """The commands of the README's block that begins with these words."""
    with open(README, encoding="utf-8") as file:
        lines = file.read().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    " + first))
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith("    "))
    return "\n".join(line[4:] for line in lines[start:end]) + "\n"


class InOrder(unittest.TestLoader):
    def getTestCaseNames(self, case):
        return [name for name in vars(case) if name.startswith("test")]


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = os.path.dirname(os.path.abspath(PACKAGE))
        cls.fleet_package, = glob.glob(os.path.join(place, "clamscanner-fleet_*.deb"))
        try:
            cls.host = cls.enterClassContext(Installed(PACKAGE, cls.fleet_package, place))
        except CannotBoot as reason:
            print(f"SKIPPED: nothing boots here, so the package was not tried: {reason}", file=sys.stderr)
            raise unittest.SkipTest("nothing boots here") from reason

    def setUp(self):
        print(f"\n---- {self._testMethodName.removeprefix('test_').replace('_', ' ')}", flush=True)
        self.expected = []  # patterns of lines of the journal that this test brings about

    def tearDown(self):
        """No denial by a unit's sandbox, and no other fault, goes unnoticed."""
        lines = self.host.new_lines()
        for unit, priority, text in lines:
            print(f"journal: {unit or 'systemd'} <{priority}> {text}")
        lines += self.host.new_kernel_lines()
        wrong = {text for unit, priority, text in lines
                 if DENIAL.search(text) or (priority <= 4 and not any(re.match(OF_AN_ACCOUNT + known, text)
                                                                     for known in ALWAYS + self.expected))}
        self.assertEqual(wrong, set())

    def service_units_run(self):
        for unit in UNITS + ["clamscanner-fcgi.socket"]:
            self.assertTrue(self.host.active(unit), f"{unit} does not run: " + self.host.said(
                "systemctl", "status", "--no-pager", unit, check=False))

    # ---- Installing ------------------------------------------------------------------------------------------------

    def test_installing_leaves_the_service_running(self):
        self.host.run("apt-get", "-q", "-y", "install", "/root/clamscanner.deb")
        self.service_units_run()
        for unit in ("clamscanner-authd", "clamscanner-engine", "clamscanner-jobd", "clamscanner-notifyd",
                     "clamscanner-fcgi.socket"):
            self.assertEqual(self.host.said("systemctl", "is-enabled", unit), "enabled")
        self.assertEqual(self.host.said("stat", "--format=%U:%G %a", "/run/clamscanner/fcgi/fcgi.sock"),
                         "clamscanner-fcgi:clamscanner-web 660")
        self.assertIn("clamscanner-web", self.host.said("id", "--name", "--groups", "www-data").split())

    def test_what_an_administrator_may_change_is_a_conffile(self):
        listed = self.host.said("dpkg-query", "--show", "--showformat=${Conffiles}", "clamscanner")
        conffiles = {line.split()[0] for line in listed.splitlines()}
        for path in (CONFIGURATION, PAM, "/etc/nginx/snippets/clamscanner.conf",
                     "/etc/nginx/snippets/clamscanner-statistics.conf",
                     "/etc/apache2/conf-available/clamscanner-proxy.conf",
                     "/etc/apache2/conf-available/clamscanner-fcgid.conf"):
            self.assertIn(path, conffiles)
        self.assertEqual(self.host.said("dpkg", "--verify", "clamscanner"), "")

    def test_two_lines_and_an_owner_can_scan(self):
        self.host.include(NGINX, NGINX.port, "include snippets/clamscanner.conf;")
        self.host.include(NGINX, NGINX.statistics_port, "include snippets/clamscanner-statistics.conf;")
        self.walk_behind(NGINX)

    def test_apache_does_as_well(self):
        self.host.run("a2enmod", "-q", "headers", "env", "proxy", "proxy_fcgi", "reqtimeout")
        self.host.run("systemctl", "restart", "apache2")
        self.host.include(APACHE, APACHE.port, "Include conf-available/clamscanner-proxy.conf")
        self.host.include(APACHE, APACHE.statistics_port, "Include conf-available/clamscanner-statistics-proxy.conf")
        self.walk_behind(APACHE)

    def walk_behind(self, front):
        """The six steps, and the statistics."""
        self.host.front = front
        account = self.host.add_account()
        demo.fill_home(account, with_infected=True)
        self.host.wait_until_it_serves(account)
        self.assertTrue(demo.walk(self.host, account), "a step was wrong")
        self.host.front = NGINX

    def test_nobody_else_may_speak_to_a_responder(self):
        for user in ("nobody", "clamscanner-jobd"):
            done = self.host.run("setpriv", f"--reuid={user}", "--clear-groups", "--regid=nogroup", "perl", "-MIO::Socket",
                                 "-e", "IO::Socket::UNIX->new('/run/clamscanner/fcgi/fcgi.sock') and exit 7; exit 0",
                                 check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    # ---- The centre of many machines -------------------------------------------------------------------------------

    def host_user_asks(self, action):
        answer = StatisticsClient(self.host.statistics_url, *self.host_user_key).call_v3(action)
        return answer.json if answer.status == 200 else None

    def latest_scan(self):
        """What a host user is told; None while there is no answer."""
        answer = self.host_user_asks("GetVirusScanLatestTaskStatistic")
        return answer and answer["Data"]

    def is_answered_for_this_host(self):
        """Ids of scans of a fleet end with these."""
        data = self.latest_scan()
        return data and not data["TaskId"].endswith("00000000")

    def fleet(self, *words):
        return [json.loads(line) for line in self.host.said("clamscanner-fleet", "--json", *words).splitlines()]

    def test_a_host_user_is_answered_for_the_host(self):
        self.expected = WHILE_RESTARTED
        self.host.run("useradd", "--system", "panel")
        self.host.write("/etc/clamscanner/conf.d/host.toml", '[jobs]\nhost_users = ["panel"]\n')
        self.host.run("systemctl", "restart", "clamscanner-authd", "clamscanner-jobd")
        type(self).host_user_key = self.host.add_access_key("panel")
        # From now on it has an agent, which has read the configuration.
        wait_until(self.is_answered_for_this_host, 30, "an answer for the host")

    def test_what_the_readme_says_makes_it_the_centre_of_a_fleet(self):
        self.expected = WHILE_RESTARTED
        print(self.host.type_in(readme_block("sudo apt install ./build-package/clamscanner-fleet_")))
        self.assertTrue(self.host.active(FLEETD))
        self.assertEqual(self.host.said("systemctl", "is-enabled", FLEETD), "enabled")
        self.assertEqual(self.fleet("list"), [])
        wait_until(lambda: self.latest_scan() == {}, 30, "an agent that knows that there is a fleet, which had no scan yet")
        pid = self.host.shown(FLEETD, "MainPID")
        self.assertEqual(self.host.said("ps", "-o", "user:32=", "-p", pid), "clamscanner-fleetd")
        status = dict(line.split(":\t") for line in self.host.said("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)
        self.assertEqual([int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")],
                         [0, 0, 0, 1, 2])
        table = self.host.said("systemd-analyze", "security", "--no-pager", FLEETD)
        level = float(re.search(r"Overall exposure level for .*: (\d+\.\d)", table)[1])
        print(f"{FLEETD}: {level}")
        self.assertLessEqual(level, USUALLY_EXPOSED)
        self.assertEqual(self.host.said("stat", "--format=%U %a", "/var/lib/clamscanner-fleetd"), "clamscanner-fleetd 700")

    def test_a_machine_of_the_fleet_is_scanned_and_the_host_user_is_answered_for_all(self):
        """The machine is a simulated one, in the container's network; the centre believes the container's certificates."""
        authority = Authority(self.enterContext(tempfile.TemporaryDirectory()))
        machine = Machine("web1", authority.certificate("web1", "DNS:scanner.web1.example"))
        shutil.copy(authority.ca_file, self.host.path("/usr/local/share/ca-certificates/fleet.crt"))
        self.host.run("update-ca-certificates")
        self.host.write("/etc/hosts", "127.0.0.1 localhost scanner.web1.example\n")
        machine.port = 443
        machine.start()
        self.addCleanup(machine.stop)
        self.host.write("/root/key", f"AccessKeyId: {machine.key[0]}\nAccessKeySecret: {machine.key[1]}\n")
        self.host.type_in(readme_block("sudo clamscanner-fleet add-machine").splitlines()[0])
        self.assertEqual(self.host.said("stat", "--format=%U %a", "/var/lib/clamscanner-fleetd/web1.key"),
                         "clamscanner-fleetd 600")
        wait_until(lambda: self.fleet("list")[0]["state"] == "answers", 90, "an answer of the machine")
        self.fleet("scan")
        wait_until(lambda: machine.created == 1, 90, "the order")
        machine.end_scan([("Test.Virus", "/home/a/x"), ("Test.Virus", "/home/a/y")])
        wait_until(lambda: self.fleet("status")[0]["status"] == 100, 90, "the end")
        self.assertEqual(self.fleet("status")[1]["result"], "ok")
        listed = self.host_user_asks("ListVirusScanMachine")
        self.assertEqual([(row["InstanceName"], row["EventCount"]) for row in listed["Data"]], [("web1", 2)])
        self.assertEqual(sorted(row["file"] for row in self.fleet("findings", "web1")), ["/home/a/x", "/home/a/y"])
        self.host.run("clamscanner-fleet", "remove-machine", "web1")
        self.assertEqual(os.listdir(self.host.path("/var/lib/clamscanner-fleetd")), [])

    def test_the_centre_goes_on_after_postgresql_was_restarted(self):
        self.expected = WHILE_RESTARTED + ["PostgreSQL: "]
        self.host.run("systemctl", "restart", "postgresql")
        wait_until(lambda: (data := self.latest_scan()) and data["SuspiciousCount"] == 2, 30, "an answer for the fleet")

    # ---- The units -------------------------------------------------------------------------------------------------

    def test_every_unit_is_as_closed_as_it_can_be(self):
        print(self.host.said("systemd-analyze", "security", "--no-pager", *UNITS[:4]))
        for unit in UNITS:
            table = self.host.said("systemd-analyze", "security", "--no-pager", unit)
            level = float(re.search(r"Overall exposure level for .*: (\d+\.\d)", table)[1])
            print(f"{unit}: {level}")
            self.assertLessEqual(level, MOST_EXPOSED.get(unit, USUALLY_EXPOSED), unit)

    def test_memory_runs_out_for_the_engine_first(self):
        self.assertNotIn(self.host.shown("clamscanner-engine", "MemoryMax"), ("infinity", ""))
        self.assertEqual(self.host.shown("clamscanner-engine", "OOMPolicy"), "continue")
        pid = self.host.shown("clamscanner-engine", "MainPID")
        self.assertEqual(self.host.said("cat", f"/proc/{pid}/oom_score_adj"), "500")

    def test_from_here_on_a_denied_system_call_is_the_end_of_its_process(self):
        self.expected = WHILE_RESTARTED
        for unit in ("clamscanner-authd.service", "clamscanner-jobd.service", "clamscanner-fcgi@.service"):
            directory = self.host.path(f"/etc/systemd/system/{unit}.d")
            os.makedirs(directory)
            with open(f"{directory}/denials.conf", "w", encoding="utf-8") as file:
                file.write(DENIED_CALLS_KILL)
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", *UNITS)
        self.service_units_run()
        self.walk_behind(NGINX)

    # ---- Disturbed -------------------------------------------------------------------------------------------------

    def begin_scan(self):
        self.expected = WHILE_RESTARTED
        account = self.host.add_account()
        infected = fill(account, PAGES, 40)
        self.host.wait_until_it_serves(account)
        client = Patient(self.host.client(account))
        client.call("start_scan", {"scan_type": "home"})
        return client, infected

    def finish_scan(self, client, infected):
        """Nothing was lost: every file has its verdict."""
        status = client.finish_scan()
        print(f"answers that were none: {client.met}; scanned {status['scanned_file_count']}")
        self.assertEqual(status["scanned_file_count"], status["total_file_count"])
        self.assertEqual(status["total_file_count"], PAGES + len(infected))
        self.assertEqual(set(status["infected_files"]), infected)
        self.assertEqual(client.call("list_unscanned_files"), [])

    def test_each_unit_may_be_restarted_in_the_middle_of_a_scan(self):
        client, infected = self.begin_scan()
        for number, unit in enumerate(UNITS):
            print(f"{unit}, at", client.when_scanned(0.05 + 0.1 * number))
            self.host.run("systemctl", "restart", unit)
        self.finish_scan(client, infected)

    def test_each_unit_may_be_restarted_in_the_middle_of_a_disinfection(self):
        self.expected = WHILE_RESTARTED
        account = self.host.add_account()
        infected = fill(account, 0, QUARANTINES)
        self.host.wait_until_it_serves(account)
        client = Patient(self.host.client(account))
        client.call("start_scan", {"scan_type": "home"})
        client.finish_scan()
        client.call("disinfect_files", {"actions": {path: "quarantine" for path in infected}})
        for number, unit in enumerate(UNITS):
            client.when_disinfected(1 + number * QUARANTINES // 10)
            print(f"{unit}, at", client.steps())
            self.host.run("systemctl", "restart", unit)
        steps = check_records(client.finish_disinfection())
        self.assertEqual({path: step["state"] for path, step in steps.items()}, {path: "quarantined" for path in infected})
        kept = [name for name in os.listdir(account.path("quarantine_clamavconnector")) if not name.endswith(".json")]
        self.assertEqual(len(kept), QUARANTINES)
        self.assertFalse(any(os.path.lexists(path) for path in infected))

    def test_each_unit_stops_within_its_time(self):
        client, infected = self.begin_scan()
        client.when_scanned(0.2)
        for unit in reversed(UNITS):
            began = time.monotonic()
            self.host.run("systemctl", "stop", unit)
            took = time.monotonic() - began
            limit = self.host.shown(unit, "TimeoutStopUSec")
            print(f"{unit}: {took:.1f} s of {limit}")
            self.assertLess(took, float(limit.removesuffix("s")))
            self.assertEqual(self.host.shown(unit, "Result"), "success")
        self.host.run("systemctl", "start", *UNITS)
        self.finish_scan(client, infected)

    def test_a_stop_is_never_logged_as_a_fault(self):
        account = self.host.add_account()
        fill(account, 1, 0)
        self.host.wait_until_it_serves(account)
        client = Patient(self.host.client(account))
        for _ in range(STOPS):  # which of the engine's processes ends first is a matter of chance
            client.call("start_scan", {"scan_type": "home"})
            client.finish_scan()
            self.host.run("systemctl", "restart", "clamscanner-engine")

    def test_the_machine_may_be_rebooted_in_the_middle_of_a_scan(self):
        client, infected = self.begin_scan()
        print("reboot, at", client.when_scanned(0.3))
        self.host.reboot()
        self.service_units_run()
        self.assertTrue(self.host.active(FLEETD))
        self.finish_scan(client, infected)

    # ---- Upgrading and removing ------------------------------------------------------------------------------------

    def test_an_upgrade_in_the_middle_of_a_scan_keeps_everything(self):
        with open(self.host.path(CONFIGURATION), "a", encoding="utf-8") as file:
            file.write("# the administrator's own line\n")
        with open(self.host.path(PAM), "a", encoding="utf-8") as file:
            file.write("# the administrator's own line\n")
        with tempfile.TemporaryDirectory() as directory:
            for package, name in ((PACKAGE, "later.deb"), (self.fleet_package, "later-fleet.deb")):
                shutil.copy(upgraded(package, directory), self.host.path(f"/root/{name}"))
        before = {unit: self.host.shown(unit, "MainPID") for unit in UNITS + [FLEETD]}
        socket_since = self.host.shown("clamscanner-fcgi.socket", "ActiveEnterTimestampMonotonic")
        client, infected = self.begin_scan()
        print("upgrade, at", client.when_scanned(0.2))
        with ThreadPoolExecutor() as pool:
            upgrade = pool.submit(self.host.run, "apt-get", "-q", "-y", "install", "/root/later.deb", "/root/later-fleet.deb")
            while not upgrade.done():
                client.call("get_scan_status")
        print("answers during the upgrade:", client.answered, "and", client.met)
        # Nobody came to a responder's socket in vain.
        self.assertGreater(client.answered, 10)
        self.assertLessEqual(set(client.met), {503})
        self.assertIn("+later", self.host.said("dpkg-query", "--show", "--showformat=${Version}", "clamscanner"))
        self.finish_scan(client, infected)
        self.assertEqual(self.host.shown("clamscanner-fcgi.socket", "ActiveEnterTimestampMonotonic"), socket_since)
        for unit in before:
            self.assertNotIn(self.host.shown(unit, "MainPID"), (before[unit], "0"), unit)
        for path in (CONFIGURATION, PAM):
            with open(self.host.path(path), encoding="utf-8") as file:
                self.assertTrue(file.read().endswith("# the administrator's own line\n"), path)

    def test_removing_leaves_configuration_and_records(self):
        self.expected = WHILE_RESTARTED
        self.host.run("apt-get", "-q", "-y", "remove", "clamscanner")
        for unit in UNITS + [FLEETD]:
            self.assertFalse(self.host.active(unit), unit)
        self.assertEqual(self.host.said("pgrep", "--list-full", "clamscanner", check=False), "")
        self.assertTrue(self.host.active("nginx") and self.host.active("apache2"))
        self.assertFalse(os.path.exists(self.host.path("/usr/libexec/clamscanner")))
        for path in (CONFIGURATION, PAM, "/var/lib/clamscanner", "/etc/clamscanner/access_keys"):
            self.assertTrue(os.path.exists(self.host.path(path)), path)
        self.host.run("apt-get", "-q", "-y", "install", "/root/later.deb", "/root/later-fleet.deb")
        self.service_units_run()
        self.assertTrue(self.host.active(FLEETD), "it was switched on before, and is again")
        account = self.host.add_account()
        self.host.wait_until_it_serves(account)

    def test_purging_the_fleet_alone_leaves_a_host_that_speaks_for_itself(self):
        self.expected = WHILE_RESTARTED
        self.host.run("apt-get", "-q", "-y", "purge", "clamscanner-fleet")
        self.assertFalse(self.host.active(FLEETD))
        left = self.host.said("find", "/etc", "/run", "/usr", "/var/lib", "-name", "*fleet*", "-path", "*clamscanner*")
        self.assertEqual(left, "")
        self.assertEqual(self.host.said("getent", "passwd", "clamscanner-fleetd", check=False), "")
        # Its database is PostgreSQL's.
        self.assertIn("clamscanner_fleet", self.host.said("runuser", "-u", "postgres", "--", "psql", "-lqt"))
        wait_until(self.is_answered_for_this_host, 30, "an agent that knows that there is no fleet")

    def test_purging_leaves_nothing(self):
        self.expected = WHILE_RESTARTED
        self.host.run("sed", "-i", "/snippets.clamscanner/d", "/etc/nginx/sites-enabled/panel")
        self.host.run("sed", "-i", "/conf-available.clamscanner/d", "/etc/apache2/sites-available/000-default.conf")
        self.host.run("apt-get", "-q", "-y", "purge", "clamscanner")
        left = self.host.said("find", "/", "-xdev", "-name", "*clamscanner*", "-not", "-path", "/proc/*", "-not", "-path",
                              f"{self.host.homes}*", "-not", "-path", "/root/*", "-not", "-path",
                              "/etc/systemd/system/clamscanner-*.service.d*", "-not", "-path", "/var/cache/apt/*")
        self.assertEqual(left, "")
        self.assertEqual(self.host.said("find", "/run", "-name", "*clamscanner*"), "")
        self.assertEqual(self.host.said("find", "/", "-xdev", "(", "-nouser", "-o", "-nogroup", ")", "-print"), "")
        self.assertEqual(self.host.said("getent", "passwd", "clamscanner-jobd", check=False), "")
        self.assertEqual(self.host.said("getent", "group", "clamscanner-web", check=False), "")
        self.assertFalse(os.path.exists(self.host.path("/usr/bin/uapi")))
        self.host.run("systemctl", "restart", "nginx", "apache2")


if __name__ == "__main__":
    if os.getuid() != 0:
        print("SKIPPED: only root can boot a container", file=sys.stderr)
        sys.exit(0)
    unittest.main(verbosity=2, testLoader=InOrder(), failfast=True)
