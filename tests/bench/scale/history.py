"""What the lists of the statistics cost with a year's history of a big host."""

import contextlib
import os
import random
import sqlite3
import subprocess
import time

from measured import print_table, processor_ms
from service import Service
from statistics_client import StatisticsClient

LISTS = 40
ACCOUNTS = 2000
PASSWORD = "a-password-for-lists"


def plant_history(service, tasks):
    state = service.path("state")
    service.stop("jobd")
    with contextlib.closing(sqlite3.connect(os.path.join(state, "jobs.sqlite"))) as database, database:
        owner = database.execute("SELECT max(id) FROM account").fetchone()[0]
        database.executemany("INSERT INTO account(uid, name, home, file_system, inode, born_ns) VALUES(?, ?, ?, 0, 0, 0)",
                             ((60_000 + i, b"u%d" % i, b"/home/u%d" % i) for i in range(ACCOUNTS)))
        first = database.execute("SELECT max(id) FROM account").fetchone()[0] - ACCOUNTS + 1
        # Half of them are those of one account.
        now = int(time.time() * 1000)
        rows = ((owner if i % 2 else first + i // 2 % ACCOUNTS, random.choice((1, 1, 2, 3)), now - 37_000 * (tasks - i))
                for i in range(tasks))
        database.executemany("INSERT INTO task(account, kind, state, outcome, created_ms, ended_ms, "
                             "ended_running_ms, starts, pruned, walked, total_files, scanned_files) "
                             "VALUES(?, 0, 2, ?, ?3, ?3 + 9000, 0, 1, 2, 1, 20, 20)", rows)
    for name in os.listdir(state):
        if name.startswith("jobs.sqlite"):
            user = service.users["jobd"]
            os.chown(os.path.join(state, name), user.pw_uid, user.pw_gid)
    began = time.monotonic()
    service.start("jobd")
    return (time.monotonic() - began) * 1000


def measure(build, scale):
    with Service(build=build, with_host_user=True) as service:
        account = service.add_account("history")
        service.wait_until_it_serves(account)
        service.client(account).scan()
        costs = [("start of jobd (wall clock)", plant_history(service, scale.tasks))]
        host = service.host_user.pw_name
        subprocess.run(["chpasswd"], input=f"{host}:{PASSWORD}", text=True, check=True)
        signer = StatisticsClient(service.statistics_url, "", "")
        pages = {"the first page": {"CurrentPage": 1}, "a page in the middle": {"CurrentPage": scale.tasks // 400},
                 "by status and type": {"Status": 3, "ScanType": "user", "CurrentPage": 50},
                 "a time in the middle": {"StartTime": int(time.time() * 1000) - 18_500 * scale.tasks}}
        for whose, user, password in (("host", host, PASSWORD), ("account", account.name, account.password)):
            for name, parameters in pages.items():
                before = processor_ms(service.pid("jobd"))
                for _ in range(LISTS):
                    answer = signer.call_basic(user, password, "ListVirusScanTask", {"PageSize": 100, **parameters})
                    assert answer.status == 200, answer.body
                costs.append((f"{whose}: {name}", (processor_ms(service.pid("jobd")) - before) / LISTS))
    print_table((f"list of the statistics, {scale.tasks:,} tasks", "processor ms of jobd"), costs)
