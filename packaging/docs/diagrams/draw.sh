#!/usr/bin/env bash
# draw.sh: makes the SVG of each .dot file of this folder. Needs graphviz (packaging/install.sh docs). The
# pictures are checked in, so run it only after changing one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
for source in *.dot; do
  dot -Tsvg "$source" -o "${source%.dot}.svg"
done
