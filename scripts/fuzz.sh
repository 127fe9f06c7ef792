#!/usr/bin/env bash
# Usage: fuzz.sh SECONDS SEED. Random modules beside V8 for so many seconds, or those of one seed. What fails stays in artifacts/fuzz.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v wasm-opt >/dev/null 2>&1 || install_packages binaryen
export PGFN_FUZZ_SEED=${2:-} PGFN_FUZZ_FOLDER=$root/artifacts/fuzz
[ -n "$PGFN_FUZZ_SEED" ] || export PGFN_FUZZ_SECONDS=${1:-60}
# Faults, null references, exhausted stacks and collections at once, for a quarter of the time.
export PGFN_STORM_SECONDS=$((${1:-60} / 4))
dotnet build "$root/tests/Unit" -c Release -nologo -v quiet >/dev/null || die "the build failed"
tests=$root/artifacts/bin/Functions.PgSidecar.Tests.Unit/release/Functions.PgSidecar.Tests.Unit.dll
[ -n "$PGFN_FUZZ_SEED" ] || dotnet exec "$tests" -noColor -noLogo -class Functions.PgSidecar.Tests.Unit.Modules.TrapStormTests
dotnet exec "$tests" -noColor -noLogo -explicit only -class Functions.PgSidecar.Tests.Unit.Modules.Fuzzing.FuzzTests
