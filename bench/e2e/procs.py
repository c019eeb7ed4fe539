"""Servers as process trees: start, wait until ready, measure, stop. Reads /proc; Linux only."""
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

POLL_SECONDS = 0.0005
READY_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
URL = re.compile(rb" at https?://127\.0\.0\.1:(\d+)[^\n]*\(ready in ")


@contextmanager
def open_files(wanted: int) -> Iterator[int]:
    """Raises the limit of open files to `wanted`, or as far as allowed, for us and for servers that
    are started meanwhile; yields the limit. Only while needed: some programs close every possible
    descriptor when they start another program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (OSError, ValueError):  # not root
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, wanted)), hard))
    try:
        yield resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third (state) on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def parent(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[1]) if stat else 0


def children(pid: int) -> list[int]:
    parents = {int(name): _stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    return sorted(child for child, stat in parents.items() if stat and int(stat[1]) == pid)


def tree(root: int) -> list[int]:
    found = [root]
    for pid in found:  # grows as it is walked
        found.extend(children(pid))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, including children that have ended and were reaped."""
    ticks = sum(sum(map(int, _stat(pid)[11:15])) for pid in tree(root))
    return ticks / TICKS_PER_SECOND


def program_of(pid: int) -> Path | None:
    """The file that the process runs; None when it is gone."""
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return None


def that_run(program: Path, root: int) -> list[int]:
    return [pid for pid in tree(root) if program_of(pid) == program]


def cpu_by_program(root: int) -> Counter[Path | None]:
    """User and system time in seconds of the tree's live processes, by the program that they run."""
    found: Counter[Path | None] = Counter()
    for pid in tree(root):
        if stat := _stat(pid):
            found[program_of(pid)] += sum(map(int, stat[11:13])) / TICKS_PER_SECOND
    return found


def scheduled_seconds(root: int) -> float:
    """CPU time of all live threads of the tree, counted in nanoseconds: for nearly idle servers."""
    total = 0
    for pid in tree(root):
        for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(schedstat.read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass  # the thread ended meanwhile
    return total / 1e9


def cpu_share(root: int, seconds: float) -> float:
    """The share of one core that the tree uses over the next seconds."""
    before, began = scheduled_seconds(root), time.perf_counter()
    time.sleep(seconds)
    return (scheduled_seconds(root) - before) / (time.perf_counter() - began)


def _kilobytes(path: Path, field: str) -> int:
    try:
        match = re.search(rf"^{field}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(match[1]) if match else 0


def own_rss_mb(pid: int) -> float:
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS") / 1024


def own_pss_mb(pid: int) -> float:
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss") / 1024


def rss_mb(root: int) -> float:
    return sum(map(own_rss_mb, tree(root)))


def pss_mb(root: int) -> float:
    """Like rss_mb, but a page that several processes share is divided among them."""
    return sum(map(own_pss_mb, tree(root)))


class Server:
    """One server, as a process group in wrk's session. In its own session it would be a group for the
    scheduler, too (autogroup, sched(7)), which divides the cores between groups first and between
    their threads second. A context manager: leaving it stops the group."""

    def __init__(self, argv: list[str], log: Path, port: int | None = 0, cwd: Path | None = None):
        """Port 0: the server picks a port, and prints its URL on stdout. None: it has no port."""
        self.port = port
        self._log = log
        self._log_file = log.open("wb")
        self.ready_ms = 0.0
        self._started = time.perf_counter()
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self._log_file,
                                         stderr=subprocess.STDOUT, cwd=cwd, process_group=0)

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self, answers: Callable[[int | None], bool]) -> None:
        """Sets `ready_ms` to the time from the start to the first correct response."""
        while time.perf_counter() - self._started < READY_TIMEOUT_SECONDS:
            if self._process.poll() is not None:
                raise RuntimeError(f"ended with {self._process.returncode}: {self.log_tail()}")
            if self.port == 0:
                announced = URL.search(self._log.read_bytes())
                self.port = int(announced[1]) if announced else 0
            if self.port != 0 and answers(self.port):
                self.ready_ms = (time.perf_counter() - self._started) * 1e3
                return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"no answer in {READY_TIMEOUT_SECONDS:.0f} s: {self.log_tail()}")

    def settle(self, limit_seconds: float = 10.0) -> None:
        """Waits until the tree is idle: other workers may still load after the first response."""
        window, deadline = 0.1, time.perf_counter() + limit_seconds
        while time.perf_counter() < deadline:
            before = scheduled_seconds(self.pid)
            time.sleep(window)
            if scheduled_seconds(self.pid) - before < 0.05 * window:
                return

    def log_tail(self) -> str:
        return self._log.read_bytes()[-2000:].decode(errors="replace")

    def kill(self) -> None:
        """Ends the group at once, where nobody cares how: gunicorn's grace takes seconds."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        self._process.wait()
        self._log_file.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
