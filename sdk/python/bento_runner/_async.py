"""A connection for calls that are awaited: any number at a time, on one event loop."""
from __future__ import annotations

import asyncio
import itertools
import os
import socket
from typing import Any, Dict, List, Optional, Tuple

from ._errors import ConnectionLost, DeadlineExceeded, RunnerError, Unavailable
from ._frames import (CALL, CANCEL, ERROR, HEADER, HEADER_SIZE, HELLO, RESULT, NotBegun, NotOurs, error_in, frame,
                      hello, size_of)
from ._sync import GRACE, NotSent, cannot_connect, client_name, greeting_in, may_come, pauses
from ._values import decode_result

_HELLO_TIMEOUT = 10.0
_SWEEP = 0.25


class AsyncConnection(asyncio.Protocol):
    """Lives on one event loop. Frames of one turn of the loop are one write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.pid = loop, os.getpid()
        self.is_usable = False  # connected, greeted, and not about to end
        self._is_leaving = False  # no further calls: it is closed after the last result
        self.socket: Optional[socket.socket] = None
        self._transport: Any = None
        self._ids = itertools.count(1)
        # By id: the caller's future, what arrays are to be, and when to give the host up.
        self._calls: Dict[int, Tuple["asyncio.Future[Any]", str, Optional[float]]] = {}
        self._sweeper: Optional[asyncio.TimerHandle] = None
        self._out: List[Any] = []
        self._unsent: List[int] = []  # the calls in _out
        self._is_flush_due = False
        self._is_paused = False
        self._buffer = bytearray()  # of a frame that has not come whole
        self._needed = 0
        self.max_frame = 0
        self._greeting: "asyncio.Future[Tuple[float, int]]" = loop.create_future()

    @classmethod
    async def open(cls, path: str, token: str, wait: float) -> "AsyncConnection":
        """Waits for a host that is being started again."""
        attempts = pauses(wait)
        while True:
            try:
                return await cls._open(path, token)
            except OSError as error:
                pause = next(attempts, None) if may_come(error) else None
                if pause is None:
                    raise cannot_connect(path, error) from error
                await asyncio.sleep(pause)

    @classmethod
    async def _open(cls, path: str, token: str) -> "AsyncConnection":
        """OSError: nobody listens there. ConnectionLost: the host has ended meanwhile."""
        self = cls(asyncio.get_running_loop())
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            self.socket.connect(path)  # never waits: the host's backlog has room, or it fails
            await self.loop.create_unix_connection(lambda: self, sock=self.socket)
            self._transport.write(hello(token, client_name()))
            _, self.max_frame = await asyncio.wait_for(self._greeting, _HELLO_TIMEOUT)
        except asyncio.TimeoutError as error:
            self.close()
            raise Unavailable(f"the host at {path} did not answer the hello") from error
        except (NotOurs, ValueError, KeyError, TypeError) as error:
            self.close()
            raise Unavailable(f"{path}: {error}") from error
        except BaseException:
            self.close()
            raise
        self.is_usable = True
        return self

    # ---- calls ----------------------------------------------------------------------------------

    def next_id(self) -> int:
        return next(self._ids)

    def begin(self, id: int, parts: List[Any], arrays: str, seconds: Optional[float]) -> "asyncio.Future[Any]":
        """Sends a frame. The future gets the decoded result, or NotSent or NotBegun: the host has done nothing. Who
        awaits it and is cancelled calls cancel(). `seconds` are what is left of the caller's time."""
        future = self.loop.create_future()
        until = None
        if seconds is not None:
            # The host keeps the deadline. This is for a host that hangs.
            until = self.loop.time() + seconds + GRACE
            if self._sweeper is None:
                self._sweeper = self.loop.call_later(_SWEEP, self._sweep)
        self._calls[id] = (future, arrays, until)
        self._unsent.append(id)
        self._out += parts
        if not self._is_flush_due:
            self._is_flush_due = True
            self.loop.call_soon(self._flush)
        return future

    def cancel(self, id: int) -> None:
        """The call, if it is in flight, is no longer wanted."""
        if self._calls.pop(id, None) is not None:
            self._cancel(id)

    def _cancel(self, id: int) -> None:
        if self._transport is None:
            return
        self._out.append(frame(CANCEL, id))
        if not self._is_flush_due:
            self._is_flush_due = True
            self.loop.call_soon(self._flush)

    def _sweep(self) -> None:
        """One timer for all calls: one for each would cost as much as the call."""
        self._sweeper = None
        now = self.loop.time()
        timed = {id: (future, until) for id, (future, _, until) in self._calls.items() if until is not None}
        for id, (future, until) in timed.items():
            if until <= now:
                self.cancel(id)
                if not future.done():
                    future.set_exception(DeadlineExceeded("the host did not answer in time"))
        if timed:
            self._sweeper = self.loop.call_later(_SWEEP, self._sweep)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._is_paused or self._transport is None:
            return
        out, self._out = self._out, []
        self._unsent.clear()
        self._transport.write(b"".join(out))

    # ---- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._out and not self._is_flush_due:
            self._flush()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return
            view, self._buffer = memoryview(self._buffer), bytearray()
        else:
            view = memoryview(data)
        at, end = 0, len(view)
        try:
            while end - at >= HEADER_SIZE:
                header = HEADER.unpack_from(view, at)
                size = size_of(header)
                if end - at < size:
                    self._needed = size
                    break
                self._on_frame(header, view[at + HEADER_SIZE:at + HEADER_SIZE + header[7]])
                at += size
            else:
                self._needed = HEADER_SIZE
        except NotOurs as error:
            self._fail(ConnectionLost(str(error)))
            return self.close()
        if at < end:
            self._buffer = bytearray(view[at:])
        if self._is_leaving and not self._calls:
            self.close()

    def _on_frame(self, header: Tuple[int, ...], body: memoryview) -> None:
        kind, id = header[2], header[4]
        found = self._calls.pop(id, None)
        if found is not None:
            future, arrays, _ = found
            if future.done():
                return
            try:
                if kind == RESULT:
                    return future.set_result(decode_result(body, arrays))
                if kind != ERROR:
                    raise NotOurs("the host sent a frame that only clients send")
                error = error_in(body, header[5])
            except RunnerError as refused:
                error = refused
            except Exception as malformed:  # the call's, and no one else's
                error = RunnerError(f"the result is malformed: {malformed}")
            if isinstance(error, NotBegun):
                self.is_usable = False
                self._is_leaving = True
            future.set_exception(error)
        elif not self._greeting.done():
            try:
                self._greeting.set_result(greeting_in(kind, header[5], body))
            except Exception as error:
                self._greeting.set_exception(error)
        elif kind == ERROR and id == 0:
            self._fail(error_in(body, header[5]))
        # else: of a call that was cancelled meanwhile

    def connection_lost(self, error: Optional[Exception]) -> None:
        self._transport = None
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._fail(ConnectionLost("the host ended while the call was in flight"))

    def _fail(self, error: RunnerError) -> None:
        self.is_usable = False
        calls, self._calls = self._calls, {}
        unsent, self._unsent, self._out = set(self._unsent), [], []
        if not self._greeting.done():
            self._greeting.set_exception(error)
            self._greeting.exception()  # it is no news if nobody waits
        for id, (future, _, _) in calls.items():
            if not future.done():
                # An exception of its own for each: a traceback grows with each raise.
                future.set_exception(NotSent() if id in unsent
                                     else type(error)(error.message, error.status, error.code))

    def close(self) -> None:
        """On the loop."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()
        elif self.socket is not None:
            self.socket.close()

    def abandon(self) -> None:
        """Its loop is closed."""
        self.is_usable = False
        if self.socket is not None and self.pid == os.getpid():
            self.socket.close()
