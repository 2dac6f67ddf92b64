"""Many connections at once that send a request's header and then its body at one byte a second."""

import errno
import socket
import threading
import time

BYTE_EVERY_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.05
BODY_BYTES = 1000


def head(target, headers, method="POST", length=BODY_BYTES):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {length}",
             *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


class SlowSender:
    """One connection. `status`: that of the answer; 0 when it was closed without one."""

    def __init__(self, port, source, request):
        self.begun = time.monotonic()
        self.next_byte = self.begun + BYTE_EVERY_SECONDS
        self.request = request
        self.status = None
        self.took = None
        self.received = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((source, 0))
        if self.socket.connect_ex(("127.0.0.1", port)) not in (0, errno.EINPROGRESS):
            self.finish(0)

    def finish(self, status):
        self.status, self.took = status, time.monotonic() - self.begun
        self.socket.close()

    def read(self):
        try:
            more = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as fault:
            if fault.errno == errno.ENOTCONN:
                return
            more = b""
        self.received += more
        line = self.received.split(b"\r\n", 1)[0].split()
        if len(line) >= 2 and self.received.count(b"\r\n"):
            self.finish(int(line[1]))
        elif not more:
            self.finish(0)

    def write(self, now):
        if not self.request and now < self.next_byte:
            return
        try:
            if self.request:
                self.request = self.request[self.socket.send(self.request):]
            else:
                self.socket.send(b"x")
                self.next_byte += BYTE_EVERY_SECONDS
        except BlockingIOError:
            pass
        except OSError as fault:
            if fault.errno != errno.ENOTCONN:
                self.finish(0)


class SlowSenders:
    """As long as the block lasts, in a thread: for each request of the list one connection, and after its answer the
    next one. `answers`: (status, seconds) of those that ended."""

    def __init__(self, port, requests, source="127.0.3.{}"):
        self.port = port
        self.answers = []
        self._requests = requests
        self._source = source
        self._senders = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._senders = [self._new(number) for number in range(len(self._requests))]
        self._thread.start()
        return self

    def __exit__(self, *fault):
        self._over.set()
        self._thread.join()
        for sender in self._senders:
            sender.socket.close()

    def under_way(self):
        """How many of the connections have been without an answer for longer than a few bytes take."""
        long_ago = time.monotonic() - 12 * BYTE_EVERY_SECONDS
        return sum(1 for sender in list(self._senders) if sender.status is None and sender.begun < long_ago)

    def _new(self, number):
        return SlowSender(self.port, self._source.format(number % 250 + 1), self._requests[number])

    def _work(self):
        while not self._over.wait(LOOK_EVERY_SECONDS):
            now = time.monotonic()
            for number, sender in enumerate(self._senders):
                sender.read()
                if sender.status is None:
                    sender.write(now)
                if sender.status is not None:
                    self.answers.append((sender.status, sender.took))
                    self._senders[number] = self._new(number)
