#!/usr/bin/env bash
# run_ctest.sh BUILD_FOLDER [ctest option]...
# Runs the tests, then runs the failed ones again, one at a time. Tests that talk to processes in real
# time can fail on a busy machine: up to $most of them may pass at the second attempt only, and are
# named. The end of each failure's output is printed last, where readers of the end of a log find it.
set -euo pipefail
build=$1
shift
most=3
tests=(ctest --test-dir "$build" --output-on-failure)
if "${tests[@]}" "$@" </dev/null; then exit 0; fi

failed_list=$build/Testing/Temporary/LastTestsFailed.log
[[ -s $failed_list ]] || exit 1 # ctest itself failed
mapfile -t failed < <(sed 's/^[0-9]*://' "$failed_list")
cp "$build/Testing/Temporary/LastTest.log" "$build/first_attempt.log"
status=0
if [[ ${#failed[@]} -gt $most ]]; then
  status=1
else
  printf '\nOnce more, one at a time:\n'
  # By their names: --rerun-failed goes by numbers, which an -E of the first attempt has shifted.
  names=$(printf '%s\n' "${failed[@]}" | sed 's/[][\.^$*+?(){}|]/\\&/g' | paste -sd '|')
  "${tests[@]}" -R "^($names)\$" </dev/null || status=$?
fi

# In LastTest.log each test has a paragraph that begins with "12/345 Test: its name", blanks included.
for name in "${failed[@]}"; do
  printf '\n==== the first failure of %s:\n' "$name"
  awk -v name="$name" '/^[0-9]+\/[0-9]+ Test: / { inside = (substr($0, index($0, ": ") + 2) == name) } inside' \
    "$build/first_attempt.log" | sed '/^$/d' | tail -n 40 | cut -c -400
done
if [[ $status -eq 0 ]]; then
  printf '\nFlaky, passed at the second attempt:\n'
  printf '%s\n' "${failed[@]}"
fi
exit "$status"
