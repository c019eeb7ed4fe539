"""Reads the head of a request and makes the WSGI environ of it.

Strict, since the host sends canonical HTTP/1.1: what is doubtful is refused rather than guessed at.
"""
import re
from urllib.parse import unquote_to_bytes

from bento_wsgi.body import Input

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# All bytes but control characters, which remain when these are deleted. A tab is allowed in values.
PRINTABLE = bytes([9]) + bytes(range(32, 127)) + bytes(range(128, 256))
_DIGITS = re.compile(r"[0-9]{1,18}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_SCHEMES = {"http": "80", "https": "443"}
# Of these there is one, or none.
_SINGLE = {"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_HOST", "HTTP_X_FORWARDED_FOR",
           "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX",
           "HTTP_X_REAL_IP", "HTTP_X_REQUEST_ID", "HTTP_X_BENTO_DEADLINE_MS"}
_MOST_NAMES = 1000


class BadRequest(Exception):
    """Why a head is refused."""


class HeadReader:
    """Makes environs; shared by all threads."""

    def __init__(self, base, root_path, buffer):
        self._base = base
        self._root = root_path
        self._below = root_path + "/"
        self._script_name = _decoded(root_path)
        self._buffer = buffer
        self._names = {}  # "Content-Type" -> "CONTENT_TYPE", as seen so far
        self._no_body = Input(None, b"", 0)

    def read(self, sock, head, rest):
        """The environ of the request whose head ends with CRLF CRLF, and whether the connection can be kept.

        `rest` is what was received after the head. BadRequest when it is not quite a request of the host's.
        """
        text = head.decode("latin-1")
        lines = text.split("\r\n")
        if head.translate(None, PRINTABLE) != b"\r\n" * (len(lines) - 1):
            raise BadRequest("a control character in the head")
        words = lines[0].split(" ")
        if len(words) != 3 or "\t" in lines[0]:
            raise BadRequest("the request line is not METHOD TARGET VERSION")
        method, target, version = words
        if version != "HTTP/1.1":
            raise BadRequest("its version is not HTTP/1.1")
        if method not in _METHODS and not TOKEN.fullmatch(method):
            raise BadRequest("its method is no token")

        environ = self._base.copy()
        environ["REQUEST_METHOD"] = method
        environ["REQUEST_URI"] = environ["RAW_URI"] = target
        path, _, environ["QUERY_STRING"] = target.partition("?")
        self._set_path(environ, path)

        names = self._names
        for line in lines[1:-2]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("a header without a colon")
            key = names.get(name) or self._key_of(name)
            value = value.strip(" \t")
            if key in environ:
                if key in _SINGLE:
                    raise BadRequest(f"{name} is given twice")
                value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
            environ[key] = value

        self._set_server(environ)
        return environ, self._set_body(environ, sock, rest)

    def _set_path(self, environ, path):
        if not path.startswith("/") or "#" in path:
            raise BadRequest("its target is no path")
        if path.startswith(self._below) or path == self._root:
            path = path[len(self._root):]
            if "%" in path:
                path = _decoded(path)
        else:  # the prefix may be written with %
            path = _decoded(path)
            if not path.startswith(self._script_name + "/") and path != self._script_name:
                raise BadRequest(f"its path is not below {self._root}")
            path = path[len(self._script_name):]
        environ["SCRIPT_NAME"] = self._script_name
        environ["PATH_INFO"] = path

    def _key_of(self, name):
        if "_" in name or not TOKEN.fullmatch(name):
            raise BadRequest(f'"{name}" is no name of a header')
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = "HTTP_" + key
        if len(self._names) < _MOST_NAMES:
            self._names[name] = key
        return key

    @staticmethod
    def _set_server(environ):
        host = environ.get("HTTP_HOST")
        if host is None:
            raise BadRequest("it has no Host")
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "http")
        if scheme not in _SCHEMES:
            raise BadRequest("its X-Forwarded-Proto is neither http nor https")
        client = environ.get("HTTP_X_FORWARDED_FOR", "")
        if "," in client:
            raise BadRequest("its X-Forwarded-For is not one address")
        port = environ.get("HTTP_X_FORWARDED_PORT", "")
        if ":" in host and not host.endswith("]"):
            host, _, own_port = host.rpartition(":")
            port = port or own_port
        environ["wsgi.url_scheme"] = scheme
        environ["SERVER_NAME"] = host or "localhost"
        environ["SERVER_PORT"] = port or _SCHEMES[scheme]
        environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = client

    def _set_body(self, environ, sock, rest):
        keep = "close" not in environ.get("HTTP_CONNECTION", "").lower()
        length = environ.get("CONTENT_LENGTH")
        coding = environ.get("HTTP_TRANSFER_ENCODING")
        if "HTTP_EXPECT" in environ:
            raise BadRequest("it has an Expect")
        if coding is not None:
            if length is not None:
                raise BadRequest("it has both Content-Length and Transfer-Encoding")
            if coding.lower() != "chunked":
                raise BadRequest("its Transfer-Encoding is not chunked")
            environ["wsgi.input"] = Input(sock, rest, None, self._buffer)
        elif length is None:
            environ["wsgi.input"] = self._no_body
            keep = keep and not rest
        else:
            if not _DIGITS.fullmatch(length):
                raise BadRequest("its Content-Length is no number")
            length = int(length)
            environ["wsgi.input"] = Input(sock, rest[:length], length, self._buffer)
            keep = keep and len(rest) <= length
        return keep


def _decoded(path):
    """PEP 3333: the bytes that %xx stand for, each as one character."""
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
