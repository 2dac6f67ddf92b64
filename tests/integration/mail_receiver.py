"""A mail server that keeps what it gets, as it gets it, and does as a test wants: refuses, hangs, or is not there."""

import re
import socket
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Received:
    sender: str
    recipient: str
    data: bytes  # as it came, without the dots that SMTP adds
    time: float


class MailReceiver:
    def __init__(self):
        self.received = []
        self.refusals = {}  # part of a recipient's address -> reply
        self.refused_text = None  # in a mail: it is refused
        self.before_reply = lambda: None  # called when a mail has come, before it is acknowledged
        self.connections = 0
        self._listener = None
        self.port = 0

    def __enter__(self):
        self.listen()
        return self

    def __exit__(self, *fault):
        self.close()

    def listen(self):
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def close(self):
        """From now on nobody listens."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with connection, connection.makefile("rb") as lines:
            try:
                self._converse(connection, lines)
            except OSError:
                pass  # a client that was killed

    def _converse(self, connection, lines):
        def say(text):
            connection.sendall(text.encode() + b"\r\n")

        say("220 test")
        sender = recipient = ""
        for line in lines:
            command = line.decode("ascii").strip()
            if command.startswith(("EHLO", "HELO")):
                say("250 test")
            elif found := re.fullmatch(r"MAIL FROM:<(.*)>", command):
                sender = found[1]
                say("250 ok")
            elif found := re.fullmatch(r"RCPT TO:<(.*)>", command):
                recipient = found[1]
                say(next((reply for part, reply in self.refusals.items() if part in recipient), "250 ok"))
            elif command == "DATA":
                say("354 go on")
                data = b""
                for line in lines:
                    if line == b".\r\n":
                        break
                    data += line[1:] if line.startswith(b".") else line
                else:
                    return
                if self.refused_text and self.refused_text in data:
                    say("554 no")
                    continue
                self.received.append(Received(sender, recipient, data, time.monotonic()))
                self.before_reply()
                say("250 kept")
            elif command == "QUIT":
                say("221 bye")
                return
            else:
                say("500 what")
