#!/usr/bin/env bash
# Builds the executable; does nothing when no source is newer than it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
configuration=${1:-Release}
output=$root/artifacts/bin/Functions.PgSidecar/${configuration,,}
stamp=$output/.built

newer() {
  [ ! -e "$stamp" ] && return 0
  [ -n "$(find "$root/src" "$root/build" "$root/migrations" "$root/sql" "$root"/Directory.* "$root/global.json" \
    \( -name node_modules -o -name dist \) -prune -o -type f -newer "$stamp" -print -quit 2>/dev/null)" ]
}

if newer; then
  say "building ($configuration)"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! dotnet build "$root/src/Functions.PgSidecar/Functions.PgSidecar.csproj" -c "$configuration" -nologo -v quiet >"$log" 2>&1; then
    cat "$log" >&2
    die "the build failed"
  fi
  touch "$stamp"
fi
printf '%s\n' "$output"
