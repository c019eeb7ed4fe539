"""Calls the runners of bentohost from Python.

    from bento_runner import runner

    iris = runner("iris_clf")
    iris.predict.run([[4.9, 3.0, 1.4, 0.2]])
    await iris.predict.async_run(array)

In an app that bentohost runs there is nothing else to do. Other programs of the same user call the runners of
`bentohost ... --runner-bind unix:PATH`:

    host = bento_runner.connect(PATH)
    host.runner("iris_clf").predict.run(array)
"""
from __future__ import annotations

from typing import Any, Optional, Tuple

from ._client import Client, Method, MethodInfo, Model, Runner, RunnerInfo, ServiceInfo, Tag
from ._context import (DEADLINE_HEADER, REQUEST_ID_HEADER, AsgiContext, WsgiContext, environ_context, request_context,
                       scope_context)
from ._errors import (Cancelled, ConnectionLost, DeadlineExceeded, InvalidInput, NotFound, Overloaded, RunnerError,
                      Unauthenticated, Unavailable)
from ._tensor import Tensor

__all__ = [
    "AsgiContext", "Cancelled", "Client", "ConnectionLost", "DEADLINE_HEADER", "DeadlineExceeded", "InvalidInput",
    "Method", "MethodInfo", "Model", "NotFound", "Overloaded", "REQUEST_ID_HEADER", "Runner", "RunnerError",
    "RunnerInfo", "ServiceInfo", "Tag", "Tensor", "Unauthenticated", "Unavailable", "WsgiContext", "connect",
    "environ_context", "request_context", "runner", "scope_context", "services",
]

_default = Client()


def runner(name: str, service: str = "") -> Runner:
    """A runner of the host that runs this app. Nothing is connected before the first call."""
    return _default.runner(name, service)


def services(timeout: Optional[float] = None) -> Tuple[ServiceInfo, ...]:
    """The services of the host that runs this app, with their versions, runners and methods."""
    return _default.services(timeout)


def connect(path: Optional[str] = None, token: Optional[str] = None, **options: Any) -> Client:
    """A Client for the host at `path` (also "unix:PATH"). Options: see Client."""
    return Client(path, token, **options)
