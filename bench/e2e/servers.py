"""What is measured: how each server is started, and what it needs to be installed."""
import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import load, procs

PEERS = Path(__file__).with_name("peers")
WORKERS = 2


@dataclass(frozen=True)
class Spec:
    """`argv(folder, port, access_log)`: False turns the log off, True leaves it as it comes."""
    key: str
    label: str
    argv: Callable[[Path, int, bool], list[str]]
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    picks_port: bool = False

    def missing(self) -> list[str]:
        return ([name for name in self.modules if importlib.util.find_spec(name) is None] +
                [name for name in self.programs if shutil.which(name) is None])

    def start(self, folder: Path, access_log: bool) -> procs.Server:
        port = 0 if self.picks_port else procs.free_port()
        argv = self.argv(folder, port, access_log)
        return procs.Server(argv, folder / "output.log", port, cwd=folder)


def bentohost(binary: Path) -> Spec:
    def argv(_folder: Path, _port: int, access_log: bool) -> list[str]:
        return [str(binary), "--plugin", "libiris.so", "--port", "0"] + (
            [] if access_log else ["--access-log", "off"])
    return Spec("bentohost", "bentohost", argv, programs=(str(binary),), picks_port=True)


def _nginx(folder: Path, port: int, access_log: bool) -> list[str]:
    settings = {"DIR": str(folder), "PORT": str(port), "WORKERS": str(WORKERS),
                "BODY": load.REPLY_BODY,
                "ACCESS_LOG": str(folder / "access.log") if access_log else "off"}
    text = (PEERS / "nginx.conf").read_text()
    for name, value in settings.items():
        text = text.replace(f"@{name}@", value)
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _uvicorn(app: str, loop: str, http: str) -> Callable[[Path, int, bool], list[str]]:
    def argv(_folder: Path, port: int, access_log: bool) -> list[str]:
        return [sys.executable, str(PEERS / "serve_uvicorn.py"), f"fastapi_iris:{app}", "--workers",
                str(WORKERS), "--port", str(port), "--loop", loop, "--http", http] + (
                    [] if access_log else ["--no-access-log"])
    return argv


def _gunicorn(_folder: Path, port: int, _access_log: bool) -> list[str]:
    # gunicorn comes with its access log off: both of its rows are the same set-up.
    return [sys.executable, "-m", "gunicorn", "--chdir", str(PEERS), "--workers", str(WORKERS),
            "--bind", f"127.0.0.1:{port}", "flask_iris:app"]


PEER_SPECS = (
    Spec("nginx", "nginx, static reply", _nginx, programs=("nginx",)),
    Spec("fastapi-def", "FastAPI def", _uvicorn("def_app", "asyncio", "h11"),
         ("fastapi", "uvicorn", "sklearn")),
    Spec("fastapi-async", "FastAPI async", _uvicorn("async_app", "asyncio", "h11"),
         ("fastapi", "uvicorn", "sklearn")),
    Spec("fastapi-uvloop", "FastAPI async, uvloop", _uvicorn("async_app", "uvloop", "httptools"),
         ("fastapi", "uvicorn", "uvloop", "httptools", "sklearn")),
    Spec("flask", "Flask, gunicorn", _gunicorn, ("flask", "gunicorn", "sklearn")),
)
