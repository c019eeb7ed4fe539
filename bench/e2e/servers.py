"""The measured servers: how each is started, and what must be installed for it. Servers that several
suites use are here, the others in their suite's servers.py."""
import functools
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Sequence

from . import load, procs

PEERS = Path(__file__).with_name("peers")
WORKERS = 2  # for each peer with worker processes


def not_installed(modules: Sequence[str], programs: Sequence[str]) -> str:
    absent = ([name for name in modules if importlib.util.find_spec(name) is None] +
              [name for name in programs if shutil.which(name) is None])
    return f"not installed: {', '.join(absent)}" if absent else ""


@dataclass(frozen=True)
class Start:
    """One start of a server: the inputs of its command line."""
    folder: Path            # its own, and empty
    port: int
    request: load.Request   # the request that it will get
    access_log: bool        # False: off. True: the default
    connections: int        # this many may come at once
    certificate: Path | None = None  # folder of cert.pem and key.pem: TLS
    upstream: Path | None = None     # the Unix socket of the app behind it: a proxy's


@dataclass(frozen=True)
class Spec:
    key: str
    label: str
    argv: Callable[[Start], list[str]]
    modules: tuple[str, ...] = ()   # Python modules
    programs: tuple[str, ...] = ()
    picks_port: bool = False        # and prints it on stdout
    prepare: Callable[[], str] | None = None  # installs what is not a package; returns an error
    thread_per_connection: bool = False  # sized for the connections of each run

    def missing(self) -> str:
        """Why the server cannot be started here; empty if it can."""
        return not_installed(self.modules, self.programs) or (
            self.prepare() if self.prepare else "")

    @contextmanager
    def running(self, request: load.Request, access_log: bool = False, connections: int = 64,
                certificate: Path | None = None,
                upstream: Path | None = None) -> Iterator[procs.Server]:
        """The running server, ready after its first correct response."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)  # started by root, nginx runs its workers as another user
            port = 0 if self.picks_port else procs.free_port()
            argv = self.argv(Start(folder, port, request, access_log, connections, certificate,
                                   upstream))
            with procs.Server(argv, folder / "output.log", port, cwd=folder) as server:
                server.wait_ready(functools.partial(load.answers, request=request))
                yield server


@functools.cache
def help_of(binary: Path) -> str:
    return subprocess.run([str(binary), "--help"], capture_output=True, text=True,
                          check=False).stdout


def bentohost(binary: Path, plugins: Sequence[str], options: Sequence[str] = (),
              plugin_path: Path | None = None) -> Spec:
    def argv(start: Start) -> list[str]:
        words = ["env", f"BENTOHOST_PLUGIN_PATH={plugin_path}"] if plugin_path else []
        words += [str(binary), "--port", "0", *options]
        for plugin in plugins:
            words += ["--plugin", plugin]
        if not start.access_log:
            words += ["--access-log", "off"]
        if start.certificate:
            words += ["--ssl-certfile", str(start.certificate / "cert.pem"),
                      "--ssl-keyfile", str(start.certificate / "key.pem")]
        return words
    return Spec("bentohost", "bentohost", argv, programs=(str(binary),), picks_port=True)


def configured(start: Start, template: str, **settings: object) -> Path:
    """Writes the peer's configuration file, with the settings, and those of all, filled in."""
    every = {"DIR": start.folder, "PORT": start.port, "WORKERS": WORKERS,
             "CONNECTIONS": max(1024, start.connections + 64)}
    text = (PEERS / template).read_text()
    for name, value in {**every, **settings}.items():
        text = text.replace(f"@{name}@", str(value))
    path = start.folder / template
    path.write_text(text)
    return path


def nginx_argv(start: Start, configuration: Path) -> list[str]:
    return ["nginx", "-p", str(start.folder), "-c", str(configuration), "-e", "stderr"]


def _nginx(start: Start) -> list[str]:
    tls = ""
    if start.certificate:
        tls = ("ssl_protocols TLSv1.2 TLSv1.3; "
               f"ssl_certificate {start.certificate}/cert.pem; "
               f"ssl_certificate_key {start.certificate}/key.pem;")
    return nginx_argv(start, configured(
        start, "nginx.conf", SSL=" ssl" if start.certificate else "", TLS=tls,
        PATH=start.request.path, BODY=start.request.reply, TYPE=start.request.content_type,
        ACCESS_LOG=start.folder / "access.log" if start.access_log else "off"))


NGINX = Spec("nginx", "nginx, static reply", _nginx, programs=("nginx",))


def uvicorn(app: str, loop: str, http: str) -> Callable[[Start], list[str]]:
    def argv(start: Start) -> list[str]:
        return [sys.executable, str(PEERS / "serve_uvicorn.py"), app, "--workers", str(WORKERS),
                "--port", str(start.port), "--loop", loop, "--http", http] + (
                    [] if start.access_log else ["--no-access-log"])
    return argv
