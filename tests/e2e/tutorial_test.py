#!/usr/bin/env python3
"""tutorial_test.py <source tree> <build tree> <C compiler> <C++ compiler>

Does what sdk/docs/tutorial.md says, from the first line to the last: types each command into a shell, edits the
files as the code blocks say, and compares the output with the page.

A `$ command` with output in its block must print that output; `...` is any text, and as a line any lines. A command
without output must succeed. `bentohost --plugin` and `while` get their own terminals, as on the page. A code block
is a part of a step's file in samples/tutorial: the file is taken from there, and each new line of it must be on the
page. Only the reader's home folder, the ports and the compilers are replaced.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from docs_commands import agree

START_SECONDS = 60
STOP_SECONDS = 60
PORT, ADMIN_PORT = "3000", "3001"  # the page's
SNIPPET = re.compile(r"<!-- snippet: (\S+) -->\n```\w*\n(.*?)```\n", re.S)
COMMANDS = re.compile(r"(?:^    .*\n)+", re.M)
HEADING = re.compile(r"^## .*\n", re.M)
CHANGE = re.compile(r"changes from `(\S+)` to `(\S+)`")


def parts_of(text):
    """The page's code blocks, command blocks and headings, in order, as matches."""
    code = list(SNIPPET.finditer(text))
    blank = text
    for match in code:  # of the same length, but without commands
        blank = blank[:match.start()] + "\n" * len(match[0]) + blank[match.end():]
    return sorted([*code, *COMMANDS.finditer(blank), *HEADING.finditer(blank)], key=lambda match: match.start())


def commands_of(block):
    """Each `$ command` of a block, and the shown output, or None."""
    for part in re.split(r"^    \$ ", block, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, re.sub(r"^    ", "", output, flags=re.M) or None


def is_as_shown(shown, output):
    flat = "".join(line.strip() for line in shown.splitlines())
    if flat.startswith("{") and output.startswith("{"):
        return agree(flat, output)
    pattern = ""
    for line in shown.splitlines():
        some = ".*?".join(re.escape(piece) for piece in line.split("..."))
        pattern += r"(?:.*\n)*?" if line == "..." else some + r"\n"
    return re.fullmatch(pattern, output.rstrip("\n") + "\n") is not None


class Shell:
    """The reader's second terminal, one shell for all commands."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["bash"], cwd=folder, env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def type(self, command):
        """The command's output and exit status."""
        self.process.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n\\036%d\\n' $?\n")
        self.process.stdin.flush()
        output = ""
        for line in self.process.stdout:
            if line.startswith("\036"):
                return output[:-1], int(line[1:])
            output += line
        sys.exit(f"{command}\nended the shell; its output:\n{output}")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(STOP_SECONDS)


class Terminal:
    """Another terminal, in which a program keeps running."""

    def __init__(self, command, folder, environment, log):
        self.command, self.log = command, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment, stdout=out,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)

    def find(self, pattern):
        """Waits for the first line of its output that matches."""
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(pattern, self.log.read_text(), flags=re.M)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.command}\nno {pattern} in its output:\n{self.log.read_text()}")
            time.sleep(0.02)
        return found

    def interrupt(self):
        """Sends Ctrl-C; returns the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_SECONDS)

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Reader:
    """A reader who does what the page says, in a separate home folder."""

    def __init__(self, source, build, home, compilers):
        self.source, self.home, self.folder = source, home, home / "houses"
        self.environment = dict(os.environ, HOME=str(home), CC=compilers[0], CXX=compilers[1], CMAKE_GENERATOR="Ninja",
                                PATH=f"{home}/bentohost/bin:{os.environ['PATH']}")
        (home / "clone").mkdir(parents=True)
        (home / "clone" / "build").symlink_to(build)
        (home / ".curlrc").write_text("silent\nshow-error\n")  # as curl behaves in a terminal
        self.shell = Shell(home / "clone", self.environment)
        self.server = self.loop = None
        self.ports = {}
        self.shown, self.edited = {}, {}  # by a file's name: the lines on the page; the step's file
        self.typed = 0

    def do(self, text):
        for part in parts_of(text):
            if part.re is SNIPPET:
                name = pathlib.PurePath(part[1]).name
                self.shown.setdefault(name, set()).update(part[2].splitlines())
                self.edited[name] = self.source / part[1]
            elif part.re is COMMANDS:
                self.save()
                for command, shown in commands_of(part[0]):
                    self.type(command, shown)
            else:
                self.end_loop(text)
        if self.server.interrupt() != 0:
            sys.exit(f"the server ended badly:\n{self.server.log.read_text()}")

    def save(self):
        """Edits the files."""
        for name, path in self.edited.items():
            file = self.folder / name
            old = file.read_text().splitlines() if file.exists() else []
            unseen = set(path.read_text().splitlines()) - set(old) - self.shown[name]
            if unseen - {""}:
                sys.exit(f"{path}: not on the page, and not in the reader's file:\n" + "\n".join(sorted(unseen)))
            file.write_text(path.read_text())
        self.edited = {}

    def type(self, command, shown):
        self.typed += 1
        if command.startswith("bentohost --plugin"):
            self.serve(command, shown)
        elif command.startswith("while "):
            self.loop = Terminal(self.here(command), self.folder, self.environment, self.home / "loop.log")
            self.loop.find("^" + re.escape(shown.splitlines()[0]) + "$")
        else:
            output, status = self.shell.type(self.here(command))
            if not is_as_shown(shown, output) if shown else status != 0:
                sys.exit(f"$ {command}\nhas to print:\n{shown}\nprinted, with exit status {status}:\n{output}")
            if "batch_size" in command:
                self.check_batches(output)

    def here(self, command):
        for theirs, ours in self.ports.items():
            command = command.replace(f":{theirs}", f":{ours}")
        return command

    def serve(self, command, shown):
        if self.server and self.server.interrupt() != 0:
            sys.exit(f"the server ended badly:\n{self.server.log.read_text()}")
        command = command.replace(f"127.0.0.1:{ADMIN_PORT}", "127.0.0.1:0") + " --port 0"
        self.server = Terminal("exec " + command, self.folder, self.environment, self.home / "server.log")
        ready = self.server.find(r"^bentohost .* at http://127\.0\.0\.1:(\d+) .*$")
        operators = self.server.find(r"the admin port is at http://127\.0\.0\.1:(\d+)")
        self.ports = {PORT: ready[1], ADMIN_PORT: operators[1]}
        if not is_as_shown(shown.splitlines()[0], ready[0].replace(ready[1], PORT)):
            sys.exit(f"$ {command}\nhas to print:\n{shown}\nprinted:\n{ready[0]}")

    def check_batches(self, output):
        """Asserts that calls were batched."""
        count, rows = (int(re.search(rf"_{what}{{.* (\d+)$", output, flags=re.M)[1]) for what in ("count", "sum"))
        if count >= rows:
            sys.exit(f"{rows} rows came in {count} batches")

    def end_loop(self, text):
        """At the end of the step: the loop has seen the old response, then the new one, and nothing else."""
        if self.loop is None:
            return
        expected = list(CHANGE.search(text).groups())
        self.loop.find("^" + re.escape(expected[-1]) + "$")  # it asks now and then
        self.loop.interrupt()
        lines = self.loop.log.read_text().split()
        seen = [line for i, line in enumerate(lines) if i == 0 or line != lines[i - 1]]
        if seen != expected:
            sys.exit(f"{self.loop.command}\nhas seen, one after the other: {seen}")
        self.loop = None

    def close(self):
        for terminal in filter(None, (self.server, self.loop)):
            terminal.close()
        self.shell.close()


def main(source, build, *compilers):
    with tempfile.TemporaryDirectory(prefix="bento_tutorial_") as folder:
        reader = Reader(source, build, pathlib.Path(folder), compilers)
        try:
            reader.do((source / "sdk" / "docs" / "tutorial.md").read_text())
        finally:
            reader.close()
        if reader.typed < 30 or not CHANGE.search((source / "sdk" / "docs" / "tutorial.md").read_text()):
            sys.exit(f"{reader.typed} commands: is the tutorial written another way now?")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *sys.argv[3:])
