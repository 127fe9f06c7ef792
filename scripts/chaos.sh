#!/usr/bin/env bash
# Random faults under load for PGFN_CHAOS_SECONDS, and then the account. Prints the seed (PGFN_CHAOS_SEED) and what was done.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
dotnet build "$root/tests/EndToEnd" -c Release -nologo -v quiet
[ -n "${PGFN_CHAOS_SEED:-}" ] || unset PGFN_CHAOS_SEED
exec dotnet exec "$root/artifacts/bin/Functions.PgSidecar.Tests.EndToEnd/release/Functions.PgSidecar.Tests.EndToEnd.dll" \
  -noColor -noLogo -showLiveOutput -class Functions.PgSidecar.Tests.EndToEnd.Chaos.ChaosTests
