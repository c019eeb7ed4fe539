"""A connection for calls that wait: one call at a time, on one thread."""
from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import socket
import struct
import time
from typing import Any, Iterator, List, Optional, Tuple

from ._errors import ConnectionLost, DeadlineExceeded, RunnerError, Unavailable
from ._frames import ERROR, HEADER, HEADER_SIZE, HELLO, PROTOCOL, NotOurs, error_in, frame, hello, size_of

# How long after its deadline a call is given up if the host does not answer at all.
GRACE = 1.0
_JOINED = 1 << 16  # frames up to this size are joined for one write
_BUFFER = 1 << 16
_HELLO_TIMEOUT = 10.0
_TIMEVAL = struct.Struct("@ll")


class NotSent(Exception):
    """The connection was gone before the host had the whole frame: nothing of it has been done."""


def client_name() -> str:
    return f"bento_runner, Python {platform.python_version()}, pid {os.getpid()}"


def pauses(seconds: float) -> Iterator[float]:
    """The pauses between attempts to connect, for as long as that."""
    until = time.monotonic() + seconds
    pause = 0.005
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return
        yield min(pause, left)
        pause = min(2 * pause, 0.2)


def may_come(error: OSError) -> bool:
    """Whether a host may listen there soon: it is being started again, or its backlog is full."""
    return isinstance(error, (FileNotFoundError, ConnectionError, BlockingIOError))


def cannot_connect(path: str, error: OSError) -> Unavailable:
    reason = "it does not answer" if isinstance(error, BlockingIOError) else error.strerror or error
    return Unavailable(f"no host can be reached at {path}: {reason}")


def greeting_in(kind: int, method: int, body: memoryview) -> Tuple[float, int]:
    """The host's limits out of its answer to the hello: seconds of a call, bytes of a frame."""
    if kind == ERROR:
        raise error_in(body, method)
    if kind != HELLO:
        raise NotOurs("the host did not answer the hello")
    greeting = json.loads(bytes(body))
    if greeting["protocol"] != PROTOCOL:
        raise NotOurs(f"the host speaks version {greeting['protocol']} of the protocol, not {PROTOCOL}")
    return float(greeting["timeout"]), int(greeting["max_frame"])


class SyncConnection:
    """Not safe for threads. It is closed after any exception of exchange()."""

    def __init__(self, path: str, token: str) -> None:
        """OSError: nobody listens there. ConnectionLost: the host has ended meanwhile."""
        self.pid = os.getpid()
        self.is_open = True
        self._ids = itertools.count(1)
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._receive_limit = 0.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(None)
            self._socket.connect(path)
            self._limit(_HELLO_TIMEOUT)
            self._send([hello(token, client_name())])
            header, body = self._receive()
            self.timeout, self.max_frame = greeting_in(header[2], header[5], body)
        except NotSent as error:
            self.close()
            raise ConnectionLost("the host ended before it answered the hello") from error
        except (NotOurs, ValueError, KeyError, TypeError) as error:
            self.close()
            raise Unavailable(f"{path}: {error}") from error
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: str, token: str, wait: float) -> "SyncConnection":
        """Waits for a host that is being started again."""
        attempts = pauses(wait)
        while True:
            try:
                return cls(path, token)
            except OSError as error:
                pause = next(attempts, None) if may_come(error) else None
                if pause is None:
                    raise cannot_connect(path, error) from error
                time.sleep(pause)

    def next_id(self) -> int:
        return next(self._ids)

    def exchange(self, parts: List[Any], seconds: Optional[float]) -> Tuple[Tuple[int, ...], memoryview]:
        """Sends a frame and receives its answer: the header, and a body that is valid until the next call.
        `seconds` are what is left of the caller's time."""
        done = False
        try:
            # The host keeps the deadline. This limit is for a host that hangs.
            self._limit((self.timeout if seconds is None else seconds) + GRACE)
            self._send(parts)
            answer = self._receive()
            done = True
            return answer
        except BlockingIOError as error:
            raise DeadlineExceeded("the host did not answer in time") from error
        except NotOurs as error:
            raise ConnectionLost(str(error)) from error
        finally:
            if not done:  # KeyboardInterrupt as well: the answer would be taken for that of the next call
                self.close()

    def _send(self, parts: List[Any]) -> None:
        try:
            if sum(map(len, parts)) <= _JOINED:
                self._socket.sendall(b"".join(parts))
            else:
                for part in parts:
                    self._socket.sendall(part)
        except (BrokenPipeError, ConnectionResetError) as error:
            # The host may have said why.
            with contextlib.suppress(OSError, NotSent, ConnectionLost):
                header, body = self._receive()
                if header[2] == ERROR and header[4] == 0:
                    raise error_in(body, header[5]) from error
            raise NotSent() from error

    def _receive(self) -> Tuple[Tuple[int, ...], memoryview]:
        view = self._view
        got = 0
        total = HEADER_SIZE
        header: Optional[Tuple[int, ...]] = None
        while got < total:
            try:
                n = self._socket.recv_into(view[got:])
            except ConnectionResetError as error:
                # Of a Unix socket this says that the peer has closed without having read all: so it had no
                # whole frame.
                if got == 0:
                    raise NotSent() from error
                raise ConnectionLost("the connection to the host ended in the middle of a result") from error
            if n == 0:
                raise ConnectionLost("the host ended while the call was in flight" if got == 0 else
                                     "the connection to the host ended in the middle of a result")
            got += n
            if header is None and got >= HEADER_SIZE:
                header = HEADER.unpack_from(view)
                total = size_of(header)
                if total > len(view):
                    larger = memoryview(bytearray(total))
                    larger[:got] = view[:got]
                    view = larger
        assert header is not None
        return header, view[HEADER_SIZE:HEADER_SIZE + header[7]]

    def _limit(self, seconds: float) -> None:
        # Not settimeout(): Python would then poll() before each read and write.
        if seconds == self._receive_limit:
            return
        self._receive_limit = seconds
        whole = int(seconds)
        value = _TIMEVAL.pack(whole, int((seconds - whole) * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)

    def close(self) -> None:
        self.is_open = False
        self._socket.close()

    def __del__(self) -> None:  # with its thread
        sock = getattr(self, "_socket", None)
        if sock is not None:
            sock.close()
