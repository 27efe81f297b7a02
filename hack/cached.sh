# For the scripts beside this file, which source it: a program is built once into a cache folder outside the checkout,
# and found there ever after.

set -euo pipefail

# The installed Go or none: a toolchain is never downloaded. The key alone tells what is in a binary, so nothing of
# the user's own flags and nothing of the git checkout goes into it.
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# cached NAME KEY BUILD: prints the path of the program NAME in the state that KEY stands for. Where it is missing, the
# function BUILD is called with an empty folder, into which it puts NAME; what it prints goes to standard error.
cached() {
  local name=$1 key=$2 build=$3
  local cache=${CERTFERRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/certferry}
  mkdir -p "$cache"
  cache=$(cd "$cache" && pwd)
  local program=$cache/$name-$key

  if [[ ! -x $program ]]; then
    # The rename alone keeps two callers safe; the lock, where the system has one, also spares the second its build.
    exec 9>"$cache/$name.lock"
    if command -v flock >/dev/null; then flock 9; fi
  fi
  if [[ ! -x $program ]]; then
    unfinished=$(mktemp -d "$cache/.$name.XXXXXX") # not local: the trap outlives this function
    trap 'rm -rf "$unfinished"' EXIT
    echo "building $name $key into $cache, once" >&2
    "$build" "$unfinished" >&2
    mv -f "$unfinished/$name" "$program"
  fi
  echo "$program"
}
