#!/usr/bin/env bash
# Runs the tests, or those of the suites named: scripts/test.sh [--quick|--all] [Guest] [Unit] [Integration] [Image] [EndToEnd]
# Tests with the trait Speed=Slow run with --all only. --quick runs only what needs no database. Fails when a test fails; the last line is
# `N passed, N failed` (`, N skipped`).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
filter=(-trait- Speed=Slow) every=(Guest Unit Integration Image EndToEnd)
case ${1:-} in
  --all) filter=(); shift ;;
  --quick) every=(Guest Unit); shift ;;
esac
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=("${every[@]}")
results=$root/artifacts/test-results
export PGFN_SHARED=${PGFN_SHARED:-$root/../shared}

"$root/scripts/setup.sh"
# binaryen generates random modules. Without it their tests are skipped.
if [[ " ${suites[*]} " == *" Unit "* || " ${suites[*]} " == *" EndToEnd "* ]]; then
  command -v wasm-opt >/dev/null 2>&1 || ! can_install || install_packages binaryen
fi
# The tests compile the modules of the examples with the compilers that are installed.
if [[ " ${suites[*]} " == *" EndToEnd "* ]] && can_install; then
  command -v wat2wasm >/dev/null 2>&1 || install_packages wabt
  command -v clang >/dev/null 2>&1 && command -v wasm-ld >/dev/null 2>&1 && [ -e /usr/lib/wasm32-wasi/libc.a ] ||
    install_packages clang lld wasi-libc libclang-rt-dev-wasm32
  [ -e /usr/bin/rustc ] && [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/wasm32-wasi" ] ||
    install_packages rustc libstd-rust-dev-wasm32
  # WASI needs Go 1.21; Debian 12 has 1.19.
  ls -d /usr/lib/go-1.2[1-9] >/dev/null 2>&1 || go version 2>/dev/null | grep -qE 'go1\.(2[1-9]|[3-9][0-9])' ||
    install_backports golang-1.23-go
  npm_install "$root/examples/assemblyscript"
  [ -e /usr/sbin/pgbouncer ] || install_packages pgbouncer
  # A sidecar whose clock is wrong by a minute.
  ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || install_packages libfaketime
fi
if [[ " ${suites[*]} " == *" EndToEnd "* ]]; then npm_install "$root/tests/EndToEnd/servers"; fi
rm -rf "$results"; mkdir -p "$results"
passed=0 failed=0 skipped=0

count() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }

# Runs a suite, with its output in a log, and prints how long it took.
run() {
  local suite=$1 started=$SECONDS
  "run_${2:-dotnet}" "$suite" >"$results/$suite.log" 2>&1 || true
  echo "== $suite: $((SECONDS - started)) s"
}

run_guest() { (cd "$guest_dir" && npm test --silent); }

# Tests that mostly wait for a server or a sidecar run four at a time, also on two cores.
run_dotnet() {
  local threads=default
  [ "$1" = Unit ] || threads=${PGFN_TEST_THREADS:-4}
  dotnet exec "$root/artifacts/bin/Functions.PgSidecar.Tests.$1/release/Functions.PgSidecar.Tests.$1.dll" \
    -noColor -noLogo -maxThreads "$threads" -trait- Needs=Docker -trait- Needs=Model ${filter[@]+"${filter[@]}"} -xml "$results/$1.xml"
}

# Many tests kill processes, have deadlines, or run threads beside each other, on a machine that may be busy. If a few failed, they are
# repeated alone. What fails again has failed; what passes then is named, with the reason of its first failure: somebody has to look at it.
repeat_failed() {
  local suite=$1 test tests=() methods=()
  [ -s "$results/$suite.xml" ] || return 0
  mapfile -t tests < <(grep -oE '<test [^>]* result="Fail"[^>]*>' "$results/$suite.xml" |
    sed -E 's/.* type="([^"]*)" method="([^"]*)".*/\1.\2/' | sort -u)
  [ ${#tests[@]} -gt 0 ] && [ ${#tests[@]} -le 5 ] || return 0
  for test in "${tests[@]}"; do methods+=(-method "$test"); done
  dotnet exec "$root/artifacts/bin/Functions.PgSidecar.Tests.$suite/release/Functions.PgSidecar.Tests.$suite.dll" \
    -noColor -noLogo -maxThreads 1 "${methods[@]}" -xml "$results/$suite.again.xml" >"$results/$suite.again.log" 2>&1 || true
  printf '== repeated: %s\n' "${tests[@]}"
}

# Whether all tests of a suite that failed at first passed when they were repeated.
passed_again() {
  local report=$results/$1.again.xml
  [ -s "$report" ] && [ "$(attribute "$report" passed)" -ge "$(attribute "$results/$1.xml" failed)" ] &&
    [ "$(attribute "$report" failed)" -eq 0 ] && [ "$(attribute "$report" errors)" -eq 0 ]
}

# A figure of node's test runner: "# pass 12" or "ℹ pass 12".
summary() { { grep -oE "^(#|ℹ) $2 [0-9]+" "$1" || echo 0; } | grep -oE '[0-9]+' | tail -1; }

# An attribute of the <assembly> element of xunit's report.
attribute() { grep -oE "<assembly [^>]*" "$1" | grep -oE " $2=\"[0-9]+\"" | grep -oE '[0-9]+' | head -1; }

count_guest() {
  local log=$results/Guest.log
  count "$(summary "$log" pass)" $(($(summary "$log" fail) + $(summary "$log" cancelled))) "$(summary "$log" skipped)"
  if [ "$(summary "$log" pass)" -eq 0 ]; then count 0 1 0; fi
  if [ "$(summary "$log" pass)" -eq 0 ] || [ $(($(summary "$log" fail) + $(summary "$log" cancelled))) -gt 0 ]; then cat "$log"; fi
}

count_dotnet() {
  local report=$results/$1.xml
  if [ ! -s "$report" ]; then count 0 1 0; cat "$results/$1.log"; echo "$1 did not finish"; return; fi
  local errors failures; errors=$(attribute "$report" errors) failures=$(attribute "$report" failed)
  if [ "${errors:-0}" -eq 0 ] && [ "$failures" -gt 0 ] && passed_again "$1"; then
    count "$failures" "-$failures" 0
    echo "== $failures of $1 failed, and passed when they were repeated alone; the reasons follow"
  fi
  count "$(attribute "$report" passed)" $((failures + ${errors:-0})) "$(attribute "$report" skipped)"
}

echo "== format"
if ! "$root/scripts/format.sh" --check >"$results/format.log" 2>&1; then
  cat "$results/format.log"
  echo "0 passed, 1 failed"
  exit 1
fi
echo "== build"
if ! dotnet build "$root/Functions.PgSidecar.sln" -c Release -nologo -v quiet >"$results/build.log" 2>&1; then
  cat "$results/build.log"
  echo "0 passed, 1 failed"
  exit 1
fi
# Unit tests use the processor, and some measure it: they run alone. So do the end-to-end tests, whose functions have deadlines.
for suite in "${suites[@]}"; do
  case $suite in
    Unit | EndToEnd) ;;
    Guest) run Guest guest & ;;
    *) run "$suite" & ;;
  esac
done
wait
for suite in "${suites[@]}"; do
  case $suite in Unit | EndToEnd) run "$suite" ;; esac
done
for suite in "${suites[@]}"; do
  case $suite in Unit | Integration | EndToEnd) repeat_failed "$suite" ;; esac
done
for suite in "${suites[@]}"; do
  if [ "$suite" = Guest ]; then count_guest; else count_dotnet "$suite"; fi
done

# Each failure, with the beginning of its reason.
for log in "$results"/*.log; do
  awk '/\[FAIL\]$/ { left = 15 } /^  Finished:/ { left = 0 } left-- > 0' "$log" | cut -c 1-500
done

[ ${#filter[@]} -eq 0 ] || echo "== without the tests of the trait Speed=Slow, which make test-all runs"
line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line+=", $skipped skipped"
echo "$line"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
