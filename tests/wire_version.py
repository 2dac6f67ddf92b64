"""Checks that wire_version was raised with the last change of a message: compares a hash of all message definitions,
without comments, with the one recorded for the version. `--record` records the hash after the version was raised."""

import glob
import hashlib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECORD = os.path.join(ROOT, "tests", "wire_version.txt")
# Beside the messages themselves: what is in them, and how it is written.
OTHERS = ("auth/base/wire.h", "auth/base/home_identity.h", "auth/base/limits.h", "auth/base/voucher.h",
          "jobs/shared/scan_types.h", "jobs/shared/vocabulary.h")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def messages():
    return sorted(os.path.relpath(path, ROOT) for top in ("auth", "handlers", "jobs")
                  for path in glob.glob(os.path.join(ROOT, top, "**", "*messages.h"), recursive=True))


def code(text):
    return " ".join(re.sub(r"//[^\n]*", "", text).split())


def main():
    version = re.search(r"wire_version = (\d+);", read(OTHERS[0]))[1]
    everything = "\n".join(code(read(path)) for path in (*messages(), *OTHERS)).replace(f"wire_version = {version};", "")
    now = [version, hashlib.sha256(everything.encode()).hexdigest()]
    if "--record" in sys.argv[1:]:
        with open(RECORD, "w", encoding="utf-8") as file:
            file.write(" ".join(now) + "\n")
        return 0
    recorded = read(RECORD).split()
    if now == recorded:
        return 0
    if now[0] == recorded[0]:
        print("a message was changed: raise wire_version (auth/base/wire.h), then tests/wire_version.py --record")
    else:
        print("wire_version was raised: tests/wire_version.py --record")
    return 1


sys.exit(main())
