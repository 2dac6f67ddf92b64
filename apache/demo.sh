#!/bin/bash
# The whole service on 127.0.0.1, with an account, an Apache and a database of its own; all of it is gone afterwards.
# Its address serves nothing but the service, as it has to be: no account's content. Needs root: it makes users. The demo itself is tests/integration/demo.py.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

usage() {
    cat <<'END'
usage: sudo apache/demo.sh [--proxy | --fcgid] [--port N] [--serve]

Installs what is missing, builds, creates a throw-away account with some files, starts the programs and an Apache of its
own on 127.0.0.1, and does the main job over HTTP: log in, scan, watch, list, decide, disinfect; and a signed call of the
statistics interface. Exit status 0 only if every step was right.

  --proxy    by mod_proxy_fcgi, as clamscanner-proxy.conf has it (the default)
  --fcgid    by mod_fcgid, as clamscanner-fcgid.conf has it
  --port N   the port of Apache (default: a free one)
  --serve    no demo: print one line of JSON when ready (url, user, password, home, statistics_url, access_key_id,
             access_key_secret), and serve until a signal comes
END
}

front=proxy others=()
for option in "$@"; do
    case $option in
        --help | -h) usage; exit 0 ;;
        --proxy | --fcgid) front=${option#--} ;;
        *) others+=("$option") ;;
    esac
done
[ "$(id -u)" = 0 ] || { echo "$0: needs root, to make users and to start a daemon as root" >&2; exit 77; }

exec "$root/tests/start_demo.sh" "$front" apache "${others[@]}"
