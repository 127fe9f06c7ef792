#!/usr/bin/env bash
# Installs missing tools and packages. Fast when everything is installed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

command -v dotnet >/dev/null 2>&1 || die "the .NET 10 SDK is missing: install it from https://dot.net"
[[ $(cd "$root" && dotnet --version 2>/dev/null) == 10.* ]] ||
  die "the .NET 10 SDK is missing: dotnet --version says '$(dotnet --version 2>/dev/null)'"
command -v node >/dev/null 2>&1 || die "Node.js 20 or newer is missing: it bundles the JavaScript prelude and the examples"
command -v npm >/dev/null 2>&1 || die "npm is missing: it comes with Node.js"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node.js 20 or newer is needed: this is $(node --version)"

# A local server is needed unless a database is configured. The tests can use a container where none can be installed.
if [ -z "${DATABASE_URL:-}${DATABASE_URL_FILE:-}${PGHOST:-}${PGFN_TEST_DATABASE_URL:-}${PGFN_TEST_IMAGE:-}" ]; then
  [ -n "$(postgres_bin)" ] || { ! can_install && docker info >/dev/null 2>&1; } || install_packages postgresql
  "$root/scripts/pgvector.sh" || true
fi
command -v psql >/dev/null 2>&1 || [ -n "$(postgres_bin)" ] || install_packages postgresql-client

npm_install "$guest_dir"
npm_install "$root/examples"
