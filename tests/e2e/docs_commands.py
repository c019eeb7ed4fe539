"""Types what README.md and the pages for operators say, word by word, into a shell, with what is installed.

A line of an indented block that begins with `bentohost --plugin` is started, has to become ready, and
ends well when it is told to stop. The README's `$ curl` lines are asked of what quickstart.sh serves, and
have to be answered as it says. Only what belongs to the reader's machine is another here: see HERE.
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
# Ports and paths of the docs, and what stands for them: any port, of the loopback; a folder of the test.
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
    """The commands of a page's indented blocks, continued lines as one."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    lines = re.sub(r"\\\n\s+", "", text).splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


def questions_of(page):
    """Each `$ command` of a page, and what is said to be its output."""
    for block in re.findall(r"(?:^    .*\n)+", page.read_text(), flags=re.M):
        for part in re.split(r"^    \$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, "".join(line.strip() for line in output.splitlines())


def agree(said, answered):
    """Is that the output? `...` in a text of JSON is whatever it is."""
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
        """Where it serves, as its ready line says: the ports that it has chosen."""
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
    """What the docs take for granted: a model, a plugin in this folder, a certificate, a file of keys."""
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
            if command.startswith("bentohost --plugin"):
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
