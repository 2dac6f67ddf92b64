"""Which folder of the product may include what: one line for each folder, from the lowest to the highest. Includes go
down; of another program a folder knows the messages alone. The CMakeLists.txt of each folder opens with who runs it and
with that line. Prints what breaks any of this, and exits with 1 if anything does."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = ("auth", "jobs", "handlers", "fcgi")

# Every folder may include itself. A name that ends in ".h" is that header alone.
AUTHD, JOBD = "auth/authd/messages.h", "jobs/jobd/messages.h"
ENGINE, RUNNER = "jobs/engine/messages.h", "jobs/runner/messages.h"
FLEET = "jobs/fleet/messages.h"
SHARED = ("auth/base", "jobs/shared")
FUNCTIONS = (*SHARED, "jobs/client", "handlers/shared", JOBD)
MAY_INCLUDE = {
    "auth/base": (),
    "auth/identity": ("auth/base",),
    "auth/authd": ("auth/base", "auth/identity"),
    "auth/commands": ("auth/base", "auth/identity", "auth/authd"),
    "jobs/shared": ("auth/base",),
    "jobs/engine": (*SHARED, "jobs/engine/worker", "jobs/engine/known"),
    "jobs/engine/known": (*SHARED, "jobs/engine/worker", "jobs/engine/clam_engine.h", "jobs/engine/huge_pages.h",
                          "jobs/engine/test_virus.h"),
    "jobs/engine/worker": (*SHARED, "jobs/engine/clam_engine.h"),
    "jobs/runner": (*SHARED, ENGINE),
    "jobs/jobd": (*SHARED, AUTHD, ENGINE, RUNNER),
    "jobs/client": (*SHARED, JOBD),
    "jobs/administrator": (*SHARED, "jobs/client"),
    "jobs/notify": (*SHARED, JOBD),
    "jobs/fleet": (*SHARED, JOBD),
    "handlers/shared": SHARED,
    "handlers/functions": FUNCTIONS,
    "handlers/agent": (*FUNCTIONS, "handlers/functions", AUTHD, FLEET),
    "handlers/uapi": (*FUNCTIONS, "handlers/functions"),
    "fcgi": (*SHARED, "handlers/shared", AUTHD, "handlers/functions/arguments.h"),
}


def includes(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if found := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
                yield number, found[1]


def wrong_includes(folder, path):
    allowed = MAY_INCLUDE[folder]
    for number, name in includes(os.path.join(ROOT, path)):
        if os.path.dirname(name) != folder and os.path.dirname(name) not in allowed and name not in allowed:
            yield f"{path}:{number}: {folder} may not include {name}"


def may_include(folder):
    """As the second line of a CMakeLists.txt says it: of the folder itself, or of all below it if it holds no code."""
    rows = [row for name, row in MAY_INCLUDE.items() if name == folder or folder in TOP and name.startswith(folder + "/")]
    names = [name for row in rows for name in row if not (folder in TOP and name.startswith(folder + "/"))]
    folders = [name for name in dict.fromkeys(names) if not name.endswith(".h")]
    messages = [os.path.dirname(name) for name in dict.fromkeys(names) if name.endswith(".h")]
    return "# May include: " + (", ".join(folders) or "nothing else") + (
        "; messages of " + ", ".join(messages) if messages else "") + "."


def wrong_head(folder):
    path = os.path.join(folder, "CMakeLists.txt")
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        first, second = file.readline(), file.readline().rstrip("\n")
    if not first.startswith("# Run by "):
        yield f"{path}:1: it does not say who runs it: # Run by …"
    if second != may_include(folder):
        yield f"{path}:2: it should be: {may_include(folder)}"


def main():
    faults = []
    for top in TOP:
        for directory, _, names in os.walk(os.path.join(ROOT, top)):
            folder = os.path.relpath(directory, ROOT)
            if "CMakeLists.txt" in names:
                faults += wrong_head(folder)
            sources = sorted(name for name in names if name.endswith((".h", ".cpp")))
            if sources and folder not in MAY_INCLUDE:
                faults.append(f"{folder}: no line in tests/includes.py says what it may include")
                continue
            for name in sources:
                faults += wrong_includes(folder, os.path.join(folder, name))
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


sys.exit(main())
