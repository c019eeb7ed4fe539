#!/usr/bin/env bash
# install.sh [--print] <section>...
# Installs the missing packages of these sections of debian-packages.txt; quick and silent if there are none.
# --print only lists the sections' packages.
set -euo pipefail
list=$(dirname "${BASH_SOURCE[0]}")/debian-packages.txt

packages_of() { # <section>... -> one name a line
  local section names
  for section in "$@"; do
    names=$(sed -E 's/[[:space:]]*#.*//' "$list" | awk -v section="[$section]" '
      /^\[/ { inside = ($0 == section); next }
      inside && NF { print $1 }')
    if [[ -z $names ]]; then
      echo "install.sh: debian-packages.txt has no section [$section]" >&2
      return 1
    fi
    echo "$names"
  done
}

missing_of() { # <package>... -> the packages that are not installed
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      echo "$package"
  done
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

# nginx and prometheus would start as services; only their programs are needed here.
policy=/usr/sbin/policy-rc.d
forbid_services() {
  [[ ! -e $policy ]] || return 0
  trap 'as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod +x "$policy"
}

if [[ ${1:-} == --print ]]; then
  packages_of "${@:2}"
  exit
fi
[[ $# -gt 0 ]] || { echo "usage: install.sh [--print] <section>..." >&2; exit 2; }

names=$(packages_of "$@" | sort -u)
mapfile -t wanted <<<"$names"
if ! command -v dpkg-query >/dev/null; then
  echo "install.sh: not a Debian system; please install the equivalents of: ${wanted[*]}" >&2
  exit 0
fi
mapfile -t missing < <(missing_of "${wanted[@]}")
[[ ${#missing[@]} -gt 0 ]] || exit 0

echo "==> installing ${missing[*]}" >&2
if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
  echo "install.sh: needs root; run: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
forbid_services
# The package lists are downloaded only if they are missing or too old for these packages.
if ! apt_get --simulate --no-install-recommends install "${missing[@]}" >/dev/null 2>&1; then
  apt_get update
fi
apt_get --no-install-recommends install "${missing[@]}" ||
  { apt_get update && apt_get --no-install-recommends install "${missing[@]}"; }
