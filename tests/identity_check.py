"""Checks that only root's programs can change their identity: no other program of the build links the functions for
that. Takes the directory of the built programs."""

import os
import re
import subprocess
import sys

MAY = {"clamscanner-account", "clamscanner-authd", "clamscanner-fleet", "clamscanner-keys", "clamscanner-scan", "clamscanner-status",
       "uapi"}
CHANGES = re.compile(r"\b(?:set(?:res|re|e)?[ug]id|(?:set|init)groups|setfs[ug]id)(?:@|$)")


def changes_identity(program):
    symbols = subprocess.run(["nm", "--dynamic", "--undefined-only", program], check=True, capture_output=True, text=True)
    return sorted({found[0] for line in symbols.stdout.splitlines() if (found := CHANGES.search(line.split()[-1]))})


def main(directory):
    programs = sorted(os.listdir(directory))
    linked = {name: changes_identity(os.path.join(directory, name)) for name in programs}
    wrong = {name: symbols for name, symbols in linked.items() if symbols and name not in MAY}
    for name, symbols in wrong.items():
        print(f"{name} can change who it is: {', '.join(symbols)}")
    # Otherwise this check could never fail.
    if not linked.get("clamscanner-authd"):
        print("clamscanner-authd changes no identity: this check looks for the wrong names")
        return 1
    print(f"{len(programs)} programs looked at")
    return 1 if wrong else 0


sys.exit(main(sys.argv[1]))
