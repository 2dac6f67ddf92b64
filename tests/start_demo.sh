#!/bin/bash
# Common part of the demos: tests/start_demo.sh FRONT PACKAGES [OPTION…] installs missing packages, including the web
# server's group PACKAGES, builds, and starts tests/integration/demo.py behind that front, or with --fleet fleet_demo.py.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
front=$1 packages=$2
shift 2

demo=(demo.py "--front=$front" "$@") groups=(build run "$packages")
[[ " $* " != *" --fleet "* ]] || demo=(fleet_demo.py) groups+=(fleet)

# Standard output belongs to the demo, and with --serve to its one line.
"$root/tests/packages.sh" "${groups[@]}" >&2
# A build directory that has the tests keeps them; a new one is made without them.
options=()
[ -e "$root/build/CMakeCache.txt" ] || options=(-DBUILD_TESTING=OFF)
"$root/tests/build.sh" "$root/build" product "${options[@]}" >&2
PYTHONDONTWRITEBYTECODE=1 exec python3 "$root/tests/integration/${demo[0]}" "${demo[@]:1}"
