"""One account with very many files: time and memory, which must not grow with them."""

import os
import threading
import time

from measured import own_megabytes, print_table, processor_ms
from service import Service
from test_files import clean_page

FILES_IN_A_DIRECTORY = 1000
SAMPLE_EVERY = 0.25
PAGES = 64  # different beginnings; each file is different by its number


def make_home(account, count):
    pages = [clean_page(number, 2000).encode() for number in range(PAGES)]
    for number in range(count):
        if number % FILES_IN_A_DIRECTORY == 0:
            directory = account.path(f"{number // FILES_IN_A_DIRECTORY:05d}")
            os.mkdir(directory)
            os.chown(directory, account.uid, account.gid)
        path = os.path.join(directory, f"{number:07d}.html")
        with open(path, "wb") as file:
            file.write(pages[number % PAGES] + b"<!-- %d -->" % number)
        os.chown(path, account.uid, account.gid)


class Memory:
    """The most that each kind of process had of its own while the block lasts."""

    def __init__(self, service):
        self.most = {}
        self._service = service
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *fault):
        self._over.set()
        self._thread.join()

    def _sample(self):
        while not self._over.wait(SAMPLE_EVERY):
            for process in self._service.processes():
                kind = f"{process.program} (depth {process.depth})"
                try:
                    self.most[kind] = max(self.most.get(kind, 0.0), own_megabytes(process.pid))
                except OSError:
                    continue  # it ended


def scan(service, client, count, **how):
    daemons = [service.pid(name) for name in ("jobd", "authd")]
    before = sum(map(processor_ms, daemons))
    began = time.monotonic()
    with Memory(service) as memory:
        client.call("start_scan", {"scan_type": "home", **how})
        status = client.finish_scan(3600)
    assert status["total_file_count"] == status["scanned_file_count"] >= count, status
    return {"ms per 1,000 files": (time.monotonic() - began) / count * 1_000_000,
            "processor ms of jobd and authd per 1,000": (sum(map(processor_ms, daemons)) - before) / count * 1000,
            **{f"MB of {kind}": size for kind, size in sorted(memory.most.items())}}


def measure(build, scale):
    columns = []
    with Service(build=build) as service:
        for count in (scale.files // 10, scale.files):
            account = service.add_account("files")
            service.wait_until_it_serves(account)
            client = service.client(account)
            make_home(account, count)
            columns += [(f"{count:,} files, first", scan(service, client, count)),
                        (f"{count:,} files, again", scan(service, client, count))]
    names = list(dict.fromkeys(name for _, values in columns for name in values))
    print_table(("a home with many files", *(name for name, _ in columns)),
                [(name, *(values.get(name, "none") for _, values in columns)) for name in names])
