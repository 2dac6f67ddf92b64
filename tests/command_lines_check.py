"""Whether every program reads its command line in the one form: --help and --version on standard output, --check-config,
and an unknown option refused by name with status 64, before anything else is done. Takes the directory of the built
programs."""

import os
import re
import subprocess
import sys
import tempfile

NAME_AND_VERSION = r"[a-z.-]+ \d+\.\d+\.\d+\n"


def run(program, *words):
    return subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                          check=False)


def faults_of_check(program):
    """Whichever sections it uses, it says all that is wrong with the configuration, with file and line."""
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "conf.d"))
        wrong = os.path.join(directory, "wrong.toml")
        for path, text in ((wrong, "[login]\nuid_floor = 0\n[scan]\nmail = \"/\"\n"),
                           (os.path.join(directory, "conf.d", "more.toml"), "[engine]\n\nmax_file = 1\n")):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        checked = run(program, "--check-config", f"--config={wrong}")
        if checked.returncode != 78 or checked.stdout:
            yield f"--check-config: status {checked.returncode}, {checked.stdout!r}"
        for part in ("line 2: login.uid_floor", "line 4: scan.mail", "more.toml, line 3: engine.max_file"):
            if part not in checked.stderr:
                yield f"--check-config does not say {part!r}: {checked.stderr!r}"
        missing = run(program, "--check-config", f"--config={directory}/nowhere")
        if missing.returncode != 66 or "nowhere" not in missing.stderr:
            yield f"--check-config of no file: status {missing.returncode}, {missing.stderr!r}"
        # Users that are on every Debian; only the PAM service may be missing.
        with open(wrong, "w", encoding="ascii") as file:
            file.write("[responder]\nusers = [\"daemon\"]\n[jobs]\nuser = \"bin\"\n"
                       "[engine]\nuser = \"nobody-of-that-name\"\n[login]\npam_service = \"login\"\n")
        os.unlink(os.path.join(directory, "conf.d", "more.toml"))
        checked = run(program, "--check-config", f"--config={wrong}")
        if checked.returncode != 78 or checked.stderr.count("\n") != 1 or \
                f"{wrong}, line 6: engine.user: there is no user" not in checked.stderr:
            yield f"--check-config of a missing user: status {checked.returncode}, {checked.stderr!r}"
        good = os.path.join(directory, "conf.d", "good.toml")
        with open(good, "w", encoding="ascii") as file:
            file.write("[engine]\nuser = \"games\"\n")
        checked = run(program, "--check-config", f"--config={wrong}")
        if checked.returncode != 0 or checked.stderr or "no fault found" not in checked.stdout:
            yield f"--check-config of a good one: status {checked.returncode}, {checked.stdout!r}, {checked.stderr!r}"


def faults_of(program):
    helped = run(program, "--help")
    if helped.returncode != 0 or not helped.stdout.startswith("usage: ") or helped.stderr:
        yield f"--help: status {helped.returncode}, {helped.stdout!r}, {helped.stderr!r}"
    versioned = run(program, "--version", "--config=/nowhere")
    if versioned.returncode != 0 or not re.fullmatch(NAME_AND_VERSION, versioned.stdout) or versioned.stderr:
        yield f"--version: status {versioned.returncode}, {versioned.stdout!r}, {versioned.stderr!r}"
    yield from faults_of_check(program)
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
