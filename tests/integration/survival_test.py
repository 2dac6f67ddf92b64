"""Events that must not end a daemon, or leave it silent: signals that mean something to other programs, and a time
without descriptors."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time

from client import wait_until
from service import DAEMONS
from service_case import ServiceCase, main
from sigkill_test import ROLES
from statistics_client import StatisticsClient
from test_files import EICAR, SlowFiles, clean_page

# Signals that end a process by default. The responder is not sent SIGUSR1, which stops it by FastCGI's convention.
STRAY = (signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)
FILES = 2000
STOPS = 10


class Survival(ServiceCase):
    def log(self):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def processes(self, role):
        return [process for process in self.service.processes() if (process.program, process.depth) == ROLES[role]]

    def check_daemons_run(self):
        for name, process in self.service.running.items():
            self.assertIsNone(process.poll(), f"{name} ended (status {process.returncode})")


class Stops(Survival):
    def test_an_engine_that_stops_leaves_its_workers_no_time_to_complain(self):
        """Nothing in the log looks like a fault that is none."""
        account, client = self.new_account()
        for number in range(FILES):
            account.write(f"{number}.html", clean_page(number))
        met = 0
        for stop in range(STOPS):
            client.call("start_scan", {"scan_type": "home", "full": 1})
            wait_until(lambda: self.processes("worker") or client.call("get_scan_status")["scan_complete"], 30, "a worker")
            met += bool(self.processes("worker"))
            time.sleep(stop % 5 * 0.02)
            self.service.stop("engine")
            self.service.start("engine")
            client.finish_scan()
        self.assertGreater(met, STOPS // 2, "stops beside workers")
        self.assertNotRegex(self.log(), r"clamscanner-engine\[\d+\]: (error|warning: scanning without)")


class Signals(Survival):
    def test_meaningless_signals_end_no_process(self):
        account, client = self.new_account()
        SlowFiles().fill(account, 12)
        account.write("infected", EICAR)
        client.call("start_scan", {"scan_type": "home"})
        # Every kind of process is there for as long as the workers are busy, which begin with the first file.
        wait_until(lambda: self.processes("worker"), 30, "a worker")
        runner, = self.processes("runner")
        os.kill(runner.pid, signal.SIGSTOP)
        wait_until(lambda: client.ask("get_scan_status").status == 200, 30, "an agent")
        before = {process.pid: process.program for process in self.service.processes()}
        self.assertEqual({role for role in ROLES if self.processes(role)}, set(ROLES))
        for number in STRAY:
            for pid, program in before.items():
                if (program, number) != (DAEMONS["fcgi"].program, signal.SIGUSR1):
                    with contextlib.suppress(ProcessLookupError):  # what judges one content does not live long
                        os.kill(pid, number)
        os.kill(runner.pid, signal.SIGCONT)

        wait_until(lambda: client.call("get_scan_status")["scan_complete"], 120, "the scan's end")
        self.assertEqual([row["file"] for row in client.call("list_infected_files")], [account.path("infected")])
        self.check_daemons_run()
        # The job was not repeated by other processes.
        self.assertNotIn("ended without finishing", self.log())
        for name, daemon in DAEMONS.items():
            said = "SIGHUP changes nothing" if name == "fcgi" else "the configuration was read again"
            wait_until(lambda: re.search(rf"{re.escape(daemon.program)}\[\d+\]: info: {said}", self.log()), 20,
                       f"{daemon.program} to say: {said}")

    def test_each_signal_to_stop_stops_a_daemon(self):
        account, _ = self.new_account()
        signals = {name: [signal.SIGINT, signal.SIGQUIT] for name in DAEMONS}
        signals["fcgi"].append(signal.SIGUSR1)
        for name, numbers in signals.items():
            for number in numbers:
                with self.subTest(name, number=number.name):
                    process = self.service.running.pop(name)
                    process.send_signal(number)
                    try:
                        self.assertEqual(process.wait(20), 0)
                    finally:
                        process.kill()
                        self.service.start(name)
        self.service.wait_until_it_serves(account)

    def test_a_hangup_of_a_whole_process_group_ends_nothing(self):
        account, client = self.new_account()
        before = {process.pid for process in self.service.processes()}
        for process in self.service.running.values():
            os.killpg(process.pid, signal.SIGHUP)
        self.assertEqual(client.ask("get_scan_status").status, 200)
        self.assertLessEqual(before, {process.pid for process in self.service.processes()})


class References(Survival):
    def check_logged(self, sentence):
        """What a client may tell the administrator leads to the line about the cause."""
        reference = re.search(r"\(reference ([0-9a-f]{12})\)", sentence)
        self.assertTrue(reference, sentence)
        self.assertRegex(self.log(), rf"error: reference {reference[1]}: .+")

    def test_what_a_client_is_told_stands_in_the_log(self):
        account, client = self.new_account()
        signer = StatisticsClient(self.service.statistics_url, *self.service.add_access_key(account.name))
        for name in ("jobd", "authd"):
            with self.subTest(name):
                self.service.stop(name)
                answer = client.ask("get_scan_status")
                self.assertEqual(answer.status, 503)
                self.check_logged(answer.json()["errors"][0])
                for answer in (signer.call_v3("ListVirusScanTask"), signer.call_v1("ListVirusScanTask", Format="JSON")):
                    self.assertEqual((answer.status, answer.code), (500, "ServerError"))
                    self.check_logged(answer.json["Recommend"])
                self.service.start(name)
                self.service.wait_until_it_serves(account)


class Processes(Survival):
    def test_without_processes_a_job_waits_and_the_signatures_stay(self):
        account, client = self.new_account()
        account.write("infected", EICAR)
        client.call("start_scan", {"scan_type": "home"})
        client.finish_scan()
        for role in ("engine's signature host", "engine"):
            with self.subTest(role):
                length = len(self.log())
                process, = self.processes(role)
                if role == "engine":
                    # Then it has to start the other process, too.
                    os.kill(self.processes("engine's signature host")[0].pid, signal.SIGKILL)
                    wait_until(lambda: not self.processes("engine's signature host"), 20, "its end")
                self.limit_processes(process.pid, 1)
                client.call("start_scan", {"scan_type": "home"})
                # More attempts than a job that has begun would get.
                wait_until(lambda: self.log()[length:].count("a job could not be begun") > 4, 120, "some attempts")
                self.assertEqual([running.pid for running in self.processes(role)], [process.pid])
                self.assertEqual(client.call("get_scan_status")["scan_complete"], 0)
                self.limit_processes(process.pid, 4096)
                client.finish_scan()
                self.assertEqual(len(client.call("list_infected_files")), 1)

    def limit_processes(self, pid, most):
        user = self.service.users["engine"]
        subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "prlimit",
                        "--pid", str(pid), f"--nproc={most}:"], check=True)


class Descriptors(Survival):
    SOCKETS = {"authd": ("run/authd/login.sock", socket.SOCK_SEQPACKET),
               "jobd": ("run/jobd/jobs.sock", socket.SOCK_STREAM),
               "engine": ("run/engine/engine.sock", socket.SOCK_SEQPACKET),
               "fcgi": ("run/fcgi/fcgi.sock", socket.SOCK_STREAM)}

    def starve(self, name):
        """Limits a daemon so that it can open no descriptor, even after it has closed some. Returns what lifts the
        limit."""
        process = self.service.running[name]
        before = self.limit(name)

        def feed():
            if process.poll() is None:
                self.limit(name, before)

        self.limit(name, 3)
        self.addCleanup(feed)
        return feed

    def limit(self, name, soft=None):
        """As the daemon's own user: in a container root may not."""
        user = self.service.users.get(name)
        become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
        change = [f"--nofile={soft}:"] if soft else ["--nofile", "--output=SOFT", "--noheadings", "--raw"]
        done = subprocess.run([*become, "prlimit", "--pid", str(self.service.pid(name)), *change], capture_output=True,
                              text=True, check=True)
        return done.stdout.strip()

    def test_without_descriptors_a_daemon_waits_for_some(self):
        account, client = self.new_account()
        for name, (path, kind) in self.SOCKETS.items():
            with self.subTest(name):
                length = len(self.log())
                feed = self.starve(name)
                with socket.socket(socket.AF_UNIX, kind) as peer:
                    peer.connect(self.service.path(path))
                    wait_until(lambda: re.search(r"accept a connection: Too many open files", self.log()[length:]),
                               20, "it to say what it lacks")
                    self.check_daemons_run()
                    # Clients that are connected already can ask and start jobs, which then wait.
                    if name in ("jobd", "engine"):
                        self.service.add_account()  # so that jobd must look the other up again
                        client.ask("start_scan", {"scan_type": "home"})
                        self.assertIn(client.ask("get_scan_status").status, (200, 503))
                        self.check_daemons_run()
                    feed()
                self.service.wait_until_it_serves(account)
                client.result("start_scan", {"scan_type": "home"})  # unless the one from before still runs
                client.finish_scan(60)
                self.assertNotIn("the account changed", self.log()[length:])
        self.check_daemons_run()

    def test_many_threads_log_it_only_once_a_second(self):
        feed = self.starve("fcgi")
        length = len(self.log())
        begun = time.monotonic()

        def lines():
            return self.log()[length:].count("Too many open files")

        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(self.service.path("run/fcgi/fcgi.sock"))
            wait_until(lambda: lines() >= 3, 30, "a few lines")
        self.assertLessEqual(lines(), time.monotonic() - begun + 2)
        feed()


if __name__ == "__main__":
    main()
