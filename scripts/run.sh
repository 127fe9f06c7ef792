#!/usr/bin/env bash
# foreground: sets up, starts PostgreSQL and the sidecar, deploys the examples, waits for Ctrl-C.
# background: the same, and returns. stop: ends what background started.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
mode=${1:-foreground}
listen=${PGFN_LISTEN:-http://127.0.0.1:8787}
cluster=$local_dir/postgres
pid_file=$local_dir/pgfn.pid
log=$local_dir/pgfn.log

stop_sidecar() {
  [ -e "$pid_file" ] || return 0
  local pid; pid=$(cat "$pid_file")
  rm -f "$pid_file"
  kill -TERM "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
}

stop_all() {
  stop_sidecar
  if [ -e "$local_dir/private" ]; then "$root/scripts/cluster.sh" stop "$cluster" >/dev/null 2>&1 || true; fi
}

# A secret of this installation, made once.
secret() {
  local file=$local_dir/$1
  [ -e "$file" ] || (umask 077; head -c 36 /dev/urandom | base64 | tr -d '\n' >"$file")
  cat "$file"
}

database_url() {
  if [ -n "${DATABASE_URL:-}" ]; then printf '%s' "$DATABASE_URL"; rm -f "$local_dir/private"
  elif [ -n "${PGHOST:-}" ]; then rm -f "$local_dir/private"
    printf 'postgresql://%s%s@%s:%s/%s' "${PGUSER:-$(id -un)}" "${PGPASSWORD:+:$PGPASSWORD}" "$PGHOST" "${PGPORT:-5432}" "${PGDATABASE:-${PGUSER:-$(id -un)}}"
  else
    local line; line=$("$root/scripts/cluster.sh" start "$cluster") || exit 2
    touch "$local_dir/private"
    printf '%s' "${line#DATABASE_URL=}"
  fi
}

write_env() {
  (umask 077
   printf "DATABASE_URL='%s'\nPGFN_URL='%s'\nPGFN_JWT_SECRET='%s'\n" "$DATABASE_URL" "$listen" "$PGFN_JWT_SECRET" >"$local_dir/env")
}

wait_ready() {
  for _ in $(seq 300); do
    if curl -fsS -o /dev/null "$listen/health/ready" 2>/dev/null; then return 0; fi
    if ! kill -0 "$1" 2>/dev/null; then tail -n 5 "$log" >&2; die "the sidecar did not start; its log is $log"; fi
    sleep 0.1
  done
  die "the sidecar is not ready after 30 s; its log is $log"
}

# Deploys each example whose bundle, schema or options have changed since the last time.
deploy_examples() {
  local dir name stamp sum
  for dir in "$root"/examples/*/; do
    name=$(basename "$dir")
    case $name in dist|node_modules) continue ;; esac
    stamp=$local_dir/deployed/$name
    sum=$(find "$root/examples/dist/$name.js" "$dir" -type f -exec sha256sum {} + | sort | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && continue
    if [ -e "$dir/schema.sql" ]; then "$root/scripts/psql.sh" -q -v ON_ERROR_STOP=1 -f "$dir/schema.sql" >/dev/null; fi
    "$pgfn" deploy "$name" "$root/examples/dist/$name.js" $([ -e "$dir/function.json" ] && echo --options "$dir/function.json") >&2
    mkdir -p "$local_dir/deployed"; printf '%s' "$sum" >"$stamp"
  done
}

case $mode in
  stop) stop_all; exit 0 ;;
  foreground|background) ;;
  *) die "run.sh takes foreground, background or stop" ;;
esac

mkdir -p "$local_dir"
if [ -e "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; then die "it is running already: 'make down' stops it"; fi
address=${listen#*://}; port=${address##*:}
if (exec 3<>"/dev/tcp/127.0.0.1/${port%%/*}") 2>/dev/null; then
  die "port ${port%%/*} is taken: set PGFN_LISTEN, for instance PGFN_LISTEN=http://127.0.0.1:8788"
fi

"$root/scripts/setup.sh"
output=$("$root/scripts/build.sh" Release)
pgfn=$output/pgfn
if [ ! -e "$root/examples/dist/.built" ] || [ -n "$(find "$root/examples" -name node_modules -prune -o -name dist -prune -o -type f -newer "$root/examples/dist/.built" -print -quit)" ]; then
  (cd "$root/examples" && npm run --silent build) && touch "$root/examples/dist/.built"
fi

DATABASE_URL=$(database_url) || exit 2
PGFN_JWT_SECRET=${PGFN_JWT_SECRET:-$(secret jwt-secret)}
PGFN_SECRET_KEY=${PGFN_SECRET_KEY:-$(secret secret-key)}
PGFN_LISTEN=$listen
export DATABASE_URL PGFN_JWT_SECRET PGFN_SECRET_KEY PGFN_LISTEN
write_env

setsid "$pgfn" serve >"$log" 2>&1 &
sidecar=$!
echo "$sidecar" >"$pid_file"
trap 'stop_all' EXIT
trap 'exit 130' INT TERM
wait_ready "$sidecar"
deploy_examples

token=$("$pgfn" token --role authenticated --sub 11111111-1111-4111-8111-111111111111)
cat <<TEXT

  Functions.PgSidecar serves on $listen      (log: ${log#"$root"/})

  psql:    make psql      then: select * from functions.functions;
           select functions.deploy('greet', \$\$ export async function handler(event) { return { hello: event.body.name } } \$\$);
           call functions.wait_ready('greet');

  curl:    . .local/env; TOKEN=$token
           curl -X POST \$PGFN_URL/functions/v1/invoke/hello -H "Authorization: Bearer \$TOKEN" -H 'content-type: application/json' -d '{"key":"value"}'

TEXT
if [ "$mode" = background ]; then
  trap - EXIT
  echo "  'make down' stops it."
  exit 0
fi
echo "  Ctrl-C stops it."
wait "$sidecar"
