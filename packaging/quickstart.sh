#!/usr/bin/env bash
# quickstart.sh [option]...
# From a fresh clone to a served model: installs missing packages, builds, and serves samples/iris.
# The options are bentohost's own, e.g. --port 8080. $BENTO_CMAKE_ARGS are more options for CMake.
# It builds everything that `cmake --install` needs: the server, the stock plugins and the samples.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
read -ra cmake_args <<<"${BENTO_CMAKE_ARGS:-}"

"$root/packaging/install.sh" build
if [[ ! -f $build/build.ninja ]]; then
  echo "==> configuring build/ (Release)" >&2
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DBENTO_BUILD_TESTS=OFF -DBENTO_BUILD_BENCH=OFF "${cmake_args[@]}" >&2
fi
echo "==> building bentohost, its plugins and the samples" >&2
NINJA_STATUS='    [%f/%t, %es] ' cmake --build "$build" --target bentohost plugins/all samples/all >&2
echo "==> bentohost --plugin libiris.so $*" >&2
exec "$build/bin/bentohost" --plugin libiris.so "$@"
