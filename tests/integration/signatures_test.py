"""The signatures change while the service runs: no scan waits for the new ones to be loaded, later scans have them, and
a database that cannot be loaded causes only a warning."""

import os
import random
import re
import time

from client import check_records, wait_until
from polling import Polling
from service_case import ServiceCase, main
from test_files import EICAR, SlowFiles

SIGNATURES = "no-signatures"  # the service's signature directory, empty until a test fills it
MANY = 500_000  # so many that loading them takes a while
PATIENCE_SECONDS = 60
NOT_LOADED = "could not be loaded"
GARBAGE = "this is no signature\n"


class Statuses(Polling):
    """Statuses of a user who is answered correctly and quickly."""

    def __init__(self, client):
        super().__init__(client, 0.02)
        self.longest = 0
        self.waited = 0  # in polls of more than a second
        self.answers = 0

    def poll(self):
        start = time.monotonic()
        self.client.call("get_scan_status")
        took = time.monotonic() - start
        self.longest = max(self.longest, took)
        self.waited += took if took > 1 else 0
        self.answers += 1


class SignaturesCase(ServiceCase):
    def setUp(self):
        self.account, self.client = self.new_account()
        self.eicar = self.account.write("eicar", EICAR)
        self.account.write("clean", "clean")
        # One service for all tests: wait until the previous test's signatures are gone.
        self.put("before.ndb", self.ndb("before", self.id()))
        before = self.account.write("before", self.id())
        self.scan_until(lambda found, _: before in found, "the signatures of this test")
        os.unlink(before)
        self.assertEqual(self.scan()[0], {self.eicar})

    @staticmethod
    def ndb(name, text):
        return f"Test-{name}:0:0:{text.encode().hex()}\n"

    def put(self, name, lines):
        """As freshclam does: written to another name, then renamed."""
        fresh = self.service.path("fresh-signatures")
        with open(fresh, "w", encoding="ascii") as file:
            file.writelines(lines)
        path = self.service.path(SIGNATURES, name)
        os.rename(fresh, path)
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))

    def file_for(self, text):
        return self.account.write(re.sub(r"\W", "-", text), text)

    def scan(self):
        """Runs one scan: the infected files, the warnings, and how long it took."""
        start = time.monotonic()
        self.client.call("start_scan", {"scan_type": "home"})
        status = self.client.finish_scan(PATIENCE_SECONDS)
        took = time.monotonic() - start
        self.assertEqual(status["scanned_file_count"], status["total_file_count"])
        return set(status["infected_files"]), self.client.result("get_scan_status")["warnings"] or [], took

    def scan_until(self, holds, what):
        """Scans again and again until one is as expected. Returns all of them; each found what is always known."""
        scans = []

        def scanned():
            found, warnings, took = self.scan()
            self.assertIn(self.eicar, found)
            scans.append((found, warnings, took))
            return holds(found, warnings)

        wait_until(scanned, PATIENCE_SECONDS, what)
        return scans

    @staticmethod
    def is_warned(warnings):
        return any(NOT_LOADED in warning for warning in warnings)

    def log_since(self, offset):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            log.seek(offset)
            return log.read()


class Signatures(SignaturesCase):
    def test_no_scan_waits_for_new_signatures_and_later_ones_have_them(self):
        new = self.file_for("found by the new signatures alone")
        other, others = self.new_account("other")
        with Statuses(others) as polling:
            self.put("many.hdb", (f"{random.randbytes(16).hex()}:{1000 + i % 5000}:Many-{i}\n" for i in range(MANY)))
            self.put("new.ndb", self.ndb("new", "found by the new signatures alone"))
            changed, polling.waited = time.monotonic(), 0
            found, warnings, first = self.scan()
            self.assertEqual(found, {self.eicar}, "the first scan after a change is made with the old signatures")
            self.assertFalse(self.is_warned(warnings), warnings)
            scans = self.scan_until(lambda found, _: new in found, "a scan with the new signatures")
            took = time.monotonic() - changed
        self.assertEqual(self.scan()[0], {self.eicar, new}, "and every later one has them")
        self.assertFalse(any(self.is_warned(warnings) for _, warnings, _ in scans), scans)
        # A load that nobody could ask during would be all of that time; the machine itself keeps a poll waiting at times.
        self.assertLess(polling.waited, max(2.5, took / 2), "polls waited")
        print(f"new signatures were in use after {took:.1f} s and {len(scans)} further scans; the first took "
              f"{first:.1f} s; {polling.answers} polls, the longest of {polling.longest:.2f} s", flush=True)

    def test_after_a_broken_database_the_old_signatures_stay_in_use(self):
        old = self.file_for("known before the database broke")
        self.put("old.ndb", self.ndb("old", "known before the database broke"))
        self.scan_until(lambda found, _: old in found, "the old signatures")
        logged = os.path.getsize(self.service.path("programs.log"))

        with Statuses(self.client):
            self.put("broken.ndb", GARBAGE)
            scans = self.scan_until(lambda _, warnings: self.is_warned(warnings), "a warning of the broken database")
        self.assertEqual({frozenset(found) for found, _, _ in scans}, {frozenset({self.eicar, old})})
        self.assertTrue(self.is_warned(self.scan()[1]), "and no scan forgets it while it is broken")
        said = [line for line in self.log_since(logged).splitlines() if re.search(f"{NOT_LOADED}|do not load", line)]
        self.assertTrue(said, self.log_since(logged))

        # Repaired by a good file of the same name.
        mended = self.file_for("known since the database was mended")
        self.put("broken.ndb", self.ndb("mended", "known since the database was mended"))
        scans = self.scan_until(lambda found, _: mended in found, "a scan with the mended signatures")
        self.assertFalse(self.is_warned(scans[-1][1]), scans[-1])
        found, warnings, _ = self.scan()
        self.assertEqual(found, {self.eicar, old, mended})
        self.assertFalse(self.is_warned(warnings), warnings)

    def test_the_warning_ends_when_a_broken_database_is_removed(self):
        self.put("broken.hdb", GARBAGE)
        self.scan_until(lambda _, warnings: self.is_warned(warnings), "a warning of the broken database")
        os.unlink(self.service.path(SIGNATURES, "broken.hdb"))
        self.scan_until(lambda _, warnings: not self.is_warned(warnings), "a scan without the warning")
        found, warnings, _ = self.scan()
        self.assertEqual(found, {self.eicar})
        self.assertFalse(self.is_warned(warnings), warnings)

    def test_signatures_that_cannot_be_read_any_more_stay_in_use(self):
        known = self.file_for("known while the database could be read")
        caught = self.file_for("caught while the database could be read")
        self.put("old.ndb", [self.ndb("known", "known while the database could be read"),
                             self.ndb("caught", "caught while the database could be read")])
        self.scan_until(lambda found, _: {known, caught} <= found, "the signatures")
        self.client.disinfect({caught: "quarantine"})

        self.make_unreadable()
        for _ in range(3):
            found, warnings, _ = self.scan()
            self.assertEqual(found, {self.eicar, known})
            self.assertTrue(any("cannot be read" in warning for warning in warnings), warnings)
            self.assertFalse(any("test signatures" in warning for warning in warnings), warnings)
        self.check_nothing_is_restorable()
        self.make_readable()
        self.assertEqual(self.scan()[1], [], "readable again")

    def test_a_file_is_restorable_once_its_signature_is_withdrawn(self):
        caught = self.file_for("caught by a wrong signature")
        self.put("wrong.ndb", self.ndb("wrong", "caught by a wrong signature"))
        self.scan_until(lambda found, _: caught in found, "the wrong signature")
        self.client.disinfect({caught: "quarantine"})
        self.scan()
        self.check_nothing_is_restorable()

        os.unlink(self.service.path(SIGNATURES, "wrong.ndb"))
        self.scan_until(lambda *_: self.restorable() == ["1"], "a scan without the wrong signature")
        messages = self.client.result("get_scan_status")["messages"]
        self.assertEqual([message for message in messages if "can be restored" in message],
                         ["1 file in quarantine is clean by today's signatures and can be restored."])
        [row] = self.client.call("list_quarantined_files")
        self.client.call("restore_quarantined_files", {"ids": [row["id"]]})
        self.assertEqual(self.scan()[0], {self.eicar})
        self.assertTrue(os.path.exists(caught))

    def test_without_any_database_nothing_becomes_restorable(self):
        caught = self.file_for("caught before the directory was emptied")
        self.put("old.ndb", self.ndb("caught", "caught before the directory was emptied"))
        self.scan_until(lambda found, _: caught in found, "the signatures")
        self.client.disinfect({caught: "quarantine"})
        for name in os.listdir(self.service.path(SIGNATURES)):
            os.unlink(self.service.path(SIGNATURES, name))
        self.scan_until(lambda _, warnings: any("No virus signature database" in warning for warning in warnings),
                        "a scan with the test signatures alone")
        self.assertEqual(self.scan()[0], {self.eicar})
        self.check_nothing_is_restorable()

    def make_unreadable(self):
        os.chmod(self.service.path(SIGNATURES), 0o000)
        self.addCleanup(self.make_readable)

    def make_readable(self):
        os.chmod(self.service.path(SIGNATURES), 0o755)

    def restorable(self):
        return [row["restorable"] for row in self.client.call("list_quarantined_files")]

    def check_nothing_is_restorable(self):
        rows = self.client.call("list_quarantined_files")
        self.assertTrue(rows)
        self.assertEqual(self.restorable(), ["0"] * len(rows))
        messages = self.client.result("get_scan_status")["messages"] or []
        self.assertFalse(any("can be restored" in message for message in messages), messages)


class TheFirstDatabase(ServiceCase):
    def test_the_first_scan_after_it_arrives_has_it(self):
        account, client = self.new_account()
        account.write("eicar", EICAR)
        path = account.write("new", "found by the first database")
        client.scan()
        self.assertIn("No virus signature database", " ".join(client.result("get_scan_status")["warnings"]))
        self.put("many.hdb", (f"{random.randbytes(16).hex()}:{1000 + i % 5000}:Many-{i}\n" for i in range(MANY)))
        self.put("first.ndb", [SignaturesCase.ndb("first", "found by the first database")])

        status = client.scan()
        self.assertIn(path, status["infected_files"])
        self.assertFalse(client.result("get_scan_status")["warnings"])

    def put(self, name, lines):
        with open(self.service.path("fresh-signatures"), "w", encoding="ascii") as database:
            database.writelines(lines)
        os.rename(database.name, self.service.path(SIGNATURES, name))


class UpdatedLibraryCase(ServiceCase):
    """libclamav is replaced on disk, as a security update does, while the engine runs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        installed = os.path.dirname(cls.mapped_library())
        name = next(name for name in os.listdir(installed) if re.fullmatch(r"libclamav\.so\.\d+", name))
        cls.original = os.path.join(installed, name)
        libraries = cls.service.path("libraries")
        os.mkdir(libraries)
        cls.library = os.path.join(libraries, name)

    def setUp(self):
        self.install()
        self.service.stop("engine")
        self.service.start("engine", {"LD_LIBRARY_PATH": os.path.dirname(self.library)})
        self.assertEqual(self.mapped_library(), self.library)

    def install(self, made=lambda library: library):
        with open(self.original, "rb") as original, open(self.library + ".new", "wb") as library:
            library.write(made(original.read()))
        os.rename(self.library + ".new", self.library)

    @classmethod
    def mapped_library(cls):
        """As the kernel names it: one that was replaced ends in " (deleted)"."""
        with open(f"/proc/{cls.service.pid('engine')}/maps", encoding="ascii") as maps:
            return next(line.split(maxsplit=5)[5].strip() for line in maps if "/libclamav.so" in line)

    @property
    def old_library(self):
        return self.library + " (deleted)"

    def log_since(self, offset):
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            log.seek(offset)
            return log.read()


class AnUpdatedLibrary(UpdatedLibraryCase):
    config = {"jobs": {"max_running": 2}, "engine": {"scan_workers": 1}}

    def test_no_scan_begins_with_the_old_one(self):
        account, client = self.new_account()
        path = account.write("eicar", EICAR)
        self.assertEqual(client.scan()["infected_files"], [path])
        engine = self.service.pid("engine")
        self.install()
        self.assertEqual(self.mapped_library(), self.old_library)

        self.assertEqual(client.scan()["infected_files"], [path])
        self.assertEqual(self.mapped_library(), self.library)
        self.assertEqual(self.service.pid("engine"), engine)

    def test_a_running_scan_ends_with_the_old_one_and_others_wait_meanwhile(self):
        slow, slows = self.new_account("slow")
        SlowFiles().fill(slow, 8)
        other, others = self.new_account("other")
        path = other.write("eicar", EICAR)
        length = os.path.getsize(self.service.path("programs.log"))
        slows.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: slows.call("get_scan_status")["current_file"], 60, "a scan under way")
        self.install()
        others.call("start_scan", {"scan_type": "home"})
        wait_until(lambda: f"a job of {other.name} ended without finishing" in self.log_since(length), 60,
                   "the other scan to wait")
        self.assertEqual(self.mapped_library(), self.old_library)
        self.assertEqual(slows.call("get_scan_status")["scan_complete"], 0)
        self.assertEqual(others.finish_scan()["infected_files"], [path])
        self.assertEqual(slows.call("get_scan_status")["scan_complete"], 1)
        self.assertEqual(slows.call("list_unscanned_files"), [])
        self.assertNotIn(f"a job of {slow.name} ended without finishing", self.log_since(length))
        self.assertEqual(self.mapped_library(), self.library)

    def test_it_waits_while_the_signatures_could_not_be_loaded_again(self):
        account, client = self.new_account()
        path = account.write("known", "known while the database could be read")
        directory = self.service.path(SIGNATURES)
        database = os.path.join(directory, "old.ndb")
        self.addCleanup(os.unlink, database)
        with open(database, "w", encoding="ascii") as file:
            file.write(SignaturesCase.ndb("known", "known while the database could be read"))
        self.assertEqual(client.scan()["infected_files"], [path], "the first database is waited for")
        os.chmod(directory, 0)
        self.addCleanup(os.chmod, directory, 0o755)
        self.install()
        self.assertEqual(client.scan()["infected_files"], [path])
        self.assertEqual(self.mapped_library(), self.old_library)
        os.chmod(directory, 0o755)
        self.assertEqual(client.scan()["infected_files"], [path])
        self.assertEqual(self.mapped_library(), self.library)

    def test_what_it_loads_may_be_replaced_too(self):
        account, client = self.new_account()
        path = account.write("eicar", EICAR)
        self.assertEqual(client.scan()["infected_files"], [path])
        length = os.path.getsize(self.service.path("programs.log"))
        with open(os.path.join(os.path.dirname(self.library), "libclamunrar.so.0"), "wb"):
            pass
        self.assertEqual(client.scan()["infected_files"], [path])
        self.assertIn("libclamav was updated", self.log_since(length))


class BadFiles(SignaturesCase):
    """Files of the signature directory that the library does not accept."""

    def put_bad_files(self):
        self.put("lmd.user.hdb", [])
        self.put("broken.ldb", [GARBAGE])
        self.put("broken.cdb", [GARBAGE])
        self.put("daily.cvd", ["ClamAV-VDB:half of it"])
        self.put("secret.ndb", [self.ndb("secret", "not to be read")])
        os.chmod(self.service.path(SIGNATURES, "secret.ndb"), 0o600)
        return "lmd.user.hdb", "broken.ldb", "broken.cdb", "daily.cvd", "secret.ndb"

    def restart_engine(self):
        self.service.stop("engine")
        self.service.start("engine")
        # jobd notices when it next asks for something.
        self.client.scan()

    def step_of(self, path, action):
        return check_records(self.client.disinfect({path: action}))[path]

    def test_they_stop_nothing_and_are_named(self):
        known = self.file_for("known by a good file")
        self.put("good.ndb", [self.ndb("known", "known by a good file")])
        names = self.put_bad_files()
        logged = os.path.getsize(self.service.path("programs.log"))
        self.restart_engine()
        found, warnings, _ = self.scan()
        self.assertEqual(found, {self.eicar, known})
        warning = next(warning for warning in warnings if NOT_LOADED in warning)
        log = self.log_since(logged)
        for name in names:
            self.assertIn(name, warning)
            self.assertIn(f"the signature file {name} {NOT_LOADED}", log)
        self.assertEqual(self.step_of(known, "delete")["state"], "deleted", "no allow-list is missing")
        for name in names:
            os.unlink(self.service.path(SIGNATURES, name))
        self.scan_until(lambda _, warnings: not self.is_warned(warnings), "a scan without the warning")

    def test_without_an_allow_list_nothing_is_deleted(self):
        known, other = self.file_for("known by a good file"), self.file_for("known by a good file, too")
        self.put("good.ndb", [self.ndb("known", "known by a good file")])
        self.put("broken.fp", [GARBAGE])
        self.restart_engine()
        self.assertEqual(self.scan()[0], {self.eicar, known, other})
        step = self.step_of(known, "delete")
        self.assertEqual(step["state"], "error")
        self.assertIn("broken.fp", step["message"])
        self.assertTrue(os.path.exists(known))
        self.assertEqual(self.step_of(other, "quarantine")["state"], "quarantined")
        os.unlink(self.service.path(SIGNATURES, "broken.fp"))
        self.scan_until(lambda _, warnings: not self.is_warned(warnings), "a scan without the warning")
        self.assertEqual(self.step_of(known, "delete")["state"], "deleted")

    def test_what_was_loaded_before_a_file_became_bad_stays_in_use(self):
        known = self.file_for("known before the file became bad")
        self.put("once-good.ndb", [self.ndb("known", "known before the file became bad")])
        self.scan_until(lambda found, _: known in found, "the signatures")
        self.put("once-good.ndb", [GARBAGE])
        scans = self.scan_until(lambda _, warnings: self.is_warned(warnings), "a warning of the bad file")
        self.assertEqual({frozenset(found) for found, _, _ in scans}, {frozenset({self.eicar, known})})
        self.assertEqual(self.scan()[0], {self.eicar, known})
        step = self.step_of(known, "delete")
        self.assertEqual(step["state"], "error", "its signature may have been withdrawn")
        self.assertEqual(self.step_of(known, "quarantine")["state"], "quarantined")


class IdleWithABadFile(SignaturesCase):
    config = {"engine": {"idle_minutes": 1}}

    def test_what_was_loaded_is_not_unloaded(self):
        known = self.file_for("known before the file became bad")
        self.put("once-good.ndb", [self.ndb("known", "known before the file became bad")])
        self.scan_until(lambda found, _: known in found, "the signatures")
        logged = os.path.getsize(self.service.path("programs.log"))
        # No scan meets the bad file before the signatures would be unloaded.
        self.put("once-good.ndb", [GARBAGE])
        wait_until(lambda: "once-good.ndb" in self.log_since(logged), 90, "a line about the bad file")
        time.sleep(2)
        self.assertNotIn("unloading", self.log_since(logged))
        self.assertEqual(self.scan()[0], {self.eicar, known})


class AfterARestart(SignaturesCase):
    def test_a_database_that_cannot_be_read_makes_nothing_safe(self):
        caught = self.file_for("caught before the restart")
        self.put("old.ndb", self.ndb("caught", "caught before the restart"))
        self.scan_until(lambda found, _: caught in found, "the signatures")
        self.client.disinfect({caught: "quarantine"})
        again = self.file_for("caught before the restart")
        self.assertEqual(self.scan()[0], {self.eicar, again})

        os.chmod(self.service.path(SIGNATURES), 0o000)
        self.addCleanup(os.chmod, self.service.path(SIGNATURES), 0o755)
        self.service.stop("engine")
        self.service.start("engine")
        steps = check_records(self.client.disinfect({again: "delete"}))
        self.assertEqual(steps[again]["state"], "error", "it is not known to be clean")
        found, warnings, _ = self.scan()
        self.assertEqual(found, {self.eicar})
        self.assertTrue(any("cannot be read" in warning and "test signatures" in warning for warning in warnings),
                        warnings)
        self.assertEqual([row["restorable"] for row in self.client.call("list_quarantined_files")], ["0"])


if __name__ == "__main__":
    main()
