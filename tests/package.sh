#!/bin/bash
# Builds the Debian package, installing what that takes and is missing: sudo tests/package.sh [--test]. It is left in
# build-package/, which no version control sees. What is built is the sources as they are, committed or not.
#
# With --test also: lintian, Debian's check of hardening, and a Debian that is booted in a container and has nothing of
# the service but this package (tests/package/package_test.py).
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1

test=
case ${1:-} in
    '') ;;
    --test) test=1 ;;
    *) sed -n '2,6s/^# //p' "$0" >&2; exit 64 ;;
esac

place=$root/build-package
source=$place/source
log=$place/build.log

"$root/tests/packages.sh" build package ${test:+boot}
mkdir -p "$source"
exec 9>"$place/.lock"
flock 9

# A copy, since Debian's tools write beside their input. What the compiler made before stays, for the next time.
find "$source" -mindepth 1 -maxdepth 1 ! -name 'obj-*' -exec rm -rf {} +
tar -C "$root" --exclude-vcs --exclude='./build*' --exclude=node_modules --exclude=__pycache__ -c . | tar -C "$source" -x
rm -f "$place"/*.deb "$place"/*.changes "$place"/*.buildinfo
echo "building; what the tools say is in $log"
(cd "$source" && dpkg-buildpackage --build=binary --no-sign --no-pre-clean) >"$log" 2>&1 9>&- || {
    tail -n 40 "$log" >&2
    exit 1
}
package=$(ls "$place"/clamscanner_*.deb)
echo "built: $package"
[ -n "$test" ] || exit 0

echo "== lintian"
lintian --fail-on error,warning "$place"/*.changes 9>&-
echo "== hardening"
# Every object is compiled for control flow protection, but Debian 12's own start files are not: so no program is marked.
unpacked=$place/unpacked
rm -rf "$unpacked"
for one in "$package" "$place"/clamscanner-fleet_*.deb; do dpkg-deb --extract "$one" "$unpacked"; done
find "$unpacked/usr/bin" "$unpacked/usr/sbin" "$unpacked/usr/libexec" -type f -print0 | xargs -0 hardening-check --quiet --nocfprotection
echo "== a Debian with the package"
python3 "$root/tests/package/package_test.py" "$package" 9>&-
