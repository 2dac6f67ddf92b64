"""When nobody scans, the signatures' memory is freed."""

import contextlib
import random
import time

from client import wait_until
from service_case import ServiceCase, main
from test_files import EICAR, MEBIBYTE

SIGNATURES = "no-signatures"  # the service's signature directory, empty until a test fills it
WORKERS = 2
IDLE_SECONDS = 60
IDLE_BYTES = 30 * MEBIBYTE


class Idle(ServiceCase):
    config = {"engine": {"scan_workers": WORKERS, "idle_minutes": IDLE_SECONDS // 60}}

    def proportional_bytes(self):
        """The memory that all processes of the engine use."""
        total = 0
        for process in self.service.processes("clamscanner-engine"):
            with contextlib.suppress(OSError), open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
        return total

    def test_the_signatures_are_unloaded_when_nobody_scans(self):
        with open(self.service.path(SIGNATURES, "many.hdb"), "w", encoding="ascii") as file:
            file.writelines(f"{random.randbytes(16).hex()}:{1000 + i % 5000}:Many-{i}\n" for i in range(400_000))
        account, client = self.new_account()
        found = account.write("found", EICAR)
        self.assertEqual(client.scan()["infected_files"], [found])
        last_job = time.monotonic()
        self.assertGreater(self.proportional_bytes(), IDLE_BYTES, "signatures so few that they would not be missed")
        wait_until(lambda: len(self.service.processes("clamscanner-engine")) == 1, IDLE_SECONDS + 60, "a small engine")
        took = time.monotonic() - last_job
        print(f"the signatures were let go {took:.1f} s after the last job", flush=True)
        self.assertGreater(took, IDLE_SECONDS / 2, "they were let go too soon")
        self.assertLess(self.proportional_bytes(), IDLE_BYTES)
        self.assertEqual(client.scan()["infected_files"], [found], "and loaded again for the next job")


if __name__ == "__main__":
    main()
