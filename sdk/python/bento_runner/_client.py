"""Client: the connections to a host, and how a call is made and made again. Runner, Method: what users see of it."""
from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from typing import Any, Coroutine, Dict, List, Optional, Tuple

from . import _context
from ._async import AsyncConnection
from ._errors import ConnectionLost, DeadlineExceeded, InvalidInput, NotFound, Unavailable
from ._frames import ERROR, LIST, MAX_MILLISECONDS, NotBegun, Target, error_in, frame, listing_in
from ._sync import NotSent, SyncConnection
from ._values import decode_result, encode, has_numpy, is_ambiguous

_ATTEMPTS = 3  # of a call of which the host has done nothing
_CONNECT_TIMEOUT = 3.0


@dataclasses.dataclass(frozen=True)
class Tag:
    """A name and a version, as BentoML's Tag has them."""
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclasses.dataclass(frozen=True)
class Model:
    """The service that a runner belongs to, in the form of BentoML's Model."""
    tag: Tag
    doc: str


@dataclasses.dataclass(frozen=True)
class MethodInfo:
    """`inputs` and `outputs`: {"kind": "tensor", "dtype": "float64", "shape": [-1, 4]}, {"kind": "json"}, ...; -1 is an
    extent of any length, and a shape of None is any shape. By name they have a "name", too, and "optional".
    `input` and `output` are the only one, or None if they are by name. `lists`: inputs of several calls are not joined.
    """
    name: str
    batchable: bool
    lists: bool
    idempotent: bool
    max_batch: int
    input: Optional[Dict[str, Any]]
    output: Optional[Dict[str, Any]]
    inputs: Tuple[Dict[str, Any], ...]
    outputs: Tuple[Dict[str, Any], ...]


@dataclasses.dataclass(frozen=True)
class RunnerInfo:
    name: str
    methods: Tuple[MethodInfo, ...]


@dataclasses.dataclass(frozen=True)
class ServiceInfo:
    name: str
    version: str
    doc: str
    runners: Tuple[RunnerInfo, ...]


def _infos(listing: Dict[str, Any]) -> Tuple[ServiceInfo, ...]:
    def method(of: Dict[str, Any]) -> MethodInfo:
        return MethodInfo(of["name"], of["batchable"], of["lists"], of["idempotent"], of["max_batch"], of.get("input"),
                          of.get("output"), tuple(of.get("inputs") or [of["input"]]),
                          tuple(of.get("outputs") or [of["output"]]))

    return tuple(
        ServiceInfo(of["name"], of["version"], of["doc"],
                    tuple(RunnerInfo(runner["name"], tuple(map(method, runner["methods"])))
                          for runner in of["runners"]))
        for of in listing["services"])


class Client:
    """Calls the runners of one host. Safe for threads, event loops and fork(): each thread and each loop has a
    connection of its own, which is made at its first call, and again when the host was restarted.

    path, token: of the host's socket; without them $BENTO_RUNNER_SOCKET and $BENTO_RUNNER_TOKEN, which the host sets
    for the apps that it runs.
    arrays: what results are: "numpy", "tensor" (bento_runner.Tensor) or "list". By default "numpy" where NumPy is
    installed, else "tensor".
    connect_timeout: how long a call waits, in seconds, for a host that is being restarted.
    """

    def __init__(self, path: Optional[str] = None, token: Optional[str] = None, *, arrays: Optional[str] = None,
                 connect_timeout: float = _CONNECT_TIMEOUT) -> None:
        if arrays not in (None, "numpy", "tensor", "list"):
            raise ValueError(f"arrays is \"numpy\", \"tensor\" or \"list\", not {arrays!r}")
        if arrays == "numpy" and not has_numpy():
            raise ImportError("arrays=\"numpy\", but NumPy is not installed")
        if path is not None and path.startswith("unix:"):
            path = path[len("unix:"):]
        self._path, self._token, self._arrays = path, token, arrays
        self._connect_timeout = connect_timeout
        self._was_connected = False
        self._threads = threading.local()
        self._loops: Dict[asyncio.AbstractEventLoop, AsyncConnection] = {}
        self._opening: Dict[asyncio.AbstractEventLoop, "asyncio.Task[AsyncConnection]"] = {}
        self._pid = os.getpid()
        self._specs: Dict[Tuple[str, str, str], Dict[str, Any]] = {}

    def runner(self, name: str, service: str = "") -> "Runner":
        """The runner of that name; `service` is needed where several services have one of that name."""
        return Runner(self, name, service)

    def services(self, timeout: Optional[float] = None) -> Tuple[ServiceInfo, ...]:
        """The services, runners and methods that the host has now."""
        return _infos(self._list(timeout))

    async def async_services(self, timeout: Optional[float] = None) -> Tuple[ServiceInfo, ...]:
        return _infos(await self._async_list(timeout))

    def close(self) -> None:
        """Closes the connection of this thread. It is made again by the next call."""
        connection = self._threads.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    async def aclose(self) -> None:
        """Closes the connection of this event loop. It is made again by the next call."""
        connection = self._loops.pop(asyncio.get_running_loop(), None)
        if connection is not None and connection.pid == os.getpid():
            connection.close()
            await asyncio.sleep(0)  # the transport closes its socket in the next turn

    # ---- what calls share -----------------------------------------------------------------------

    @property
    def arrays(self) -> str:
        if self._arrays is None:
            self._arrays = "numpy" if has_numpy() else "tensor"
        return self._arrays

    def _address(self) -> Tuple[str, str]:
        path = self._path or os.environ.get("BENTO_RUNNER_SOCKET", "")
        if not path:
            raise Unavailable("BENTO_RUNNER_SOCKET is not set, so no host of this program is known; outside of an app "
                              "that bentohost runs, use bento_runner.connect(PATH) with the PATH of "
                              "`bentohost --runner-bind unix:PATH`")
        return path, os.environ.get("BENTO_RUNNER_TOKEN", "") if self._token is None else self._token

    def _wait(self, seconds: Optional[float]) -> float:
        """How long to wait for a host that is not there: one that never was may be a wrong path."""
        wait = self._connect_timeout if self._was_connected else 0.0
        return wait if seconds is None else min(wait, max(seconds, 0.0))

    def _keep(self, listing: Dict[str, Any]) -> None:
        self._specs = listing_in(listing)

    # ---- calls that wait ------------------------------------------------------------------------

    def _connection(self, seconds: Optional[float]) -> SyncConnection:
        connection = getattr(self._threads, "connection", None)
        if connection is not None and connection.is_open:
            if connection.pid == os.getpid():
                return connection
            connection.close()  # the parent's: this closes the child's copy
        path, token = self._address()
        connection = self._threads.connection = SyncConnection.open(path, token, self._wait(seconds))
        self._was_connected = True
        return connection

    def _exchange(self, make: Any, until: Optional[float], target: Optional[Target]) -> Any:
        """`make(id, milliseconds, max_frame)` gives the parts of the frame."""
        attempts = 0
        while True:
            attempts += 1
            seconds = _left(until)
            connection = self._connection(seconds)
            parts = make(connection.next_id(), _milliseconds(seconds), connection.max_frame)
            try:
                header, body = connection.exchange(parts, seconds)
            except NotSent:
                if attempts == _ATTEMPTS:
                    raise Unavailable("the host closes its connections") from None
                continue
            except ConnectionLost:
                if attempts == _ATTEMPTS or not (target is None or self._is_idempotent(target, until)):
                    raise
                continue
            if header[2] != ERROR:
                return decode_result(body, self._arrays or self.arrays)
            error = error_in(body, header[5])
            if header[4] == 0 or isinstance(error, NotBegun):
                connection.close()  # the host has closed it, or serves no more calls on it
            if not isinstance(error, NotBegun):
                raise error
            if attempts == _ATTEMPTS:
                raise Unavailable(error.message)

    def _is_idempotent(self, target: Target, until: Optional[float]) -> bool:
        try:
            self._list(_left(until))
        except Exception:
            return False
        return self._spec_of(target).get("idempotent", False)

    def _list(self, timeout: Optional[float]) -> Dict[str, Any]:
        listing = self._exchange(lambda id, *_: [frame(LIST, id)], _until(timeout), None)
        self._keep(listing)
        return listing

    def _spec_of(self, target: Target) -> Dict[str, Any]:
        return self._specs.get((target.service, target.runner, target.method), {})

    def _inputs_of(self, target: Target) -> Optional[List[Dict[str, Any]]]:
        """The declarations of its inputs, if they are known: one without a name, or several by name."""
        spec = self._spec_of(target)
        return (spec.get("inputs") or [spec["input"]]) if spec else None

    def _call(self, target: Target, args: Tuple[Any, ...], kwargs: Dict[str, Any], timeout: Optional[float]) -> Any:
        until = _until(timeout)
        needs_spec = _needs_spec(args, kwargs)
        if needs_spec and not self._spec_of(target):
            self._list(_left(until))
        spec = self._inputs_of(target) if needs_spec else None
        request_id = _context.request_id.get()
        try:
            inputs = _encode(args, kwargs, spec)
            return self._exchange(
                lambda id, milliseconds, most: target.call(id, milliseconds, request_id, inputs, most), until, target)
        except InvalidInput:
            # The service may have been reloaded, and declare other inputs now.
            if not needs_spec:
                raise
            self._list(_left(until))
            if self._inputs_of(target) in (None, spec):
                raise
        return self._call(target, args, kwargs, _left(until))

    # ---- calls that are awaited -----------------------------------------------------------------

    async def _async_connection(self, loop: asyncio.AbstractEventLoop, seconds: Optional[float]) -> AsyncConnection:
        """Callers that come meanwhile share one attempt, which outlives any of them."""
        task = self._opening.get(loop) if self._pid == os.getpid() else None
        if task is None or task.done():
            self._forget_closed_loops()
            path, token = self._address()
            task = self._opening[loop] = loop.create_task(self._open(loop, path, token))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may interest nobody
        try:
            return await asyncio.wait_for(asyncio.shield(task), seconds)
        except asyncio.TimeoutError:
            raise DeadlineExceeded("there was no connection to the host in time") from None

    async def _open(self, loop: asyncio.AbstractEventLoop, path: str, token: str) -> AsyncConnection:
        connection = await AsyncConnection.open(path, token, self._wait(None))
        self._was_connected = True
        self._loops[loop] = connection
        return connection

    def _forget_closed_loops(self) -> None:
        if self._pid != os.getpid():  # those of the parent are its own
            self._loops, self._opening, self._pid = {}, {}, os.getpid()
        # Other threads have loops, too: list() and pop() are atomic.
        for loop in list(self._loops):
            if loop.is_closed():
                connection = self._loops.pop(loop, None)
                if connection is not None:
                    connection.abandon()
        for loop in list(self._opening):
            if loop.is_closed():
                self._opening.pop(loop, None)

    async def _async_exchange(self, make: Any, until: Optional[float], target: Optional[Target]) -> Any:
        loop = asyncio.get_running_loop()
        attempts = 0
        while True:
            attempts += 1
            seconds = None if until is None else _left(until)
            connection = self._loops.get(loop)
            if connection is None or not connection.is_usable or connection.pid != os.getpid():
                connection = await self._async_connection(loop, seconds)
                seconds = _left(until)
            id = connection.next_id()
            parts = make(id, _milliseconds(seconds), connection.max_frame)
            try:
                return await connection.begin(id, parts, self._arrays or self.arrays, seconds)
            except asyncio.CancelledError:
                connection.cancel(id)
                raise
            except (NotSent, NotBegun) as error:
                if attempts == _ATTEMPTS:
                    raise Unavailable(getattr(error, "message", "the host closes its connections")) from None
            except ConnectionLost:
                if attempts == _ATTEMPTS or not (target is None or await self._async_is_idempotent(target, until)):
                    raise

    async def _async_is_idempotent(self, target: Target, until: Optional[float]) -> bool:
        try:
            await self._async_list(_left(until))
        except Exception:
            return False
        return self._spec_of(target).get("idempotent", False)

    async def _async_list(self, timeout: Optional[float]) -> Dict[str, Any]:
        listing = await self._async_exchange(lambda id, *_: [frame(LIST, id)], _until(timeout), None)
        self._keep(listing)
        return listing

    async def _async_call(self, target: Target, args: Tuple[Any, ...], kwargs: Dict[str, Any],
                          timeout: Optional[float]) -> Any:
        until = _until(timeout)
        needs_spec = _needs_spec(args, kwargs)
        if needs_spec and not self._spec_of(target):
            await self._async_list(_left(until))
        spec = self._inputs_of(target) if needs_spec else None
        request_id = _context.request_id.get()
        try:
            inputs = _encode(args, kwargs, spec)
            # The same as _async_exchange() in fewer steps, for the most frequent case.
            connection = self._loops.get(asyncio.get_running_loop())
            if connection is not None and connection.is_usable and connection.pid == os.getpid():
                id, seconds = connection.next_id(), _left(until)
                parts = target.call(id, _milliseconds(seconds), request_id, inputs, connection.max_frame)
                try:
                    return await connection.begin(id, parts, self._arrays or self.arrays, seconds)
                except asyncio.CancelledError:
                    connection.cancel(id)
                    raise
                except (NotSent, NotBegun):
                    pass
                except ConnectionLost:
                    if not await self._async_is_idempotent(target, until):
                        raise
            return await self._async_exchange(
                lambda id, milliseconds, most: target.call(id, milliseconds, request_id, inputs, most), until, target)
        except InvalidInput:
            if not needs_spec:
                raise
            await self._async_list(_left(until))
            if self._inputs_of(target) in (None, spec):
                raise
        return await self._async_call(target, args, kwargs, _left(until))


def _until(timeout: Optional[float]) -> Optional[float]:
    """The deadline of a call: its own or its request's, whichever comes first."""
    deadline = _context.deadline.get()
    if timeout is None:
        return deadline
    own = time.monotonic() + timeout
    return own if deadline is None else min(own, deadline)


def _left(until: Optional[float]) -> Optional[float]:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("the deadline has passed")
    return left


def _milliseconds(seconds: Optional[float]) -> int:
    """As a frame has it: 0 is none."""
    return 0 if seconds is None else min(max(1, int(seconds * 1000)), MAX_MILLISECONDS)


def _needs_spec(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> bool:
    for value in args:
        if value is None or is_ambiguous(value):
            return True
    return bool(kwargs) and any(value is None or is_ambiguous(value) for value in kwargs.values())


def _encode(args: Tuple[Any, ...], kwargs: Dict[str, Any], specs: Optional[List[Dict[str, Any]]]) -> List[Any]:
    """`specs`: the declarations of the inputs, if any value needs them."""
    if specs is None:
        inputs = [encode(value, None) for value in args]
        return inputs + [encode(value, None, name) for name, value in kwargs.items()] if kwargs else inputs
    names = [spec.get("name", "") for spec in specs]
    if not names[0]:
        inputs = [encode(value, specs[0]) for value in args]
        return inputs + [encode(value, specs[0], name) for name, value in kwargs.items()] if kwargs else inputs
    if len(args) > len(names):
        raise InvalidInput(f"the method takes {', '.join(names)}, got {len(args)} inputs")
    inputs = []
    for name, value in [*zip(names, args), *kwargs.items()]:
        spec = specs[names.index(name)] if name in names else None
        if value is None and spec is not None and spec["optional"]:
            continue  # as if it was not given
        inputs.append(encode(value, spec, name))
    return inputs


class Method:
    """One method of a runner: runner("iris_clf").predict.

    Inputs: arrays of NumPy, DataFrames, Tensor, array.array and memoryview are arrays; bytes are bytes; dicts are JSON.
    Lists, numbers and text are what the method declares. Results are arrays, JSON as Python has it, text or bytes;
    several results are a tuple. Inputs that the method declares by name are given by place or as keyword arguments; None
    leaves an optional one out.

    timeout: seconds; beyond it DeadlineExceeded. The deadline of the request (AsgiContext, WsgiContext) holds in any
    case, and so does the host's --timeout.
    """
    __slots__ = ("_client", "_target")

    def __init__(self, client: Client, target: Target) -> None:
        self._client, self._target = client, target

    def run(self, *args: Any, timeout: Optional[float] = None, **kwargs: Any) -> Any:
        """Calls it, and waits for the result."""
        return self._client._call(self._target, args, kwargs, timeout)

    def async_run(self, *args: Any, timeout: Optional[float] = None, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """The same, to be awaited. If the task is cancelled, the host forgets the call, too."""
        return self._client._async_call(self._target, args, kwargs, timeout)

    def __repr__(self) -> str:
        return f"<method {self._target}>"


class Runner:
    """A runner of the host: its methods are its attributes."""

    def __init__(self, client: Client, name: str, service: str = "") -> None:
        self.name, self.service = name, service
        self._client = client

    def method(self, name: str) -> Method:
        """The method of that name, also when this class has an attribute of that name."""
        return Method(self._client, Target(self.service, self.name, name))

    def __getattr__(self, name: str) -> Method:
        if name.startswith("_"):
            raise AttributeError(name)
        method = self.method(name)
        self.__dict__[name] = method
        return method

    def _own(self, services: Tuple[ServiceInfo, ...]) -> Tuple[ServiceInfo, RunnerInfo]:
        found = [(service, runner) for service in services for runner in service.runners
                 if runner.name == self.name and self.service in ("", service.name)]
        if len(found) > 1:
            raise InvalidInput(f"services {' and '.join(service.name for service, _ in found)} both have a runner "
                               f"{self.name}; name the service, too")
        if not found:
            raise NotFound(f"there is no runner {self!r}")
        return found[0]

    @property
    def info(self) -> RunnerInfo:
        """Its methods, as the host declares them now."""
        return self._own(self._client.services())[1]

    @property
    def bento_model(self) -> Model:
        """`.tag.name` and `.tag.version` of the service that it belongs to, as the host has it now."""
        service, _ = self._own(self._client.services())
        return Model(Tag(service.name, service.version), service.doc)

    def __repr__(self) -> str:
        return f"<runner {self.service + '.' if self.service else ''}{self.name}>"
