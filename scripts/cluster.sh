#!/bin/sh
# Manages a private PostgreSQL cluster in a directory, for `make run` and for the tests.
#
#   scripts/cluster.sh start DIR [--port N] [--fast] [--while PID]    prints DATABASE_URL=postgresql://...; does nothing else when it is
# running
#   scripts/cluster.sh stop DIR
#   scripts/cluster.sh remove DIR                                     stops it, and removes it with its data
#   scripts/cluster.sh status DIR                                     prints DATABASE_URL=... (exit 0) or "stopped" (exit 3)
#
# It listens on 127.0.0.1 (port N, or a free port that it keeps) and on a Unix socket, with wal_level = logical. --fast turns durability
# off.
# PGFN_POSTGRES_BIN names the folder of the server's programs; the default is the newest version of the machine.
# --while PID stops the cluster and removes DIR when that process has ended. Errors are one line, with exit code 2.
set -eu

fail() { echo "cluster: $*" >&2; exit 2; }

usage() { fail "usage: $0 {start|stop|remove|status} DIR [--port N] [--fast] [--while PID]"; }

[ $# -ge 2 ] || usage
command=$1 dir=$2
shift 2
port='' fast='' owner=''
while [ $# -gt 0 ]; do
  case $1 in
    --port) [ $# -ge 2 ] || usage; port=$2; shift ;;
    --fast) fast=yes ;;
    --while) [ $# -ge 2 ] || usage; owner=$2; shift ;;
    *) usage ;;
  esac
  shift
done
case $port in *[!0-9]*) fail "--port takes a number, not '$port'" ;; esac

# --- Finds the newest server programs, version 15 or later, in PATH and in the usual folders.
find_programs() {
  best=0 bin=''
  if [ -n "${PGFN_POSTGRES_BIN:-}" ]; then
    [ -x "$PGFN_POSTGRES_BIN/initdb" ] || fail "PGFN_POSTGRES_BIN: no initdb in $PGFN_POSTGRES_BIN"
    set -- "$PGFN_POSTGRES_BIN/postgres"
  else
    set -- $(command -v postgres || true) /usr/lib/postgresql/*/bin/postgres /usr/local/pgsql/bin/postgres /usr/pgsql-*/bin/postgres
  fi
  for candidate in "$@"; do
    [ -x "$candidate" ] && [ -x "$(dirname "$candidate")/initdb" ] || continue
    version=$("$candidate" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if [ "$version" -gt "$best" ]; then best=$version bin=$(dirname "$candidate"); fi
  done
  [ "$best" -gt 0 ] || fail "no PostgreSQL server programs found; install PostgreSQL 15 or newer (Debian: apt-get install postgresql)"
  [ "$best" -ge 15 ] || fail "PostgreSQL 15 or newer is needed; the newest found is $best (in $bin)"
}

# --- The server refuses to run as root. For root it runs as "postgres" or "nobody", in a folder that this user can access.
choose_user() {
  user=''
  [ "$(id -u)" -eq 0 ] || return 0
  for candidate in postgres nobody; do
    if id "$candidate" >/dev/null 2>&1; then user=$candidate; break; fi
  done
  [ -n "$user" ] || fail "run as root, and there is no user 'postgres' or 'nobody' to run the server as"
}

as_server() {
  # From / because the server's user may not be able to enter the current directory.
  if [ -n "$user" ]; then (cd / && setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- env HOME=/tmp "$@"); else "$@"; fi
}

locate() {
  if [ -n "$user" ] && ! as_server test -x "$dir"; then
    home=/var/lib/functions-pgsidecar/$(printf %s "$dir" | cksum | tr ' ' -)
    mkdir -p "$home"
    chmod 755 /var/lib/functions-pgsidecar
  else
    home=$dir
  fi
  data=$home/data socket=$home/socket log=$home/log
  # The path of a Unix socket has 107 bytes at most.
  [ "${#socket}" -le 80 ] || socket=/tmp/pgfn-$(printf %s "$dir" | cksum | tr ' ' -)
}

# Whether a process is a zombie: it has ended, but its parent has not collected it yet. The init of a container may do so late or never.
# Without other programs, because it is asked every second.
is_zombie() {
  [ -r "/proc/$1/stat" ] && read -r stat 2>/dev/null <"/proc/$1/stat" && case ${stat##*) } in [ZX]*) ;; *) false ;; esac
}

# The first line of postmaster.pid; empty without one.
server_pid() { head -n 1 "$data/postmaster.pid" 2>/dev/null || true; }

# pg_ctl reports a zombie as a running server.
is_running() { [ -f "$data/postmaster.pid" ] && ! is_zombie "$(server_pid)" && as_server "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }

print_url() { echo "DATABASE_URL=postgresql://postgres:$(cat "$home/password")@127.0.0.1:$(cat "$home/port")/postgres"; }

initialize() {
  mkdir -p "$data"
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > "$home/password")
  [ -z "$user" ] || chown "$user" "$data" "$home/password"
  chmod 700 "$data"
  if ! as_server "$bin/initdb" -D "$data" -U postgres --pwfile "$home/password" -A scram-sha-256 -E UTF8 --locale C --no-sync \
      > "$log.initdb" 2>&1; then
    why=$(grep -m 1 -i error "$log.initdb" || tail -n 1 "$log.initdb")
    rm -rf "$data"
    fail "initdb failed: $why"
  fi
  [ -n "$fast" ] || sync
}

# Starts the server on one port. Returns 0 when it has started, 1 when the port is taken; any other failure ends the script.
try_port() {
  settings="-c wal_level=logical -c listen_addresses=127.0.0.1 -c port=$1 -c unix_socket_directories=$socket -c max_connections=200"
  settings="$settings -c max_wal_senders=20 -c max_replication_slots=20"
  [ -z "$fast" ] || settings="$settings -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"
  : > "$log"
  [ -z "$user" ] || chown "$user" "$log"
  # In tests, connections allocate large memory pages, which saves a sixth of their processor time. Only glibc knows the setting.
  if as_server env ${fast:+GLIBC_TUNABLES=glibc.malloc.hugetlb=1} \
      "$bin/pg_ctl" -D "$data" -l "$log" -o "$settings" -w -t 60 start >/dev/null 2>&1; then
    echo "$1" > "$home/port"
    return 0
  fi
  if grep -q 'Address already in use' "$log"; then return 1; fi
  fail "the server did not start: $(grep -m 1 -E 'FATAL|ERROR|PANIC' "$log" || tail -n 1 "$log") (see $log)"
}

start() {
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  locate
  if is_running; then
    [ -z "$port" ] || [ "$port" = "$(cat "$home/port")" ] || fail "the cluster in $dir runs already, on port $(cat "$home/port")"
    print_url
    return
  fi
  [ -f "$data/PG_VERSION" ] || initialize
  [ "$(cat "$data/PG_VERSION")" = "$best" ] ||
    fail "the data in $data are of PostgreSQL $(cat "$data/PG_VERSION"), the programs in $bin of $best"
  mkdir -p "$socket"
  [ -z "$user" ] || chown "$user" "$socket"
  # A server refuses to start while the pid file names a zombie. Removing the file is safe: the server also refuses to start while processes
  # of an earlier one
  # use the data.
  if is_zombie "$(server_pid)"; then rm -f "$data/postmaster.pid"; fi

  if [ -n "$port" ]; then
    try_port "$port" || fail "port $port is taken; choose another one"
  else
    attempt=0
    wanted=$(cat "$home/port" 2>/dev/null || true)
    until [ -n "$wanted" ] && try_port "$wanted"; do
      attempt=$((attempt + 1))
      [ "$attempt" -le 20 ] || fail "found no free port"
      wanted=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000)) # below the range the kernel hands out to clients
    done
  fi
  if [ -n "$owner" ]; then
    (
      # Whoever removes the folder has stopped the server, and needs no watch any more.
      while [ -d "$data" ] && kill -0 "$owner" 2>/dev/null && ! is_zombie "$owner"; do sleep 1; done
      "$0" remove "$dir"
    ) </dev/null >/dev/null 2>&1 &
  fi
  print_url
}

stop() {
  [ -d "$dir" ] || return 0
  dir=$(cd "$dir" && pwd)
  locate
  if is_running; then as_server "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null || fail "the server in $data did not stop"; fi
}

remove() {
  [ -d "$dir" ] || return 0
  stop
  rm -rf "$dir" "$home"
}

status() {
  [ -d "$dir" ] || { echo stopped; exit 3; }
  dir=$(cd "$dir" && pwd)
  locate
  if is_running; then print_url; else echo stopped; exit 3; fi
}

find_programs
choose_user
case $command in
  start | stop | remove | status) $command ;;
  *) usage ;;
esac
