"""Kills processes of bentohost's tree while 64 connections are busy: the runner's workers, or the
serving process. Counts how the requests end, and when it serves again."""
import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from . import procs
from .load import Request

CONNECTIONS = 64
BEFORE_SECONDS = 1.0
PILE_UP_SECONDS = 0.05  # stopped for this long, so that each connection has a request in flight
AFTER_SECONDS = 3.0
ANSWER_TIMEOUT_SECONDS = 10.0


@dataclass
class Outcome:
    statuses: Counter = field(default_factory=Counter)
    lost: int = 0                     # sent, but no whole response: reset, closed or timed out
    refused: int = 0                  # connections
    wrong: int = 0                    # 200 with a wrong body
    killed: int = 0                   # processes
    back_ms: float | None = None      # from the kill to the first sight of a new process
    served_ms: float | None = None    # from the kill to the first 200 for a request sent after it

    @property
    def other(self) -> int:
        return sum(count for status, count in self.statuses.items() if status not in (200, 503))

    def text(self) -> str:
        served = "never" if self.served_ms is None else f"{self.served_ms:.0f} ms"
        back = "never" if self.back_ms is None else f"{self.back_ms:.0f} ms"
        return (f"{self.killed} process(es) killed under {CONNECTIONS} connections: "
                f"lost {self.lost}, refused {self.refused}, 200s {self.statuses[200]}, 503s {self.statuses[503]}, "
                f"other {self.other}, wrong {self.wrong}; "
                f"another after {back}, next 200 after {served}")


def _processes(root: int, word: bytes) -> list[int]:
    """The processes of the tree that were started as `bentohost <word> ...`."""
    found = []
    for pid in procs.tree(root):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word in words[1:2]:
            found.append(pid)
    return found


def runner_workers(root: int) -> list[int]:
    return _processes(root, b"runner")


def serving_processes(root: int) -> list[int]:
    """The parent of the runner's workers; none if that is the root, which nothing would replace."""
    return sorted({procs.parent(pid) for pid in runner_workers(root)} - {root})


class _Scenario:
    def __init__(self, victims: Callable[[], list[int]], number: int, port: int,
                 request: Request) -> None:
        self._victims = victims
        self._number = number
        self._port = port
        self._request = request
        self._killed_at = float("inf")
        self._stop = False
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        clients = [asyncio.create_task(self._client()) for _ in range(CONNECTIONS)]
        await asyncio.sleep(BEFORE_SECONDS)
        await self._kill_and_watch()
        self._stop = True
        await asyncio.gather(*clients)
        return self.outcome

    async def _kill_and_watch(self) -> None:
        old = set(self._victims())
        if not old:
            raise RuntimeError("no process to kill")
        for pid in old:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(PILE_UP_SECONDS)
        for pid in old:
            os.kill(pid, self._number)
        if self._number != signal.SIGKILL:
            for pid in old:
                os.kill(pid, signal.SIGCONT)
        self._killed_at = time.perf_counter()
        self.outcome.killed = len(old)
        while (passed := time.perf_counter() - self._killed_at) < AFTER_SECONDS:
            if self.outcome.back_ms is None and set(self._victims()) - old:
                self.outcome.back_ms = passed * 1e3
            await asyncio.sleep(0.02)

    async def _client(self) -> None:
        """One connection in a closed loop; opened again when the server closes it."""
        while not self._stop:
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                while not self._stop and await self._exchange(reader, writer):
                    pass
            except ConnectionRefusedError:
                self.outcome.refused += 1
                await asyncio.sleep(0.01)
            except (OSError, ValueError, KeyError, EOFError, asyncio.TimeoutError):
                self.outcome.lost += 1
                await asyncio.sleep(0.01)  # no tight loop while the server is gone
            finally:
                if writer is not None:
                    writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its response; False when the server will close the connection."""
        sent = time.perf_counter()
        writer.write(self._request.wire())
        status, keep, body = await asyncio.wait_for(_answer(reader), ANSWER_TIMEOUT_SECONDS)
        self.outcome.statuses[status] += 1
        if status == 200:
            self.outcome.wrong += body.decode(errors="replace").strip() != self._request.reply
            if sent > self._killed_at and self.outcome.served_ms is None:
                self.outcome.served_ms = (time.perf_counter() - self._killed_at) * 1e3
        return keep


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    fields = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(fields["content-length"]))
    keep = fields.get("connection", "").lower() != "close"
    return int(status_line.split()[1]), keep, body


def run(victims: Callable[[], list[int]], port: int, request: Request,
        number: int = signal.SIGKILL) -> Outcome:
    """`victims()` returns the processes that get the signal, and later their replacements."""
    return asyncio.run(_Scenario(victims, number, port, request).run())
