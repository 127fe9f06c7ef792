#!/bin/sh
# Creates the cluster PGDATA if there is none, then runs the server. The variables are those of the image `postgres`: POSTGRES_PASSWORD or
# POSTGRES_PASSWORD_FILE (required), POSTGRES_USER (postgres), POSTGRES_DB (the user's name). Scripts in /docker-entrypoint-initdb.d
# (*.sql, *.sh) run once, in order, while the server listens on no network.
# Arguments: `postgres` and its options, options alone, or another command.
set -eu

fail() { echo "postgres image: $*" >&2; exit 2; }

case ${1:-} in
  '') set -- postgres ;;
  -*) set -- postgres "$@" ;;
  postgres) ;;
  *) exec "$@" ;;
esac

initialize() {
  password=${POSTGRES_PASSWORD:-}
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    [ -z "$password" ] || fail "POSTGRES_PASSWORD is set together with POSTGRES_PASSWORD_FILE; keep one of them"
    password=$(cat "$POSTGRES_PASSWORD_FILE") || fail "POSTGRES_PASSWORD_FILE: cannot read '$POSTGRES_PASSWORD_FILE'"
  fi
  [ -n "$password" ] || fail "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE: the superuser's password of a new cluster"
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}

  # The cluster is made beside its place and moved there when it is finished, so that a start that was killed begins again.
  new=$PGDATA.new
  rm -rf "$new"
  umask 077
  printf '%s\n' "$password" >/tmp/password
  # Whoever may run programs inside the container connects without a password; connections from outside authenticate with SCRAM.
  initdb --pgdata "$new" --username "$user" --pwfile /tmp/password --encoding UTF8 --locale-provider builtin --locale C.UTF-8 \
    --auth-local trust --auth-host scram-sha-256 --data-checksums \
    --set wal_level=logical --set "listen_addresses=*" --set log_timezone=UTC --set timezone=UTC \
    --set max_slot_wal_keep_size=16GB >/dev/null
  rm -f /tmp/password
  echo 'host all all all scram-sha-256' >>"$new/pg_hba.conf"

  pg_ctl --pgdata "$new" --options "-c listen_addresses=''" --wait --silent start
  query() { psql --username "$user" --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"; }
  if [ "$database" != postgres ]; then
    query --dbname postgres --set "name=$database" <<'SQL'
create database :"name";
SQL
  fi
  query --dbname "$database" --command 'create extension if not exists vector'
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sql) query --dbname "$database" --file "$script" ;;
      *.sh) sh -eu "$script" ;;
    esac
  done
  pg_ctl --pgdata "$new" --mode fast --wait --silent stop
  mv "$new" "$PGDATA"
}

if [ "$1" = postgres ] && [ ! -e "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$(dirname "$PGDATA")" 2>/dev/null && [ -w "$(dirname "$PGDATA")" ] ||
    fail "$(dirname "$PGDATA") is not writable for $(id -un) ($(id -u)); use a named volume, or chown the directory"
  [ ! -e "$PGDATA" ] || fail "$PGDATA exists and is no cluster of PostgreSQL"
  initialize
fi
exec "$@"
