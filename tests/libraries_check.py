"""Checks that a machine that is no centre needs no PostgreSQL: which programs of the build link the libraries that only
few may. Takes the directory of the built programs."""

import os
import re
import subprocess
import sys

FLEET = {"clamscanner-fleetd", "clamscanner-fleet-command"}
MAY = {"libpq.so": FLEET, "libcurl.so": FLEET | {"clamscanner-notifyd"}}


def libraries_of(program):
    listed = subprocess.run(["readelf", "--dynamic", program], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", listed)


def main(directory):
    programs = sorted(os.listdir(directory))
    wrong = 0
    for library, may in MAY.items():
        linking = {name for name in programs
                   if any(needed.startswith(library) for needed in libraries_of(os.path.join(directory, name)))}
        # Those that may and are built do, or this check looks for a wrong name.
        if linking != may & set(programs):
            print(f"{library} is linked by {sorted(linking)}, and is for {sorted(may & set(programs))}")
            wrong = 1
    print(f"{len(programs)} programs looked at, {len(FLEET & set(programs))} of them for a fleet")
    return wrong


sys.exit(main(sys.argv[1]))
