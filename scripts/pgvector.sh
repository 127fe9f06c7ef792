#!/usr/bin/env bash
# Installs the extension pgvector for the private cluster's PostgreSQL if it is missing: Debian's package, or, where the release has none, a
# build of the next release's source package. Only vector indexes need it, so a failure is not an error.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# The first release of Debian whose pgvector builds against PostgreSQL 15 and newer.
next_release=trixie
bin=$(postgres_bin) || exit 0
major=$("$bin/postgres" --version | grep -oE '[0-9]+' | head -1)
tried=$local_dir/pgvector-tried

installed() {
  local dir
  for dir in "/usr/share/postgresql/$major/extension" "$("$bin/pg_config" --sharedir 2>/dev/null)/extension"; do
    [ -e "$dir/vector.control" ] && return 0
  done
  return 1
}

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; }

# The Debian mirror that this machine's sources use.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep -v security | sort -u | head -n 1
}

# Downloads the source package with separate package lists. The machine's sources are not changed.
download() {
  local apt_options=(-qq -o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$1/lists"
    -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Sandbox::User=root)
  local from; from=$(mirror)
  [ -n "$from" ] || return 1
  mkdir -p "$1/lists/partial"
  echo "deb-src $from $next_release main" >"$1/sources.list"
  apt-get "${apt_options[@]}" update >/dev/null 2>&1 &&
    (cd "$1" && apt-get "${apt_options[@]}" source --download-only pgvector >/dev/null 2>&1)
}

# The headers of exactly this server version if the mirror still has them: a newer package would require a newer server.
install_headers() {
  local version; version=$(dpkg-query -W -f '${Version}' "postgresql-$major" 2>/dev/null) || return 1
  apt_install make gcc "postgresql-server-dev-$major=$version" || apt_install make gcc "postgresql-server-dev-$major"
}

build() {
  local dir=$1 source
  download "$dir" && install_headers || return 1
  mkdir "$dir/source"
  source=$(ls "$dir"/pgvector_*.orig.tar.*)
  tar -xf "$source" -C "$dir/source" --strip-components=1 || return 1
  # Portable code without bitcode: bitcode needs the compiler that built the server.
  make -C "$dir/source" -s PG_CONFIG="$bin/pg_config" OPTFLAGS='' with_llvm=no all install >/dev/null 2>&1
}

installed && exit 0
[ "$(cat "$tried" 2>/dev/null)" != "$major" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if is_root && command -v apt-get >/dev/null 2>&1; then
  say "installing pgvector"
  apt-get update -qq >/dev/null 2>&1 || true
  apt_install "postgresql-$major-pgvector" || build "$work" || true
fi
installed && exit 0
mkdir -p "$local_dir"
echo "$major" >"$tried"
say "notice: pgvector could not be installed for PostgreSQL $major; vector indexes (docs/vectors.md) will not work (remove ${tried#"$root"/} to try again)"
