"""One response: start_response, write and the app's blocks as PEP 3333 wants them, framed for HTTP/1.1."""
import re

from bento_wsgi.body import ClientDisconnected
from bento_wsgi.file_wrapper import FileWrapper
from bento_wsgi.head import PRINTABLE, TOKEN

_STATUS = re.compile(r"([2-9][0-9][0-9])(?: [^\r\n]*)?")
_DIGITS = re.compile(r"[0-9]{1,18}")
_SMALL = 1 << 14  # a head and a block up to this are copied into one, which is faster than two of a sendmsg()
_MOST_NAMES = 1000
_MOST_STATUSES = 200
# RFC 9110 section 7.6.1 and PEP 3333: they belong to the connection, and so to the worker.
_OF_THE_CONNECTION = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
                      "trailer", "trailers", "transfer-encoding", "upgrade"}
_ORDINARY, _LENGTH, _REFUSED = range(1, 4)
_names = {}     # "Content-Type" -> _ORDINARY, as seen so far
_statuses = {}  # "200 OK" -> 200, as seen so far


class Response:
    """`keeps_connection` becomes False when no further request can follow."""
    __slots__ = ("_sock", "_body", "_is_head", "_may_keep", "_code", "_head", "_length", "_left", "_has_no_body",
                 "has_begun", "is_complete", "keeps_connection")

    def __init__(self, sock, is_head, body, may_keep):
        self._sock = sock
        self._body = body          # of the request
        self._is_head = is_head
        self._may_keep = may_keep  # asked when the head is sent
        self._code = 0             # 0: start_response was not called
        self._head = None
        self._length = None        # the app's Content-Length
        self._left = None          # bytes of the body that are still to come; None: chunked
        self._has_no_body = False  # HEAD, 204 and 304
        self.has_begun = False     # the head is sent
        self.is_complete = False   # all of it is sent
        self.keeps_connection = True

    def start(self, status, headers, exc_info=None):
        """start_response()"""
        if exc_info:
            try:
                if self.has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._code:
            raise AssertionError("start_response() is called again without exc_info")
        code = _statuses.get(status) or _code_of(status)
        length = None
        lines = ["HTTP/1.1 " + status if len(status) > 3 else f"HTTP/1.1 {status} "]
        for name, value in headers:
            kind = _names.get(name) or _kind_of(name)
            if kind is _ORDINARY:
                lines.append(f"{name}: {value}" if isinstance(value, str) else _no_string(name, value))
            elif kind is _LENGTH:
                if not isinstance(value, str) or not _DIGITS.fullmatch(value) or length not in (None, int(value)):
                    raise ValueError(f"Content-Length {value!r} is no number, or is given twice")
                length = int(value)
            else:
                raise ValueError(f"the app sets {name}, which belongs to the connection and so to the server "
                                 "(PEP 3333)")
        lines.append("")
        try:
            head = "\r\n".join(lines).encode("latin-1")
        except UnicodeEncodeError as error:
            raise ValueError(f"the status or a header is not Latin-1: {error}") from None
        if head.translate(None, PRINTABLE) != b"\r\n" * (len(lines) - 1):
            raise ValueError("a control character in the status or in a header: " +
                             next(repr(line) for line in lines if any(ord(c) < 32 and c != "\t" or ord(c) == 127
                                                                      for c in line)))
        self._code, self._head, self._length = code, head, length
        return self.write

    def write(self, data):
        """The write callable: the block is sent before it returns."""
        if not isinstance(data, bytes):
            raise TypeError(f"write() takes bytes, not {type(data).__name__}")
        if data or not self.has_begun:
            self._send(data, None)

    def send_all(self, result):
        """Sends what the app returned, and ends the response. Does not close the iterable."""
        if isinstance(result, FileWrapper) and self._send_file(result):
            return
        total = None
        is_single = False
        if not self.has_begun:
            if type(result) is list or type(result) is tuple:
                total = sum(map(len, result))
                if len(result) > 1 and total <= _SMALL and not self._is_head:
                    result = (b"".join(result),)
            else:
                is_single = hasattr(result, "__len__") and len(result) == 1
        for block in result:
            if not isinstance(block, bytes):
                raise TypeError(f"the app gave {type(block).__name__} where a block of its response, bytes, was "
                                "expected")
            if block:
                self._send(block, len(block) if is_single else total)
                if self._has_no_body:
                    break  # nothing of it is wanted
        self._end()

    def send_text(self, status, text):
        """An answer of the worker's own, in place of the app's."""
        self._code = 0
        self.start(status, [("Content-Type", "text/plain; charset=utf-8")])
        data = text.encode()
        self._send(data, len(data))

    def _end(self):
        if not self.has_begun:
            self._send(b"", 0)
        elif self._left is None:
            self._transmit((b"0\r\n\r\n",))
        if self._left:
            raise ValueError(f"the app gave {self._left} bytes less than its Content-Length")
        self.is_complete = True

    def _send(self, data, total):
        """Sends a block, after the head when it is the first. `total`: the whole body's length, if known."""
        pieces = () if self.has_begun else (self._begin(total),)
        if self._has_no_body:
            data = b""
        elif self._left is None:
            if data:
                pieces += (b"%x\r\n" % len(data), data, b"\r\n")
            self._transmit(pieces)
            return
        excess = len(data) - self._left
        if excess > 0:
            data = data[:self._left]
        self._left -= len(data)
        self._transmit(pieces + (data,))
        if excess > 0:
            raise ValueError(f"the app gave {excess} bytes or more beyond its Content-Length")

    def _begin(self, total):
        """The head's bytes; decides on the framing and the connection's future."""
        code, length = self._code, self._length
        if not code:
            raise AssertionError("the app gave a block, or ended, before it called start_response()")
        head = self._head
        if self._is_head or code == 204 or code == 304:
            self._left = 0
            self._has_no_body = True
            if code == 204:
                length = None
            elif length is None and self._is_head and code != 304 and total:
                length = total
        else:
            if length is None:
                length = total
            self._left = length
        if length is not None:
            head += b"Content-Length: %d\r\n" % length
        elif self._left is None:
            head += b"Transfer-Encoding: chunked\r\n"
        if not (self._may_keep() and self._body.is_here() and not self._body.has_bytes_after()):
            self.keeps_connection = False
            head += b"Connection: close\r\n"
        self.has_begun = True
        return head + b"\r\n"

    def _transmit(self, pieces):
        """All of the pieces in one call, if the socket takes them at once."""
        try:
            size = sum(map(len, pieces))
            if size <= _SMALL:
                self._sock.sendall(b"".join(pieces))
                return
            sent = self._sock.sendmsg(pieces)
            for piece in pieces if sent < size else ():
                if sent < len(piece):
                    self._sock.sendall(memoryview(piece)[sent:])
                sent = max(0, sent - len(piece))
        except ConnectionError as error:
            raise _disconnected() from error

    def _send_file(self, wrapper):
        """Sends a real file by sendfile(); False when it must be read."""
        region = wrapper.region()
        if region is None or (self.has_begun and self._left is None):
            return False
        descriptor, offset, size = region
        if not self.has_begun:
            self._transmit((self._begin(size),))
        if not self._has_no_body:
            try:
                self._left -= wrapper.send(self._sock, descriptor, offset, min(size, self._left))
            except ConnectionError as error:
                raise _disconnected() from error
        self._end()
        return True


def _disconnected():
    return ClientDisconnected("the connection was closed before the response was complete")


def _code_of(status):
    if not isinstance(status, str):
        raise TypeError(f"the status must be a str, not {type(status).__name__}")
    match = _STATUS.fullmatch(status)
    if not match:
        raise ValueError(f'{status!r} is no status such as "200 OK"')
    code = int(match[1])
    if len(_statuses) < _MOST_STATUSES:
        _statuses[status] = code
    return code


def _kind_of(name):
    if not isinstance(name, str) or not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    lower = name.lower()
    kind = _LENGTH if lower == "content-length" else _REFUSED if lower in _OF_THE_CONNECTION else _ORDINARY
    if len(_names) < _MOST_NAMES:
        _names[name] = kind
    return kind


def _no_string(name, value):
    raise TypeError(f"the value of {name} must be a str, not {type(value).__name__}")
