#!/usr/bin/env bash
# run_ctest_test.sh RUN_CTEST_SH
# Its second attempt runs the tests that failed, whatever the first was told to leave out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

expect() { # <exit status> <text of the output> <ctest option>...
  local status=0
  bash "$run_ctest" . "${@:3}" >output 2>&1 || status=$?
  if [[ $status -ne $1 ]] || ! grep -qF -- "$2" output; then
    echo "expected exit status $1 and \"$2\", but got $status and:"
    cat output
    exit 1
  fi
}

run_ctest=$1
cat >CTestTestfile.cmake <<'END'
add_test(left.out "false")
add_test("a.name(of any [kind])/0" "sh" "-c" "test -e first || { touch first; exit 1; }")
add_test(fails.always "false")
add_test(passes "true")
END
expect 0 'a.name(of any [kind])/0' -E '^(left\.out|fails\.always)$'
grep -q '^Flaky, passed at the second attempt:$' output
rm first
expect 8 '==== the first failure of fails.always:' -E '^left\.out$'
expect 0 'tests passed' -R '^passes$'
