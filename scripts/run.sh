#!/usr/bin/env bash
# foreground: set up, start PostgreSQL and the sidecar, deploy the examples, wait for Ctrl-C.
# background: the same without waiting. stop: stop what background started.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/database.sh"
mode=${1:-foreground}
listen=${PGFN_LISTEN:-http://127.0.0.1:8787}
pid_file=$local_dir/pgfn.pid
log=$local_dir/pgfn.log

# Whether the process in the pid file is a running sidecar. Process ids are reused, and a zombie (ended, but not yet collected by its
# parent) keeps its name.
sidecar_runs() {
  local status
  [ -e "$pid_file" ] && status=$(cat "/proc/$(cat "$pid_file")/status" 2>/dev/null) || return 1
  grep -qx $'Name:\tpgfn' <<<"$status" && ! grep -q $'^State:\t[ZX]' <<<"$status"
}

# The sidecar finishes running invocations first (PGFN_SHUTDOWN_TIMEOUT, 30 s). It is killed after 45 s.
stop_sidecar() {
  local pid
  if sidecar_runs; then
    pid=$(cat "$pid_file")
    kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 450); do sidecar_runs || break; sleep 0.1; done
    if sidecar_runs; then kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$pid_file"
}

stop_all() {
  trap '' INT TERM
  stop_sidecar
  stop_private_database
}

# A secret of this installation, generated once.
secret() {
  local file=$local_dir/$1
  [ -e "$file" ] || (umask 077; head -c 36 /dev/urandom | base64 | tr -d '\n' >"$file")
  cat "$file"
}

# A setting given by value or by file, or else generated. NAME_FILE is read here because .local/env contains values.
given_or_generated() {
  local name=$1 file_name=$1_FILE
  if [ -n "${!name:-}" ]; then printf '%s' "${!name}"
  elif [ -n "${!file_name:-}" ]; then cat "${!file_name}" 2>/dev/null || die "$file_name: cannot read the file '${!file_name}'"
  else secret "$2"; fi
}

# The first listen address as a URL for curl.
local_url() {
  local url=${1%%;*}
  case $url in
    http://unix:*) die "PGFN_LISTEN: 'make run' needs an address with a port, such as http://127.0.0.1:8788" ;;
    http://*) ;;
    *) die "PGFN_LISTEN: '$url' is not an address such as http://127.0.0.1:8788" ;;
  esac
  url=${url%/}
  url=${url/:\/\/[+*]/:\/\/127.0.0.1}
  url=${url/:\/\/0.0.0.0/:\/\/127.0.0.1}
  [[ $url =~ :[0-9]+$ ]] || url=$url:80
  printf '%s' "$url"
}

# The settings for connecting to the database. In the private cluster the superuser only installs: `make psql` and the examples use the
# login that owns the database, the sidecar serves as another one (serving_url), and a third reads the WAL. A database that the superuser
# installed in an earlier version and a configured database are left unchanged.
urls_of_logins() {
  local psql=psql installed_by logins=$local_dir/logins
  command -v psql >/dev/null 2>&1 || psql=$(postgres_bin)/psql
  if [ -e "$private_mark" ]; then
    installed_by=$("$psql" "$1" -XAtqc "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'functions_private'") || return 2
    if [ -z "$installed_by" ] || [ "$installed_by" = pgfn ]; then
      PGFN_ADMIN_URL=$1 PGFN_OWNER_PASSWORD=$(secret owner-password) PGFN_REPLICATOR_PASSWORD=$(secret replicator-password) \
        PGFN_SERVER_PASSWORD=$(secret server-password) "$pgfn" install --server --env-file "$logins" >"$log" 2>&1 \
        || { cat "$log" >&2; return 2; }
      # For vector indexes, where the server has pgvector: only a superuser may create it.
      "$psql" "$1" -Xqc 'create extension if not exists vector' >/dev/null 2>&1 || true
      sed 's/^DATABASE_URL=/serving_url=/' "$logins"
      cat "$logins.owner"
      rm -f "$logins" "$logins.owner"
      return
    fi
  fi
  printf 'DATABASE_URL=%s' "$1"
}

quoted() { printf "%s='%s'\n" "$1" "${2//\'/\'\\\'\'}"; }

write_env() {
  (umask 077
   { quoted DATABASE_URL "$DATABASE_URL"; quoted PGFN_URL "$url"; quoted PGFN_JWT_SECRET "$PGFN_JWT_SECRET"; } >"$local_dir/env")
}

# A sidecar that cannot start prints one line per error, without a timestamp.
explain_failure() {
  local why; why=$(grep -vE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T' "$log" | head -n 5 || true)
  if [ -n "$why" ]; then printf '%s\n' "$why" | sed 's/^/error: /' >&2; exit 2; fi
  die "the sidecar did not start; its log is $log"
}

wait_ready() {
  for _ in $(seq 600); do
    if curl -fsS -o /dev/null --noproxy '*' "$url/health/ready" 2>/dev/null; then return 0; fi
    kill -0 "$1" 2>/dev/null || explain_failure
    sleep 0.1
  done
  die "the sidecar is not ready after 60 s; its log is $log"
}

# Shows the warnings of the start, for instance about wal_level.
show_warnings() { sed -nE 's/^[^ ]+ warn: [^ ]+ (.*)/warning: \1/p' "$log" >&2; }

# Deploys each example that is missing in this database, or whose bundle, schema or options have changed since the last time.
deploy_examples() {
  local dir name stamp sum deployed
  deployed=$("$root/scripts/psql.sh" -XAtq -c 'select name from functions.functions')
  for dir in "$root"/examples/*/; do
    name=$(basename "$dir")
    # A folder without a bundle contains modules for other compilers.
    [ -e "$root/examples/dist/$name.js" ] || continue
    stamp=$local_dir/deployed/$name
    sum=$({ echo "$DATABASE_URL"; find "$root/examples/dist/$name.js" "$dir" -type f -exec sha256sum {} + | sort; } | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && grep -qx "$name" <<<"$deployed"; then continue; fi
    if [ -e "$dir/schema.sql" ]; then "$root/scripts/psql.sh" -Xq -v ON_ERROR_STOP=1 -f "$dir/schema.sql" >/dev/null; fi
    "$pgfn" deploy "$name" "$root/examples/dist/$name.js" $([ -e "$dir/function.json" ] && echo --options "$dir/function.json") >&2
    if [ -e "$dir/trigger.sql" ]; then "$root/scripts/psql.sh" -Xq -v ON_ERROR_STOP=1 -f "$dir/trigger.sql" >/dev/null; fi
    mkdir -p "$local_dir/deployed"; printf '%s' "$sum" >"$stamp"
  done
}

build_examples() {
  local stamp=$root/examples/dist/.built
  if [ -e "$stamp" ] &&
    [ -z "$(find "$root/examples" \( -name node_modules -o -name dist \) -prune -o -type f -newer "$stamp" -print -quit)" ]; then return; fi
  local said
  say "building the examples"
  said=$(cd "$root/examples" && npm run --silent build 2>&1) || { printf '%s\n' "$said" >&2; die "the examples do not build"; }
  touch "$stamp"
}

print_what_to_try() {
  cat <<TEXT

  Functions.PgSidecar serves on $url      (log: ${log#"$root"/})

  psql:    make psql      then: select * from functions.functions;
           select functions.deploy('greet', \$\$ export async function handler(event) { return { hello: event.body.name } } \$\$);
           call functions.wait_ready('greet');

  curl:    . .local/env; TOKEN=$("$pgfn" token --sub 11111111-1111-4111-8111-111111111111)
           curl -X POST \$PGFN_URL/functions/v1/invoke/hello -H "Authorization: Bearer \$TOKEN" -d '{"key":"value"}'

TEXT
}

case $mode in
  stop) if sidecar_runs; then stop_all; say "stopped"; else stop_all; fi; exit 0 ;;
  foreground|background) ;;
  *) die "run.sh takes foreground, background or stop" ;;
esac

mkdir -p "$local_dir"
url=$(local_url "$listen")
if sidecar_runs; then die "it is running already: 'make down' stops it"; fi
host_and_port=${url#http://}
if (exec 3<>"/dev/tcp/${host_and_port%:*}/${host_and_port##*:}") 2>/dev/null; then
  die "port ${host_and_port##*:} is taken: set PGFN_LISTEN, for instance PGFN_LISTEN=http://127.0.0.1:8788"
fi

"$root/scripts/setup.sh"
output=$("$root/scripts/build.sh" Release)
pgfn=$output/pgfn
build_examples

trap stop_all EXIT
trap 'say stopping; exit 0' INT TERM
PGFN_JWT_SECRET=$(given_or_generated PGFN_JWT_SECRET jwt-secret)
PGFN_SECRET_KEY=$(given_or_generated PGFN_SECRET_KEY secret-key)
unset PGFN_JWT_SECRET_FILE PGFN_SECRET_KEY_FILE DATABASE_URL_FILE
DATABASE_URL=$(database_url) || exit 2
urls=$(urls_of_logins "$DATABASE_URL") || exit 2
while IFS= read -r line; do export "${line?}"; done <<<"$urls"
export -n serving_url
PGFN_LISTEN=$listen
export DATABASE_URL PGFN_JWT_SECRET PGFN_SECRET_KEY PGFN_LISTEN
write_env
require_database

# In its own process group: Ctrl-C reaches only this script, which then stops the sidecar and the database in order.
DATABASE_URL=${serving_url:-$DATABASE_URL} setsid "$pgfn" serve >"$log" 2>&1 &
sidecar=$!
echo "$sidecar" >"$pid_file"
wait_ready "$sidecar"
show_warnings
deploy_examples
print_what_to_try
if [ "$mode" = background ]; then
  trap - EXIT
  echo "  'make down' stops it."
  exit 0
fi
echo "  Ctrl-C stops it."
wait "$sidecar" || die "the sidecar ended; its log is $log"
