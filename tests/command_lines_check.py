"""Whether every program reads its command line in the one form: --help on standard output, and an unknown option refused
by name with status 64, before anything else is done. Takes the directory of the built programs."""

import os
import subprocess
import sys


def run(program, *words):
    return subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                          check=False)


def faults_of(program):
    helped = run(program, "--help")
    if helped.returncode != 0 or not helped.stdout.startswith("usage: ") or helped.stderr:
        yield f"--help: status {helped.returncode}, {helped.stdout!r}, {helped.stderr!r}"
    for words in (("--nonsense",), ("--nonsense=x", "--config", "/"), ("--config=/", "--nonsense")):
        refused = run(program, *words)
        if refused.returncode != 64 or "--nonsense" not in refused.stderr or "--config FILE" not in refused.stderr:
            yield f"{words}: status {refused.returncode}, {refused.stderr!r}"
        if refused.stdout:
            yield f"{words}: printed {refused.stdout!r}"
    if run(program, "--config").returncode != 64:
        yield "--config without a value is taken"


def main(directory):
    programs = sorted(os.listdir(directory))
    wrong = [f"{name}: {fault}" for name in programs for fault in faults_of(os.path.join(directory, name))]
    print("\n".join([*wrong, f"{len(programs)} programs looked at"]))
    return 1 if wrong or len(programs) < 10 else 0


sys.exit(main(sys.argv[1]))
