"""A server of HTTP that records every request that it gets, and answers with its number in X-Record:
`recorder.py SOCKET`. GET /-records has all that came before. Its parser shares nothing with the host's.

One thread serves all connections, and reads what has come on each before it answers one: /-records has all bytes
that were sent before it was asked.

Paths: /none is answered 204, /chunks in chunks, /early before its body has come; others with their method and target.
"""
import hashlib
import json
import re
import selectors
import socket
import sys
from collections import namedtuple

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(%s) ([!-~]+) HTTP/1\.([01])" % TOKEN)
FIELD = re.compile(rb"(%s):[ \t]*((?:[!-~\x80-\xff]+(?:[ \t]+[!-~\x80-\xff]+)*)?)[ \t]*" % TOKEN)
SIZE = re.compile(rb"([0-9a-fA-F]+)(;[\t -~\x80-\xff]+)?")

Head = namedtuple("Head", "method target minor fields text")
Request = namedtuple("Request", "head body")


class Malformed(Exception):
    pass


def values(head, name):
    return [value for key, value in head.fields if key == name]


def parse_head(text):
    line, *lines = text.split(b"\r\n")
    match = REQUEST_LINE.fullmatch(line)
    if not match:
        raise Malformed(f"request line {line!r}")
    fields = []
    for line in lines:
        field = FIELD.fullmatch(line)
        if not field:
            raise Malformed(f"field {line[:100]!r}")
        fields.append((field[1].lower(), field[2]))
    head = Head(match[1], match[2], int(match[3]), fields, text)
    if len(values(head, b"host")) not in ((1,) if head.minor else (0, 1)):
        raise Malformed("not one Host")
    return head


class Reader:
    """Requests out of bytes: all that RFC 9112 asks servers to understand, and nothing doubtful. If
    `is_canonical`, also none of the liberties that it leaves to clients."""

    def __init__(self, is_canonical):
        self.is_canonical, self.requests, self.head = is_canonical, [], None
        self.unread, self.body = bytearray(), bytearray()
        self.steps = self._run()

    def feed(self, data):
        self.unread += data
        next(self.steps)

    def _until(self, mark):
        looked = 0
        while (end := self.unread.find(mark, looked)) < 0:
            looked = max(len(self.unread) - len(mark), 0)
            yield
        return self._take(end, len(mark))

    def _exactly(self, size):
        while len(self.unread) < size:
            yield
        return self._take(size)

    def _take(self, size, more=0):
        taken = bytes(self.unread[:size])
        del self.unread[:size + more]
        return taken

    def _run(self):
        while True:
            while len(self.unread) < 2:
                yield
            if not self.is_canonical and self.unread.startswith(b"\r\n"):
                self._take(2)
            head = parse_head((yield from self._until(b"\r\n\r\n")))
            self.head, self.body = head, bytearray()
            lengths, codings = (values(head, name) for name in (b"content-length", b"transfer-encoding"))
            if len(lengths) + len(codings) > 1:
                raise Malformed("framed twice")
            if codings:
                if codings[0].lower() != b"chunked" or head.minor == 0:
                    raise Malformed(f"coding {codings[0]!r} of HTTP/1.{head.minor}")
                yield from self._chunks()
            elif lengths:
                if not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
                    raise Malformed(f"length {lengths[0]!r}")
                self.body += yield from self._exactly(int(lengths[0]))
            self.requests.append(Request(head, bytes(self.body)))
            self.head = None

    def _chunks(self):
        size = None
        while size != 0:
            line = yield from self._until(b"\r\n")
            match = SIZE.fullmatch(line)
            if not match or self.is_canonical and (match[2] or line.startswith(b"0") and line != b"0"):
                raise Malformed(f"chunk {line[:100]!r}")
            size = int(match[1], 16)
            if size:
                self.body += yield from self._exactly(size)
                if (yield from self._exactly(2)) != b"\r\n":
                    raise Malformed("chunk without its end")
        while line := (yield from self._until(b"\r\n")):
            if self.is_canonical or not FIELD.fullmatch(line):
                raise Malformed(f"trailer {line[:100]!r}")


class Connection:
    def __init__(self, connection, recorder):
        self.connection, self.recorder, self.reader, self.early = connection, recorder, Reader(True), None

    def receive(self):
        """Reads all that has come; whether the connection goes on."""
        try:
            while True:
                data = self.connection.recv(1 << 20, socket.MSG_DONTWAIT)
                if not data:
                    break
                self.reader.feed(data)
        except BlockingIOError:
            return True
        except ConnectionError:
            pass
        except Malformed as error:
            return self.end(f"malformed: {error}")
        return self.end("cut off" if self.reader.head or self.reader.unread else "")

    def end(self, fault):
        for request in self.reader.requests:
            self.recorder.add(request.head, request.body, "malformed or cut off behind it" if fault else "")
        if fault:
            self.recorder.add(self.reader.head, self.reader.body, fault, bytes(self.reader.unread), self.early)
        self.connection.close()
        return False

    def answer(self):
        for request in self.reader.requests:
            if request.head.target == b"/-records":
                self.send(request.head, b"200 OK", json.dumps(self.recorder.everything()).encode())
                continue
            is_behind = len(self.reader.requests) > 1 or self.reader.unread or self.reader.head
            number = self.recorder.add(request.head, request.body, "a request behind it" if is_behind else "",
                                       number=self.early)
            if self.early is None:
                self.reply(request.head, number)
            self.early = None
        self.reader.requests = []
        head = self.reader.head
        if head and self.early is None and head.target.startswith(b"/early"):
            self.early = self.recorder.next()
            self.reply(head, self.early)

    def reply(self, head, number):
        self.send(head, b"204 No Content" if head.target.startswith(b"/none") else b"200 OK",
                  head.method + b" " + head.target[:100], b"X-Record: %d\r\n" % number)

    def send(self, head, status, body, fields=b""):
        if status.startswith(b"204"):
            body = b""
        elif head.target.startswith(b"/chunks"):
            fields += b"Transfer-Encoding: chunked\r\n"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            fields += b"Content-Length: %d\r\n" % len(body)
        body = b"" if head.method == b"HEAD" else body
        try:
            self.connection.sendall(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n" + body)
        except ConnectionError:
            pass  # the end is read next


class Recorder:
    def __init__(self, path):
        self.records, self.count, self.connections = [], 0, set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(512)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)

    def next(self):
        self.count += 1
        return self.count

    def add(self, head, body, fault, rest=b"", number=None):
        self.records.append(self.record(number or self.next(), head, body, fault, rest))
        return self.records[-1]["number"]

    @staticmethod
    def record(number, head, body, fault, rest=b""):
        return {"number": number, "head": head.text.decode("latin-1") if head else None, "fault": fault,
                "size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "rest": rest[:1000].decode("latin-1")}

    def everything(self):
        """What was recorded, and what has come of requests that are not whole."""
        return self.records + [self.record(one.early or 0, one.reader.head, one.reader.body, "not whole")
                               for one in self.connections if one.reader.head]

    def accept(self):
        while True:
            try:
                socket_ = self.listener.accept()[0]
            except BlockingIOError:
                return
            connection = Connection(socket_, self)
            self.connections.add(connection)
            self.selector.register(socket_, selectors.EVENT_READ, connection)

    def serve(self):
        while True:
            self.selector.select()
            self.accept()  # first, so that what came on new connections is read with the rest
            going = []
            for key, _ in self.selector.select(0):
                if key.fileobj is self.listener:
                    continue
                descriptor = key.fd
                if key.data.receive():
                    going.append(key.data)
                else:
                    self.connections.discard(key.data)
                    self.selector.unregister(descriptor)
            for connection in going:
                connection.answer()


if __name__ == "__main__":
    Recorder(sys.argv[1]).serve()
