"""The table of raw HTTP/1.1 exchanges, by theme, from RFC 9110, 9112 and 3986.

Each case is a promise, the bytes to send, the section that asks for it, and the verdict; beside it
what nginx says to the same bytes, and why where that is something else.
"""
from . import (chunking, codings, connection, framing, headers, hosts, limits, request_line,
               targets)
from .case import Case, Verdict
from .limits import MAX_BODY

ALL = [case for theme in (request_line, targets, hosts, headers, framing, chunking, connection,
                          limits, codings) for case in theme.CASES]

__all__ = ["ALL", "MAX_BODY", "Case", "Verdict"]
