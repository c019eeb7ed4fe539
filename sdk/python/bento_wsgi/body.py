"""wsgi.input: the body of a request, read from the connection as the app asks for it."""
import re
from socket import MSG_DONTWAIT

BUFFER = 1 << 16          # bytes read ahead of what the app asks for
_LARGEST_READ = 1 << 18   # what one call of recv() takes: a Unix socket holds hardly more
_LONGEST_LINE = 4096      # of a chunk's size and extensions
_LARGEST_TRAILER = 1 << 16
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n]*)?")


class ClientDisconnected(ConnectionError):
    """The other side closed the connection before the request or the response was complete."""


class BadBody(OSError):
    """The body's chunks are broken."""


class Input:
    """One request's body. `length` is None when it comes in chunks. One thread at a time.

    read(n) returns fewer than n bytes only at the end of the body. A body that breaks off raises
    ClientDisconnected, and one that is no sequence of chunks BadBody: it never looks complete.
    """
    __slots__ = ("_sock", "_raw", "_at", "_left", "_chunked", "_state", "_trailer", "_data", "_taken", "_buffer",
                 "_flags", "failure")

    def __init__(self, sock, received, length, buffer=BUFFER):
        self._sock = sock
        self._raw = received         # from the connection; from _at on not decoded yet
        self._at = 0
        self._left = length or 0     # of the body, or of the chunk
        self._chunked = length is None
        self._state = _first_size    # what comes when the chunk is over; None: nothing, the body has ended
        if not self._chunked:
            self._state = None
        self._trailer = 0
        self._data = b""             # decoded, from _taken on not given to the app yet
        self._taken = 0
        self._buffer = buffer
        self._flags = 0
        self.failure = None          # the error that ended it

    def read(self, size=-1):
        if size is None or size < 0:
            pieces = [self._take(-1)]
            while True:
                piece = self._next(_LARGEST_READ)
                if not piece:
                    return b"".join(pieces) if len(pieces) != 2 or pieces[0] else pieces[1]
                pieces.append(piece)
        data = self._take(size)
        if len(data) == size:
            return data
        piece = self._next(size - len(data))
        if not data and len(piece) == size:
            return piece
        pieces = [data]
        size -= len(data)
        while piece:
            pieces.append(piece)
            size -= len(piece)
            piece = self._next(size) if size else b""
        return b"".join(pieces)

    def readline(self, size=-1):
        if size is None:
            size = -1
        end = self._line_end(self._data, self._taken, size)
        if end >= 0:
            return self._take(end - self._taken)
        line = bytearray(self._take(-1))
        while True:
            searched = len(line)
            piece = self._next(self._buffer)
            line += piece
            end = self._line_end(line, 0, size, searched) if piece else searched
            if end >= 0:
                self._data, self._taken = bytes(line[end:]), 0
                return bytes(line[:end])

    def readlines(self, hint=-1):
        lines = []
        size = 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self):
        return iter(self.readline, b"")

    def is_here(self):
        """[the worker] Is the whole body received? Does not wait; takes no more than the buffer from the socket."""
        if self._state is None and self._left <= len(self._raw) - self._at:
            return True
        if self.failure:
            return False
        self._flags = MSG_DONTWAIT
        try:
            while True:
                room = self._buffer - len(self._data) + self._taken
                if room <= 0:
                    return False
                piece = self._next(room)
                if not piece:
                    return True
                self._data, self._taken = self._data[self._taken:] + piece, 0
        except BlockingIOError:
            pass
        except OSError:  # it has become self.failure
            pass
        finally:
            self._flags = 0
        return False

    def has_bytes_after(self):
        """[the worker] Were bytes received after the end of the body? Ask when is_here()."""
        return self._chunked and self._at < len(self._raw)

    def _take(self, size):
        """Up to `size` (-1: all) of the decoded bytes that are here."""
        data, taken = self._data, self._taken
        if size < 0 or len(data) - taken <= size:
            self._data, self._taken = b"", 0
            return data[taken:] if taken else data
        self._taken += size
        return data[taken:taken + size]

    @staticmethod
    def _line_end(data, start, size, searched=None):
        """Where the line that begins at `start` ends, or -1 when its end is not here."""
        last = len(data) if size < 0 else min(len(data), start + size)
        end = data.find(b"\n", start if searched is None else min(searched, last), last) + 1
        if end:
            return end
        return last if 0 <= size <= len(data) - start else -1

    def _next(self, most):
        """The next bytes of the body, at most so many; b"" at its end."""
        if self.failure:
            raise self.failure
        if most <= 0:
            return b""
        while self._left == 0:
            if self._state is None:
                return b""
            self._state = self._state(self)
        most = min(most, self._left)
        if self._at == len(self._raw):
            if most >= self._buffer:
                data = self._receive(min(most, _LARGEST_READ))
                self._left -= len(data)
                return data
            self._raw, self._at = self._receive(self._buffer if self._chunked else min(self._buffer, self._left)), 0
        data = self._raw[self._at:self._at + most]
        self._at += len(data)
        self._left -= len(data)
        return data

    def _receive(self, most):
        try:
            data = self._sock.recv(most, self._flags)
        except ConnectionError as error:
            data, why = b"", error
        else:
            why = None
        if not data:
            self.failure = ClientDisconnected("the request's body breaks off: its connection was closed")
            raise self.failure from why
        return data

    def _line(self):
        """The next line between chunks, without its CRLF."""
        while True:
            end = self._raw.find(b"\r\n", self._at)
            if end >= 0:
                line = self._raw[self._at:end]
                self._at = end + 2
                return line
            if len(self._raw) - self._at > _LONGEST_LINE or self._raw.find(b"\n", self._at) >= 0:
                self._refuse("a chunk's size is not followed by CRLF")
            self._raw, self._at = self._raw[self._at:] + self._receive(self._buffer), 0

    def _refuse(self, why):
        self.failure = BadBody(f"the request's body is broken: {why}")
        raise self.failure


# What comes between the data of chunks. Each returns its successor, and has changed nothing when a receive
# that must not wait fails.
def _first_size(body):
    line = body._line()
    match = _SIZE.fullmatch(line)
    if not match:
        body._refuse(f"{line[:40]!r} is no size of a chunk")
    body._left = int(match[1], 16)
    return _end_of_chunk if body._left else _trailers


def _end_of_chunk(body):
    if len(body._raw) - body._at < 2:
        body._raw, body._at = body._raw[body._at:] + body._receive(body._buffer), 0
        return _end_of_chunk
    if body._raw[body._at:body._at + 2] != b"\r\n":
        body._refuse("a chunk is longer than its size")
    body._at += 2
    return _first_size


def _trailers(body):
    line = body._line()
    body._trailer += len(line)
    if body._trailer > _LARGEST_TRAILER:
        body._refuse("its trailer is too large")
    return _trailers if line else None
