#!/usr/bin/env bash
# Makes sure that the base images of the tests exist: scripts/bases.sh CACHE NAME=PACKAGE,PACKAGE ...
# An image that is neither there nor can be pulled is made by debootstrap of this Debian mirror's trixie, with the packages that its name
# needs. Such trees are kept in CACHE as archives, since each takes a minute.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cache=${1:?usage: scripts/bases.sh CACHE NAME=PACKAGES ...}
shift
release=trixie
# What a slim image of Debian leaves out, and the device files, which belong to the machine.
slim=(--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/info/*'
  --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/*' --exclude='./var/log/*' --exclude='./proc/*' --exclude='./sys/*'
  --exclude='./dev/*')

# The Debian mirror that this machine's sources use.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep -v security | sort -u | head -n 1
}

# Makes the archive of a tree with the packages.
bootstrap() {
  local packages=$1 archive=$2 tree
  command -v debootstrap >/dev/null 2>&1 || install_packages debootstrap
  tree=$(mktemp -d)
  say "making a base image with $packages"
  debootstrap --variant=minbase ${packages:+--include="$packages"} "$release" "$tree" "$(mirror)" >"$archive.log" 2>&1 ||
    { tail -n 3 "$archive.log" >&2; rm -rf "$tree"; die "debootstrap failed: $archive.log"; }
  tar -C "$tree" "${slim[@]}" -cf "$archive.part" .
  mv "$archive.part" "$archive"
  rm -rf "$tree"
}

mkdir -p "$cache"
for entry in "$@"; do
  name=${entry%%=*} packages=${entry#*=}
  if docker image inspect "$name" >/dev/null 2>&1 || docker pull --quiet "$name" >/dev/null 2>&1; then continue; fi
  archive=$cache/$release-$(printf %s "$packages" | cksum | cut -d ' ' -f 1).tar
  [ -s "$archive" ] || bootstrap "$packages" "$archive"
  docker import --change 'CMD ["bash"]' - "$name" <"$archive" >/dev/null
done
