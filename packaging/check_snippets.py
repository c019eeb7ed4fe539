#!/usr/bin/env python3
"""Checks the code in the documentation against the files that the tests compile and run.

A code block that follows the line `<!-- snippet: PATH -->` must be in that file, line by line.
`--fix` replaces each block that is not in its file by the whole file; mend a block that shows only a
part of its file by hand.

A block may use no function, struct or enum of its file that the page does not show or mention in its
prose: readers can neither compile nor understand code that they do not see. A block of C or C++ without a
snippet line is a fault, too.
"""
import pathlib
import re
import sys
import tempfile

BLOCK = re.compile(r"(<!-- snippet: (\S+) -->\n```\w*\n)(.*?)(```\n)", re.S)
# A file's own helpers: `Species species(...) {` and `struct Prediction {`, without indentation.
OWN = re.compile(r"^(?:struct|enum class|class) (\w+)[^;\n]*\{|^(?!BENTO_)[\w:<>,&* ]+?[ *&](\w+)\([^;]*?\) \{$", re.M)


def unshown(text: str, root: pathlib.Path) -> list[str]:
    """The helpers that blocks of this page use, and that neither a block shows nor the prose mentions as `name`."""
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
    """All pages that may have snippets: READMEs, and the documentation of the SDK."""
    patterns = ("*.md", "*/README.md", "samples/*/README.md", "sdk/docs/**/*.md")
    return sorted({page for pattern in patterns for page in root.glob(pattern)})


def unmarked(text: str) -> list[str]:
    """The first lines of C and C++ blocks that are not snippets: nothing compiles them."""
    return re.findall(r"^```(?:c|cc|cpp|c\+\+)\n(.*)$", BLOCK.sub("", text), re.M)


def self_test() -> int:
    """Finds a helper that is not shown, but none that is shown or mentioned."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        helper, use = "int helper(int x) {\n  return x;\n}\n", "  svc.api(\"a\", [] { return helper(1); });\n"
        (root / "a.cc").write_text(f"{helper}\nBENTO_SERVICE(svc) {{\n{use}}}\n")

        def page(code: str) -> str:
            return f"<!-- snippet: a.cc -->\n```cpp\n{code}```\n"
        held = (unshown(page(use), root) == ["a.cc: helper"] and unshown(page(helper) + page(use), root) == []
                and unshown(page(use) + "`helper` is ours.\n", root) == [])
        # Pages of the SDK's documentation are read at any depth, and code without a file is found.
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
            print(f"{page.relative_to(root)}: the snippet differs from {match[2]}")
            return match[0]

        changed = BLOCK.sub(hold, text)
        if changed != text:
            page.write_text(changed)
        for line in unmarked(changed):
            wrong += 1
            print(f"{page.relative_to(root)}: this code has no `<!-- snippet: PATH -->` line: {line}")
        for name in unshown(changed, root):
            wrong += 1
            print(f"{page.relative_to(root)}: a snippet uses a helper that the page does not show: {name}")
    if seen == 0:
        print("no snippets found: is the marker still `<!-- snippet: PATH -->`?")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
