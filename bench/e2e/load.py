"""Load on one server: a first response, a checked run and a measured run, with wrk."""
import http.client
import json
import os
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import procs

LUA = Path(__file__).with_name("request.lua")
PATIENT_SECONDS = 5.0


class WrongAnswer(Exception):
    """A server gave a wrong response: it cannot be compared, so the benchmark fails."""


@dataclass(frozen=True)
class Request:
    """One request, and the body of the 200 that should answer it, apart from blanks at its end."""
    method: str
    path: str
    reply: str
    body: str = ""
    content_type: str = "text/plain"
    tls: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type} if self.body else {}

    def wire(self) -> bytes:
        """The request as bytes, for clients other than wrk."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1",
                 *(f"{name}: {value}" for name, value in self.headers().items())]
        if self.body:
            lines.append(f"Content-Length: {len(self.body.encode())}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


@dataclass(frozen=True)
class Load:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    status_errors: int  # responses of 400 and above
    socket_errors: int  # refused, reset or timed out
    wrong: int          # replies of a checked run that are not 200 with the right body
    cpu_us: float = 0.0  # of the server's process tree, for each request

    @property
    def rps(self) -> float:
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        return self.status_errors + self.socket_errors + self.wrong


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _connection(port: int | Path, request: Request, timeout: float) -> http.client.HTTPConnection:
    if isinstance(port, Path):
        return _UnixConnection(port, timeout)
    if not request.tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=context)


def answers(port: int | Path, request: Request, timeout: float = 1.0) -> bool:
    """Sends one request on a connection of its own, to a port or a Unix socket: is the response 200
    with the right body?"""
    connection = _connection(port, request, timeout)
    try:
        connection.request(request.method, request.path, request.body or None, request.headers())
        reply = connection.getresponse()
        return reply.status == 200 and reply.read().decode().strip() == request.reply
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def run_wrk(port: int, request: Request, connections: int, seconds: float,
            check: bool = False) -> Load:
    """wrk counts whole seconds. `cpu_us` stays 0."""
    threads = min(connections, os.cpu_count() or 1)
    argv = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout",
            "10s", "-s", str(LUA), f"{request.scheme}://127.0.0.1:{port}", "--", request.method,
            request.path, request.content_type, request.body]
    if check:
        argv.append(request.reply)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout.strip().splitlines()[-1]))


def check(label: str, server: procs.Server, request: Request, connections: int = 16,
          seconds: float = 1.0) -> None:
    """Compares every reply, unlike a measured run; also serves as the warm-up."""
    checked = run_wrk(server.port, request, connections, seconds, check=True)
    if not checked.requests and not checked.errors:  # the machine was too busy to answer in time
        checked = run_wrk(server.port, request, connections, PATIENT_SECONDS, check=True)
    if checked.errors or not checked.requests:
        raise WrongAnswer(f"{label}: {checked.errors} wrong of {checked.requests} replies")


def measure(server: procs.Server, request: Request, connections: int, seconds: float,
            check: bool = False) -> Load:
    """wrk counts whole seconds. Without `check` it counts only statuses, because it shares the cores
    and should cost as little as possible."""
    before = procs.cpu_seconds(server.pid)
    run = run_wrk(server.port, request, connections, seconds, check)
    used = procs.cpu_seconds(server.pid) - before
    return Load(**{**vars(run), "cpu_us": used / max(run.requests, 1) * 1e6})
