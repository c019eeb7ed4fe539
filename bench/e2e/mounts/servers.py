"""The apps of the suite, and what stands in front of them: nginx, haproxy, or bentohost, which starts
the app itself."""
import os
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Sequence

from .. import load, procs, servers
from ..load import Request
from ..results import Skipped
from ..servers import PEERS, Spec, Start

SUBJECT = "bentohost"
PREFIX = "/"


@dataclass(frozen=True)
class App:
    """An app: how it is started on a Unix socket, and how bentohost is told to do the same."""
    command: Callable[[str], list[str]]  # of the socket's path
    options: Sequence[str] = ()          # bentohost's
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    lacks: str = ""                      # why it cannot be started here, if that is known already

    def missing(self) -> str:
        return self.lacks or servers.not_installed(self.modules, self.programs)

    @contextmanager
    def running(self, request: Request) -> Iterator[tuple[procs.Server, Path]]:
        """The app, ready after its first correct response, and its socket."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            socket = folder / "app.sock"
            argv = self.command(str(socket))
            with procs.Server(argv, folder / "output.log", port=None, cwd=PEERS) as server:
                server.wait_ready(lambda _: load.answers(socket, request))
                try:
                    yield server, socket
                finally:
                    server.kill()


def mounted(kind_and_app: str, *settings: str) -> list[str]:
    """bentohost's options that mount the app at the root."""
    return ["--mount", f"{PREFIX}={kind_and_app}",
            *(word for setting in settings for word in ("--mount-set", f"{PREFIX}.{setting}"))]


def _python(kind: str, app: str) -> list[str]:
    # As bench/run.sh sets it for apps that bentohost does not start.
    return mounted(f"{kind}:{app}", f"folder={PEERS}", f"interpreter={sys.executable}",
                   "env.PYTHONDONTWRITEBYTECODE=1")


def uvicorn(app: str) -> App:
    """One process, with the options that bentohost gives it; uvloop and httptools, as they are there."""
    def command(socket: str) -> list[str]:
        return [sys.executable, "-m", "uvicorn", app, "--uds", socket, "--forwarded-allow-ips", "*",
                "--no-access-log", "--no-server-header", "--no-date-header",
                "--timeout-keep-alive", "75", "--log-level", "warning"]
    return App(command, _python("asgi", app), ("fastapi", "uvicorn", "uvloop", "httptools"))


def gunicorn(app: str, kind: str) -> App:
    """One process with 16 threads; `kind` is bentohost's."""
    def command(socket: str) -> list[str]:
        return [sys.executable, "-m", "gunicorn", app, "--bind", f"unix:{socket}", "--worker-class",
                "gthread", "--workers", "1", "--threads", "16", "--keep-alive", "75",
                "--log-level", "warning"]
    return App(command, _python(kind, app), ("flask", "gunicorn"))


def responder(folder: Path) -> App:
    """`folder`: of the C++ peers."""
    program = str(folder / "peer_responder")
    return App(lambda socket: [program, socket], mounted(f"http:{program} {{socket}}"),
               programs=(program,))


def _nginx(start: Start) -> list[str]:
    # Started by root, nginx would run its workers as a user who may not open the app's socket.
    user = "user root root;" if os.geteuid() == 0 else ""
    return servers.nginx_argv(start, servers.configured(
        start, "nginx_proxy.conf", USER=user, SOCKET=start.upstream))


def _haproxy(start: Start) -> list[str]:
    path = servers.configured(start, "haproxy.cfg", SOCKET=start.upstream)
    return ["haproxy", "-db", "-f", str(path)]


NGINX = Spec("nginx", "nginx", _nginx, programs=("nginx",))
HAPROXY = Spec("haproxy", "haproxy", _haproxy, programs=("haproxy",))


def bentohost(binary: Path, app: App) -> Spec:
    return servers.bentohost(binary, [], app.options)


@dataclass(frozen=True)
class Running:
    front: procs.Server
    roots: Sequence[int]  # all processes are in the trees below them
    program: Path         # the front's

    @property
    def port(self) -> int:
        return self.front.port

    def cpu(self) -> tuple[float, float]:
        """Seconds used by the front's own processes, and by all others: the app."""
        used = sum(map(procs.cpu_by_program, self.roots), Counter())
        front = used.pop(self.program, 0.0)
        return front, sum(used.values())


@dataclass(frozen=True)
class Case:
    """An app and what is in front of it: a row of a scenario's table."""
    key: str
    label: str
    spec: Spec
    app: App
    request: Request

    def missing(self) -> str:
        return self.app.missing() or self.spec.missing()

    @contextmanager
    def running(self, connections: int = 64) -> Iterator[Running]:
        """Both, ready after the first correct response through the front."""
        if reason := self.missing():
            raise Skipped(reason)
        with ExitStack() as stack:
            roots, socket = [], None
            if self.spec.key != SUBJECT:
                app, socket = stack.enter_context(self.app.running(self.request))
                roots.append(app.pid)
            front = stack.enter_context(self.spec.running(
                self.request, connections=connections, upstream=socket))
            front.settle()
            program = Path(shutil.which(self.spec.programs[0])).resolve()
            yield Running(front, [*roots, front.pid], program)
