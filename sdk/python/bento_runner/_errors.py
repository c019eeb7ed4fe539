"""What a call of a runner may raise."""
from __future__ import annotations

from typing import Dict, Type


class RunnerError(Exception):
    """A call has failed. `status` is the HTTP status that fits, `code` the name of the host's error code.

    The subclasses say whose turn it is: the caller's (InvalidInput, NotFound, Unauthenticated), nobody's for the
    moment (Overloaded, Unavailable, DeadlineExceeded), or the runner's author's (RunnerError itself, status 500).
    """
    status: int = 500
    code: str = "INTERNAL"

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        if status:
            self.status = status
        if code:
            self.code = code


class InvalidInput(RunnerError, ValueError):
    """The method does not take these inputs: their kind, dtype, shape or size."""
    status = 400
    code = "INVALID_ARGUMENT"


class NotFound(RunnerError, LookupError):
    """There is no such service, runner or method."""
    status = 404
    code = "NOT_FOUND"


class Unauthenticated(RunnerError):
    """The token is wrong."""
    status = 401
    code = "UNAUTHENTICATED"


class Cancelled(RunnerError):
    """Nobody waits for the result any more."""
    status = 499
    code = "CANCELLED"


class DeadlineExceeded(RunnerError, TimeoutError):
    """The result did not come in time."""
    status = 504
    code = "DEADLINE_EXCEEDED"


class Unavailable(RunnerError):
    """The host or the runner does not serve now; trying again later may help."""
    status = 503
    code = "UNAVAILABLE"


class Overloaded(Unavailable):
    """Too many calls wait."""
    code = "RESOURCE_EXHAUSTED"


class ConnectionLost(Unavailable, ConnectionError):
    """The connection ended after the call was sent: nobody knows whether it was done."""


CODES: Dict[int, str] = {
    1: "CANCELLED", 2: "UNKNOWN", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND",
    7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 12: "UNIMPLEMENTED",
    13: "INTERNAL", 14: "UNAVAILABLE", 16: "UNAUTHENTICATED",
}
_BY_CODE: Dict[int, Type[RunnerError]] = {
    1: Cancelled, 3: InvalidInput, 4: DeadlineExceeded, 5: NotFound, 8: Overloaded, 14: Unavailable,
    16: Unauthenticated,
}


def error_of(code: int, status: int, message: str) -> RunnerError:
    """The exception for an error frame."""
    kind = _BY_CODE.get(code, RunnerError)
    if status in (413, 422) or (code == 3 and status < 500):
        kind = InvalidInput
    elif status == 500:  # a misuse that is the app's fault, or the runner's: not the client's
        kind = RunnerError
    return kind(message, status, CODES.get(code, "UNKNOWN"))
