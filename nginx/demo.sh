#!/bin/bash
# The whole service on 127.0.0.1, with an account, an nginx and a database of its own; all of it is gone afterwards.
# Its address serves nothing but the service, as it has to be: no account's content. Needs root: it makes users. The demo itself is tests/integration/demo.py.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

usage() {
    cat <<'END'
usage: sudo nginx/demo.sh [--port N] [--serve] | --fleet

Installs what is missing, builds, creates a throw-away account with some files, starts the programs and an nginx of its
own on 127.0.0.1, and does the main job over HTTP: log in, scan, watch, list, decide, disinfect; and a signed call of the
statistics interface. Exit status 0 only if every step was right.

  --port N   the port of nginx (default: a free one)
  --serve    no demo: print one line of JSON when ready (url, user, password, home, statistics_url, access_key_id,
             access_key_secret), and serve until SIGTERM or SIGINT
  --fleet    another demo: a centre and three machines, one scan of all of them, one of which ends in the middle
END
}

for option in "$@"; do
    case $option in --help | -h) usage; exit 0 ;; esac
done
[ "$(id -u)" = 0 ] || { echo "$0: needs root, to make users and to start a daemon as root" >&2; exit 77; }

exec "$root/tests/start_demo.sh" nginx nginx "$@"
