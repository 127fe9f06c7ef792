#!/usr/bin/env bash
# Formats the C# code with CSharpier (.config/dotnet-tools.json has its version, .editorconfig the line length): scripts/format.sh [--check]
# --check changes nothing and fails when a file is not formatted.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"
command=format
if [ "${1:-}" = --check ]; then command=check; fi
dotnet tool restore >/dev/null || die "dotnet tool restore failed: the formatter comes from NuGet, as the packages do"
dotnet csharpier "$command" src tests || die "run 'make format' and commit what it changes"
