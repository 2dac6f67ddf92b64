#!/bin/bash
# Checks the sources without running them: format, clang-tidy, and which folder may use what.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"

product=(auth fcgi handlers jobs)
failed=0
wrong() {
    echo "check: $*" >&2
    failed=1
}

mapfile -t sources < <(find "${product[@]}" tests -name '*.h' -o -name '*.cpp')
clang-format --dry-run -Werror "${sources[@]}" || wrong "not formatted: clang-format -i FILE"

# only_in PATTERN FOLDER…: nothing outside these folders, or files, of the product may contain it.
only_in() {
    local pattern=$1 found folder
    shift
    found=$(grep -rlE --include='*.h' --include='*.cpp' "$pattern" "${product[@]}" || true)
    for folder in "$@"; do found=$(grep -vE "^$folder(/|$)" <<<"$found" || true); done
    [ -z "$found" ] || wrong "\"$pattern\" belongs in $*, not in: ${found//$'\n'/ }"
}
only_in 'include *[<"]rapidjson/' handlers jobs/shared jobs/fleet
only_in 'include *[<"]libpq-' jobs/fleet
only_in 'include *<curl/' jobs/fleet jobs/notify
only_in 'include *<security/pam|\bpam_[a-z]+ *\(' auth/authd
only_in '\bset(res|re|e)?[ug]id *\(|\b(set|init)groups *\(' auth/identity
only_in 'include *[<"]sqlite3' jobs/shared
only_in 'include *[<"]clamav\.h' jobs/engine
# Hostile archives are read by workers alone; the other one reads ClamAV's own databases.
only_in 'include *<archive' jobs/engine/worker jobs/engine/known/signature_reader.cpp
only_in 'include *[<"](fcgiapp|fcgi_)' fcgi
# If a callback before the scan refuses a file, libclamav remembers that file as clean.
only_in 'cl_engine_set_clcb_pre' nowhere
only_in '\b(system|popen|strcpy|sprintf|gets) *\(' nowhere

python3 tests/includes.py || wrong "an include goes up or sideways: see tests/includes.py"
python3 tests/wire_version.py || wrong "the version of the messages between processes"
python3 tests/report.py

# clang needs flags of its own, hence a compilation database of its own. Only configured, never built.
cmake -S . -B build-tidy -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DBUILD_TESTING=OFF >/dev/null
run-clang-tidy -quiet -p build-tidy "^$PWD/($(IFS='|' && echo "${product[*]}"))/" >build-tidy/report 2>build-tidy/errors || {
    grep -E 'error:|warning:' build-tidy/report || cat build-tidy/errors
    wrong "clang-tidy has something to say: build-tidy/report"
}

exit $failed
