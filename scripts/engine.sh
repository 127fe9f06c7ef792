#!/usr/bin/env bash
# A private Docker engine, for the tests of the image on a machine where none runs.
#
#   scripts/engine.sh start DIR    prints DOCKER_HOST=unix://... ; installs Debian's packages where that is possible
#   scripts/engine.sh stop DIR     ends it and removes its containers, images, networks, mounts and bridge, and DIR
#
# It needs root. It does not touch the machine's firewall and forwards nothing: containers reach each other and this machine, and ports are
# published by a proxy process.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command=${1:-} dir=${2:-}
[ -n "$dir" ] || die "usage: scripts/engine.sh {start|stop} DIR"

runs() { [ -s "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; }

start() {
  is_root || die "a private Docker engine needs root; start Docker, or run this as root"
  { command -v dockerd && command -v docker-compose; } >/dev/null 2>&1 || install_packages docker.io docker-compose
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  # A Unix socket's path has 107 bytes at most.
  [ ${#dir} -le 80 ] || die "the path $dir is too long for a socket"
  if ! runs; then
    if ip link show docker0 >/dev/null 2>&1; then die "the bridge docker0 exists already: another engine uses it, or has left it behind"; fi
    touch "$dir/bridge"
    setsid nohup dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" -H "unix://$dir/docker.sock" \
      --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false >"$dir/log" 2>&1 </dev/null &
    local starting=$!
    until DOCKER_HOST=unix://$dir/docker.sock docker info >/dev/null 2>&1; do
      kill -0 "$starting" 2>/dev/null || runs || { tail -n 5 "$dir/log" >&2; die "the Docker engine did not start"; }
      sleep 0.2
    done
  fi
  echo "DOCKER_HOST=unix://$dir/docker.sock"
}

stop() {
  [ -d "$dir" ] || return 0
  dir=$(cd "$dir" && pwd)
  if runs; then
    export DOCKER_HOST=unix://$dir/docker.sock
    local containers; containers=$(docker ps --all --quiet)
    # shellcheck disable=SC2086 # one word per container
    [ -z "$containers" ] || docker rm --force --volumes $containers >/dev/null
    docker network prune --force >/dev/null
    local pid; pid=$(cat "$dir/pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"; do sleep 0.1; done
  fi
  # The engine leaves these behind.
  local mount
  while read -r mount; do umount "$mount"; done < <(awk -v "dir=$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
  if [ -e "$dir/bridge" ] && ip link show docker0 >/dev/null 2>&1; then ip link delete docker0; fi
  rm -rf "$dir"
}

case $command in
  start | stop) "$command" ;;
  *) die "usage: scripts/engine.sh {start|stop} DIR" ;;
esac
