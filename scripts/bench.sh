#!/usr/bin/env bash
# Runs all benchmarks, beside Kestrel, workerd, Npgsql, Node.js, graphile-worker, pg-boss and Miniflare, and prints one table. It stops
# every process it starts.
# --seconds N and --rounds N shorten it, --only http,events,... selects benchmarks: see tests/Benchmarks.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$root/scripts/setup.sh"
command -v wrk >/dev/null 2>&1 || install_packages wrk
command -v wasm-ld >/dev/null 2>&1 || ! can_install || install_packages clang lld
# Not every release of the systems that have apt-get has this one.
command -v aws >/dev/null 2>&1 || ! can_install || (install_packages awscli) || say "buckets in S3 are not measured"
npm_install "$root/tests/Benchmarks/peers"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
say "building the benchmarks"
dotnet build "$root/tests/Benchmarks" -c Release -nologo -v quiet >"$log" 2>&1 || { cat "$log" >&2; die "the build failed"; }
"$root/artifacts/bin/Functions.PgSidecar.Benchmarks/release/Functions.PgSidecar.Benchmarks" "$@"
