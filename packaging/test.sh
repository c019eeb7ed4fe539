#!/usr/bin/env bash
# test.sh [ctest option]...
# Installs missing packages, builds everything into build/ and runs all tests, or some: `-R '^wire'`.
# $BENTO_CMAKE_ARGS are more options for CMake.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
read -ra cmake_args <<<"${BENTO_CMAKE_ARGS:-}"

"$root/packaging/install.sh" build test
# The first configuration has no benchmarks: their packages are in another section.
[[ -f $build/CMakeCache.txt ]] || cmake_args=(-DBENTO_BUILD_BENCH=OFF "${cmake_args[@]}")
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBENTO_BUILD_TESTS=ON \
  "${cmake_args[@]}"
cmake --build "$build"
exec "$root/packaging/run_ctest.sh" "$build" -j "$((2 * $(nproc)))" "$@"
