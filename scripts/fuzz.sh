#!/usr/bin/env bash
# Usage: fuzz.sh SECONDS SEED. Random modules beside V8 for so many seconds, or those of one seed. What fails stays in artifacts/fuzz.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v wasm-opt >/dev/null 2>&1 || install_packages binaryen
export PGFN_FUZZ_SEED=${2:-} PGFN_FUZZ_FOLDER=$root/artifacts/fuzz
[ -n "$PGFN_FUZZ_SEED" ] || export PGFN_FUZZ_SECONDS=${1:-60}
dotnet build "$root/tests/Conformance" -c Release -nologo -v quiet >/dev/null || die "the build failed"
dotnet exec "$root/artifacts/bin/Functions.PgSidecar.Tests.Conformance/release/Functions.PgSidecar.Tests.Conformance.dll" \
  -noColor -noLogo -class Functions.PgSidecar.Tests.Conformance.Fuzzing.FuzzTests
