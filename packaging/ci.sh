#!/usr/bin/env bash
# ci.sh: everything that must hold before a change lands, each step named and timed.
# Needs no terminal and no input; all of its output is in build*/ of this clone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
jobs=$(nproc)
# Each target that reads a client's bytes is fuzzed for front_seconds ...
front_targets=(fuzz_head fuzz_chunks fuzz_target fuzz_request)
front_seconds=60
other_budget_seconds=45 # ... and all others together take this long

# A step runs as a plain command, so that `set -e` works inside; the table is printed at every exit.
present=""
table=""
began=0
step() { # <name> <command>...
  present=$1
  began=$SECONDS
  printf '\n==== %s\n' "$present"
  "${@:2}"
  table+=$(printf '%5d s  %s' $((SECONDS - began)) "$present")$'\n'
  present=""
}
print_table() {
  local status=$?
  [[ -z $present ]] || table+=$(printf '%5d s  %s: FAILED' $((SECONDS - began)) "$present")$'\n'
  printf '\n%s%5d s  in all\n' "$table" "$SECONDS"
  exit "$status"
}
trap print_table EXIT

# Clang builds with sanitizers in half of gcc's time, and is the second compiler that must give no
# warnings.
configure() { # <build folder> <cmake option>...
  CC=clang-14 CXX=clang++-14 cmake -S . -B "$1" -G Ninja -DBENTO_WERROR=ON -DBENTO_BUILD_BENCH=OFF \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG='-O1 -g1' -DCMAKE_C_FLAGS_DEBUG='-O1 -g1' "${@:2}"
}

# `static` tests read files, `bench` tests only run benchmarks for a moment, `install` builds a plugin
# without sanitizers, `python` tests run no program of ours: none of them finds anything new here.
# More jobs than processors, because most tests wait.
run_tests() { # <build folder> <ctest option>...
  packaging/run_ctest.sh "$1" -j "$((2 * jobs + 1))" -LE '^(static|bench|install|python)$' "${@:2}"
}

# Without precompiled headers, so that each file of the host and of the plugins includes what it uses.
address_sanitizer() {
  configure build-asan -DBENTO_SANITIZE=address,undefined -DBENTO_BUILD_FUZZ=ON -DBENTO_PCH=OFF
  cmake --build build-asan
  # The excluded tests are about time and memory, which a sanitizer changes.
  UBSAN_OPTIONS=print_stacktrace=1 run_tests build-asan \
    -E '^e2e\.(Soak|Streams|Limits|Clients|Sockets|Tls|Http_slow)$|^http_text\.Against_nginx$'
}

# Code with threads, and the host as a whole. The sanitizer's shadow memory clashes with a randomized
# address space on newer kernels, hence setarch, where it is permitted.
threaded_suites='^base\.(EventLoop|ThreadPool|TimerQueue|Log)'
threaded_suites+='|^http\.(Server|Stream|Listener|Tls|PlainTransport|HealthClient|FileReader)'
threaded_suites+='|^(runner|observe|upstream|service|runner_rpc|reload)\.'
threaded_suites+='|^e2e\.(Iris|Health|Errors|Runners|Shutdown|Around|Background|Reload)$'
threaded_suites+='|^e2e\.(Mounts_faulty|Mounts_reload|Python_runners)$|^http_text\.'
threaded_suites+='|^plugin\.Ticket|^e2e\.(Async|Async_streams|Coroutines|Arenas|Custom_metrics)$'
thread_sanitizer() {
  configure build-tsan -DBENTO_SANITIZE=thread
  cmake --build build-tsan --target bentohost samples/all plugins/all tests/plugins/all \
    unit_base unit_http unit_plugin unit_runner unit_observe unit_upstream unit_service \
    unit_runner_rpc unit_reload
  local fixed_addresses=()
  if setarch -R true 2>/dev/null; then fixed_addresses=(setarch -R); fi
  export -f run_tests
  # A crash report demangles names in a fork(), where unsafe calls can do no harm.
  export jobs TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:report_signal_unsafe=0
  TSAN_OPTIONS+=:suppressions=$PWD/tests/sanitizers/tsan.supp
  "${fixed_addresses[@]}" bash -c "run_tests build-tsan -R '$threaded_suites'"
}

fuzz_one() { # <target> <seconds>
  local name=${1##*/}
  local corpus=(build-asan/corpus/"$name") log=build-asan/$name.log
  mkdir -p "${corpus[0]}"
  [[ ! -d tests/fuzz/corpus/${name#fuzz_} ]] || corpus+=(tests/fuzz/corpus/"${name#fuzz_}")
  if "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -artifact_prefix="build-asan/$name-" \
    "${corpus[@]}" >"$log" 2>&1; then
    echo "$name: $(grep -h '^Done' "$log")"
  else
    echo "$name: FAILED, its input is kept as build-asan/$name-*"
    tail -n 60 "$log"
    return 1
  fi
}

fuzz() {
  local targets
  mapfile -t targets < <(find build-asan/fuzz -type f -executable -name 'fuzz_*' | sort)
  [[ ${#targets[@]} -gt 0 ]] || { echo "no fuzz targets were built" >&2; return 1; }
  # The longer runs first, so that all cores finish together.
  local target runs=() others=()
  for target in "${targets[@]}"; do
    if [[ " ${front_targets[*]} " == *" ${target##*/} "* ]]; then
      runs+=("$target" "$front_seconds")
    else
      others+=("$target")
    fi
  done
  [[ ${#runs[@]} -eq $((2 * ${#front_targets[@]})) ]] || { echo "a target is missing" >&2; return 1; }
  local share=$((other_budget_seconds * jobs / ${#others[@]}))
  share=$((share < front_seconds ? share : front_seconds))
  for target in "${others[@]}"; do runs+=("$target" "$share"); done
  export -f fuzz_one
  # shellcheck disable=SC2016 # the inner shell expands it
  printf '%s\0' "${runs[@]}" | xargs -0 -n 2 -P "$jobs" bash -c 'fuzz_one "$1" "$2"' fuzz_one
}

micro_benchmarks() {
  local benchmark
  for benchmark in build/bench/bench_*; do
    "$benchmark" --benchmark_min_time=0.01
  done
}

export BENTO_CMAKE_ARGS="-DBENTO_WERROR=ON -DBENTO_BUILD_BENCH=ON"
step "packages" packaging/install.sh build test bench ci
step "build and test (g++, Release)" packaging/test.sh
step "format" packaging/check_format.sh
step "layering" packaging/check_layering.py
step "exports" packaging/check_exports.sh
step "address and undefined-behaviour sanitizers (clang++)" address_sanitizer
step "fuzzing" fuzz
step "thread sanitizer (clang++)" thread_sanitizer
step "micro-benchmarks, a moment each" micro_benchmarks
step "end-to-end benchmark, a moment" bench/run.sh --quick
