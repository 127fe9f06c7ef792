#!/usr/bin/env bash
# Builds the images and runs the tests that need them: scripts/test-image.sh [OPTIONS OF THE TEST RUNNER, such as -class "*StopTests"]
# Uses the Docker engine that answers. Where none does, it starts a private one in artifacts/docker and removes it at the end, with
# everything that it made. Base images that can't be pulled are made by debootstrap. SDK_IMAGE and NODE_IMAGE: the program is built inside
# them, as make image does.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
work=$root/artifacts/docker
"$root/scripts/setup.sh"
mkdir -p "$work"

if ! docker info >/dev/null 2>&1; then
  trap '"$root/scripts/engine.sh" stop "$work/engine"' EXIT
  # Ctrl-C ends the script by its trap, not in the middle of it.
  trap 'exit 130' INT TERM
  line=$("$root/scripts/engine.sh" start "$work/engine") || exit 2
  export "${line?}"
fi
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null 2>&1 || install_packages docker-compose

# The proxy's and PostgreSQL's packages are in one tree, since making one takes a minute. Images that can be pulled have them already.
servers=ca-certificates,postgresql-17,postgresql-17-pgvector,haproxy
"$root/scripts/bases.sh" "$work/bases" debian:trixie-slim=ca-certificates,libssl3t64,libstdc++6,tini
export BASE_IMAGE=debian:trixie-slim
if docker pull --quiet haproxy:lts >/dev/null 2>&1; then
  export PROXY_IMAGE=haproxy:lts POSTGRES_BASE_IMAGE=debian:trixie-slim
else
  "$root/scripts/bases.sh" "$work/bases" pgfn-test-servers="$servers"
  export PROXY_IMAGE=pgfn-test-servers POSTGRES_BASE_IMAGE=pgfn-test-servers
fi
"$root/scripts/image.sh"

say "building the tests"
log=$(mktemp)
dotnet build "$root/tests/Image" -c Release -nologo -v quiet >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "the build failed"; }
rm -f "$log"
# Old engines refuse the API version that newer clients begin with. Ryuk, which removes what tests leave behind, is an image of its own; the
# tests remove what they make.
DOCKER_API_VERSION=$(docker version --format '{{.Server.APIVersion}}')
export DOCKER_API_VERSION TESTCONTAINERS_RYUK_DISABLED=true
tests() { dotnet exec "$root/artifacts/bin/Functions.PgSidecar.Tests.$1/release/Functions.PgSidecar.Tests.$1.dll" -noColor -noLogo "${@:2}"; }
if [ $# -gt 0 ]; then tests Image -diagnostics "$@"; exit; fi
tests Image -diagnostics -trait Needs=Docker
# Other suites can have their server in a container too.
dotnet build "$root/tests/Integration" -c Release -nologo -v quiet >/dev/null
PGFN_TEST_IMAGE=functions-pgsidecar-postgres:17 tests Integration -class "*MigratorTests"
