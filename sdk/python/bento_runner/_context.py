"""What calls take from the request that they are made for: its deadline and its id."""
from __future__ import annotations

import contextvars
import time
from typing import Any, Callable, Dict, Iterable, Optional, Tuple

DEADLINE_HEADER = "X-Bento-Deadline-Ms"
REQUEST_ID_HEADER = "X-Request-ID"

# time.monotonic() at which the result is of no use any more.
deadline: contextvars.ContextVar[Optional[float]] = contextvars.ContextVar("bento_deadline", default=None)
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("bento_request_id", default="")


class request_context:  # a function to its users
    """Calls inside the `with` pass on this request id, and end after `timeout` seconds at the latest."""
    __slots__ = ("_id", "_timeout", "_tokens")

    def __init__(self, id: str = "", timeout: Optional[float] = None) -> None:
        self._id, self._timeout = id, timeout

    def __enter__(self) -> None:
        until = None if self._timeout is None else time.monotonic() + self._timeout
        self._tokens = request_id.set(self._id), deadline.set(until)

    def __exit__(self, *_: Any) -> None:
        request_id.reset(self._tokens[0])
        deadline.reset(self._tokens[1])


def _seconds(milliseconds: str) -> Optional[float]:
    # int() takes "+1", " 1" and "1_000" as well.
    if not (milliseconds.isascii() and milliseconds.isdigit()) or len(milliseconds) > 12:
        return None
    return int(milliseconds) / 1000


def scope_context(scope: Dict[str, Any]) -> request_context:
    """request_context() of an ASGI scope."""
    id, timeout = "", None
    for name, value in scope.get("headers") or ():
        name = name.lower()
        if name == b"x-request-id":
            id = value.decode("latin-1")
        elif name == b"x-bento-deadline-ms":
            timeout = _seconds(value.decode("latin-1"))
    return request_context(id, timeout)


def _of_environ(environ: Dict[str, Any]) -> Tuple[str, Optional[float]]:
    return environ.get("HTTP_X_REQUEST_ID", ""), _seconds(environ.get("HTTP_X_BENTO_DEADLINE_MS", ""))


def environ_context(environ: Dict[str, Any]) -> request_context:
    """request_context() of a WSGI environ."""
    return request_context(*_of_environ(environ))


class AsgiContext:
    """ASGI middleware: the calls of a request pass on its id and its deadline.

        app.add_middleware(bento_runner.AsgiContext)
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: Dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        # A WebSocket lives longer than any deadline of the request that opened it.
        if scope["type"] == "websocket":
            scope = {**scope, "headers": [(name, value) for name, value in scope.get("headers") or ()
                                          if name.lower() != b"x-bento-deadline-ms"]}
        with scope_context(scope):
            await self.app(scope, receive, send)


class WsgiContext:
    """WSGI middleware: the calls of a request pass on its id and its deadline, also those that are made while its
    response is streamed.

        app.wsgi_app = bento_runner.WsgiContext(app.wsgi_app)
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        context = contextvars.copy_context()
        id, timeout = _of_environ(environ)
        context.run(request_id.set, id)
        context.run(deadline.set, None if timeout is None else time.monotonic() + timeout)
        body = context.run(self.app, environ, start_response)
        if isinstance(body, (list, tuple)):
            return body
        # A file: the server may know a better way to send it than to iterate.
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            return body
        return _Body(context, body)


class _Body:
    """Runs the steps of a body in the request's context."""

    def __init__(self, context: contextvars.Context, body: Iterable[bytes]) -> None:
        self._context, self._body = context, body
        self._iterator = context.run(iter, body)

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._iterator)

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)
