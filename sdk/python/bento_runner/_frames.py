"""The frames of the connection to the host. See frame.h of the host's room `wire` for the layout."""
from __future__ import annotations

import json
import struct
from typing import Any, Dict, List, Sequence, Tuple

from ._errors import InvalidInput, RunnerError, Unavailable, error_of
from ._values import Encoded, padding

MAGIC, VERSION, PROTOCOL = 0x4F544E42, 2, 1
HELLO, RESULT, ERROR, CALL, CANCEL, LIST = 1, 4, 5, 6, 7, 8
# magic, version, type, flags, id, method, 0, length of the body
HEADER = struct.Struct("<IHBBQIIQ32x")
HEADER_SIZE = HEADER.size
# milliseconds left, number of values, lengths of service, runner, method and request id
TARGET = struct.Struct("<IIHHHH")
# For an error frame, in the header's `method`: nothing of the call has been done.
NOT_BEGUN = 1
MAX_MILLISECONDS = 0xFFFFFFFF


class NotBegun(Unavailable):
    """The host is about to end, or to hand over to another process: the call may be sent again there."""


class NotOurs(Exception):
    """What came is no frame."""


def frame(kind: int, id: int, body: bytes = b"") -> bytes:
    return HEADER.pack(MAGIC, VERSION, kind, 0, id, 0, 0, len(body)) + body + padding(len(body))


def hello(token: str, client: str) -> bytes:
    return frame(HELLO, 0, json.dumps({"protocol": PROTOCOL, "token": token, "client": client}).encode())


class Target:
    """A runner method, as calls name it."""
    __slots__ = ("service", "runner", "method", "_lengths", "_names", "_plain")

    def __init__(self, service: str, runner: str, method: str) -> None:
        self.service, self.runner, self.method = service, runner, method
        names = [text.encode() for text in (service, runner, method)]
        if max(map(len, names)) > 0xFFFF:
            raise InvalidInput("a name of a service, a runner or a method is longer than 65535 bytes")
        self._lengths = tuple(map(len, names))
        self._names = b"".join(names)
        self._plain = self._head(0, "", 1)

    def __str__(self) -> str:
        return ".".join(filter(None, (self.service, self.runner, self.method)))

    def call(self, id: int, milliseconds: int, request_id: str, inputs: Sequence[Encoded],
             max_frame: int) -> List[Any]:
        """The parts of a call's frame: bytes-like, for one write."""
        if not inputs:
            raise InvalidInput(f"a call of {self} needs an input")
        if request_id or milliseconds or len(inputs) != 1:
            head = self._head(milliseconds, request_id, len(inputs))
        else:
            head = self._plain
        parts: List[Any] = [b"", head]
        length = len(head)
        pad = b""
        for value_head, data in inputs:
            if pad:
                parts.append(pad)
                length += len(pad)
            size = len(data)
            parts += (value_head, data)
            length += len(value_head) + size
            pad = padding(size)
        if length + HEADER_SIZE > max_frame:
            raise InvalidInput(f"the inputs of {self} have {length} bytes, more than the host takes in one call "
                               f"({max_frame}, --max-body)", 413)
        parts[0] = HEADER.pack(MAGIC, VERSION, CALL, 0, id, 0, 0, length)
        if pad:
            parts.append(pad)
        return parts

    def _head(self, milliseconds: int, request_id: str, inputs: int) -> bytes:
        marked = request_id.encode("utf-8", "replace")[:0xFFFF]
        head = TARGET.pack(milliseconds, inputs, *self._lengths, len(marked)) + self._names + marked
        return head + padding(len(head))


def size_of(header: Tuple[int, ...]) -> int:
    """The length of the whole frame, from its unpacked header."""
    magic, version, _, _, _, _, _, length = header
    if magic != MAGIC or version != VERSION:
        raise NotOurs("it is no bentohost that answers there, or one of another version")
    return HEADER_SIZE + length + (-length % 64)


def error_in(body: memoryview, method: int) -> RunnerError:
    code, status = struct.unpack_from("<iI", body, 0)
    message = bytes(body[8:]).decode("utf-8", "replace")
    if method == NOT_BEGUN:
        return NotBegun(message)
    return error_of(code, status, message)


def listing_in(text: Any) -> Dict[Tuple[str, str, str], Dict[str, Any]]:
    """The methods of a listing by service, runner and name; with "" as service those whose runner is the only one of
    its name."""
    found: Dict[Tuple[str, str, str], Dict[str, Any]] = {}
    owners: Dict[str, int] = {}
    for service in text["services"]:
        for runner in service["runners"]:
            owners[runner["name"]] = owners.get(runner["name"], 0) + 1
            for method in runner["methods"]:
                found[service["name"], runner["name"], method["name"]] = method
    for (_, runner_name, method_name), method in list(found.items()):
        if owners[runner_name] == 1:
            found["", runner_name, method_name] = method
    return found
