"""Types the commands of README.md and the pages for operators into a shell, with the installed program.

A line of an indented block that begins with `bentohost --plugin` is started, must become ready, and
must end cleanly when told to stop. The README's `$ curl` lines are sent to the server of quickstart.sh, and
must be answered as the README says. Only ports and paths of the reader's machine are replaced: see HERE.
"""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

PAGES = ("README.md", "plugins/README.md", "packaging/docs/*.md", "sdk/docs/guide/options.md")
START_SECONDS = 60
STOP_SECONDS = 60
# Ports and paths of the docs, and their replacements: any port of the loopback, and a folder of the test.
HERE = {
    "--port 8080": "--port 0",
    "0.0.0.0:8080": "127.0.0.1:0",
    "127.0.0.1:9090": "127.0.0.1:0",
    "--admin-bind 127.0.0.1:3001": "--admin-bind 127.0.0.1:0",
    "/run/iris.sock": "{here}/iris.sock",
    "/srv/models/iris.svm": "{here}/iris.svm",
    "/run/secrets/keys": "{here}/keys",
}


def commands_of(page):
    """The commands of a page's indented blocks; continued lines are joined."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    lines = re.sub(r"\\\n\s+", "", text).splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


def questions_of(page):
    """Each `$ command` of a page, and the output that the page shows for it."""
    for block in re.findall(r"(?:^    .*\n)+", page.read_text(), flags=re.M):
        for part in re.split(r"^    \$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, "".join(line.strip() for line in output.splitlines())


def agree(said, answered):
    """Is that the output? `...` in a JSON string matches any text."""
    said, answered = json.loads(said), json.loads(answered)
    if isinstance(said, dict):
        answered.update({key: "..." for key, value in said.items() if value == "..." and key in answered})
    return said == answered


class Typed:
    """A command in a shell of its own, in `here`, with the installed programs on the PATH."""

    def __init__(self, command, prefix, here):
        for theirs, ours in HERE.items():
            command = command.replace(theirs, ours.format(here=here))
        if not re.search(r"--port|--bind", command.replace("--admin-bind", "")):
            command = command.partition(" #")[0].rstrip() + " --port 0"
        self.command, self.output = command, b""
        environment = dict(os.environ, PATH=f"{prefix / 'bin'}:{os.environ['PATH']}")
        self.process = subprocess.Popen(["bash", "-c", "exec " + command], cwd=here, env=environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def fail(self, what):
        sys.exit(f"{self.command}\n{what}; its output:\n{self.output.decode()}")

    def wait_until_ready(self):
        """The ports that the program has chosen, from its ready line."""
        deadline = time.monotonic() + START_SECONDS
        pipe = self.process.stdout.fileno()
        while not (told := re.search(rb"^.* at .*\(ready in .*$", self.output, flags=re.M)):
            readable, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(pipe, 65536) if readable else b""
            if not chunk:
                self.fail("did not become ready")
            self.output += chunk
        return told[0].decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.output += self.process.communicate(timeout=STOP_SECONDS)[0]
        if self.process.returncode != 0:
            self.fail(f"ended with {self.process.returncode}")


def prepare(prefix, here):
    """Makes the files that the docs assume: a model, a plugin in this folder, a certificate, a file of keys."""
    here.mkdir()
    plugins = next(prefix.rglob("libiris.so")).parent
    shutil.copy(plugins / "libc99.so", here)
    shutil.copy(plugins / "iris.svm", here)
    (here / "keys").write_text("a-key\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", here / "key.pem",
                    "-out", here / "cert.pem"], check=True, capture_output=True)


def type_what_the_docs_say(docs, prefix, here):
    prepare(prefix, here)
    typed = 0
    for page in (page for name in PAGES for page in sorted(docs.glob(name))):
        for command in commands_of(page):
            # Programs that --mount names are the reader's own.
            if command.startswith("bentohost --plugin") and "--mount" not in command:
                with Typed(command, prefix, here) as host:
                    host.wait_until_ready()
                    host.stop()
                typed += 1
    questions = list(questions_of(docs / "README.md"))
    if typed < 10 or len(questions) < 2:
        sys.exit(f"{typed} commands and {len(questions)} questions: are the docs written another way now?")
    with Typed("bentohost --plugin libiris.so", prefix, here) as host:
        port = re.search(r"http://127\.0\.0\.1:(\d+)", host.wait_until_ready())[1]
        for command, said in questions:
            answered = subprocess.run(["bash", "-c", command.replace(":3000", f":{port}")], check=True,
                                      capture_output=True, text=True).stdout
            if not agree(said, answered):
                sys.exit(f"{command}\nsaid: {said}\nanswered: {answered}")
        host.stop()
