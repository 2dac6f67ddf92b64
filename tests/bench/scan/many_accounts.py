"""What a host costs whose accounts have the same applications: the scans of all of them, beside one clamd that scans all
their homes, with the same signatures and limits, all warm in the page cache. First, again, and the day after with one
new signature; or, with --unlike, of accounts with no two files alike. With --in-turn, each account's first scan after that
of the one before. Run as root. Trust the ratios, not the absolute times."""

import argparse
import contextlib
import hashlib
import os
import resource
import shutil
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

import home  # noqa: E402
import run  # noqa: E402
from clamav_tools import Clamd  # noqa: E402
from report import Report, Row  # noqa: E402
from run import tell  # noqa: E402
from scan_service import Owner, ScanService  # noqa: E402
from signatures import EICAR, EICAR_NAME  # noqa: E402

FIRST, AGAIN, DAY_AFTER = "first", "again", "the day after, one new signature"
PHASES = (FIRST, AGAIN, DAY_AFTER)
RELOAD_SECONDS = 300
OWN_FILES = 3


# ---- Homes -----------------------------------------------------------------------------------------------------------

def prepare_application(options, work):
    """The files of some web applications, as Debian packages them."""
    def make(directory):
        packages = home._download(options.applications, os.path.join(work, "downloads"))
        for package, file in packages.items():
            staging = directory + ".unpacked"
            shutil.rmtree(staging, ignore_errors=True)
            run.subprocess.run(["dpkg-deb", "--extract", file, staging], check=True)
            listing = [(path, os.path.join(package, relative))
                       for path, relative in home._regular_files(os.path.join(staging, "usr"))]
            home._copy(listing, os.path.join(directory, "public_html"))
            shutil.rmtree(staging)

    return run.once(os.path.join(work, "application-" + "-".join(options.applications)), make)


def make_home(application, tree, number, unlike):
    shutil.copytree(application, tree)
    if unlike:
        for path in run.files_of(tree):
            with open(path, "ab") as file:
                file.write(f"\n<!-- {number} -->\n".encode())
    for own in range(OWN_FILES):
        with open(os.path.join(tree, f"own{own}.html"), "w", encoding="utf-8") as file:
            file.write(f"<html><body>of account {number}, number {own}, alone\n")
    with open(os.path.join(tree, "test.com"), "wb") as file:
        file.write(EICAR)


# ---- The benchmark ---------------------------------------------------------------------------------------------------

class ManyAccounts:
    def __init__(self, options, place, application, signatures):
        self.options = options
        self.place = place
        self.application = application
        self.signatures = signatures
        self.ours = {phase: [] for phase in PHASES}
        self.theirs = {phase: [] for phase in PHASES}
        self.work = {phase: [] for phase in PHASES}
        self.differences = []
        self.size = None
        self.found = {}
        self.in_turn = [[] for _ in range(options.accounts)]
        self.updates = 0

    def run(self):
        for number in range(self.options.rounds):
            homes = os.path.join(self.place, f"homes{number}")
            os.mkdir(homes, 0o755)
            trees = [os.path.join(homes, f"home{account}") for account in range(self.options.accounts)]
            for account, tree in enumerate(trees):
                make_home(self.application, tree, f"{number}-{account}", self.options.unlike)
            self.size = run.measure_tree(homes)
            if self.options.in_turn:
                self._service_in_turn(homes, trees)
                shutil.rmtree(homes)
                continue
            contenders = [self._clamd, self._service]
            self.found = {phase: [] for phase in PHASES}
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                contender(homes, trees)
            self._compare(number)
            shutil.rmtree(homes)
        return self._rows()

    def _new_signature(self, signatures):
        self.updates += 1
        content = f"day {self.updates}\n".encode()
        fresh = os.path.join(self.place, "fresh.hdb")
        with open(fresh, "w", encoding="ascii") as file:
            file.write(f"{hashlib.md5(content).hexdigest()}:{len(content)}:Day-{self.updates}\n")
        os.replace(fresh, os.path.join(signatures, "day.hdb"))
        return content

    def _clamd(self, homes, _):
        with Clamd(self.signatures, self.place) as clamd:
            for phase in PHASES:
                if phase == DAY_AFTER:
                    self._new_signature(self.signatures)
                    clamd.reload()
                run.read_all(homes)
                seconds, found = clamd.scan(homes)
                self.theirs[phase].append(seconds)
                self.found[phase].append(found)
                tell(f"clamd, {phase}: {seconds:.2f} s")

    @contextlib.contextmanager
    def _started(self, trees):
        config = {"paths": {"signature_directory": self.signatures},
                  "engine": dict(pair.split("=") for pair in self.options.engine)}
        config["engine"] = {key: int(value) if value.isdigit() else value == "true"
                            for key, value in config["engine"].items()}
        with contextlib.ExitStack() as stack:
            service = stack.enter_context(ScanService(build=self.options.build, front="nginx", config=config))
            prime = service.add_account("prime")
            prime.write("page.html", "<p>Hello")
            primer = stack.enter_context(Owner(service, prime))
            primer.scan()
            owners = []
            for tree in trees:
                account = service.add_account("bench", home=tree)
                run.subprocess.run(["chown", "-R", "--no-dereference", f"{account.uid}:{account.gid}", tree], check=True)
                os.chmod(tree, 0o700)
                owners.append(stack.enter_context(Owner(service, account)))
            os.sync()
            yield service, primer, owners
            # Of a judge that cannot judge, for instance: then all is scanned for each account.
            for line in service.warnings():
                tell(line)

    def _service(self, homes, trees):
        with self._started(trees) as (service, primer, owners):
            for phase in PHASES:
                if phase == DAY_AFTER:
                    self._update(service, primer)
                run.read_all(homes)
                time.sleep(run.SETTLED_SECONDS)
                before = engine_seconds(service)
                seconds = self._scan_all(owners)
                self.ours[phase].append(seconds)
                self.work[phase].append(engine_seconds(service) - before)
                tell(f"service, {phase}: {seconds:.2f} s, {self.work[phase][-1]:.2f} s of processor time")
                self.found[phase].append(self._found_by(owners))

    def _service_in_turn(self, homes, trees):
        with self._started(trees) as (service, primer, owners):
            time.sleep(run.SETTLED_SECONDS)
            primer.scan()  # by now there is a judge
            run.read_all(homes)
            for number, owner in enumerate(owners):
                before = engine_seconds(service)
                seconds = self._scan_all([owner])
                self.in_turn[number].append(seconds)
                tell(f"account {number + 1}: {seconds:.2f} s, {engine_seconds(service) - before:.2f} s of processor time")
                self._require(owner, trees[number])

    def _require(self, owner, tree):
        found = {path: name.removesuffix(".UNOFFICIAL") for path, name in self._found_by([owner]).items()}
        if found != {os.path.join(tree, "test.com"): EICAR_NAME}:
            self.differences.append(f"found in {tree}, where the test virus is: {found}")

    def _update(self, service, primer):
        self._new_signature(self.signatures)
        loaded = service.times_loaded()
        primer.scan()  # with the old ones; it has the new ones loaded
        deadline = time.monotonic() + RELOAD_SECONDS
        while service.times_loaded() == loaded:
            if time.monotonic() > deadline:
                raise RuntimeError("the new signature was not loaded")
            time.sleep(0.1)
        time.sleep(2)
        primer.scan()

    @staticmethod
    def _scan_all(owners):
        begun = time.monotonic()
        for owner in owners:
            owner.start_scan()
        for owner in owners:
            owner.connect_anew()
            while not owner.has_finished():
                time.sleep(0.02)
        return time.monotonic() - begun

    @staticmethod
    def _found_by(owners):
        found = {}
        for owner in owners:
            owner.connect_anew()
            found |= owner.found()
        return found

    def _compare(self, number):
        """What the two found, by path and name."""
        for phase, both in self.found.items():
            one, other = ({path: name.removesuffix(".UNOFFICIAL") for path, name in found.items()} for found in both)
            self.differences += [f"round {number + 1}, {phase}: {path}: {one.get(path)} and {other.get(path)}"
                                 for path in sorted({*one, *other}) if one.get(path) != other.get(path)]

    def _rows(self):
        if self.options.in_turn:
            return [Row(f"service, account {number + 1}, first", seconds) for number, seconds in enumerate(self.in_turn)]
        rows = []
        for phase in PHASES:
            theirs = Row(f"clamd, {phase}", self.theirs[phase], tree=self.size)
            rows += [theirs, Row(f"service, {phase}", self.ours[phase], tree=self.size).compared(theirs),
                     Row("  processor time of engine, jobd and runners", self.work[phase])]
        return rows


def engine_seconds(service):
    """Processor time of all that scans, with what has ended: of the engine with its children, and of authd's runners."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for process in service.processes():
        if process.program not in ("clamscanner-engine", "clamscanner-authd", "clamscanner-jobd"):
            continue
        try:
            with open(f"/proc/{process.pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(map(int, fields[11:15]))  # utime, stime, and of children that were waited for
    return total / ticks


def read_options():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("accounts", type=int, nargs="?", default=6)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--scale", type=float, default=0.25, help="of the signatures; 1: 5.6 million")
    options.add_argument("--applications", nargs="+", default=["wordpress"], metavar="PACKAGE")
    options.add_argument("--unlike", action="store_true", help="no two files are alike")
    options.add_argument("--in-turn", action="store_true", help="one account after the other; without clamd")
    options.add_argument("--engine", nargs="*", default=[], metavar="KEY=VALUE", help="of [engine] in the configuration")
    options.add_argument("--output", metavar="FILE", help="where to write the results as JSON")
    options.add_argument("--work", metavar="DIR", help="keeps downloads and signatures there for the next run")
    options.add_argument("--build", metavar="DIR", help="the build to measure (default: what the tests take)")
    chosen = options.parse_args()
    chosen.small = False
    if os.getuid() != 0:
        options.error("it makes accounts: run it as root")
    missing = [name for name in ("clamd", "clamdscan", "nginx", "dpkg-deb") if not shutil.which(name)]
    if missing:
        options.error(f"{', '.join(missing)} missing; needed are {' '.join(home.PACKAGES)}")
    return chosen


def main():
    options = read_options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, hard), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with run.workplace(options.work) as (work, place):
        application = prepare_application(options, work)
        made = run.prepare_signatures(options, work, application)
        signatures = run.link_all(made, os.path.join(place, "signatures"))
        benchmark = ManyAccounts(options, place, application, signatures)
        rows = benchmark.run()
        report = Report({"accounts": options.accounts, **run.conditions(options, benchmark.size, signatures)})
    report.rows, report.differences = rows, benchmark.differences
    print(report.table())
    if options.output:
        report.write(options.output)
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
