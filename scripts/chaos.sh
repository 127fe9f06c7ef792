#!/usr/bin/env bash
# Injects random faults under load for PGFN_CHAOS_SECONDS, then checks that every change took effect. Prints the seed (PGFN_CHAOS_SEED) and
# the faults.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
dotnet build "$root/tests/EndToEnd" -c Release -nologo -v quiet
[ -n "${PGFN_CHAOS_SEED:-}" ] || unset PGFN_CHAOS_SEED
exec dotnet exec "$root/artifacts/bin/Functions.PgSidecar.Tests.EndToEnd/release/Functions.PgSidecar.Tests.EndToEnd.dll" \
  -noColor -noLogo -showLiveOutput -parallelMode none -namespace Functions.PgSidecar.Tests.EndToEnd.Chaos
