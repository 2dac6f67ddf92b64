"""A FUSE file system that answers until it is told not to: the home, or a directory of a home, whose server is gone. What
has asked it then is in the kernel, where no signal reaches it, until the file system answers again or ends.

It is a process of its own, so that a test which looks at such a directory by mistake hangs alone. It speaks the kernel's
protocol (linux/fuse.h) itself and knows as little of it as a home takes: directories and small files, in memory.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import subprocess
import sys

_HEADER = struct.Struct("<IIQQIIII")  # fuse_in_header
_ANSWER = struct.Struct("<IiQ")  # fuse_out_header
LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, UNLINK, OPEN, READ, WRITE = 1, 2, 3, 4, 9, 10, 14, 15, 16
STATFS, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 17, 18, 25, 26, 27, 28, 29
ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 34, 36, 38, 42
SILENT = (FORGET, INTERRUPT, BATCH_FORGET)  # the kernel takes no answer to these
ROOT = 1


class HangingFiles:
    """Mounts itself at `point`. `files`: paths below it and their content. `by`: who has mounted it, as fusermount3 says
    it in an option; root by default."""

    def __init__(self, point, owner, files=None, by=0, allow_other=True):
        words = [sys.executable, __file__, point, str(owner.uid), str(owner.gid), str(by), str(int(allow_other))]
        for path, content in (files or {}).items():
            words += [path, content]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.point = point
        self._say("", "mounted")

    def _say(self, word, answer):
        if word:
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()
        said = self._process.stdout.readline().strip()
        if said != answer:
            raise RuntimeError(f"the file system at {self.point} says {said!r} in place of {answer!r}")

    def hang(self):
        """From now on nothing is answered."""
        self._say("hang", "hanging")

    def hang_reads(self):
        """From now on no file is read; everything else is answered."""
        self._say("hang_reads", "hanging")

    def hang_at(self, code):
        """From now on requests of this kind are not answered; everything else is."""
        self._say(f"hang_at {code}", "hanging")

    def answer(self):
        """What waits is answered, and what comes."""
        self._say("answer", "answering")

    def slow(self, seconds):
        self._say(f"slow {seconds}", "slow")

    def asked(self):
        """How many requests wait for an answer."""
        self._process.stdin.write("asked\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self):
        """Everything that waits fails, and the directory below is seen again."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        subprocess.run(["umount", "--lazy", self.point], check=False, capture_output=True)


class _FileSystem:
    def __init__(self, uid, gid, files):
        self.uid, self.gid = uid, gid
        self.nodes = {ROOT: {}}  # by number: a directory's entries or a file's bytes
        for path, content in files.items():
            at = self.nodes[ROOT]
            *directories, name = path.split("/")
            for directory in directories:
                if directory not in at:
                    at[directory] = self._add({})
                at = self.nodes[at[directory]]
            at[name] = self._add(bytearray(content.encode()))

    def _add(self, node):
        number = max(self.nodes) + 1
        self.nodes[number] = node
        return number

    def _attributes(self, number):
        node = self.nodes[number]
        is_directory = isinstance(node, dict)
        mode = stat.S_IFDIR | 0o711 if is_directory else stat.S_IFREG | 0o644
        size = 0 if is_directory else len(node)
        return struct.pack("<QQQQQQIIIIIIIIII", number, size, 1, 1, 1, 1, 0, 0, 0, mode, 2 if is_directory else 1,
                           self.uid, self.gid, 0, 4096, 0)

    def _entry(self, number):
        return struct.pack("<QQQQII", number, 0, 0, 0, 0, 0) + self._attributes(number)

    def reply(self, code, number, body):
        """The bytes of the answer, or an errno."""
        node = self.nodes.get(number)
        if code == INIT:
            # Version 7.31; no flags; background requests; a megabyte at most; times to the nanosecond.
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 64, 48, 1024 * 1024, 1, 0, 0, 0)
        if code == LOOKUP:
            found = node.get(os.fsdecode(body.rstrip(b"\0"))) if isinstance(node, dict) else None
            return self._entry(found) if found else errno.ENOENT
        if code in (GETATTR, SETATTR):
            return struct.pack("<QII", 0, 0, 0) + self._attributes(number)
        if code in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, 0, 0)
        if code == READDIR:
            offset, size = struct.unpack_from("<QI", body, 8)
            return self._list(node, offset) if size else b""
        if code == READ:
            offset, size = struct.unpack_from("<QI", body, 8)
            return bytes(node[offset:offset + size])
        if code == STATFS:
            return struct.pack("<QQQQQIIII24x", 1000, 1000, 1000, 1000, 1000, 4096, 255, 4096, 0)
        if code in (ACCESS, RELEASE, RELEASEDIR, FLUSH):
            return b""
        return errno.ENOSYS

    @staticmethod
    def _list(entries, offset):
        listed = b""
        for place, (name, number) in enumerate(entries.items(), 1):
            if place > offset:
                name = os.fsencode(name)
                entry = struct.pack("<QQII", number, place, len(name), 0) + name
                listed += entry.ljust(-(-len(entry) // 8) * 8, b"\0")
        return listed


def _mount(point, device, by, allow_other):
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id={by},group_id=0" + (",allow_other" if allow_other else "")
    if libc.mount(b"hanging", os.fsencode(point), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount", point)


def _serve(point, uid, gid, by, allow_other, files):
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    _mount(point, device, by, allow_other)
    system = _FileSystem(uid, gid, files)
    # Before this first request, which mount() makes, is answered, whoever asks waits where a signal can end it.
    select.select([device], [], [])
    _answer(system, device, os.read(device, 1024 * 1024 + 4096))
    waiting, hanging, delay = [], lambda code: False, 0.0
    print("mounted", flush=True)
    orders = b""
    while True:
        ready, _, _ = select.select([device, 0], [], [])
        if 0 in ready:
            more = os.read(0, 4096)
            if not more:
                return
            orders += more
        while b"\n" in orders:
            order, orders = orders.split(b"\n", 1)
            order = order.decode()
            if order == "hang":
                hanging = lambda code: code not in SILENT
                print("hanging", flush=True)
            elif order == "hang_reads":
                hanging = lambda code: code == READ
                print("hanging", flush=True)
            elif order.startswith("hang_at "):
                hanging = lambda code, this=int(order[8:]): code == this
                print("hanging", flush=True)
            elif order == "answer":
                hanging, delay = lambda code: False, 0.0
                for request in waiting:
                    _answer(system, device, request)
                waiting.clear()
                print("answering", flush=True)
            elif order.startswith("slow "):
                delay = float(order[5:])
                print("slow", flush=True)
            else:
                print(len(waiting), flush=True)
        if device in ready:
            try:
                request = os.read(device, 1024 * 1024 + 4096)
            except (BlockingIOError, FileNotFoundError, InterruptedError):
                continue
            if hanging(_HEADER.unpack_from(request)[1]):
                waiting.append(request)
            else:
                if delay:
                    select.select([], [], [], delay)
                _answer(system, device, request)


def _answer(system, device, request):
    _, code, unique, number, *_ = _HEADER.unpack_from(request)
    if code in SILENT:
        return
    said = system.reply(code, number, request[_HEADER.size:])
    error, body = (-said, b"") if isinstance(said, int) else (0, said)
    try:
        os.write(device, _ANSWER.pack(_ANSWER.size + len(body), error, unique) + body)
    except FileNotFoundError:
        pass  # who asked was killed before the request was read


if __name__ == "__main__":
    _, where, its_uid, its_gid, mounted_by, others, *pairs = sys.argv
    _serve(where, int(its_uid), int(its_gid), int(mounted_by), others == "1", dict(zip(pairs[::2], pairs[1::2])))
