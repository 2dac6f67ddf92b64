"""What nginx/demo.sh and apache/demo.sh do: the main job over HTTP, comparing every answer with what really happened to
the files. With --serve, only the service runs, until a signal comes."""

import argparse
import contextlib
import http.client
import json
import os
import signal
import sys

from client import check_records, log_is_whole, wait_until
from service import FRONTS, Service
from statistics_client import StatisticsClient
from test_files import EICAR, clean_page, eicar_zip

LOG_NAME = ".clamavconnector.disinfection.log"
QUARANTINE = "quarantine_clamavconnector"
INFECTED = {  # path below the home: content, what the owner decides
    "public_html/uploads/image.php": (EICAR, "delete"),
    "public_html/uploads/invoice.zip": (eicar_zip(), "delete"),
    "mail/new/Your parcel.eml": (EICAR, "quarantine"),
    "documents/test virus.txt": (EICAR, "ignore"),
}
BECOMES = {"delete": "deleted", "quarantine": "quarantined", "ignore": "no-action"}
CLEAN_PAGES = 400


def say(text=""):
    print(text, flush=True)


def progress_note(text):
    print(f"demo: {text}", file=sys.stderr, flush=True)


def fill_home(account, with_infected):
    for number in range(CLEAN_PAGES):
        account.write(f"public_html/page-{number:03}.html", clean_page(number))
    account.write("documents/letter.txt", "Dear Sir or Madam,\n")
    account.write("mail/cur/welcome.eml", "Subject: Welcome\n\nHello.\n")
    if with_infected:
        for relative, (content, _) in INFECTED.items():
            account.write(relative, content)


class Checks:
    def __init__(self):
        self.failed = []

    def that(self, holds, what):
        if not holds:
            self.failed.append(what)
            say(f"  WRONG: {what}")


class Exchange:
    """Prints each request and answer; a poll that repeats itself only when it is asked to."""

    def __init__(self):
        self.quiet = False

    def __call__(self, method, target, body, answer):
        if self.quiet:
            return
        say(f"> {method} {target}")
        say("> Authorization: Basic …")
        if body:
            say(f"> {_shortened(json.dumps(json.loads(body), indent=2)).replace(chr(10), chr(10) + '> ')}")
        say(f"< {answer.status} {answer.headers.get('content-type', '')}")
        say(f"< {_shortened(json.dumps(answer.json(), indent=2)).replace(chr(10), chr(10) + '< ')}")
        say()


def _shortened(text, lines=60):
    rows = text.split("\n")
    return text if len(rows) <= lines else "\n".join(rows[:lines] + [f"… {len(rows) - lines} more lines"])


class ProgressBar:
    WIDTH = 40

    def __init__(self):
        self._on_terminal = sys.stdout.isatty()
        self._last = None

    def show(self, done, total, text):
        filled = self.WIDTH * done // total if total else 0
        line = f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {done}/{total} {text}"
        if line == self._last:
            return
        self._last = line
        print(f"\r{line[:110]:<110}" if self._on_terminal else line, end="" if self._on_terminal else "\n", flush=True)

    def end(self):
        if self._on_terminal:
            say()


def step(number, title):
    say(f"==== {number}. {title} " + "=" * max(0, 90 - len(title)))


def watch_scan(client, exchange):
    bar = ProgressBar()

    def ended():
        status = client.call("get_scan_status")
        bar.show(status["scanned_file_count"], status["total_file_count"], os.path.basename(status["current_file"]))
        return status["scan_complete"] == 1

    exchange.quiet = True
    wait_until(ended, 300, "the scan's end")
    bar.end()
    exchange.quiet = False
    return client.call("get_scan_status")


def watch_disinfection(client, exchange):
    exchange.quiet = True
    client.finish_disinfection(300)
    exchange.quiet = False
    return client.call("check_disinfection_status", documented=True)


def read_log(path, checks):
    with open(path, "rb") as file:
        content = file.read()
    say(f"{path}:")
    say(content.decode("utf-8", "replace"))
    checks.that(content.endswith(b"\n"), "the log's last line is whole")
    return [json.loads(line) for line in content.splitlines()]


def check_home(account, checks):
    """What became of each file, from the file system's own word: path -> what it is now."""
    became = {}
    quarantine = account.path(QUARANTINE)
    kept = os.listdir(quarantine) if os.path.isdir(quarantine) else []
    captured = []
    for name in kept:
        with open(os.path.join(quarantine, name), "rb") as file:
            if file.read() == EICAR:
                captured.append(name)
    for relative, (content, action) in INFECTED.items():
        path = account.path(relative)
        if action == "ignore":
            with open(path, "rb") as file:
                untouched = file.read() == content
            checks.that(untouched, f"{relative} has been ignored and is as it was")
            became[relative] = "as it was"
            continue
        checks.that(not os.path.lexists(path), f"{relative} is gone")
        became[relative] = "gone"
        if action == "quarantine":
            checks.that(len(captured) == 1, "one file is in the quarantine")
            checks.that(all(os.path.basename(relative) not in name for name in kept), "under an opaque name")
            became[relative] = f"{QUARANTINE}/{captured[0]}" if captured else "lost"
    return became


def walk(service, account):
    checks = Checks()
    exchange = Exchange()
    client = service.client(account)
    client.seen = exchange
    infected = {account.path(relative): action for relative, (_, action) in INFECTED.items()}

    say(f"The service is at http://127.0.0.1:{service.front.port}; the account is {account.name}, its home "
        f"{account.home}")
    say("That address is the service's own: where an account's content is served, a hacked site's page would be of the "
        "same\norigin, and could do what the account's owner may.\n")
    check_origin(service, account, checks)

    step(1, "Log in, and ask what may be scanned")
    wrong = service.client(user=account.name, password="wrong")
    wrong.seen = exchange
    checks.that(wrong.ask("get_scan_paths").status == 401, "a wrong password is refused")
    paths = {entry["id"] for entry in client.call("get_scan_paths")}
    checks.that(paths == {"home", "mail", "public_html"}, "the directories that exist are offered")

    step(2, "Start a scan")
    client.call("start_scan", {"scan_type": "home"}, documented=True)

    step(3, "Watch it")
    status = watch_scan(client, exchange)
    checks.that(set(status["infected_files"]) == set(infected), "the infected files are found, and no others")
    checks.that(status["scanned_file_count"] == status["total_file_count"], "every file is accounted for")
    checks.that(status["total_file_count"] >= CLEAN_PAGES + 2 + len(INFECTED), "every file is counted")

    step(4, "List what was found")
    listed = client.call("list_infected_files", documented=True)
    viruses = {entry["file"]: entry["virus_type"] for entry in listed}
    checks.that(set(viruses) == set(infected) and len(listed) == len(infected), "each infected file is listed once")

    step(5, "Decide, and disinfect")
    queued = client.call("disinfect_files", {"actions": infected})
    checks.that(queued["log"] == account.path(LOG_NAME), "the log's place is named")

    step(6, "Watch it")
    disinfection = watch_disinfection(client, exchange)
    steps = check_records(disinfection["details"])
    checks.that({path: entry["state"] for path, entry in steps.items()} ==
                {path: BECOMES[action] for path, action in infected.items()}, "one step a file, as asked")
    checks.that(disinfection["details"][-1]["state"] == "info", "it ended, and says that a file was left alone")

    step(7, "Ask for the statistics, as a program with an access key")
    check_statistics(service, account, checks)

    step("Afterwards", "the home")
    wait_until(lambda: log_is_whole(queued["log"]), 30, "the log in the home")
    checks.that(read_log(queued["log"], checks) == disinfection["details"], "the log in the home says the same")
    became = check_home(account, checks)
    left = {entry["file"] for entry in client.call("list_infected_files")}
    checks.that(left == {path for path, action in infected.items() if action == "ignore"}, "the ignored one is listed")

    say(f"{'file':<36} {'found as':<34} {'asked':<11} {'step':<12} now")
    for relative, (_, action) in INFECTED.items():
        path = account.path(relative)
        say(f"{relative:<36} {viruses.get(path, '-'):<34} {action:<11} {steps.get(path, {}).get('state', '-'):<12} "
            f"{became[relative]}")
    say()
    say("Every step was right." if not checks.failed else "WRONG:\n  " + "\n  ".join(checks.failed))
    return not checks.failed


def check_origin(service, account, checks):
    """Nothing of the home is served beside the service."""
    page = clean_page(0)
    page = page if isinstance(page, bytes) else page.encode()
    for port in (service.front.port, service.front.statistics_port):
        for directory in ("", f"/~{account.name}", f"/{account.name}", account.home, "/public_html"):
            for relative in ("/page-000.html", "/public_html/page-000.html"):
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                    connection.request("GET", directory + relative)
                    checks.that(page not in connection.getresponse().read(), f"{directory + relative} is not served")


def check_statistics(service, account, checks):
    signer = StatisticsClient(service.statistics_url, *service.add_access_key(account.name))
    request = signer.prepare_v3("GetVirusScanLatestTaskStatistic")
    say(f"> {request.method} {service.statistics_url}{request.target}")
    for name, value in request.headers.items():
        say(f"> {name}: {value}")
    answer = signer.send(request)
    say(f"< {answer.status} {answer.headers.get('content-type', '')}")
    say(f"< {json.dumps(answer.json, indent=2).replace(chr(10), chr(10) + '< ')}")
    say()
    data = answer.json.get("Data", {})
    checks.that(answer.status == 200, "the signed request is answered")
    checks.that(data.get("SuspiciousCount") == len(INFECTED), "every infected file is counted")
    checks.that((data.get("Status"), data.get("Progress")) == (100, "100"), "the scan has ended")
    checks.that((data.get("CompleteMachine"), data.get("SafeMachine")) == (1, 0), "complete, and not safe")
    checks.that(signer.send(request).code == "SignatureNonceUsed", "the same request is refused when it comes again")


def serve(service, account):
    key_id, secret = service.add_access_key(account.name)
    say(json.dumps({"url": f"http://127.0.0.1:{service.front.port}", "user": account.name,
                    "password": account.password, "home": account.home, "statistics_url": service.statistics_url,
                    "access_key_id": key_id, "access_key_secret": secret}, separators=(", ", ": ")).replace(
                        '{"url": ', '{"url":', 1))
    while True:
        signal.pause()


class Stopped(BaseException):
    """SIGTERM or SIGINT came."""


class StopOnce:
    """The first signal ends the work; those that follow must not end the cleaning up."""

    def __init__(self):
        self._stopping = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number, frame):
        if not self._stopping:
            self._stopping = True
            raise Stopped


def main():
    options = argparse.ArgumentParser(prog="demo.sh")
    options.add_argument("--front", choices=FRONTS, required=True)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--serve", action="store_true")
    given = options.parse_args()
    StopOnce()
    try:
        with Service(front=given.front, port=given.port, tell=progress_note) as service:
            account = service.add_account()
            fill_home(account, with_infected=not given.serve)
            service.wait_until_it_serves(account)
            if given.serve:
                serve(service, account)
            right = walk(service, account)
    except Stopped:
        progress_note("stopped, and cleaned up")
        return 0 if given.serve else 130
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
