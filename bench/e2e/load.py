"""Load on one server: a first answer, a checked run and a measured run, with wrk."""
import http.client
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

LUA = Path(__file__).with_name("classify.lua")
REQUEST_BODY = b"[[4.9,3.0,1.4,0.2]]"
REPLY_BODY = "[0]"


@dataclass(frozen=True)
class Load:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    status_errors: int  # answers of 400 and above
    socket_errors: int  # refused, reset or timed out
    wrong: int          # replies of a checked run that are not 200 with the right class

    @property
    def rps(self) -> float:
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        return self.status_errors + self.socket_errors + self.wrong


def answers(port: int, timeout: float = 1.0) -> bool:
    """One request on a connection of its own: is the answer 200 with the right class?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/classify", REQUEST_BODY, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status == 200 and reply.read().decode().strip() == REPLY_BODY
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def run_wrk(port: int, connections: int, seconds: float, check: bool = False) -> Load:
    """wrk counts whole seconds. A checked run compares each reply; a measured one only counts
    statuses, so that wrk, which shares the cores, costs as little as it can."""
    threads = min(connections, os.cpu_count() or 1)
    argv = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout",
            "10s", "-s", str(LUA), f"http://127.0.0.1:{port}"]
    if check:
        argv += ["--", "check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout.strip().splitlines()[-1]))
