# Shared by the scripts in this folder; source it.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
local_dir=${PGFN_LOCAL:-$root/.local}
guest_dir=$root/src/guest
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

# Prints one line and exits with 2: the user has to do something.
die() { printf 'error: %s\n' "$*" >&2; exit 2; }
say() { printf '%s\n' "$*" >&2; }

is_root() { [ "$(id -u)" = 0 ]; }

# The folder of the newest PostgreSQL server programs, version 15 or later.
postgres_bin() {
  local dir best=
  for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -V); do
    [ -x "$dir/initdb" ] && best=$dir
  done
  if [ -z "$best" ] && command -v initdb >/dev/null 2>&1; then best=$(dirname "$(command -v initdb)"); fi
  [ -n "$best" ] && [ "$("$best/postgres" --version | grep -oE '[0-9]+' | head -1)" -ge 15 ] && echo "$best"
}

can_install() { is_root && command -v apt-get >/dev/null 2>&1; }

# Installs missing packages with apt-get, where that is possible.
install_packages() {
  command -v apt-get >/dev/null 2>&1 || die "install $* by hand: this machine has no apt-get"
  is_root || die "run 'sudo apt-get install $*' first: installing needs root"
  say "installing $*"
  DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || die "apt-get could not install $*"
}

# Installs packages from the backports of this Debian release without adding them to the machine's sources. A failure is reported and does
# not stop the script.
install_backports() {
  local release sources
  release=$(. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") && [ -n "$release" ] || return 0
  sources=/etc/apt/sources.list.d/pgfn-$release-backports.list
  say "installing $* of $release-backports"
  echo "deb http://deb.debian.org/debian $release-backports main" >"$sources"
  DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -t "$release-backports" "$@" >/dev/null 2>&1 ||
    say "apt-get could not install $*"
  rm -f "$sources"
}

# npm ci in a folder, only when its lock file has changed since the last time.
npm_install() {
  local dir=$1 stamp=$1/node_modules/.installed
  if [ ! -e "$stamp" ] || [ "$dir/package-lock.json" -nt "$stamp" ]; then
    say "npm packages of ${dir#"$root"/}"
    (cd "$dir" && npm ci --silent --no-audit --no-fund >/dev/null) || die "npm ci failed in $dir"
    touch "$stamp"
  fi
}
