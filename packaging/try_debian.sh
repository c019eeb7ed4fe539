#!/usr/bin/env bash
# try_debian.sh SUITE [FOLDER]
# Tests the README's two commands on Debian SUITE (bookworm, trixie). It makes a fresh system of that
# suite in FOLDER (default: one below $TMPDIR, removed at the end; an existing FOLDER is reused), copies
# this tree's files into it, and runs both commands there, with warnings as errors.
# Needs root and debootstrap. The packages come from the mirror that this system's apt uses, or from
# $DEBIAN_MIRROR; nothing outside of FOLDER is changed.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=${1:?usage: try_debian.sh SUITE [FOLDER]}
root=${2:-}

# Runs in the new system: quickstart.sh until it answers as the README says, then test.sh.
inside() {
  cd /bentohost
  export BENTO_CMAKE_ARGS=-DBENTO_WERROR=ON
  local log=/tmp/quickstart.log host port="" answer
  packaging/quickstart.sh --port 0 >"$log" 2>&1 </dev/null &
  host=$!
  while [[ -z $port ]]; do
    kill -0 "$host" 2>/dev/null || { cat "$log"; echo "quickstart.sh failed"; return 1; }
    sleep 1
    port=$(sed -nE 's|.*http://127\.0\.0\.1:([0-9]+).*|\1|p' "$log" | head -n 1)
  done
  cat "$log"
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'POST /classify HTTP/1.0\r\nContent-Length: 19\r\n\r\n[[4.9,3.0,1.4,0.2]]' >&3
  answer=$(tail -n 1 <&3)
  kill "$host"
  wait "$host"
  cmake --install build --prefix /tmp/prefix >/dev/null # quickstart.sh must have built all of it
  [[ $answer == "[0]" ]] || { echo "quickstart.sh: /classify answered '$answer'"; return 1; }
  packaging/test.sh
}

if [[ $suite == --inside ]]; then
  inside
  exit
fi
[[ $EUID -eq 0 ]] || { echo "try_debian.sh: needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "try_debian.sh: needs debootstrap" >&2; exit 1; }
if [[ -z $root ]]; then
  root=$(mktemp -d --suffix=".bentohost-$suite")
  trap 'rm -rf --one-file-system "$root"' EXIT
fi

if [[ ! -x $root/usr/bin/apt-get ]]; then
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(LABEL) $(SITE)' |
    sed -n 's/^Debian //p' | head -n 1)}
  debootstrap --variant=minbase "$suite" "$root" "${mirror:?no mirror: set DEBIAN_MIRROR}"
fi
mkdir -p "$root/bentohost"
git -C "$source" ls-files -z --cached --others --exclude-standard |
  tar -C "$source" --null --ignore-failed-read -cf - -T - | tar -C "$root/bentohost" -xf -

# In its own mount and process namespaces, so that no mounts and processes are left behind.
unshare --mount --pid --fork --kill-child bash -euc '
  mount -t proc proc "$0/proc"
  mount --rbind /dev "$0/dev"
  exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    /bentohost/packaging/try_debian.sh --inside' "$root"
