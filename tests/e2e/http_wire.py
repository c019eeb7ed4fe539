"""Raw HTTP/1.1: makes requests byte by byte, sends them, reads responses strictly, and reports how a connection
ended. Text in requests is Latin-1, so that "\\xff" is that byte."""
import concurrent.futures
import socket
import ssl
import struct
from dataclasses import dataclass

from harness import SLOW

THREADS = 32
NO_HEAD = 0  # the status of an HTTP/0.9 response


class Ended(Exception):
    """No more bytes come; the message says how the connection ended."""


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes
    reason: str = ""

    def header(self, name):
        return ", ".join(value for key, value in self.headers if key == name)


class Wire:
    def __init__(self, connection):
        self.connection, self.unread = connection, b""

    def send(self, data):
        """Ignores errors: if the peer reads no more, its response says why."""
        try:
            self.connection.sendall(data)
        except OSError:
            pass

    def more(self):
        try:
            piece = self.connection.recv(65536)
        except TimeoutError:
            raise Ended("stays open in silence") from None
        except (ConnectionError, ssl.SSLError) as error:
            raise Ended(f"breaks off: {error}") from None
        if not piece:
            raise Ended("closes")
        self.unread += piece

    def until(self, mark):
        while mark not in self.unread:
            self.more()
        before, _, self.unread = self.unread.partition(mark)
        return before

    def exactly(self, size):
        while len(self.unread) < size:
            self.more()
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def to_the_end(self):
        try:
            while True:
                self.more()
        except Ended:
            taken, self.unread = self.unread, b""
            return taken

    def answer(self, is_bodiless=False):
        while len(self.unread) < 5 and b"HTTP/".startswith(self.unread):
            self.more()
        if not self.unread.startswith(b"HTTP/"):
            return Answer(NO_HEAD, [], self.to_the_end())
        status_line, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip())
                   for name, _, value in (line.partition(":") for line in lines)]
        _, status, reason = (status_line + " ").split(" ", 2)
        answer = Answer(int(status), headers, b"", reason.strip())
        if is_bodiless or answer.status < 200 or answer.status in (204, 304):
            return answer
        if answer.header("transfer-encoding"):
            while size := int(self.until(b"\r\n"), 16):
                answer.body += self.exactly(size)
                self.until(b"\r\n")
            self.until(b"\r\n")
        elif answer.header("content-length"):
            answer.body = self.exactly(int(answer.header("content-length")))
        else:
            answer.body = self.to_the_end()
        return answer


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def reset(connection):
    """Resets the connection, as the system of a crashed client does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def run_all(cases, run):
    """Calls run(case) for each case, many at a time; returns pairs of case and result, in order."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(zip(cases, pool.map(run, cases)))


def head(*lines, body=""):
    """A message with these lines, and a body that they must frame."""
    return "".join(line + "\r\n" for line in (*lines, "")).encode("latin-1") + as_bytes(body)


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def get(target="/livez", *headers):
    return head(f"GET {target} HTTP/1.1", "Host: x", *headers)


def post(*headers, body="", to="/repeat"):
    return head(f"POST {to} HTTP/1.1", "Host: x", *headers, body=body)


def sized(body, *headers, to="/repeat"):
    return post(f"Content-Length: {len(body)}", *headers, body=body, to=to)


def chunked(body, *headers, to="/repeat"):
    """The body in chunks."""
    return post("Transfer-Encoding: chunked", *headers, body=body, to=to)
