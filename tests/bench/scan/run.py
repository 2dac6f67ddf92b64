"""What a scan costs, beside clamscan and clamd with the same signatures, limits and files, all warm in the page cache:
first and second scans, the first verdict, memory for several jobs, and statuses while signatures are loaded. Run as
root. Trust the ratios, not the absolute times: the signatures are synthetic, and the numbers are of one machine."""

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

import home  # noqa: E402
import scan_service  # noqa: E402
from clamav_tools import Clamd, clamscan  # noqa: E402
from report import Report, Row  # noqa: E402
from scan_service import Owner, ScanService  # noqa: E402
from signatures import EICAR, EICAR_NAME, make_signatures  # noqa: E402
from stolen_time import CalmMeasurements  # noqa: E402

SMALL_SCALE, FULL_SCALE = 0.25, 1.0
JOBS_AT_ONCE = 8
FILES_PER_JOB = 300
TEN = 10
FIRST_VERDICTS_PER_ROUND = 5
STATUS_SECONDS = 5
RELOAD_SECONDS = 120
SETTLED_SECONDS = 1.2  # files that changed less than a second ago are remembered by nobody

CLAMSCAN = "clamscan -r, loading included"
CLAMD_FRESH = "clamd, fresh"
CLAMD_TMPFS = "clamd with tmpfs, fresh"
CLAMD_WARM = "clamd, warm"
CLAMD_RELOADED = "clamd, after a reload"
FIRST = "service, first scan"
SECOND = "service, second scan"
FULL = "service, another with full=1"
UNREMEMBERED = "service, first scan, engine.rescan_days=0"
WHOLE_TREE = (CLAMSCAN, CLAMD_FRESH, CLAMD_TMPFS, CLAMD_RELOADED, CLAMD_WARM, FIRST, SECOND, FULL, UNREMEMBERED)


def tell(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# ---- Trees -----------------------------------------------------------------------------------------------------------

def files_of(tree):
    return sorted(os.path.join(directory, name) for directory, _, names in os.walk(tree) for name in names)


def measure_tree(tree):
    paths = files_of(tree)
    return len(paths), sum(os.path.getsize(path) for path in paths)


def read_all(tree):
    """Into the page cache, so that it is equally warm for all."""
    for path in files_of(tree):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def copy_files(paths, tree):
    for number, path in enumerate(paths):
        # Many a file of one name; the extension says what is in it.
        name = f"{number}{os.path.splitext(path)[1]}"
        os.makedirs(os.path.join(tree, f"{number // 100}"), exist_ok=True)
        shutil.copyfile(path, os.path.join(tree, f"{number // 100}", name))


def hand_over(tree, account):
    """Everything there belongs to the account, nobody else may enter, and the disk has nothing left to write."""
    subprocess.run(["chown", "-R", "--no-dereference", f"{account.uid}:{account.gid}", tree], check=True)
    os.chmod(tree, 0o700)
    os.sync()
    time.sleep(SETTLED_SECONDS)


# ---- The benchmark ---------------------------------------------------------------------------------------------------

class Benchmark:
    def __init__(self, options, place, home_tree, signatures):
        self.options = options
        self.place = place  # of what is made for this run alone
        self.home = home_tree
        self.tree_size = measure_tree(home_tree)
        self.signatures = signatures
        self.seconds = {name: [] for name in WHOLE_TREE}
        self.calm = CalmMeasurements(options.patience * 60, tell)
        self.notes = []
        self.differences = []
        self.reloads = 0
        self.service = None
        self.unremembering = None
        self.primers = {}

    def run(self):
        with contextlib.ExitStack() as stack:
            # Each round's account has the files of those before: here it shall be as if nobody had met them.
            # (many_accounts.py --in-turn measures what comes of it that others have them.)
            self.service = self._start(stack, {"jobs": {"max_running": JOBS_AT_ONCE},
                                               "engine": {"known_contents_accounts": 100}})
            self.unremembering = self._start(stack, {"engine": {"rescan_days": 0}})
            rows = self._whole_trees() + self._first_verdicts() + self._many_jobs() + self._statuses()
        rows += self._room_cost()
        self._note(self.calm.note())
        return rows

    def _start(self, stack, config):
        tell("starting the service, and loading its signatures")
        config.setdefault("paths", {})["signature_directory"] = self.signatures
        service = stack.enter_context(ScanService(build=self.options.build, front="nginx", config=config))
        account = service.add_account("prime")
        account.write("page.html", "<p>Hello")
        self.primers[service] = stack.enter_context(Owner(service, account))
        self._prime(service)
        return service

    def _prime(self, service):
        """A scan of next to nothing: afterwards the signatures are loaded."""
        self.primers[service].scan()

    # Whole trees

    def _whole_trees(self):
        contenders = [self._scan_by_clamscan, self._scan_by_clamd, self._scan_by_clamd_on_tmpfs, self._scan_by_service,
                      self._scan_without_memory]
        for number in range(self.options.rounds):
            # A new copy: nobody has seen these files, and yet they are the same.
            tree = self._place(f"home{number}")
            subprocess.run(["cp", "--archive", self.home, tree], check=True)
            os.sync()
            found = {}
            first = number % len(contenders)
            for contender in contenders[first:] + contenders[:first]:
                for name, (seconds, infected) in self.calm.make(lambda: contender(tree)).items():
                    self.seconds[name].append(seconds)
                    found[name] = infected
                    tell(f"{name}: {seconds:.2f} s")
            self._compare(number, tree, found)
            shutil.rmtree(tree)
        return self._whole_tree_rows()

    # What each took, and what it found there: by the name of the measurement, seconds and a virus for each path.

    @staticmethod
    def _timed(tree, scan):
        read_all(tree)
        return scan(tree)

    def _scan_by_clamscan(self, tree):
        return {CLAMSCAN: self._timed(tree, lambda tree: clamscan(self.signatures, self.place, tree))}

    def _scan_by_clamd(self, tree):
        with Clamd(self.signatures, self.place) as clamd:
            taken = {CLAMD_FRESH: self._timed(tree, clamd.scan), CLAMD_WARM: self._timed(tree, clamd.scan)}
            clamd.reload()
            return taken | {CLAMD_RELOADED: self._timed(tree, clamd.scan)}

    def _scan_by_clamd_on_tmpfs(self, tree):
        with Clamd(self.signatures, self.place, on_tmpfs=True) as clamd:
            return {CLAMD_TMPFS: self._timed(tree, clamd.scan)}

    def _scan_by_service(self, tree):
        with self._owner_of(self.service, tree) as owner:
            taken = {FIRST: self._timed(tree, lambda tree: self._scan(owner))}
            time.sleep(SETTLED_SECONDS)
            taken[SECOND] = self._timed(tree, lambda tree: self._scan(owner))
            if self.service.knows_full_scans():
                taken[FULL] = self._timed(tree, lambda tree: self._scan(owner, full=1))
            return taken

    def _scan_without_memory(self, tree):
        with self._owner_of(self.unremembering, tree) as owner:
            return {UNREMEMBERED: self._timed(tree, lambda tree: self._scan(owner))}

    def _owner_of(self, service, tree):
        account = service.add_account("bench", home=tree)
        hand_over(tree, account)
        self._prime(service)
        return Owner(service, account)

    def _scan(self, owner, **arguments):
        scan = owner.scan(**arguments)
        status = scan.status
        if status["scanned_file_count"] != status["total_file_count"] or scan.warnings:
            self._note(f"the service scanned {status['scanned_file_count']} of {status['total_file_count']} files: "
                       + " ".join(scan.warnings))
        return scan.seconds, owner.found()

    def _note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def _compare(self, number, tree, found):
        expected = found.pop(CLAMSCAN)
        if number == 0:
            self._note(f"clamscan finds {len(expected)} infected files")
        for name, theirs in found.items():
            wrong = self._differing(expected, theirs)
            # Engines may mark signatures that are not ClamAV's own, or leave the mark away.
            unmarked = self._differing(*(({path: virus.removesuffix(".UNOFFICIAL") for path, virus in one.items()})
                                         for one in (expected, theirs)))
            if wrong and not unmarked:
                self._note(f"{name}: the same names but for the ending .UNOFFICIAL")
            self.differences += [f"{name}, round {number + 1}: {os.path.relpath(path, tree)}: {what}"
                                 for path, what in unmarked]

    @staticmethod
    def _differing(expected, found):
        return [(path, f"{expected.get(path, 'nothing')} by clamscan, {found.get(path, 'nothing')} here")
                for path in sorted({*expected, *found}) if expected.get(path) != found.get(path)]

    def _whole_tree_rows(self):
        rows = {name: Row(name, self.seconds[name], tree=self.tree_size) for name in WHOLE_TREE}
        fresh = rows[CLAMD_FRESH]
        rows[FIRST].compared(fresh, ">= 1.25")
        again = Row(FIRST, self.seconds[FIRST], tree=self.tree_size).compared(rows[CLAMD_TMPFS], ">= 1.15")
        rows[SECOND].compared(rows[CLAMD_WARM], ">= 20")
        rows[FULL].compared(fresh)
        rows[UNREMEMBERED].compared(fresh)
        listed = list(rows.values())
        listed.insert(listed.index(rows[FIRST]) + 1, again)
        return listed

    # The first verdict

    def _first_verdicts(self):
        pages = random.Random(5).sample([path for path in files_of(os.path.join(self.home, "public_html"))
                                         if path.endswith((".php", ".html", ".js"))], TEN - 1)
        ours, theirs = [], []
        for number in range(self.options.rounds):
            for again in range(FIRST_VERDICTS_PER_ROUND):
                tree = self._place(f"ten{number}-{again}")
                copy_files(pages, tree)
                with open(os.path.join(tree, "test.com"), "wb") as file:
                    file.write(EICAR)
                ours.append(self.calm.make(lambda: self._first_verdict(tree)))
            read_all(tree)
            seconds, found = self.calm.make(lambda: clamscan(self.signatures, self.place, tree))
            self._require(found, tree)
            theirs.append(seconds)
        tell(f"first verdict: {statistics.median(ours):.3f} s, by clamscan {statistics.median(theirs):.3f} s")
        reference = Row("clamscan of ten files", theirs)
        return [reference, Row("service, first verdict of ten files", ours).compared(reference, ">= 50")]

    def _first_verdict(self, tree):
        with self._owner_of(self.service, tree) as owner:
            scan = owner.scan(scan_service.FIRST_VERDICT_POLL_SECONDS)
            self._require(owner.found(), tree)
        return scan.seconds

    @staticmethod
    def _require(found, tree):
        if {path: name.removesuffix(".UNOFFICIAL") for path, name in found.items()} != {
                os.path.join(tree, "test.com"): EICAR_NAME}:
            raise RuntimeError(f"the test virus in {tree} is not what was found: {found}")

    # Memory

    def _many_jobs(self):
        paths = random.Random(6).sample(files_of(self.home), min(JOBS_AT_ONCE * FILES_PER_JOB, self.tree_size[0]))
        with contextlib.ExitStack() as stack:
            owners = []
            for number in range(JOBS_AT_ONCE):
                tree = self._place(f"job{number}")
                copy_files(paths[number::JOBS_AT_ONCE], tree)
                owners.append(stack.enter_context(self._owner_of(self.service, tree)))
            self._wait_for_quiet()
            idle = sum(self.service.engine_memory())
            for owner in owners:
                owner.start_scan()
            peak = jobs = 0
            while not all([owner.has_finished() for owner in owners]):
                jobs = max(jobs, self.service.jobs_under_way())
                peak = max(peak, sum(self.service.engine_memory()))
        tell(f"{jobs} jobs: {peak >> 20} MiB, idle {idle >> 20} MiB")
        self._note(f"memory: at most {jobs} jobs were seen at once")
        reference = Row("engine, idle, all its processes", [idle / 2**20], "MiB")
        return [reference, Row(f"engine, {JOBS_AT_ONCE} jobs, all its processes at most", [peak / 2**20], "MiB")
                .compared(reference, "<= 1.3", inverted=True)]

    def _wait_for_quiet(self):
        deadline = time.monotonic() + 30
        while self.service.jobs_under_way() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)

    # Statuses

    def _statuses(self):
        """Of an owner who waits for nothing, while the signatures are loaded anew for another."""
        account = self.service.add_account("bench")
        account.write("page.html", "<p>Hello")
        quiet, loading, least = [], [], None
        with Owner(self.service, account) as owner:
            owner.scan()
            for _ in range(self.options.rounds):
                quiet.append(self.calm.make(lambda: self._poll_for(owner, STATUS_SECONDS)))
                loading.append(self.calm.make(lambda: self._poll_during_reloads(owner, STATUS_SECONDS)))
                least = min(least or len(loading[-1]), len(loading[-1]))
        tell(f"statuses: {sum(map(len, quiet))} quiet, {sum(map(len, loading))} during reloads")
        self._note(f"statuses: {least} and more in each round's reloads")
        rows = []
        for part, share in (("p50", 0.50), ("p99", 0.99)):
            calm = Row(f"get_scan_status, quiet, {part}", [_quantile(times, share) * 1000 for times in quiet], "ms")
            busy = Row(f"get_scan_status, during a reload, {part}",
                       [_quantile(times, share) * 1000 for times in loading], "ms")
            rows += [calm, busy.compared(calm, "<= 3" if part == "p99" else "", inverted=True)]
        return rows

    def _room_cost(self):
        """The same files by plain processes, which only call the library, and by locked in ones that are handed them."""
        program = os.path.join(self.service.build, "tests", "sandbox_cost")
        # One round can be made again; two, because each is first in every other one.
        rounds = []
        for _ in range(self.options.rounds):
            done = self.calm.make(lambda: subprocess.run([program, self.signatures, self.home, "2"], check=True,
                                                         capture_output=True, text=True))
            rounds += re.findall(r"([0-9.]+) s bare +([0-9.]+) s in locked rooms", done.stdout)
        bare = Row("library, in plain processes", [float(times[0]) for times in rounds], "s")
        locked = Row("workers, handed each file and locked in", [float(times[1]) for times in rounds], "s")
        return [bare, locked.compared(bare, "<= 1.03", inverted=True)]

    @staticmethod
    def _poll_for(owner, seconds):
        owner.connect_anew()
        owner.time_of_status()
        times = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            times.append(owner.time_of_status())
        return times

    def _poll_during_reloads(self, owner, seconds):
        owner.connect_anew()
        times = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            times += self._poll_during_reload(owner)
        return times

    def _poll_during_reload(self, owner):
        # A file that only the new signature knows: when it has been found, the signatures were loaded anew.
        self.reloads += 1
        content = f"reload {self.reloads}\n".encode()
        primer = self.primers[self.service]
        path = primer.account.write("reload.txt", content)
        fresh = os.path.join(self.place, "reload.hdb")
        with open(fresh, "w", encoding="ascii") as file:
            file.write(f"{hashlib.md5(content).hexdigest()}:{len(content)}:Reload-{self.reloads}\n")
        os.replace(fresh, os.path.join(self.signatures, "reload.hdb"))
        loaded = self.service.times_loaded()
        primer.scan()  # with the old signatures; it has the new ones loaded
        times = []
        deadline = time.monotonic() + RELOAD_SECONDS
        while self.service.times_loaded() == loaded:
            if time.monotonic() > deadline:
                raise RuntimeError("the signatures were not loaded anew")
            times += [owner.time_of_status() for _ in range(10)]
        primer.scan()
        if path not in primer.found():
            raise RuntimeError("the signatures loaded anew are not those that are scanned with")
        return times

    def _place(self, name):
        return os.path.join(self.place, name)


def _quantile(times, share):
    return sorted(times)[int(share * (len(times) - 1))]


# ---- What it needs ---------------------------------------------------------------------------------------------------

def once(directory, make):
    """Makes a directory unless a run before has done so to the end."""
    done = directory + ".complete"
    if not os.path.exists(done):
        shutil.rmtree(directory, ignore_errors=True)
        make(directory)
        open(done, "w", encoding="utf-8").close()
    return directory


def prepare_home(options, work):
    wanted = home.extent(options.files, not options.small)
    size = "small" if options.small else "full"
    return once(os.path.join(work, f"home-{size}-{options.files}"),
                lambda directory: home.build_home(directory, wanted, os.path.join(work, "downloads"), tell))


def prepare_signatures(options, work, home_tree):
    def make(directory):
        tell(f"making signatures, at scale {options.scale}")
        make_signatures(directory, options.scale, os.path.join(home_tree, "public_html"))

    return once(os.path.join(work, f"signatures-{options.scale}-{os.path.basename(home_tree)}"), make)


@contextlib.contextmanager
def workplace(kept):
    """A directory that every user can go through: the signatures and the homes lie in it."""
    directory = os.path.realpath(kept or tempfile.mkdtemp(prefix="scan-bench-", dir="/var/tmp"))
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o755)
    run = os.path.join(directory, "run")
    shutil.rmtree(run, ignore_errors=True)  # of a run that was killed
    os.mkdir(run, 0o755)
    try:
        yield directory, run
    finally:
        shutil.rmtree(run if kept else directory)


def link_all(source, target):
    """The signatures once more, for a run that adds some of its own."""
    os.mkdir(target, 0o755)
    for name in os.listdir(source):
        os.link(os.path.join(source, name), os.path.join(target, name))
    return target


def read_options():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--small", action="store_true", help="ten minutes: fewer files and signatures")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--output", metavar="FILE", help="where to write the results as JSON")
    options.add_argument("--work", metavar="DIR", help="keeps downloads, home and signatures there for the next run")
    options.add_argument("--build", metavar="DIR", help="the build to measure (default: what the tests take)")
    options.add_argument("--patience", type=float, default=5, metavar="MINUTES",
                         help="how long to wait, altogether, until the host leaves all cores to this machine (default: 5)")
    options.add_argument("--scale", type=float, help=argparse.SUPPRESS)  # of the signatures; 1: 5.6 million
    options.add_argument("--files", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    chosen.scale = chosen.scale or (SMALL_SCALE if chosen.small else FULL_SCALE)
    chosen.files = chosen.files or (home.SMALL_FILES if chosen.small else home.FULL_FILES)
    if os.getuid() != 0:
        options.error("it makes accounts: run it as root")
    missing = [name for name in ("clamscan", "clamd", "clamdscan", "7z", "zip", "bzip2", "nginx")
               if not shutil.which(name)]
    if missing or not os.path.isdir(home.TEST_FILES):
        options.error(f"{', '.join(missing) or home.TEST_FILES} missing; needed are {' '.join(home.PACKAGES)}")
    return chosen


def conditions(options, size, signatures):
    files, octets = size
    count = 0
    for name in os.listdir(signatures):
        with open(os.path.join(signatures, name), "rb") as file:
            count += sum(1 for _ in file)
    return {"home": f"{files} files, {octets / 1e6:.0f} MB" + (" (--small)" if options.small else ""),
            "signatures": f"{count} synthetic (scale {options.scale:g}"
                          + (", fewer than a real database has)" if options.scale < 1 else ")"),
            "rounds": options.rounds, "cores": os.cpu_count(),
            "load when it began": f"{os.getloadavg()[0]:.1f}",
            "ClamAV": subprocess.run(["clamscan", "--version"], capture_output=True, text=True, check=True)
            .stdout.strip()}


def main():
    options = read_options()
    # So that whatever ends this also cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with workplace(options.work) as (work, run):
        home_tree = prepare_home(options, work)
        signatures = link_all(prepare_signatures(options, work, home_tree), os.path.join(run, "signatures"))
        benchmark = Benchmark(options, run, home_tree, signatures)
        report = Report(conditions(options, benchmark.tree_size, signatures))
        report.rows = benchmark.run()
        report.notes, report.differences = benchmark.notes, benchmark.differences
    print(report.table())
    if options.output:
        report.write(options.output)
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
