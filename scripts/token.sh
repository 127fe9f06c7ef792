#!/usr/bin/env bash
# Prints a token that the sidecar of `make run` accepts: token.sh [SUB] [ROLE].
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ -e "$local_dir/env" ] || die "nothing is running: start it with 'make run' or 'make up'"
. "$local_dir/env"
cd "$local_dir"
PGFN_JWT_SECRET=$PGFN_JWT_SECRET exec "$root/artifacts/bin/Functions.PgSidecar/release/pgfn" token \
  --sub "${1:-11111111-1111-4111-8111-111111111111}" --role "${2:-authenticated}"
