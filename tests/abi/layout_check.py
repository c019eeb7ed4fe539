#!/usr/bin/env python3
"""Is the ABI still what it was?

layout_check.py layout PROGRAM GOLDEN HEADER
    PROGRAM is layout.c, compiled for the minor of GOLDEN; it says there what a difference means. Of the
    newest minor it has to list every struct and every constant of the header.
layout_check.py history HEADER GOLDEN...
    Each minor has all that the one before it has, at its place, and the last is the header's.
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


def minor_of(header):
    return int(re.search(r"#define BENTO_ABI_MINOR (\d+)", header).group(1))


def rows(golden):
    """Name to values; the sizes of whole structs, which may grow, apart."""
    fixed, totals = {}, {}
    for line in pathlib.Path(golden).read_text().splitlines():
        name, *values = line.split()
        (totals if name.startswith("bento_") and "." not in name else fixed)[name] = values
    fixed.pop("BENTO_ABI_MINOR")
    return fixed, totals


def layout(program, golden, header):
    run = subprocess.run([program], stdout=subprocess.PIPE, text=True)
    text = pathlib.Path(header).read_text()
    missing = set()
    if f"BENTO_ABI_MINOR {minor_of(text)}\n" in run.stdout:
        missing = names_of_header(text) - {line.split()[0] for line in run.stdout.splitlines()}
    if missing:
        print("not listed in layout.c:", *sorted(missing))
    changes = list(difflib.unified_diff(pathlib.Path(golden).read_text().splitlines(),
                                        run.stdout.splitlines(), golden, "this build", lineterm=""))
    print("\n".join(changes))
    return 1 if missing or changes or run.returncode else 0


def history(header, *goldens):
    failures = 0
    newest = f"1.{minor_of(pathlib.Path(header).read_text())}.golden"
    if pathlib.Path(goldens[-1]).name != newest:
        print(f"the header's minor has no layout: {newest}")
        failures += 1
    for older, newer in zip(goldens, goldens[1:]):
        (fixed, totals), (fixed_now, totals_now) = rows(older), rows(newer)
        for name, values in fixed.items():
            if fixed_now.get(name) != values:
                print(f"{newer}: {name} was {values}, and is {fixed_now.get(name)}")
                failures += 1
        for name, (size,) in totals.items():
            has_size = f"{name}.size" in fixed
            now = int(totals_now.get(name, [0])[0])
            if now < int(size) or (now > int(size) and not has_size):
                print(f"{newer}: {name} had {size} bytes, and has {now}")
                failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit({"layout": layout, "history": history}[sys.argv[1]](*sys.argv[2:]))
