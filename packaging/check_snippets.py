#!/usr/bin/env python3
"""Holds the code in the documentation against the files that are compiled and run by the tests.

A code block that follows the line `<!-- snippet: PATH -->` must stand, line by line, in that file.
`--fix` writes the file's text into each block whose PATH is alone; blocks that are only a part of
their file are checked, not fixed.
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"(<!-- snippet: (\S+) -->\n```\w*\n)(.*?)(```\n)", re.S)


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    fix = "--fix" in sys.argv[1:]
    wrong, seen = 0, 0
    for page in sorted([*root.glob("*.md"), *root.glob("*/README.md"), *root.glob("samples/*/README.md")]):
        text = page.read_text()

        def hold(match: re.Match) -> str:
            nonlocal wrong, seen
            seen += 1
            source = (root / match[2]).read_text()
            if match[3].strip() and match[3] in source:
                return match[0]
            if fix:
                return match[1] + source + match[4]
            wrong += 1
            print(f"{page.relative_to(root)}: the snippet is not what stands in {match[2]}")
            return match[0]

        changed = BLOCK.sub(hold, text)
        if changed != text:
            page.write_text(changed)
    if seen == 0:
        print("no snippets found: is the marker still `<!-- snippet: PATH -->`?")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
