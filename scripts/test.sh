#!/usr/bin/env bash
# Runs every test (or the suites named), prints the counts of all together, and fails when anything fails.
# The last line is `N passed, N failed` (`, N skipped`).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(Guest Unit Integration EndToEnd)
results=$root/artifacts/test-results
export PGFN_SHARED=${PGFN_SHARED:-$root/../shared}

"$root/scripts/setup.sh"
# binaryen makes random modules. Without it their tests are skipped, and say so.
if [[ " ${suites[*]} " == *" Unit "* ]]; then command -v wasm-opt >/dev/null 2>&1 || ! can_install || install_packages binaryen; fi
# Modules for functions are made of the examples by the compilers that are there.
if [[ " ${suites[*]} " == *" EndToEnd "* ]] && can_install; then
  command -v wat2wasm >/dev/null 2>&1 || install_packages wabt
  command -v clang >/dev/null 2>&1 && command -v wasm-ld >/dev/null 2>&1 && [ -e /usr/lib/wasm32-wasi/libc.a ] ||
    install_packages clang lld wasi-libc libclang-rt-dev-wasm32
  [ -e /usr/bin/rustc ] && [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/wasm32-wasi" ] || install_packages rustc libstd-rust-dev-wasm32
  # WASI came with Go 1.21; Debian 12 itself has 1.19.
  ls -d /usr/lib/go-1.2[1-9] >/dev/null 2>&1 || go version 2>/dev/null | grep -qE 'go1\.(2[1-9]|[3-9][0-9])' || install_backports golang-1.23-go
  npm_install "$root/examples/assemblyscript"
  [ -e /usr/sbin/pgbouncer ] || install_packages pgbouncer
fi
if [[ " ${suites[*]} " == *" EndToEnd "* ]]; then npm_install "$root/tests/EndToEnd/servers"; fi
rm -rf "$results"; mkdir -p "$results"
passed=0 failed=0 skipped=0

count() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }

run_guest() {
  local log=$results/Guest.log
  (cd "$guest_dir" && npm test --silent) >"$log" 2>&1 || cat "$log"
  count "$(summary "$log" pass)" "$(summary "$log" fail)" "$(summary "$log" skipped)"
  [ "$(summary "$log" pass)" -gt 0 ] || { cat "$log"; count 0 1 0; }
}

# A figure of node's test runner: "# pass 12" or "ℹ pass 12".
summary() { { grep -oE "^(#|ℹ) $2 [0-9]+" "$1" || echo 0; } | grep -oE '[0-9]+' | tail -1; }

# An attribute of the <assembly> element of xunit's report.
attribute() { grep -oE "<assembly [^>]*" "$1" | grep -oE " $2=\"[0-9]+\"" | grep -oE '[0-9]+' | head -1; }

run_dotnet() {
  local suite=$1 report=$results/$1.xml
  local dll=$root/artifacts/bin/Functions.PgSidecar.Tests.$suite/release/Functions.PgSidecar.Tests.$suite.dll
  echo "== $suite"
  dotnet exec "$dll" -noColor -noLogo -xml "$report" | tee "$results/$suite.log" || true
  if [ ! -s "$report" ]; then count 0 1 0; echo "$suite did not finish"; return; fi
  local errors; errors=$(attribute "$report" errors)
  count "$(attribute "$report" passed)" $(($(attribute "$report" failed) + ${errors:-0})) "$(attribute "$report" skipped)"
}

echo "== build"
if ! dotnet build "$root/Functions.PgSidecar.slnx" -c Release -nologo -v quiet >"$results/build.log" 2>&1; then
  cat "$results/build.log"
  echo "0 passed, 1 failed"
  exit 1
fi
for suite in "${suites[@]}"; do
  if [ "$suite" = Guest ]; then echo "== Guest"; run_guest; else run_dotnet "$suite"; fi
done

# What failed is told once more, with the beginning of its reason, where somebody who sees only the end of the output finds it.
for log in "$results"/*.log; do
  awk '/\[FAIL\]$/ { left = 15 } /^  Finished:/ { left = 0 } left-- > 0' "$log" | cut -c 1-500
done

line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line+=", $skipped skipped"
echo "$line"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
