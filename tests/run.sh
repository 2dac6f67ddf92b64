#!/bin/bash
# Builds once, then runs every unit test, fuzz corpus and integration test; ctest's summary comes last.
# Needs root for the integration tests, which make users, and to install what the chosen tests need and is missing.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1

usage() {
    cat <<'END'
usage: sudo tests/run.sh [LABEL] [-R REGEX] [--sanitize=address|thread] [--soak | --bench | --fuzz=SECONDS]

  LABEL            only the tests of one kind: unit, fuzz, integration
  -R REGEX         only the tests whose names match, as ctest -R
  --sanitize=KIND  the same on a build of its own with AddressSanitizer and UndefinedBehaviorSanitizer, or ThreadSanitizer
  --soak           the long forms of the integration tests instead
  --bench          the measurements of tests/bench instead
  --fuzz=SECONDS   every fuzz target for so long instead, with libFuzzer and the sanitizers
END
}

label='' regex='' sanitize='' mode=tests seconds=''
while [ $# -gt 0 ]; do
    case $1 in
        unit | fuzz | integration) label=$1 ;;
        -R) regex=${2:?"-R wants a regular expression"}; shift ;;
        --sanitize=address) sanitize=address,undefined ;;
        --sanitize=thread) sanitize=thread ;;
        --soak) mode=soak ;;
        --bench) mode=bench ;;
        --fuzz=*) mode=fuzz seconds=${1#--fuzz=} ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 64 ;;
    esac
    shift
done

# New findings go into the build directory, not into the corpus: add them to the corpus by hand.
fuzz() {
    local build=$root/build-fuzz failed=0 target name
    "$root/tests/packages.sh" build test fuzzing
    "$root/tests/build.sh" "$build" fuzz_targets -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DFUZZING=ON -DSANITIZE=address,undefined
    for target in "$build"/tests/*_fuzz; do
        name=$(basename "$target" _fuzz)
        mkdir -p "$build/found/$name"
        echo "==== $name, $seconds s"
        "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="$build/found/$name-" "$build/found/$name" "$root/tests/fuzz/corpus/$name" ||
            { echo "FOUND by $name"; failed=1; }
    done
    return $failed
}

if [ $mode = fuzz ]; then
    fuzz
    exit
fi

"$root/tests/packages.sh" build test
build=$root/build${sanitize:+-${sanitize%%,*}}
"$root/tests/build.sh" "$build" all -DBUILD_TESTING=ON -DSANITIZE="$sanitize"

if [ $mode = bench ]; then
    "$root/tests/packages.sh" integration nginx bench fleet
    CLAMSCANNER_BUILD_DIR=$build python3 "$root/tests/bench/api.py"
    python3 "$root/tests/bench/scan/run.py" --small --build "$build"
    python3 "$root/tests/bench/scale/run.py" --small --build "$build"
    CLAMSCANNER_BUILD_DIR=$build python3 "$root/tests/bench/fleet/run.py" --small
    exit
fi

choice=()
if [ $mode = soak ]; then choice+=(-L '^soak$'); else choice+=(-LE '^soak$'); fi
[ -z "$label" ] || choice+=(-L "^$label\$")
[ -z "$regex" ] || choice+=(-R "$regex")
groups=$(python3 "$root/tests/package_groups.py" "$build" "${choice[@]}")
[ -z "$groups" ] || "$root/tests/packages.sh" $groups
# ThreadSanitizer's fixed memory layout does not allow addresses that are too random.
without_randomness=()
[ "$sanitize" != thread ] || without_randomness=(setarch --addr-no-randomize)
# The tests wait most of the time; the long ones compare times of their own.
at_once=$(($(nproc) + 1))
[ $mode != soak ] || at_once=1
exec "${without_randomness[@]}" ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$at_once" "${choice[@]}"
