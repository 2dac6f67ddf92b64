"""The administrator's scan of all accounts."""

import subprocess
import time

from client import wait_until
from measured import print_table, processor_ms
from service import Service
from test_files import clean_page

FILES = 20


def progress(service):
    done = subprocess.run([service.installed_program("clamscanner-scan"), "--config", service.config_file, "--status"],
                          capture_output=True, text=True, check=True)
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


def measure(build, scale):
    rows = []
    with Service(build=build) as service:
        for account in service.add_accounts(scale.accounts, "all"):
            for number in range(FILES):
                account.write(f"{number}.html", clean_page(f"{account.name} {number}", 2000))
        for which in ("first", "again"):
            before = {name: processor_ms(service.pid(name)) for name in ("authd", "jobd", "engine")}
            began = time.monotonic()
            subprocess.run([service.installed_program("clamscanner-scan"), "--config", service.config_file, "--all"],
                           check=True)
            wait_until(lambda: progress(service)["ended"] != "no", 3600, "the end of the scan of all accounts")
            each = (time.monotonic() - began) / scale.accounts * 1000
            rows.append((f"{scale.accounts:,} accounts of {FILES} files, {which}", each,
                         *((processor_ms(service.pid(name)) - before[name]) / scale.accounts for name in before)))
    print_table(("scan of all accounts", "ms an account", "ms of authd", "ms of jobd", "ms of the engine's daemon"), rows)
