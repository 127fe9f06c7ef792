#!/usr/bin/env bash
# Usage: fuzz.sh SECONDS SEED. Compares random modules with V8 for SECONDS, or the modules of one SEED. Failing modules are kept in
# artifacts/fuzz.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v wasm-opt >/dev/null 2>&1 || install_packages binaryen
export PGFN_FUZZ_SEED=${2:-} PGFN_FUZZ_FOLDER=$root/artifacts/fuzz
[ -n "$PGFN_FUZZ_SEED" ] || export PGFN_FUZZ_SECONDS=${1:-60}
# Concurrent faults, null references, stack exhaustion and garbage collections, for a quarter of the time.
export PGFN_STORM_SECONDS=$((${1:-60} / 4))
dotnet build "$root/tests/Unit" -c Release -nologo -v quiet >/dev/null || die "the build failed"
tests=$root/artifacts/bin/Functions.PgSidecar.Tests.Unit/release/Functions.PgSidecar.Tests.Unit.dll
[ -n "$PGFN_FUZZ_SEED" ] || dotnet exec "$tests" -noColor -noLogo -class Functions.PgSidecar.Tests.Unit.Modules.TrapStormTests
# One module for every 4 s is deployed by SQL and called over HTTP.
dotnet build "$root/tests/EndToEnd" -c Release -nologo -v quiet >/dev/null || die "the build failed"
whole=$root/artifacts/bin/Functions.PgSidecar.Tests.EndToEnd/release/Functions.PgSidecar.Tests.EndToEnd.dll
modules=1
[ -n "$PGFN_FUZZ_SEED" ] || modules=$((${1:-60} / 4 + 1))
PGFN_FUZZ_MODULES=$modules dotnet exec "$whole" -noColor -noLogo -class Functions.PgSidecar.Tests.EndToEnd.Modules.RandomModuleTests
dotnet exec "$tests" -noColor -noLogo -explicit only -class Functions.PgSidecar.Tests.Unit.Modules.Fuzzing.FuzzTests
