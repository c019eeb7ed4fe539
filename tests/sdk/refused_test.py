#!/usr/bin/env python3
"""refused_test.py SOURCE COMPILER [ARGUMENT...]: does the compiler refuse the source, and say why?

The source has a line `// says: REGULAR EXPRESSION`, or `// g++ says: ...` for what other compilers take, or
`// compiles: ...` if it is to be taken."""
import pathlib
import re
import subprocess
import sys

source, *command = sys.argv[1:]
run = subprocess.run([*command, source], stderr=subprocess.PIPE, text=True)
kind, words = re.search(r"^// (says|g\+\+ says|compiles): (.*)$", pathlib.Path(source).read_text(), re.M).groups()
is_gcc = "__clang__" not in subprocess.run([command[0], "-dM", "-E", "-x", "c++", "/dev/null"],
                                           stdout=subprocess.PIPE, text=True, check=True).stdout
if kind == "compiles" or (kind == "g++ says" and not is_gcc):
    sys.exit(run.stderr if run.returncode != 0 else 0)
if run.returncode == 0:
    sys.exit(f"{source} compiles")
if not re.search(words, run.stderr):
    sys.exit(f"{source} is refused, but not because of {words!r}:\n{run.stderr}")
