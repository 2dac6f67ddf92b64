#!/usr/bin/python3
"""Answers each FastCGI request with its parameters, as JSON: what a web server passes to a responder. It listens at
--socket PATH or, as mod_fcgid starts it, on standard input. One request a connection, one after the other."""

import json
import os
import socket
import struct
import sys

HEADER = struct.Struct(">BBHHBx")  # version, type, request, length of content, length of padding
PARAMS, STDIN, STDOUT, END_REQUEST = 4, 5, 6, 3


def exactly(connection, size):
    read = b""
    while len(read) < size:
        if not (more := connection.recv(size - len(read))):
            raise EOFError
        read += more
    return read


def records(connection):
    while True:
        _, kind, _, length, padding = HEADER.unpack(exactly(connection, HEADER.size))
        content = exactly(connection, length)
        exactly(connection, padding)
        yield kind, content


def length_at(text, at):
    if text[at] < 0x80:
        return text[at], at + 1
    return int.from_bytes(text[at:at + 4], "big") & 0x7FFFFFFF, at + 4


def pairs(text):
    at = 0
    while at < len(text):
        name_length, at = length_at(text, at)
        value_length, at = length_at(text, at)
        value_at = at + name_length
        yield text[at:value_at].decode("latin-1"), text[value_at:value_at + value_length].decode("latin-1")
        at = value_at + value_length


def answer(connection):
    params, body_length = b"", 0
    for kind, content in records(connection):
        if kind == PARAMS:
            params += content
        elif kind == STDIN and not content:
            break
        elif kind == STDIN:
            body_length += len(content)
    told = json.dumps({"parameters": list(pairs(params)), "body_length": body_length}).encode()
    text = b"Content-Type: application/json\r\n\r\n" + told
    for kind, content in ((STDOUT, text), (STDOUT, b""), (END_REQUEST, bytes(8))):
        connection.sendall(HEADER.pack(1, kind, 1, len(content), 0) + content)


def main():
    if "--socket" in sys.argv:
        listener = socket.socket(socket.AF_UNIX)
        os.umask(0o117)
        listener.bind(sys.argv[sys.argv.index("--socket") + 1])
        listener.listen()
    else:
        listener = socket.socket(fileno=os.dup(0))
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                answer(connection)
            except (EOFError, OSError):
                continue


if __name__ == "__main__":
    main()
