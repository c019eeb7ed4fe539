#!/usr/bin/env python3
"""install_test.py <source tree> <build tree> <C compiler> <C++ compiler>

Does what a new user does: installs bentohost, reads the installed docs, copies the template and the
samples from there, builds them against the installed SDK, with CMake and a C plugin also with
pkg-config, serves them with the installed program, and types the commands of the docs.
"""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from docs_commands import type_what_the_docs_say

SETOSA = [[4.9, 3.0, 1.4, 0.2]]
START_SECONDS = 60
STOP_SECONDS = 30


def run(*command, **options):
    """The command's stdout; ends the test with its whole output if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nexit status {done.returncode} of: {done.args}")
    return done.stdout


def only(folder, pattern):
    found = list(folder.rglob(pattern))
    if len(found) != 1:
        sys.exit(f"expected one {pattern} below {folder}, found {found}")
    return found[0]


def check_docs(docs):
    """The README and the pages that it links to are installed, and all their links work."""
    for page in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "sdk/README.md", "plugins/README.md",
                 "packaging/docs/README.md", "LICENSE"):
        if not (docs / page).is_file():
            sys.exit(f"{page} was not installed")
    for page in docs.rglob("*.md"):
        text = re.sub(r"```.*?```|^ {4}.*?$", "", page.read_text(), flags=re.S | re.M)  # code
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in target and not (page.parent / target).exists():
                sys.exit(f"{page}: {target} is not there")


def check_units(prefix):
    """The units start the program that was installed with them."""
    unit = only(prefix, "bentohost@.service")
    (program,) = re.findall(r"^ExecStart=(\S+)", unit.read_text(), flags=re.M)
    if pathlib.Path(program) != prefix / "bin" / "bentohost" or not os.access(program, os.X_OK):
        sys.exit(f"{unit} starts {program}")
    only(prefix, "bentohost@.socket")


def check_quickstart(source, work, c_compiler, cxx_compiler):
    """quickstart.sh builds everything that `cmake --install` needs: no build command is left to run."""
    (targets,) = re.findall(r"--target (.*) >&2", (source / "packaging" / "quickstart.sh").read_text())
    build = work / "as_quickstart"
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_C_COMPILER={c_compiler}",
        f"-DCMAKE_CXX_COMPILER={cxx_compiler}", "-DCMAKE_BUILD_TYPE=Release",
        "-DBENTO_BUILD_TESTS=OFF", "-DBENTO_BUILD_BENCH=OFF")
    wanted, built = (set(run("ninja", "-C", build, "-t", "commands", *names).splitlines())
                     for names in (["all"], targets.split()))
    if not wanted or wanted - built:
        sys.exit("quickstart.sh does not build what is installed:\n" + "\n".join(sorted(wanted - built)))


def build_project(name, folder, prefix, work, c_compiler, cxx_compiler):
    """Builds a copy of a project outside the tree and installs it to its own prefix; returns the plugin."""
    shutil.copytree(folder, work / name, dirs_exist_ok=True)
    build, its_prefix = work / f"build_{name}", work / f"prefix_{name}"
    run("cmake", "-S", work / name, "-B", build, "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={c_compiler}",
        f"-DCMAKE_CXX_COMPILER={cxx_compiler}", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--prefix", its_prefix)
    return only(its_prefix, f"lib{name}.so")


def build_with_pkg_config(source, prefix, work, compiler):
    folder = work / "by_pkg_config"
    folder.mkdir()
    environment = dict(os.environ, PKG_CONFIG_PATH=str(only(prefix, "bento.pc").parent))
    flags = [run("pkg-config", option, "bento", env=environment).split()
             for option in ("--cflags", "--variable=plugin_flags")]
    run(compiler, "-std=c99", *flags[0], *flags[1], source / "tests" / "abi" / "minimal.c",
        "-o", folder / "libminimal.so")
    return folder


class Host:
    """The installed bentohost, on a port that it picks; stopped at the end of a `with`."""

    def __init__(self, program, plugin):
        self.process = subprocess.Popen(
            [program, "--plugin", plugin, "--host", "127.0.0.1", "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def port(self):
        """Reads the output up to the line with the address."""
        deadline = time.monotonic() + START_SECONDS
        pipe = self.process.stdout.fileno()
        while not (told := re.search(rb"127\.0\.0\.1:([1-9]\d*)\b", self.output)):
            ready, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(pipe, 65536) if ready else b""
            if not chunk:
                sys.exit(f"bentohost told no address; its output:\n{self.output.decode()}")
            self.output += chunk
        return int(told[1])

    def check_stop(self):
        """Stops it, reads to the end of its output, and checks the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.output += self.process.communicate(timeout=STOP_SECONDS)[0]
        if self.process.returncode != 0:
            sys.exit(f"bentohost ended with {self.process.returncode}:\n{self.output.decode()}")


def classify(port, rows):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/classify", data=json.dumps(rows).encode(),
        headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
        return json.load(response)


def main(source, build, c_compiler, cxx_compiler):
    with tempfile.TemporaryDirectory(prefix="bento_install_") as folder:
        work, prefix = pathlib.Path(folder), pathlib.Path(folder) / "prefix"
        run("cmake", "--install", build, "--prefix", prefix)
        docs = prefix / "share" / "doc" / "bentohost"
        check_docs(docs)
        check_units(prefix)
        check_quickstart(source, work, c_compiler, cxx_compiler)

        iris, streams = (build_project(name, docs / "samples" / name, prefix, work, c_compiler, cxx_compiler)
                         for name in ("iris", "streams"))
        hello = build_project("hello", docs / "sdk" / "template", prefix, work, c_compiler, cxx_compiler)
        by_hand = build_with_pkg_config(source, prefix, work, c_compiler)
        for plugins in (iris.parent, streams.parent, hello.parent, by_hand):
            print(run(source / "packaging" / "check_exports.sh", plugins))

        with Host(prefix / "bin" / "bentohost", iris) as host:
            classes = classify(host.port(), SETOSA)
            if classes != [0]:
                sys.exit(f"/classify answered {classes} for a setosa")
            host.check_stop()
        with Host(prefix / "bin" / "bentohost", streams) as host:
            page = source / "samples" / "streams" / "streams_page" / "index.html"
            with urllib.request.urlopen(f"http://127.0.0.1:{host.port()}/", timeout=START_SECONDS) as response:
                if response.read() != page.read_bytes():
                    sys.exit("/ is not the page that was installed")
            host.check_stop()
        type_what_the_docs_say(docs, prefix, work / "typed")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
