#!/bin/bash
# The one list of Debian packages: tests/packages.sh GROUP… installs those that are missing, as root, without asking. It
# starts no service: an installed web server must not take the machine's port 80.
set -euo pipefail

declare -A packages=(
    [build]="g++ cmake ninja-build pkg-config python3-yaml libfcgi-dev rapidjson-dev libclamav-dev libpam0g-dev libssl-dev
             libsqlite3-dev libpcre2-dev libseccomp-dev libtomlplusplus-dev libarchive-dev libpq-dev
             libcurl4-openssl-dev scdoc"
    # For building the tests and running the unit tests.
    [test]="libboost-test-dev libpam-wrapper libnss-wrapper libuid-wrapper python3-jsonschema"
    # For a demo, beside its web server.
    [run]="python3 util-linux passwd login"
    # For the tests with these labels (tests/package_groups.py).
    [integration]="python3 util-linux passwd login openssl acl clamav clamav-testfiles e2fsprogs xfsprogs btrfs-progs
                 p7zip-full"
    [nginx]="nginx"
    # Not apache2, which is Debian's service: only the program and its modules are needed.
    [apache]="apache2-bin libapache2-mod-fcgid"
    [clients]="nodejs npm curl"
    # With "clients": a browser, and letters for it.
    [page]="chromium fonts-dejavu-core"
    # Its service is not started: the tests make clusters of their own.
    [fleet]="postgresql openssl"
    [mail]="mutt procmail dovecot-core postfix"
    [lint]="clang clang-tidy clang-format"
    # For building the Debian package and checking it, and for booting a Debian with it.
    [package]="dpkg-dev debhelper cpio scdoc lintian devscripts"
    [boot]="python3 debootstrap systemd-container util-linux openssl"
    [fuzzing]="clang libclang-rt-dev"
    [bench]="wrk clamav clamav-daemon clamdscan clamav-testfiles p7zip-full zip bzip2"
)

[ $# -gt 0 ] || { echo "usage: $0 ${!packages[*]}" >&2; exit 64; }

missing=()
for group in "$@"; do
    for package in ${packages[$group]:?"unknown group $group"}; do
        # A nodejs from elsewhere brings npm itself, and Debian's npm would conflict with it.
        [ "$package" != npm ] || ! command -v npm >/dev/null || continue
        # Another mail server stays: Debian allows one per installation.
        [ "$package" != postfix ] || [ ! -e /usr/sbin/sendmail ] || continue
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing+=("$package")
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0

[ "$(id -u)" = 0 ] || {
    echo "missing: ${missing[*]}. Only root can install them: sudo tests/packages.sh $*" >&2
    exit 77
}
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive

# One at a time: a second process then finds nothing missing, and none removes the policy file while another needs it.
exec 9>/run/lock/clamscanner-packages.lock
flock 9

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 0755 $policy
fi
# Configure no mail server of the machine's own, on port 25: the tests bring their own configurations.
[[ " ${missing[*]} " != *" postfix "* ]] ||
    debconf-set-selections <<<"postfix postfix/main_mailer_type select No configuration" 9>&-
apt-get -q -o DPkg::Lock::Timeout=600 update 9>&-
apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends "${missing[@]}" 9>&-
