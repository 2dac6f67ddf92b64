"""A home with names and files that break programs: every infected file is found, and disinfected by the name in the
list; everything else is unchanged, and unreadable files are reported."""

import json
import os
import socket
import stat

from client import check_records
from service_case import ServiceCase, main
from test_files import EICAR, eicar_zip

HOSTILE_NAMES = [
    b"with space", b" leading and trailing ", b'double "quote"', b"single 'quote'", b"back\\slash", b"new\nline", b"tab\t",
    b"\xff\xfe not UTF-8", b"half \xe2\x82", b"overlong \xc0\xaf", b"surrogate \xed\xb2\x80", "größe €.txt".encode(),
    b"%2e%2e%2f", b"%00", b"$(touch x)", b";&|`", b"-rf", b"*?[a]", b"\x01\x1b[31m", b"{\"json\": 1}", b"<script>",
    b".hidden", b"...", b"~", b"a" * 255, b"\\udc80", "\u2028\u202e".encode(),
]
DEPTH = 24
LONG_NAME = b"d" * 200  # 24 of them exceed PATH_MAX, so that no call can use the path


class HostileNames(ServiceCase):
    def setUp(self):
        self.account, self.client = self.new_account()
        self.home = os.fsencode(self.account.home)
        self.tree = os.path.join(self.home, b"tree")
        os.mkdir(self.tree)
        os.chown(self.tree, self.account.uid, self.account.gid)

    def put(self, name, content=EICAR, mode=0o644):
        path = os.path.join(self.tree, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chown(path, self.account.uid, self.account.gid)
        os.chmod(path, mode)
        return path

    def put_deep(self):
        """Makes an infected file deeper than PATH_MAX, step by step. Returns its path."""
        directory = os.open(self.tree, os.O_RDONLY | os.O_DIRECTORY)
        path = self.tree
        for _ in range(DEPTH):
            os.mkdir(LONG_NAME, dir_fd=directory)
            os.chown(LONG_NAME, self.account.uid, self.account.gid, dir_fd=directory)
            below = os.open(LONG_NAME, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = below
            path = os.path.join(path, LONG_NAME)
        file = os.open(b"deep", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=directory)
        os.write(file, EICAR)
        os.fchown(file, self.account.uid, self.account.gid)
        os.close(file)
        self.addCleanup(os.close, directory)
        self.deep_directory = directory
        path = os.path.join(path, b"deep")
        self.assertGreater(len(path), 4096)
        return path

    @staticmethod
    def names(paths):
        return {os.fsencode(path) for path in paths}

    def scan(self):
        self.client.scan()
        result = self.client.result("get_scan_status")
        listed = [entry["file"] for entry in self.client.call("list_infected_files")]
        self.assertEqual(set(listed), set(result["data"]["infected_files"]))
        self.assertEqual(result["data"]["scanned_file_count"], result["data"]["total_file_count"])
        return listed, result

    def test_files_of_every_name_are_found_and_deleted(self):
        infected = {self.put(name) for name in HOSTILE_NAMES}
        infected.add(self.put(b"archive %2e.zip", eicar_zip()))
        deep = self.put_deep()
        listed, _ = self.scan()
        self.assertEqual(self.names(listed), infected | {deep})

        steps = check_records(self.client.disinfect({path: "delete" for path in listed}))
        self.assertEqual({path: step["state"] for path, step in steps.items()}, {path: "deleted" for path in listed})
        self.assertFalse([path for path in infected if os.path.lexists(path)])
        self.assertEqual(os.listdir(self.deep_directory), [])
        self.assertEqual(self.client.call("list_infected_files"), [])
        with open(self.account.path(".clamavconnector.disinfection.log"), encoding="utf-8") as log:
            self.assertEqual({json.loads(line).get("file") for line in log} - {None}, set(listed))

    def test_files_of_every_name_are_quarantined(self):
        infected = {self.put(name) for name in HOSTILE_NAMES}
        deep = self.put_deep()
        listed, _ = self.scan()
        steps = check_records(self.client.disinfect({path: "quarantine" for path in listed}))
        self.assertEqual({path: step["state"] for path, step in steps.items()},
                         {path: "quarantined" for path in listed})
        self.assertFalse([path for path in infected if os.path.lexists(path)])
        self.assertEqual(os.listdir(self.deep_directory), [])
        quarantine = self.account.path("quarantine_clamavconnector")
        contents = []
        for name in os.listdir(quarantine):
            with open(os.path.join(quarantine, name), "rb") as file:
                contents.append(file.read())
        self.assertEqual(contents.count(EICAR), len(infected | {deep}))
        # It is not found a second time where it is now.
        self.assertEqual(self.scan()[0], [])

    def test_special_files_are_neither_opened_nor_changed(self):
        bait = self.put(b"bait")
        os.mkfifo(os.path.join(self.tree, b"fifo"))
        os.symlink(b"/etc/passwd", os.path.join(self.tree, b"to passwd"))
        os.symlink(b"/dev/zero", os.path.join(self.tree, b"to zero"))
        os.symlink(b"..", os.path.join(self.tree, b"loop"))
        os.symlink(bait, os.path.join(self.tree, b"to bait"))
        os.mknod(os.path.join(self.tree, b"device"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(self.tree, b"socket"))
        before = self.snapshot()
        listed, result = self.scan()
        self.assertEqual(self.names(listed), {bait})
        self.assertEqual(result["data"]["total_file_count"], 1)
        steps = check_records(self.client.disinfect({os.fsdecode(bait): "delete",
                                                     os.fsdecode(self.tree + b"/to bait"): "delete",
                                                     os.fsdecode(self.tree + b"/to passwd"): "delete",
                                                     os.fsdecode(self.tree + b"/fifo"): "quarantine"}))
        self.assertEqual({step["state"] for path, step in steps.items() if os.fsencode(path) != bait}, {"error"})
        del before[bait]
        self.assertEqual(self.snapshot(), before)

    def test_unreadable_files_are_counted_and_reported(self):
        self.put(b"fine", b"fine")
        self.put(b"unreadable file", EICAR, mode=0o000)
        closed = os.path.join(self.tree, b"closed")
        os.mkdir(closed, 0o000)
        os.chown(closed, self.account.uid, self.account.gid)
        before = self.snapshot()
        listed, result = self.scan()
        self.assertEqual(listed, [])
        self.assertEqual(result["data"]["total_file_count"], 3)
        self.assertTrue([text for text in result["warnings"] if "2" in text and "could not be read" in text],
                        result["warnings"])
        self.assertEqual(self.snapshot(), before)

    def test_clean_files_of_hostile_names_are_untouched(self):
        clean = {self.put(name, b"clean " + name) for name in HOSTILE_NAMES}
        bait = self.put(b"bait")
        before = self.snapshot()
        self.assertEqual(self.names(self.scan()[0]), {bait})
        check_records(self.client.disinfect({os.fsdecode(bait): "delete"}))
        del before[bait]
        self.assertEqual(self.snapshot(), before)
        self.assertEqual(len(clean), len(before))

    def test_a_file_with_two_names_is_listed_and_disinfected_under_both(self):
        first, second = self.put(b"first"), os.path.join(self.tree, b"second")
        os.link(first, second)
        listed, result = self.scan()
        self.assertEqual(self.names(listed), {first, second})
        steps = check_records(self.client.disinfect({os.fsdecode(first): "delete", os.fsdecode(second): "quarantine"}))
        self.assertEqual(steps[os.fsdecode(first)]["state"], "deleted")
        self.assertEqual(steps[os.fsdecode(second)]["state"], "quarantined")
        self.assertFalse(os.path.lexists(first) or os.path.lexists(second))

    def snapshot(self):
        """Everything below the tree except directories: path -> type and content."""
        seen = {}
        for directory, _, names in os.walk(self.tree):
            for name in names:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                content = None
                if stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                seen[path] = (status.st_ino, status.st_mode, status.st_uid, status.st_mtime_ns, content)
        return seen


if __name__ == "__main__":
    main()
