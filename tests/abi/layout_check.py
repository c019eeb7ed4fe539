#!/usr/bin/env python3
"""layout_check.py <abi_layout> <layout.golden> <abi.h>: is the ABI still what it was?

layout.c says what a difference means and how to accept one. Its fields it checks by itself; that it
lists every struct and every constant of the header is checked here.
"""

import difflib
import pathlib
import re
import subprocess
import sys


def names_of_header(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    enums = " ".join(re.findall(r"\benum\s*\{(.*?)\}", text, flags=re.S))
    return (set(re.findall(r"\bBENTO_\w+", enums))
            | set(re.findall(r"#define (BENTO_ABI_M\w+)", text))
            | set(re.findall(r"\bstruct\s+(bento_\w+)\s*\{", text)))


def main(program, golden, header):
    run = subprocess.run([program], stdout=subprocess.PIPE, text=True)
    layout = run.stdout
    listed = {line.split()[0] for line in layout.splitlines()}
    missing = names_of_header(pathlib.Path(header).read_text()) - listed
    if missing:
        print("not listed in layout.c:", *sorted(missing))
    changes = list(difflib.unified_diff(pathlib.Path(golden).read_text().splitlines(),
                                        layout.splitlines(), golden, "this build", lineterm=""))
    print("\n".join(changes))
    return 1 if missing or changes or run.returncode else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
