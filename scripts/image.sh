#!/usr/bin/env bash
# Builds the images functions-pgsidecar:VERSION and functions-pgsidecar-postgres:17 and prints their names and sizes.
#   SDK_IMAGE=...   builds the program inside this image of the .NET 10 SDK; without it, this machine's SDK publishes it
#   BASE_IMAGE=...  what the images are based on; debian:trixie-slim
#   BUILD_OPTIONS=... further options of `docker build`, such as --network host
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1 || die "no Docker engine answers; 'make test-image' starts a private one"
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$root/Directory.Build.props")
# shellcheck disable=SC2206 # several words
options=(--build-arg "VERSION=$version" --build-arg "REVISION=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)"
  --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)" ${BASE_IMAGE:+--build-arg "BASE_IMAGE=$BASE_IMAGE"} ${BUILD_OPTIONS:-})

if [ -n "${SDK_IMAGE:-}" ]; then
  options+=(--build-arg "SDK_IMAGE=$SDK_IMAGE" ${NODE_IMAGE:+--build-arg "NODE_IMAGE=$NODE_IMAGE"})
else
  say "publishing"
  "$root/scripts/publish.sh" "$root/artifacts/publish/linux"
  options+=(--target packaged --build-arg PUBLISHED=artifacts/publish/linux)
fi
say "building functions-pgsidecar:$version"
docker build --quiet "${options[@]}" --tag "functions-pgsidecar:$version" --file "$root/docker/Dockerfile" "$root" >/dev/null
say "building functions-pgsidecar-postgres:17"
docker build --quiet ${POSTGRES_BASE_IMAGE:+--build-arg "BASE_IMAGE=$POSTGRES_BASE_IMAGE"} ${BUILD_OPTIONS:-} \
  --tag functions-pgsidecar-postgres:17 "$root/docker/postgres" >/dev/null
docker image ls --filter "reference=functions-pgsidecar*" --format '{{.Repository}}:{{.Tag}} {{.Size}}'
