# The database of `make run`: the configured one, or a private cluster in .local/. Source this file after lib.sh.
cluster=$local_dir/postgres
# This file exists while .local/env refers to the private cluster.
private_mark=$local_dir/private

# Whether DATABASE_URL is the URL of the private cluster, taken from .local/env.
leads_to_private() {
  [ -e "$private_mark" ] && [ -e "$local_dir/env" ] && [ "$(. "$local_dir/env"; printf '%s' "$DATABASE_URL")" = "$DATABASE_URL" ]
}

# Percent-encodes everything but letters, digits and - _ . ~
encoded() {
  local LC_ALL=C text=$1 i c
  for ((i = 0; i < ${#text}; i++)); do
    c=${text:i:1}
    case $c in [a-zA-Z0-9._~-]) printf '%s' "$c" ;; *) printf '%%%02X' "'$c" ;; esac
  done
}

# The libpq variables as one URL.
url_of_variables() {
  local user; user=$(encoded "${PGUSER:-$(id -un)}")
  printf 'postgresql://%s' "$user"
  [ -z "${PGPASSWORD:-}" ] || printf ':%s' "$(encoded "$PGPASSWORD")"
  printf '@%s:%s/%s' "$(encoded "$PGHOST")" "${PGPORT:-5432}" "$(encoded "${PGDATABASE:-${PGUSER:-$(id -un)}}")"
  [ -z "${PGSSLMODE:-}" ] || printf '?sslmode=%s' "$PGSSLMODE"
}

# Prints the URL of the database. Starts the private cluster when no database is configured.
database_url() {
  if [ -z "${DATABASE_URL:-}" ] && [ -n "${DATABASE_URL_FILE:-}" ]; then
    DATABASE_URL=$(cat "$DATABASE_URL_FILE" 2>/dev/null) || die "DATABASE_URL_FILE: cannot read the file '$DATABASE_URL_FILE'"
  fi
  if [ -n "${DATABASE_URL:-}" ] && ! leads_to_private; then
    case $DATABASE_URL in
      postgres://*|postgresql://*) ;;
      *) die "DATABASE_URL: write it as postgresql://user:password@host:5432/database, which psql understands as well" ;;
    esac
    rm -f "$private_mark"
    printf '%s' "$DATABASE_URL"
  elif [ -z "${DATABASE_URL:-}" ] && [ -n "${PGHOST:-}" ]; then
    rm -f "$private_mark"
    url_of_variables
  else
    local line; line=$("$root/scripts/cluster.sh" start "$cluster") || exit 2
    touch "$private_mark"
    printf '%s' "${line#DATABASE_URL=}"
  fi
}

# Fails with one line when the database does not answer; the sidecar would retry forever.
require_database() {
  local said
  said=$(PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5} "$root/scripts/psql.sh" -XAtqc 'select 1' 2>&1) ||
    die "DATABASE_URL: $(printf '%s' "$said" | head -n 1 | sed 's/^psql: error: //')"
}

stop_private_database() {
  if [ -e "$private_mark" ]; then "$root/scripts/cluster.sh" stop "$cluster" >/dev/null 2>&1 || true; fi
}
