#!/usr/bin/env bash
# Publishes the executable with its own .NET runtime: scripts/publish.sh FOLDER [RID]. The default is this machine's Linux.
# Adds sbom.json, the list of what is inside.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
folder=${1:?usage: scripts/publish.sh FOLDER [RID]}
case $(uname -m) in aarch64 | arm64) own=linux-arm64 ;; *) own=linux-x64 ;; esac
rid=${2:-$own}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rm -rf "$folder"
dotnet publish "$root/src/Functions.PgSidecar/Functions.PgSidecar.csproj" -c Release -r "$rid" --self-contained true -o "$folder" \
  -nologo -v quiet >"$log" 2>&1 || { cat "$log" >&2; die "publishing failed"; }
node "$root/scripts/sbom.mjs" "$root" "$folder" >"$folder/sbom.json"
# Readable by any user, writable by its owner only, whatever this machine's umask is.
find "$folder" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
chmod 755 "$folder/pgfn"
