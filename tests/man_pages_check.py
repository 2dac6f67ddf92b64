"""Whether each manual page names the very options that its program's --help does, with their values, and what may follow
them; and whether bash completes them. Takes the build directory."""

import os
import re
import subprocess
import sys

PLACES = ("auth/authd", "auth/commands", "jobs/jobd", "jobs/engine", "jobs/notify", "jobs/fleet", "fcgi", "auth/base")
# Programs that others start, and the page that tells of their options.
INNER = {"clamscanner-agent": "clamscanner", "clamscanner-runner": "clamscanner", "clamscanner-uapi": "uapi",
         "clamscanner-fleet-command": "clamscanner-fleet",
         "clamscanner-scan-command": "clamscanner-scan", "clamscanner-status-command": "clamscanner-status"}
COMPLETION = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "auth/commands/clamscanner.bash")


def sources(build):
    """The pages as they are given to scdoc, by name without the section."""
    pages = {}
    for place in filter(lambda place: os.path.isdir(os.path.join(build, place)), PLACES):  # the fleet's is an option
        for name in os.listdir(os.path.join(build, place)):
            if found := re.fullmatch(r"(.+)\.[158]\.scd", name):
                with open(os.path.join(build, place, name), encoding="utf-8") as file:
                    pages[found[1]] = file.read()
    return pages


def help_of(program):
    return subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout


def options_in_help(text):
    return {(found[1], (found[2] or "").strip("[]"))
            for found in re.finditer(r"^  --([a-z0-9-]+)(?: (\S+))?  ", text, re.MULTILINE)}


def options_in_page(text):
    section = text.partition("# OPTIONS\n")[2].partition("\n# ")[0]
    return {(found[1], (found[2] or "").strip("[]"))
            for found in re.finditer(r"^\*--([a-z0-9-]+)\*(?: (\S+))?$", section.replace("_", ""), re.MULTILINE)}


def words_after_options(text):
    return re.sub(r"[*_]", "", text).partition("[OPTION ...]")[2].splitlines()[0].strip()


def faults_of(program, page):
    text = help_of(program)
    if (said := options_in_help(text)) != (described := options_in_page(page)):
        yield f"--help and page differ: {sorted(said ^ described)}"
    synopsis = page.partition("# SYNOPSIS\n")[2].strip()
    if synopsis and (taken := words_after_options(text)) != (shown := words_after_options(synopsis)):
        yield f"--help says {taken!r}, the page {shown!r}"


def completed(program, line):
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    script = (f"source {COMPLETION}; COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; "
              f"_clamscanner {program} {words[-1]!r} {words[-2]!r}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def completion_faults(programs):
    scan = {f"--{name}" for name, _ in options_in_help(help_of(os.path.join(programs, "clamscanner-scan")))}
    for command, words, wanted in (("clamscanner-scan", "-", scan), ("clamscanner-scan", "--al", {"--all", "--allow"}),
                                   ("clamscanner-keys", "", {"add", "list", "enable", "disable", "remove"}),
                                   ("clamscanner-account", "h", {"hold"}), ("clamscanner-tokens", "revoke roo", {"root"}),
                                   ("clamscanner-fleet", "add", {"add-machine"})):
        if not os.path.exists(os.path.join(programs, command)):
            continue
        got = completed(os.path.join(programs, command), f"{command} {words}")
        if got != wanted:
            yield f"bash completes {command} {words!r} to {sorted(got)}, not to {sorted(wanted)}"


def main(build):
    programs = os.path.join(build, "programs")
    pages = sources(build)
    wrong = []
    for name in sorted(os.listdir(programs)):
        page = pages.get(INNER.get(name, name))
        if page is None:
            wrong.append(f"{name} has no page")
            continue
        wrong += [f"{name}: {fault}" for fault in faults_of(os.path.join(programs, name), page)]
    wrong += completion_faults(programs)
    for name in os.listdir(os.path.join(build, "man")):
        with open(os.path.join(build, "man", name), encoding="utf-8") as file:
            if "@" in (text := file.read()) or ".TH" not in text:
                wrong.append(f"{name} is no page: {text[:80]!r}")
    print("\n".join([*wrong, f"{len(pages)} pages looked at"]))
    return 1 if wrong or len(pages) < 12 else 0


sys.exit(main(sys.argv[1]))
