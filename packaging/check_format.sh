#!/usr/bin/env bash
# check_format.sh [--fix]: checks that the C and C++ sources are formatted as .clang-format says.
# Debian 12's clang-format 14 decides: other versions differ in details.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

clang_format=$(command -v clang-format-14 || command -v clang-format) ||
  { echo "check_format.sh: clang-format-14 is not installed" >&2; exit 1; }
mode=(--dry-run --Werror)
[[ ${1:-} != --fix ]] || mode=(-i)

# abi.h is laid out by hand, as a table: its columns are part of the text.
mapfile -d '' sources < <(find host sdk plugins samples bench tests -type f \
  -regex '.*\.\(c\|h\|cc\|hpp\)' -not -path sdk/include/bento/abi.h -print0 2>/dev/null)
"$clang_format" "${mode[@]}" "${sources[@]}"
echo "check_format: ${#sources[@]} files are well-formed"
