#!/usr/bin/env python3
"""Checks the pages for operators against the program: they must name everything that exists, and nothing else.

usage: check_docs.py [BUILD_DIR] | --self-test

Without a build: packaging/docs names every metric and every error title of the sources, and no others, and
every relative link of every page of the tree leads to a file and, if it has an anchor, to a heading.
With a build: also checks the options of `bentohost --help`, of mounts and of its sub-commands, and the metrics of a
running host.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

SECONDS = 30
# Options of other programs that the pages mention.
FOREIGN = {
    "--args": "gdb", "--build": "cmake", "--from": "docker", "--install": "cmake", "--kill-whom": "systemctl",
    "--no-install-recommends": "apt-get", "--now": "systemctl", "--prefix": "cmake", "--tmpfs": "docker",
}
# Suffixes of a histogram's series; the pages may name a series or the histogram.
SERIES = re.compile(r"_(?:bucket|sum|count)$")
SUB_COMMANDS = ("healthcheck", "reload")


# ---- what exists ----

def metrics_of_sources(root):
    """The names that host/observe registers."""
    found = set()
    for path in sorted((root / "host" / "observe").glob("*.[ch]*")):
        found.update(re.findall(r'"((?:bentohost|process)_[a-z_]+)"', path.read_text()))
    return found


def titles_of_sources(root):
    """{404: "Not Found", ...} of the errors that http/problem.cc can name."""
    text = (root / "host" / "http" / "problem.cc").read_text()
    return {int(status): title for status, title in re.findall(r'case ([45]\d\d):\s*return "([^"]+)"', text)}


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]", text))


def options_of_program(program):
    """The options of `--help` and those of mounts, each with its default if that is a number, and the options of each
    sub-command, which it lists when it gets an unknown option."""
    def output(*arguments):
        done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        return done.stdout
    own, of_mounts, text = {}, {}, output("--help")
    for entry in re.findall(r"^(?:(?:-\w, )?--|  [a-z_]+[.=]).*(?:\n {10}.*)*", text, flags=re.M):
        default = re.search(r"\((\d[\d.]*[kmg]?)\b", entry)
        name = re.search(r"--[a-z][a-z0-9-]*|^  [a-z_.]+", entry)[0].strip().removesuffix(".")
        (own if name.startswith("--") else of_mounts)[name] = default[1] if default else None
    return own, of_mounts, {name: options_in(output(name, "--no-such-option")) - {"--no-such-option", "--admin-bind"}
                 for name in SUB_COMMANDS}


def metrics_of_program(program, plugin):
    """The metric families at /metrics of a host that serves `plugin`."""
    host = subprocess.Popen([program, "--plugin", str(plugin), "--port", "0", "--access-log", "off", "--log-level", "off"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        port, deadline = None, time.monotonic() + SECONDS
        while port is None and time.monotonic() < deadline:
            line = host.stdout.readline()
            if not line:
                sys.exit(f"check_docs: {program} did not start")
            port = re.search(r" at http://127\.0\.0\.1:(\d+)", line)
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/metrics", timeout=SECONDS) as answer:
            return set(re.findall(r"^# TYPE (\S+) ", answer.read().decode(), flags=re.M))
    finally:
        host.terminate()
        host.communicate(timeout=SECONDS)


# ---- checks of the pages: `pages` is {name: text} of packaging/docs ----

def faults_of_mount_options(page, of_mounts):
    """`page` is options.md. Its table of mounts' options has a row for each of them, and no others."""
    section = re.search(r"^## Mounted programs$(.*?)(?=^## |\Z)", page, flags=re.M | re.S)
    table = re.search(r"^\| option \|.*\n(?:\|.*\n)*", section[1] if section else "", flags=re.M)
    rows = {name: row for row, name in re.findall(r"^(\| `([a-z_]+)[.=].*)", table[0] if table else "", flags=re.M)}
    for option, default in of_mounts.items():
        if option not in rows:
            yield f"packaging/docs/options.md: no row for the option {option} of mounts"
        elif default and not re.search(rf"(?<![\w.]){re.escape(default)}(?![\w.]*\w)", rows[option]):
            yield f"packaging/docs/options.md: the row of {option} does not name its default, {default}"
    for option in sorted(set(rows) - set(of_mounts)):
        yield f"packaging/docs/options.md: mounts have no option {option}"


def faults_of_options(pages, own, of_commands):
    text = "\n".join(pages.values())
    known = set(own).union(*of_commands.values())
    for option in sorted(set(own) - options_in(text)):
        yield f"packaging/docs: no page names the option {option}"
    for option, default in own.items():
        row = re.search(rf"^\| `{option}(?![\w-]).*", text, flags=re.M)
        if default and row and not re.search(rf"(?<![\w.]){re.escape(default)}(?![\w.]*\w)", row[0]):
            yield f"packaging/docs: the row of {option} does not name its default, {default}"
    for command, options in of_commands.items():
        section = re.search(rf"^## `bentohost {command}`$(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
        for option in sorted(options - options_in(section[1] if section else "")):
            yield f"packaging/docs: no section `bentohost {command}` names its option {option}"
    for name, page in pages.items():
        for option in sorted(options_in(page) - known - set(FOREIGN)):
            is_prefix = f"{option}-*" in page and any(each.startswith(option + "-") for each in known)
            if not is_prefix:
                yield f"packaging/docs/{name}: there is no option {option}"


def faults_of_metrics(pages, metrics):
    named = {name: set(re.findall(r"\b(?:bentohost|process)_[a-z_]*[a-z]\b", text)) for name, text in pages.items()}
    for metric in sorted(metrics.difference(*named.values())):
        yield f"packaging/docs: no page names the metric {metric}"
    for name, there in named.items():
        for metric in sorted(there):
            if metric not in metrics and SERIES.sub("", metric) not in metrics:
                yield f"packaging/docs/{name}: there is no metric {metric}"


def faults_of_titles(pages, titles):
    text = "\n".join(pages.values())
    for status, title in titles.items():
        if not re.search(rf"\b{status}\s+{re.escape(title)}(?!\w)", text):
            yield f"packaging/docs: no page names the title {status} {title}"
    for name, page in pages.items():
        said = re.findall(r"^#+ ([45]\d\d) (.*)$", page, flags=re.M)
        said += [(status, title) for title, status in re.findall(r'"title":"([^"]*)","status":(\d+)', page)]
        for status, title in said:
            if titles.get(int(status)) != title:
                yield f"packaging/docs/{name}: {status} is not titled {title}"


# ---- links ----

def without_code(text):
    """The page without its code blocks and code spans; lines keep their numbers."""
    text = re.sub(r"^( *)```.*?^\1```", lambda match: "\n" * match[0].count("\n"), text, flags=re.M | re.S)
    return re.sub(r"(`+)(?!`).+?\1", "", text)


def anchors_of(text):
    """The anchors that GitHub makes from headings."""
    anchors = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    headings = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.M | re.S)
    for heading in re.findall(r"^#{1,6} +(.*?)[ #]*$", headings, flags=re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = 1
        while (anchor := slug if again == 1 else f"{slug}-{again - 1}") in anchors:
            again += 1
        anchors.add(anchor)
    return anchors


def faults_of_links(root):
    for page in pages_of_tree(root):
        text = page.read_text()
        for target in re.findall(r"\[[^\]]*\]\(\s*<?([^)\s>]+)", without_code(text)):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            there = page if not path else page.parent / path
            if not there.exists():
                yield f"{page.relative_to(root)}: {target} does not exist"
            elif anchor and there.suffix == ".md" and anchor not in anchors_of(there.read_text()):
                yield f"{page.relative_to(root)}: {target}: there is no such heading"


def pages_of_tree(root):
    """All *.md of the project, without those of builds and hidden folders."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "build")):
            yield from sorted(path.rglob("*.md"))
        elif path.suffix == ".md":
            yield path


# ---- all of it ----

def check(root, build):
    folder = root / "packaging" / "docs"
    pages = {path.name: path.read_text() for path in sorted(folder.glob("*.md"))}
    pages |= {f"diagrams/{path.name}": path.read_text() for path in sorted(folder.glob("diagrams/*.dot"))}
    metrics = metrics_of_sources(root)
    titles = titles_of_sources(root)
    if not pages or not metrics or not titles:
        yield f"check_docs: found {len(pages)} pages, {len(metrics)} metrics, {len(titles)} titles: have they moved?"
    if build is not None:
        program = build / "bin" / "bentohost"
        own, of_mounts, of_commands = options_of_program(program)
        if len(own) < 10 or not all(of_commands.values()):
            yield "check_docs: cannot parse `bentohost --help`: its layout has changed"
        yield from faults_of_options(pages, own, of_commands)
        yield from faults_of_mount_options(pages["options.md"], of_mounts)
        plugin = next(build.glob("lib*/**/bentohost/plugins/libc99.so"), None)
        if plugin is None:
            sys.exit(f"check_docs: {build} has no libc99.so to serve: build the samples first")
        metrics |= metrics_of_program(program, plugin)
    yield from faults_of_metrics(pages, metrics)
    yield from faults_of_titles(pages, titles)
    yield from faults_of_links(root)


def self_test():
    """Each fault is found, and pages without one have none."""
    good = {"a.md": "`--port` `--max-*` `--max-body` `--version`\n## `bentohost reload`\n`--force`, cmake --install\n"
                    "`bentohost_ups` `bentohost_wait_seconds_bucket` bentohost_wait_seconds\n## 404 Not Found\n"
                    '{"title":"Not Found","status":404}\n502 Bad Gateway, 404 Not Found\n| `--port=N` | 3000 |\n'
                    "## Mounted programs\n| option | default |\n|---|---|\n| `env.NAME=VALUE` | none |\n"
                    "| `threads=N` | 16 (1 to 9) |\n\n"}
    own, of_commands = {"--port": "3000", "--version": None, "--max-body": "64m"}, {"reload": {"--force"}}
    of_mounts = {"env": None, "threads": "16"}
    metrics, titles = {"bentohost_ups", "bentohost_wait_seconds"}, {404: "Not Found", 502: "Bad Gateway"}

    def faults(pages):
        return [*faults_of_options(pages, own, of_commands), *faults_of_mount_options(pages["a.md"], of_mounts),
                *faults_of_metrics(pages, metrics), *faults_of_titles(pages, titles)]

    wrong = [("`--version`", "", "--version"), ("`--force`", "", "--force"), ("`--port`", "`--port` `--prot`", "--prot"),
             ("`--max-*`", "`--least-*`", "--least"), ("`bentohost_ups`", "", "bentohost_ups"),
             ("`bentohost_ups`", "`bentohost_ups` `bentohost_downs`", "bentohost_downs"),
             ("| 3000 |", "| 300 |", "3000"), ("16 (1", "12 (1", "16"),
             ("| `env.NAME=VALUE` | none |\n", "", "env"), ("| 16 (1 to 9) |\n", "| 16 |\n| `x=N` | |\n", "option x"),
             ("502 Bad Gateway", "", "502 Bad Gateway"),
             ("## 404 Not Found", "## 404 Not There", "Not There"),
             ('"title":"Not Found"', '"title":"Gone"', "Gone")]
    held = faults(good) == []
    for old, new, word in wrong:
        found = faults({"a.md": good["a.md"].replace(old, new, 1)})
        if len(found) != 1 or word not in found[0]:
            held = False
            print(f"self-test: without {old}, with {new}: one fault with {word} was expected, not {found}")

    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "build").mkdir()
        (root / "build" / "x.md").write_text("[gone](gone.md)")
        (root / "docs").mkdir()
        (root / "docs" / "a.md").write_text("# One `two`, three\n# Same\n# Same\n```\n[in](a-block.md)\n```\n")
        (root / "b.md").write_text("[a](docs/a.md#one-two-three) [b](docs/a.md#same-1) [c](docs) `[x](y)` [me](#b)\n# B\n"
                                   "[over\n lines](docs/a.md) ![p](https://example.com/x)\n"
                                   "[1](docs/b.md) [2](docs/a.md#four) [3](#c) [4\n and](gone.md)\n")
        found = [fault.partition(": ")[2].split(" ")[0].rstrip(":") for fault in faults_of_links(root)]
    if found != ["docs/b.md", "docs/a.md#four", "#c", "gone.md"]:
        held = False
        print(f"self-test: links: {found}")
    return held


def main(arguments):
    if arguments == ["--self-test"]:
        return 0 if self_test() else 1
    if len(arguments) > 1 or any(each.startswith("-") for each in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(__file__).resolve().parent.parent
    faults = list(check(root, pathlib.Path(arguments[0]).resolve() if arguments else None))
    print("\n".join(faults) or "check_docs: the pages match the program")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
