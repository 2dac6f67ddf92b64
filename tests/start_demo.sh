#!/bin/bash
# What the demos have in common: tests/start_demo.sh FRONT PACKAGES [OPTION…] installs what is missing of a web server's
# group of packages too, builds, and starts tests/integration/demo.py behind that front.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
front=$1 packages=$2
shift 2

# Standard output belongs to the walk, and with --serve to its one line.
"$root/tests/packages.sh" build run "$packages" >&2
# A build directory that also has the tests keeps them; a new one does without them.
options=()
[ -e "$root/build/CMakeCache.txt" ] || options=(-DBUILD_TESTING=OFF)
"$root/tests/build.sh" "$root/build" product "${options[@]}" >&2
PYTHONDONTWRITEBYTECODE=1 exec python3 "$root/tests/integration/demo.py" --front="$front" "$@"
