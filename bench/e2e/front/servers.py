"""The servers of the front suite, and the requests that they get."""
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .. import servers
from ..load import Request
from ..servers import NGINX, PEERS, WORKERS, Spec, Start

HELLO = Request("POST", "/hello", "hello", body="World")
HELLO_ON_A_THREAD = Request("POST", "/hello_on_a_thread", "hello", body="World")
LIVEZ = Request("GET", "/livez", "ok")
IRIS = Request("POST", "/classify", "[0]", body="[[4.9,3.0,1.4,0.2]]")
FASTIFY = "4.29.1"  # of the last major version that runs on Debian 12's Node
INSTALL_SECONDS = 120


@dataclass(frozen=True)
class Case:
    """A server and its request: a row of a scenario's table."""
    key: str
    label: str
    spec: Spec
    request: Request = HELLO


@dataclass(frozen=True)
class Built:
    """The programs that this repository builds for the suite."""
    binary: Path  # bentohost
    bench: Path   # folder of the C++ peers, and of plugins/

    def bentohost(self, *plugins: str) -> Spec:
        return servers.bentohost(
            self.binary, [str(self.bench / "plugins" / f"lib{name}.so") for name in plugins])

    def with_middleware(self, *uses: str) -> Spec:
        """The iris sample with this middleware around it."""
        options = [word for use in uses for word in ("--use", use)]
        return servers.bentohost(self.binary, ["libiris.so"], options, self.bench / "plugins")

    def _threaded(self, key: str, label: str) -> Spec:
        program = self.bench / f"peer_{key}"

        def argv(start: Start) -> list[str]:
            # A few more than the connections: a closed connection may still hold its thread.
            return [str(program), str(start.port), str(start.connections + 8)]
        return Spec(key, label, argv, programs=(str(program),), thread_per_connection=True)

    def peers(self) -> list[Spec]:
        return [NGINX, self._threaded("httplib", "cpp-httplib"),
                self._threaded("poco", "Poco HTTPServer"),
                Spec("fastify", "Fastify", _fastify, programs=("node",), prepare=_install_fastify),
                Spec("starlette", "Starlette, uvicorn",
                     servers.uvicorn("starlette_hello:app", "uvloop", "httptools"),
                     ("starlette", "uvicorn", "uvloop", "httptools"))]


def _fastify_folder() -> Path:
    """A folder outside of the repository that is kept from run to run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "bentohost-bench" / f"fastify-{FASTIFY}"


def _install_fastify() -> str:
    folder = _fastify_folder()
    if (folder / "node_modules" / "fastify").is_dir():
        return ""
    if shutil.which("npm") is None:
        return "not installed: npm, which downloads it"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        fresh = Path(name) / "fresh"
        fresh.mkdir()
        try:
            done = subprocess.run(
                ["npm", "install", "--prefix", str(fresh), "--no-save", "--no-audit", "--no-fund",
                 "--ignore-scripts", f"fastify@{FASTIFY}"], cwd=fresh, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            return f"npm did not end in {INSTALL_SECONDS} s"
        if done.returncode != 0:
            return "npm could not install it: " + " ".join(done.stderr.split())[:200]
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return ""


def _fastify(start: Start) -> list[str]:
    return ["env", "NODE_ENV=production", f"NODE_PATH={_fastify_folder() / 'node_modules'}", "node",
            str(PEERS / "fastify_hello.js"), str(start.port), str(WORKERS)]
