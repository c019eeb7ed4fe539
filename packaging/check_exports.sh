#!/usr/bin/env bash
# check_exports.sh [folder of plugins]: every plugin must export bento_entry, and nothing else.
# The default folder is the one of build/.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$(find "$root/build" -type d -path '*/bentohost/plugins' -print -quit)}

shopt -s nullglob
plugins=("$folder"/*.so)
[[ ${#plugins[@]} -gt 0 ]] || { echo "check_exports: no plugins in '$folder'" >&2; exit 1; }

bad=0
for plugin in "${plugins[@]}"; do
  symbols=$(nm -D --defined-only --format=posix "$plugin" | awk '{ print $1 }')
  if [[ $symbols != bento_entry ]]; then
    echo "$plugin: exports ${symbols:-nothing}" | paste -sd ' ' >&2
    bad=1
  fi
done
[[ $bad -eq 0 ]] || exit 1
echo "check_exports: ${#plugins[@]} plugins export bento_entry alone"
