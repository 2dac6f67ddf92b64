#!/bin/bash
# Builds into a directory that several processes may use at once: tests/build.sh DIRECTORY TARGET [CMAKE OPTION…].
# Whoever installs from it holds a shared lock on DIRECTORY/.lock meanwhile.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
directory=$1 target=$2
shift 2

mkdir -p "$directory"
exec 9>"$directory/.lock"
flock 9
cmake -S "$root" -B "$directory" -G Ninja "$@" 9>&-
cmake --build "$directory" --target "$target" 9>&-
