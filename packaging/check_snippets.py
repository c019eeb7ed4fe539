#!/usr/bin/env python3
"""Holds the code in the documentation against the files that are compiled and run by the tests.

A code block that follows the line `<!-- snippet: PATH -->` must stand, line by line, in that file.
`--fix` writes the file's text into each block whose PATH is alone; blocks that are only a part of
their file are checked, not fixed.

A block may use no function, struct or enum of its file that the page does not show, or tell of in its
prose: a reader cannot compile, nor understand, what he does not see. A block of C or C++ that no file is said
to have is wrong, too.
"""
import pathlib
import re
import sys
import tempfile

BLOCK = re.compile(r"(<!-- snippet: (\S+) -->\n```\w*\n)(.*?)(```\n)", re.S)
# What a file has for its own use: `Species species(...) {` and `struct Prediction {`, at the margin.
OWN = re.compile(r"^(?:struct|enum class|class) (\w+)[^;\n]*\{|^(?!BENTO_)[\w:<>,&* ]+?[ *&](\w+)\([^;]*?\) \{$", re.M)


def unshown(text: str, root: pathlib.Path) -> list[str]:
    """The helpers that blocks of this page use and that stand neither in a block nor, as `name`, in prose."""
    blocks = [(match[2], match[3]) for match in BLOCK.finditer(text) if match[2].endswith((".c", ".cc"))]
    prose = BLOCK.sub("", text)
    found = []
    for path, code in blocks:
        for match in OWN.finditer((root / path).read_text()):
            name, definition = match[1] or match[2], match[0]
            is_used = re.search(rf"\b{name}\b *[({{<>&]|[<(] *{name}\b", code)
            if is_used and f"`{name}`" not in prose and not any(definition in shown for _, shown in blocks):
                found.append(f"{path}: {name}")
    return sorted(set(found))


def pages_of(root: pathlib.Path) -> list[pathlib.Path]:
    """All that may have snippets: READMEs, and the documentation of the SDK."""
    patterns = ("*.md", "*/README.md", "samples/*/README.md", "sdk/docs/**/*.md")
    return sorted({page for pattern in patterns for page in root.glob(pattern)})


def unmarked(text: str) -> list[str]:
    """The blocks of C and C++ that are no snippets: nothing compiles them. Told by their first lines."""
    return re.findall(r"^```(?:c|cc|cpp|c\+\+)\n(.*)$", BLOCK.sub("", text), re.M)


def self_test() -> int:
    """That a helper which is not shown is found, and one which is shown, or told of, is not."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        helper, use = "int helper(int x) {\n  return x;\n}\n", "  svc.api(\"a\", [] { return helper(1); });\n"
        (root / "a.cc").write_text(f"{helper}\nBENTO_SERVICE(svc) {{\n{use}}}\n")

        def page(code: str) -> str:
            return f"<!-- snippet: a.cc -->\n```cpp\n{code}```\n"
        held = (unshown(page(use), root) == ["a.cc: helper"] and unshown(page(helper) + page(use), root) == []
                and unshown(page(use) + "`helper` is ours.\n", root) == [])
        # A page of the SDK's documentation is read, however deep it is, and code without a file is found.
        deep = root / "sdk" / "docs" / "guide" / "a.md"
        deep.parent.mkdir(parents=True)
        deep.write_text(page(use) + "```cpp\nint x;\n```\n```python\nx = 1\n```\n")
        held = held and pages_of(root) == [deep] and unmarked(deep.read_text()) == ["int x;"]
    return 0 if held else 1


def main() -> int:
    if "--self-test" in sys.argv[1:]:
        return self_test()
    root = pathlib.Path(__file__).resolve().parent.parent
    fix = "--fix" in sys.argv[1:]
    wrong, seen = 0, 0
    for page in pages_of(root):
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
        for line in unmarked(changed):
            wrong += 1
            print(f"{page.relative_to(root)}: no file is said to have this code: {line}")
        for name in unshown(changed, root):
            wrong += 1
            print(f"{page.relative_to(root)}: a snippet uses what is not shown: {name}")
    if seen == 0:
        print("no snippets found: is the marker still `<!-- snippet: PATH -->`?")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
