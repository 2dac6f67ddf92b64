"""What a whole host costs and who waits for whom: long jobs beside another account's polls, a year's history, a home of
very many files, very many owners, a scan of all accounts, and kills at random. Run as root; --small takes about five
minutes. Trust ratios, counts and processor time: the latencies are of one machine, and all else that runs there is in
them. A wrong answer ends the run with an error."""

import argparse
import os
import time
from dataclasses import dataclass

import measured  # first: it finds the modules of the integration tests
import all_accounts
import history
import kills
import long_jobs
import many_files
import many_owners

PARTS = {"long_jobs": long_jobs, "history": history, "many_files": many_files, "many_owners": many_owners,
         "all_accounts": all_accounts, "kills": kills}


@dataclass(frozen=True)
class Scale:
    unreadable: int
    infected: int
    actions: int
    tasks: int
    files: int
    owners: tuple  # how many, and agents.max_agents
    settled_seconds: int
    accounts: int
    kill_seconds: int


FULL = Scale(unreadable=100_000, infected=30_000, actions=450_000, tasks=830_000, files=300_000,
             owners=((200, 200), (1000, 200), (1000, 1000)), settled_seconds=60, accounts=2000, kill_seconds=600)
SMALL = Scale(unreadable=10_000, infected=1_000, actions=50_000, tasks=200_000, files=10_000, owners=((50, 200),),
              settled_seconds=10, accounts=50, kill_seconds=40)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(measured.ROOT, "build"))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these of {', '.join(PARTS)}")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        began = time.monotonic()
        PARTS[name].measure(options.build, SMALL if options.small else FULL)
        print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
