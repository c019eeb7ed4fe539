"""GET /livez over TLS: on keep-alive connections, and with a handshake for each request."""
import dataclasses
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Iterator

from .. import load, procs
from ..figures import full
from ..markdown import Target, table
from ..results import Results, Skipped
from ..servers import NGINX, help_of
from .servers import LIVEZ, Built, Case

KEY = "tls"
CONNECTIONS = 64
CLIENTS = 4  # programs that make handshakes, one connection at a time: enough for a few cores
REQUEST = dataclasses.replace(LIVEZ, tls=True)


def cases(built: Built) -> list[Case]:
    return [Case("bentohost", "bentohost", built.bentohost("hello"), REQUEST),
            Case("nginx", NGINX.label, NGINX, REQUEST)]


def _certificate(folder: Path) -> Path:
    """A usual key of today, ECDSA on P-256, with a self-signed certificate."""
    if shutil.which("openssl") is None:
        raise Skipped("not installed: openssl, which makes the certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(folder / "key.pem"), "-out",
         str(folder / "cert.pem")], check=True, capture_output=True)
    return folder


def _speaks_tls(case: Case) -> None:
    binary = Path(case.spec.programs[0])
    if case.spec.key == "bentohost" and "--ssl-certfile" not in help_of(binary):
        raise Skipped("this bentohost has no --ssl-certfile")


def _handshakes(server: procs.Server, seconds: float) -> tuple[float, float]:
    """Handshakes a second, and the server's CPU for each in microseconds. With openssl's own client,
    because wrk resumes its sessions: it would measure the cheap kind of handshake."""
    argv = ["openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", "-new", "-www",
            REQUEST.path, "-time", str(max(1, round(seconds)))]
    before, began = procs.cpu_seconds(server.pid), time.perf_counter()
    clients = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True) for _ in range(CLIENTS)]
    output = [client.communicate()[0] for client in clients]
    passed, used = time.perf_counter() - began, procs.cpu_seconds(server.pid) - before
    counts = [int(match[1]) for text in output
              if (match := re.search(r"(\d+) connections in \d+ real seconds, [1-9]", text))]
    if len(counts) < CLIENTS:
        raise load.WrongAnswer(f"openssl s_time failed: {output[-1][-200:]}")
    return sum(counts) / passed, used / sum(counts) * 1e6


def _at(case: Case, seconds: float) -> dict[str, float]:
    _speaks_tls(case)
    with tempfile.TemporaryDirectory() as name, case.spec.running(
            case.request, connections=CONNECTIONS,
            certificate=_certificate(Path(name))) as server:
        server.settle()
        load.check(case.label, server, REQUEST)
        kept = load.measure(server, REQUEST, CONNECTIONS, seconds)
        handshakes, handshake_us = _handshakes(server, seconds)
    return {"rps": kept.rps, "p50_ms": kept.p50_ms, "p99_ms": kept.p99_ms, "cpu_us": kept.cpu_us,
            "handshakes": handshakes, "handshake_us": handshake_us, "errors": kept.errors}


def measure(case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
    yield CONNECTIONS, _at(case, seconds)


def quick(case: Case) -> None:
    _at(case, seconds=1)


def targets(_results: Results) -> list[Target]:
    return []


def section(results: Results) -> list[str]:
    rows = []
    for key, label in results.labels[KEY].items():
        cell = [full(results.spread(KEY, key, CONNECTIONS, name)) for name in (
            "rps", "p50_ms", "p99_ms", "cpu_us", "handshakes", "handshake_us")]
        ratios = [full(results.ratio(KEY, key, "nginx", CONNECTIONS, name))
                  for name in ("rps", "handshakes")]
        if cell[0]:
            rows.append([label, *cell[:4], ratios[0], *cell[4:], ratios[1]])
    if not rows:
        return []
    return ["### TLS", "",
            f"GET {REQUEST.path} on {CONNECTIONS} keep-alive connections, and then with a full handshake "
            f"for each request, from {CLIENTS} clients. TLS 1.3, a P-256 certificate.", "",
            *table(["server", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "of nginx",
                    "handshakes/s", "CPU µs each", "of nginx"], rows), ""]
