"""Measures what the API costs, through nginx: polls of get_scan_status with a cached login beside a trivial libfcgi
responder in the same run, and polls of a long disinfection beside those of a short one. Trust the ratios, not the
absolute numbers: they are of one machine."""

import os
import re
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

from client import wait_until  # noqa: E402
from nginx_front import NginxFront  # noqa: E402
from service import Service  # noqa: E402

import long_disinfection  # noqa: E402

ROUNDS = 5
SECONDS = 6
CONNECTIONS = 16
THREADS = 64  # what the product's responder has
LONG, SHORT = 1_000_000, 1_000


def trivial_site(service):
    """The shipped snippet once more, for the trivial responder: it is passed the very same parameters."""
    with open(NginxFront.snippet, encoding="utf-8") as file:
        snippet = file.read()
    snippet = re.sub(r"location ~ \S+ {", "location = /trivial {", snippet)
    snippet = re.sub(r"fastcgi_pass unix:[^;]+;", f"fastcgi_pass unix:{service.path('run/fcgi/trivial.sock')};", snippet)
    os.makedirs(service.path("nginx"), exist_ok=True)
    with open(service.path("nginx", "trivial.conf"), "w", encoding="utf-8") as file:
        file.write(snippet)
    return f"include {service.path('nginx')}/trivial.conf;"


def start_trivial_responder(service, body_bytes):
    # The build directory may be one that only root can enter.
    program = shutil.copy(os.path.join(service.build, "tests", "trivial_responder"), service.directory)
    return service.launch([program, service.path("run/fcgi/trivial.sock"), str(THREADS), str(body_bytes)],
                          user=service.users["fcgi"])


def wrk(client, target):
    """Requests a second and the 99th percentile in ms."""
    done = subprocess.run(["wrk", f"-c{CONNECTIONS}", "-t2", f"-d{SECONDS}s", "--latency",
                           "-H", f"Authorization: {client.authorization()}", f"http://127.0.0.1:{client.port}{target}"],
                          capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done:
        raise RuntimeError(done)
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", done).group(1))
    number, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", done).groups()
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def alternate(client, targets):
    """In rounds, one after the other, so that what else the machine does hits all alike: name -> median rate, p99."""
    measured = {name: [] for name in targets}
    for _ in range(ROUNDS):
        for name, target in targets.items():
            measured[name].append(wrk(client, target))
    return {name: tuple(statistics.median(column) for column in zip(*rounds)) for name, rounds in measured.items()}


def row(name, rate, p99, ratio=None):
    print(f"{name:<52}{rate:>10.0f}{p99:>10.2f}{'' if ratio is None else f'{ratio:>8.2f}'}", flush=True)


def main():
    with Service(nginx_more=trivial_site) as service:
        account = service.add_account("bench")
        service.wait_until_it_serves(account)
        client = service.client(account)
        account.write("page.html", "<p>Hello")
        client.scan()
        status = client.ask("get_scan_status").body
        start_trivial_responder(service, len(status))
        wait_until(lambda: client.send("GET", "/trivial").status == 200, 10, "the trivial responder")
        polls = alternate(client, {"trivial": "/trivial", "status": "/execute/ClamScanner/get_scan_status"})

        newest = "/execute/ClamScanner/check_disinfection_status?last_id="
        long = service.add_account("bench")
        short = service.add_account("bench")
        logs = {}
        for owner, records in ((short, SHORT), (long, LONG)):
            service.wait_until_it_serves(owner)
            long_disinfection.plant(service, owner, records)
        for _ in range(ROUNDS):
            for owner, records in ((short, SHORT), (long, LONG)):
                logs.setdefault(records, []).append(wrk(service.client(owner), newest + str(records - 5)))
        logs = {records: tuple(statistics.median(column) for column in zip(*rounds)) for records, rounds in logs.items()}

    print(f"{CONNECTIONS} connections through nginx, medians of {ROUNDS} rounds of {SECONDS} s\n")
    print(f"{'':<52}{'req/s':>10}{'p99 ms':>10}{'ratio':>8}")
    row("trivial libfcgi responder", *polls["trivial"])
    row("get_scan_status, login cached", *polls["status"], polls["status"][0] / polls["trivial"][0])
    row(f"check_disinfection_status near the end of {SHORT}", *logs[SHORT])
    row(f"check_disinfection_status near the end of {LONG}", *logs[LONG], logs[SHORT][0] / logs[LONG][0])
    print("\nThe last ratio is how much longer the long one takes.")


if __name__ == "__main__":
    main()
