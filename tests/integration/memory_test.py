"""The scan cache: unchanged files are not read again, and whatever way an owner has of changing a file, the next scan
does not use the old verdict. The tests use file systems of their own, mounted from image files."""

import contextlib
import ctypes
import fcntl
import mmap
import os
import random
import re
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
from dataclasses import dataclass
from typing import NamedTuple

from client import wait_until
from service_case import SKIPPED, SOAK, ServiceCase, main
from signatures_test import UpdatedLibraryCase
from test_files import EICAR

PLACE = "/var/tmp"
SIGNATURES = "no-signatures"  # the service's signature directory, empty until a test fills it
MEBIBYTE = 1024 * 1024
BLOCK = 4096
ROUNDS_OF_RACING = 500 if SOAK else 6
OLD_SECONDS = 1.2  # the verdict of a file unchanged for this long may be cached
YOUNG_SECONDS = 0.5  # that of a file read this soon after its change may not

# Infected once the x's are zeros.
HOLE_AT, HOLE_SIZE = 16, 32
UNPUNCHED = b"punch-hole-here:" + b"x" * HOLE_SIZE
PUNCHED = UNPUNCHED[:HOLE_AT] + bytes(HOLE_SIZE)
NOT_YET_KNOWN = b"a text for which there is no signature yet"

# linux/fs.h, linux/falloc.h
FICLONE = 0x40049409
FICLONERANGE = 0x4020940D
KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE = 1, 2, 8


# ---- File systems ----------------------------------------------------------------------------------------------------

def mount_image(make, size, image, point, options="strictatime"):
    """A file system in an image file. The loop device disappears with the mount."""
    with open(image, "wb") as file:
        file.truncate(size)
    subprocess.run([*make, image], check=True, capture_output=True)
    os.makedirs(point, exist_ok=True)
    subprocess.run(["mount", "-o", f"loop,{options}", image, point], check=True, capture_output=True)


def why_no_image_can_be_mounted():
    """None where it can."""
    with tempfile.TemporaryDirectory(prefix="new-clamscanner-", dir=PLACE) as place:
        point = os.path.join(place, "point")
        try:
            mount_image(["mkfs.ext4", "-q", "-F"], 16 * MEBIBYTE, os.path.join(place, "image"), point)
        except FileNotFoundError as fault:
            return f"{fault.filename} is not installed"
        except subprocess.CalledProcessError as fault:
            return f"{fault.cmd[0]}: {fault.stderr.decode(errors='replace').strip()}"
        subprocess.run(["umount", point], check=True)
    return None


def mounts_and_loops_below(directory):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        found = [point for point in (line.split()[4] for line in file) if point.startswith(directory + "/")]
    for name in os.listdir("/sys/block"):
        with contextlib.suppress(FileNotFoundError):
            with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8", errors="replace") as file:
                if file.read().startswith(directory + "/"):
                    found.append(name)
    return found


class OnImage(ServiceCase):
    """A service whose accounts are on a file system of their own, which is removed with the service."""

    make = ["mkfs.ext4", "-q", "-F"]
    size = 256 * MEBIBYTE

    @classmethod
    def setUpClass(cls):
        if not shutil.which(cls.make[0]):
            print(f"LEFT OUT: {cls.__name__}: {cls.make[0]} is not installed", flush=True)
            raise unittest.SkipTest(f"{cls.make[0]} is not installed")
        cls.addClassCleanup(cls.check_that_nothing_stays_mounted)  # after the service has gone
        super().setUpClass()
        cls.directory = cls.service.directory
        cls.homes = cls.service.path("home", "image")
        mount_image(cls.make, cls.size, cls.service.path("image"), cls.homes)

    @classmethod
    def check_that_nothing_stays_mounted(cls):
        if directory := getattr(cls, "directory", None):
            wait_until(lambda: not mounts_and_loops_below(directory), 60, "the end of every mount")

    def new_account(self, kind="user"):
        account = self.service.add_account(kind, os.path.join(self.homes, f"{kind}{secrets.token_hex(4)}"))
        os.mkdir(account.path("aside"))  # on the same file system, but never scanned here
        os.chown(account.path("aside"), account.uid, account.gid)
        self.service.wait_until_it_serves(account)
        return account, self.service.client(account)


# ---- What a scan did -------------------------------------------------------------------------------------------------

class Work(NamedTuple):
    scanned: int
    known: int  # known to be clean
    known_infected: int = 0


def work_of(result):
    """How many files the last scan read, and how many it knew, by its own report."""
    for sentence in result["messages"] or []:
        if told := re.search(r"(\d+) scanned, (\d+) known clean(?:, (\d+) known to be infected)?", sentence):
            return Work(int(told[1]), int(told[2]), int(told[3] or 0))
    raise AssertionError(f"no message says what was scanned and what was known: {result['messages']}")


def scan(client, **arguments):
    """Scans public_html, where the service writes no log. Returns the infected files, and the work."""
    client.call("start_scan", {"scan_type": "public_html", **arguments})
    status = client.finish_scan()
    result = client.result("get_scan_status")
    work = work_of(result)
    assert status["scanned_file_count"] == status["total_file_count"] == sum(work), (status, work)
    return set(status["infected_files"]), work


def wait_until_old(*paths):
    wait_until(lambda: time.time() - max(os.stat(path).st_ctime for path in paths) > OLD_SECONDS, 10, "old files")


def read_times(paths):
    return {path: os.stat(path).st_atime_ns for path in paths}


# ---- The owner -------------------------------------------------------------------------------------------------------

def fork_as(account, work):
    """Starts a child that becomes the account's user for good and does one thing. Returns its pid."""
    pid = os.fork()
    if pid != 0:
        return pid
    try:
        os.setgroups([])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def as_owner(account, work):
    _, status = os.waitpid(fork_as(account, work), 0)
    if status != 0:
        raise AssertionError(f"what the owner did failed: status {status}")


class HeldMapping:
    """A process of the owner's that maps a file, and much later stores the given bytes into the mapping."""

    def __init__(self, account, path, stores_before=False):
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()

        def hold():
            os.close(self._orders)
            file = os.open(path, os.O_RDWR)
            with mmap.mmap(file, 0) as mapping:
                os.close(file)
                if stores_before:
                    mapping[0] = mapping[0]  # the page is dirty now, so the kernel does not notice a further store
                os.write(answers, b"m")
                while order := os.read(orders, BLOCK):
                    mapping[:len(order)] = order
                    os.write(answers, b"s")

        self._pid = fork_as(account, hold)
        os.close(orders)
        os.close(answers)
        self._hear(b"m")

    def _hear(self, expected):
        if (heard := os.read(self._answers, 1)) != expected:
            raise AssertionError(f"the owner's mapping: {heard!r}")

    def store(self, content):
        os.write(self._orders, content)
        self._hear(b"s")

    def close(self):
        os.close(self._orders)
        os.close(self._answers)
        _, status = os.waitpid(self._pid, 0)
        if status != 0:
            raise AssertionError(f"the owner's mapping ended with status {status}")


# ---- Ways of changing a file without changing its size ---------------------------------------------------------------

def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


@contextlib.contextmanager
def opened(path, flags):
    file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)


def allocate(file, mode, offset, length):
    library = ctypes.CDLL(None, use_errno=True)
    library.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    if library.fallocate(file, mode, offset, length) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def write_in_place(path, aside, infected):
    with opened(path, os.O_WRONLY) as file:
        os.pwrite(file, infected, 0)


def truncate_and_write(path, aside, infected):
    write(path, infected)


def store_through_a_mapping(path, aside, infected):
    with opened(path, os.O_RDWR) as file, mmap.mmap(file, 0) as mapping:
        mapping[:len(infected)] = infected


def rename_another_over(path, aside, infected):
    os.rename(write(aside, infected), path)


def write_through_a_new_hard_link(path, aside, infected):
    os.link(path, aside)
    write_in_place(aside, None, infected)
    os.unlink(aside)


def write_through_an_old_hard_link(path, aside, infected):
    write_in_place(aside, None, infected)


def write_past_the_cache(path, aside, infected):
    with opened(path, os.O_WRONLY | os.O_DIRECT) as file, mmap.mmap(-1, len(infected)) as aligned:
        aligned[:] = infected
        assert os.pwritev(file, [aligned], 0) == len(infected)


def copy_within_the_kernel(path, aside, infected):
    with opened(write(aside, infected), os.O_RDONLY) as source, opened(path, os.O_WRONLY) as file:
        assert os.copy_file_range(source, file, len(infected)) == len(infected)


def send_within_the_kernel(path, aside, infected):
    with opened(write(aside, infected), os.O_RDONLY) as source, opened(path, os.O_WRONLY) as file:
        assert os.sendfile(file, source, 0, len(infected)) == len(infected)


def share_all_extents_of_another(path, aside, infected):
    with opened(write(aside, infected), os.O_RDONLY) as source, opened(path, os.O_WRONLY) as file:
        os.fsync(source)
        fcntl.ioctl(file, FICLONE, source)


def share_an_extent_of_another(path, aside, infected):
    with opened(write(aside, infected), os.O_RDONLY) as source, opened(path, os.O_WRONLY) as file:
        os.fsync(source)
        fcntl.ioctl(file, FICLONERANGE, struct.pack("qQQQ", source, 0, BLOCK, 0))


def collapse_the_first_block(path, aside, infected):
    with opened(path, os.O_RDWR) as file:
        size = os.fstat(file).st_size
        allocate(file, COLLAPSE_RANGE, 0, BLOCK)
        os.ftruncate(file, size)


def punch_a_hole(path, aside, infected):
    with opened(path, os.O_RDWR) as file:
        allocate(file, PUNCH_HOLE | KEEP_SIZE, HOLE_AT, HOLE_SIZE)


def delete_and_make_anew(path, aside, infected):
    before = os.stat(path).st_ino
    os.unlink(path)
    write(path, infected)
    # Until a file gets the old inode number; files with other numbers are kept, so that each one gets a new number.
    for number in range(200):
        if os.stat(path).st_ino == before:
            break
        os.rename(path, f"{aside}.{number}")
        write(path, infected)


def padded(content, size=BLOCK):
    return content + b" " * (size - len(content))


@dataclass(frozen=True)
class Way:
    change: callable
    infected: bytes = EICAR  # the beginning of the file after the change
    clean: bytes = b""  # its beginning before the change; else a text of the same length

    def content_before(self, name):
        return self.clean or padded(f"clean: {name}"[:len(self.infected)].encode(), len(self.infected))


WAYS = [
    Way(write_in_place), Way(truncate_and_write), Way(store_through_a_mapping), Way(rename_another_over),
    Way(write_through_a_new_hard_link), Way(write_through_an_old_hard_link), Way(copy_within_the_kernel),
    Way(send_within_the_kernel), Way(delete_and_make_anew),
    Way(write_past_the_cache, padded(EICAR)),
    Way(share_all_extents_of_another, padded(EICAR, 2 * BLOCK)),
    Way(share_an_extent_of_another, padded(EICAR, 2 * BLOCK)),
    Way(collapse_the_first_block, EICAR, padded(b"clean", BLOCK) + padded(EICAR)),
    Way(punch_a_hole, PUNCHED, UNPUNCHED),
]


class Caching:
    """The tests for file systems on which verdicts are cached."""

    lacks = ()  # the ways of changing a file that it does not support
    reuses_inodes = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.add_signature("punched", PUNCHED)

    @classmethod
    def add_signature(cls, name, content):
        with open(cls.service.path(SIGNATURES, f"{name}.ndb"), "w", encoding="ascii") as file:
            file.write(f"Test-{name}:0:0:{content.hex()}\n")

    def public_file(self, account, name, content):
        return account.write(f"public_html/{name}", content)

    def test_an_unchanged_file_is_not_read_again(self):
        account, client = self.new_account()
        clean = [self.public_file(account, f"docs/{i}", f"clean {i} {account.name}") for i in range(30)]
        found = {self.public_file(account, "found", EICAR)}
        wait_until_old(*clean, *found)

        before = read_times(clean)
        self.assertEqual(scan(client), (found, Work(31, 0)))
        first = read_times(clean)
        self.assertEqual([path for path in clean if first[path] == before[path]], [], "read times tell who was read")
        self.assertEqual(scan(client), (found, Work(0, 30, 1)), "an infected file is listed, and not read either")
        self.assertEqual(read_times(clean), first)
        self.assertEqual(scan(client, full=0), (found, Work(0, 30, 1)))
        self.assertEqual(read_times(clean), first)

        self.assertEqual(scan(client, full=1), (found, Work(31, 0)))
        full = read_times(clean)
        self.assertEqual([path for path in clean if full[path] == first[path]], [])
        self.assertEqual(scan(client), (found, Work(0, 30, 1)))
        refused = client.result("start_scan", {"scan_type": "public_html", "full": "2"})
        self.assertEqual(refused["status"], 0)
        self.assertIn("full", refused["errors"][0])

    def variations(self):
        """Each way as it is, and once more with the modification time reset afterwards."""
        ways = [way for way in WAYS if way.change not in self.lacks]
        for way in self.lacks:
            print(f"LEFT OUT: {type(self).__name__}: {way.__name__}: the file system cannot do that", flush=True)
        return [(f"{way.change.__name__}{suffix}", way, sets_back)
                for way in ways for suffix, sets_back in (("", False), ("-and-set-the-time-back", True))]

    def test_no_way_of_changing_a_file_hides_it(self):
        account, client = self.new_account()
        variations = self.variations()
        paths = {name: self.public_file(account, name, way.content_before(name)) for name, way, _ in variations}
        aside = {name: account.path("aside", name) for name in paths}
        for name, way, _ in variations:
            if way.change is write_through_an_old_hard_link:
                os.link(paths[name], aside[name])
        held = self.hold_mappings(account)
        everything = [*paths.values(), *(path for path, _, _ in held.values())]
        wait_until_old(*everything)
        self.assertEqual(scan(client), (set(), Work(len(everything), 0)))
        self.assertEqual(scan(client), (set(), Work(0, len(everything))), "all are cached before they change")
        before = {path: os.stat(path) for path in everything}

        for path, mapping, sets_back in held.values():
            mapping.store(EICAR)
            if sets_back:
                self.set_time_back(account, path, before[path])
        for name, way, sets_back in variations:
            as_owner(account, lambda: way.change(paths[name], aside[name], way.infected))
            if sets_back:
                self.set_time_back(account, paths[name], before[paths[name]])

        for path in everything:
            self.assertEqual(os.stat(path).st_size, before[path].st_size, path)
        for path in self.to_be_set_back(variations, paths, held):
            self.assertEqual(os.stat(path).st_mtime_ns, before[path].st_mtime_ns, path)
        for name, way, _ in variations:
            self.assertTrue(read(paths[name]).startswith(way.infected), name)
            if way.change is delete_and_make_anew and self.reuses_inodes:
                self.assertEqual(os.stat(paths[name]).st_ino, before[paths[name]].st_ino, "the inode was not had again")

        infected, _ = scan(client)
        for path in everything:
            with self.subTest(way=os.path.basename(path)):
                self.assertIn(path, infected)
        self.assertEqual(infected, set(everything))

    def hold_mappings(self, account):
        """By name: path, a mapping made before anything is scanned, and whether to reset the time."""
        held = {}
        for stores_before in (False, True):
            for sets_back in (False, True):
                name = "store-through-an-old-mapping" + "-of-a-dirty-page" * stores_before + \
                    "-and-set-the-time-back" * sets_back
                path = self.public_file(account, name, padded(f"clean: {name}"[:len(EICAR)].encode(), len(EICAR)))
                mapping = HeldMapping(account, path, stores_before)
                self.addCleanup(mapping.close)
                held[name] = (path, mapping, sets_back)
        return held

    @staticmethod
    def set_time_back(account, path, before):
        as_owner(account, lambda: os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns)))

    @staticmethod
    def to_be_set_back(variations, paths, held):
        return [paths[name] for name, _, sets_back in variations if sets_back] + \
            [path for path, _, sets_back in held.values() if sets_back]

    def test_malware_written_at_any_moment_of_a_scan_is_found_by_the_next(self):
        seed = int(os.environ.get("CLAMSCANNER_SEED", secrets.randbelow(1 << 32)))
        print(f"CLAMSCANNER_SEED={seed}", flush=True)
        choose = random.Random(seed)
        account, client = self.new_account()
        path = self.public_file(account, "raced", b"x" * len(EICAR))
        mapping = HeldMapping(account, path)
        self.addCleanup(mapping.close)
        start = time.monotonic()
        scan(client)
        longest = time.monotonic() - start
        too_late = 0
        for number in range(ROUNDS_OF_RACING):
            mapping.store(padded(f"clean {number}".encode(), len(EICAR)))
            wait_until_old(path)
            before = os.stat(path)
            client.call("start_scan", {"scan_type": "public_html"})
            # The moment matters: mostly near the start, where a single file is read.
            time.sleep(longest * choose.random() ** 3)
            mapping.store(EICAR)
            self.set_time_back(account, path, before)
            first = set(client.finish_scan()["infected_files"])
            too_late += not first
            self.assertEqual(os.stat(path).st_mtime_ns, before.st_mtime_ns)
            self.assertEqual(scan(client)[0], {path}, f"round {number}, seed {seed}")
        print(f"{too_late} of {ROUNDS_OF_RACING} stores came too late for the scan under way", flush=True)

    def test_a_file_changed_just_before_its_scan_is_not_cached(self):
        account, client = self.new_account()
        for number in range(20):
            path = self.public_file(account, f"young-{number}", f"clean {number}")
            scan(client)
            status = os.stat(path)
            if 0 < status.st_atime_ns - status.st_ctime_ns < YOUNG_SECONDS * 1e9:
                break
            os.unlink(path)
        else:
            self.fail("no scan read a file soon enough after its change")
        self.assertEqual(scan(client)[1], Work(1, 0))
        wait_until_old(path)
        scan(client)
        self.assertEqual(scan(client)[1], Work(0, 1), "it is remembered once it is old enough")

    def test_with_new_signatures_every_file_is_read_again(self):
        account, client = self.new_account()
        clean = [self.public_file(account, f"{i}", f"clean {i}") for i in range(5)]
        waiting = self.public_file(account, "waiting", NOT_YET_KNOWN + type(self).__name__.encode())
        wait_until_old(*clean, waiting)
        scan(client)
        self.assertEqual(scan(client), (set(), Work(0, 6)))
        self.add_signature("new", read(waiting))
        # The first scans may still use the old signatures, while the new ones are loaded.
        infected, work = wait_until(lambda: self.unless_known(scan(client)), 30, "a scan with the new signatures")
        self.assertEqual((infected, work), ({waiting}, Work(6, 0)))
        self.assertEqual(scan(client), ({waiting}, Work(0, 5, 1)))

    @staticmethod
    def unless_known(scanned):
        return scanned if scanned[1].known == 0 else None

    def test_each_copy_is_cached(self):
        account, client = self.new_account()
        copies = [self.public_file(account, f"copy-{i}", b"c" * len(EICAR)) for i in range(20)]
        found = {self.public_file(account, f"found-{i}", EICAR) for i in range(5)}
        wait_until_old(*copies, *found)
        for full in (0, 1):
            self.assertEqual(scan(client, full=full), (found, Work(25, 0)))
            self.assertEqual(scan(client), (found, Work(0, 20, 5)))
        before = os.stat(copies[7])
        as_owner(account, lambda: write_in_place(copies[7], None, EICAR))
        self.set_time_back(account, copies[7], before)
        self.assertEqual(scan(client), (found | {copies[7]}, Work(1, 19, 5)))

    def test_a_changed_file_is_found_under_each_of_its_names(self):
        account, client = self.new_account()
        path = self.public_file(account, "raced", b"x" * len(EICAR))
        os.link(path, account.path("public_html", "raced-too"))
        wait_until_old(path)
        self.assertEqual(scan(client), (set(), Work(2, 0)))
        before = os.stat(path)
        as_owner(account, lambda: write_in_place(path, None, EICAR))
        self.set_time_back(account, path, before)
        self.assertEqual(scan(client)[0], {path, account.path("public_html", "raced-too")})

    def test_a_restart_forgets_nothing(self):
        account, client = self.new_account()
        clean = [self.public_file(account, f"{i}", f"clean {i}") for i in range(5)]
        wait_until_old(*clean)
        self.assertEqual(scan(client), (set(), Work(5, 0)))
        for name in ("engine", "jobd"):
            self.service.stop(name)
        for name in ("engine", "jobd"):
            self.service.start(name)
        self.service.wait_until_it_serves(account)
        self.assertEqual(scan(client), (set(), Work(0, 5)))

    def test_accounts_share_no_cached_verdicts(self):
        one, ones = self.new_account("one")
        other, others = self.new_account("other")
        path = self.public_file(one, "shared", "clean, whoever looks")
        # Not only equal but the same inode, which users cannot arrange themselves where hard links are protected.
        os.makedirs(other.path("public_html"))
        os.link(path, other.path("public_html", "shared"))
        wait_until_old(path)
        self.assertEqual(scan(ones)[1], Work(1, 0))
        self.assertEqual(scan(ones)[1], Work(0, 1))
        self.assertEqual(scan(others)[1], Work(1, 0))


class OnExt4(Caching, OnImage):
    lacks = (share_all_extents_of_another, share_an_extent_of_another)


class OnBtrfs(Caching, OnImage):
    make = ["mkfs.btrfs", "-q", "-f"]
    size = 512 * MEBIBYTE
    lacks = (collapse_the_first_block,)
    reuses_inodes = False


def another_build(library):
    """With another build-id, as a distribution's security update has: the note is NT_GNU_BUILD_ID (elf(5))."""
    note = struct.pack("<III4s", 4, 20, 3, b"GNU")
    before, found, after = library.partition(note)
    assert found, "the library has no build-id"
    return before + note + bytes([after[0] ^ 1]) + after[1:]


class AnotherLibrary(OnImage, UpdatedLibraryCase):
    def test_what_the_old_one_called_clean_is_read_again(self):
        account, client = self.new_account()
        clean = account.write("public_html/clean", "clean")
        wait_until_old(clean)
        self.assertEqual(scan(client), (set(), Work(1, 0)))
        self.install()
        self.assertEqual(scan(client), (set(), Work(0, 1)), "of the same build")
        self.install(made=another_build)
        self.assertEqual(scan(client), (set(), Work(1, 0)))
        self.assertEqual(scan(client), (set(), Work(0, 1)))


class WithoutCache(ServiceCase):
    def assert_all_is_read_each_time(self, account, client):
        clean = [account.write(f"public_html/{i}", f"clean {i}") for i in range(5)]
        wait_until_old(*clean)
        for _ in range(3):
            self.assertEqual(scan(client), (set(), Work(5, 0)))


class OnTmpfs(WithoutCache):
    def test_every_scan_reads_every_file(self):
        home = self.service.path("home", f"tmpfs{secrets.token_hex(4)}")
        os.mkdir(home)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", home], check=True, capture_output=True)
        account = self.service.add_account("tmpfs", home)
        self.service.wait_until_it_serves(account)
        self.assert_all_is_read_each_time(account, self.service.client(account))


class OnXfs(WithoutCache, OnImage):
    make = ["mkfs.xfs", "-q", "-f"]
    size = 512 * MEBIBYTE

    def test_every_scan_reads_every_file(self):
        self.assert_all_is_read_each_time(*self.new_account())


class SwitchedOff(WithoutCache, OnImage):
    config = {"engine": {"rescan_days": 0}}

    def test_every_scan_reads_every_file(self):
        self.assert_all_is_read_each_time(*self.new_account())


if __name__ == "__main__":
    if os.getuid() == 0 and (why := why_no_image_can_be_mounted()):
        print(f"SKIPPED: no file system in a file can be made and mounted here: {why}")
        sys.exit(SKIPPED)
    main()
