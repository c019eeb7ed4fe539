#!/usr/bin/env bash
# quickstart.sh [option]...
# From a fresh clone to a served model: installs what is missing, builds, and serves samples/iris.
# The options are bentohost's own, e.g. --port 8080.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build

"$root/packaging/install.sh" build
if [[ ! -f $build/build.ninja ]]; then
  echo "==> configuring build/ (Release)" >&2
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DBENTO_BUILD_TESTS=OFF -DBENTO_BUILD_BENCH=OFF >&2
fi
echo "==> building bentohost and the samples" >&2
NINJA_STATUS='    [%f/%t, %es] ' cmake --build "$build" --target bentohost samples/all >&2
echo "==> bentohost --plugin libiris.so $*" >&2
exec "$build/bin/bentohost" --plugin libiris.so "$@"
