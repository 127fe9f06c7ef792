#!/usr/bin/env bash
# Opens psql on the database of `make run` and passes its arguments to psql.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ -e "$local_dir/env" ] || die "nothing is running: start it with 'make run' or 'make up'"
. "$local_dir/env"
psql=psql
command -v psql >/dev/null 2>&1 || psql=$(postgres_bin)/psql
exec "$psql" "$DATABASE_URL" "$@"
