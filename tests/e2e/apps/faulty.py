"""A server of HTTP that misbehaves as its path says: `faulty.py SOCKET`. A connection a thread."""
import os
import socket
import sys
import threading
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
ANSWERS = {
    "/": HEAD + b"Content-Length: 2\r\n\r\nok",
    "/garbage": b"\x16\x03\x01garbage\r\n\r\n",
    "/http09": b"hello\r\n",
    "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok",
    "/continue": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok",
    "/trailers": HEAD + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    "/both": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "/chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    "/extra": HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "/hop": HEAD + b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nUpgrade: h2c\r\nX-End: 1\r\n"
                   b"Content-Length: 2\r\n\r\nok",
    "/server": HEAD + b"Server: faulty\r\nDate: yesterday\r\nContent-Length: 2\r\n\r\nok",
    "/huge": HEAD + b"X-Huge: " + b"x" * 100_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "/fold": HEAD + b"X-Fold: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "/name": HEAD + b"X Name: a\r\nContent-Length: 2\r\n\r\nok",
    "/notmodified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
    "/none": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/toclose": HEAD + b"Connection: close\r\n\r\nuntil the end",
    "/dies": HEAD + b"Content-Length: 100\r\n\r\nnot all",
    "/diesinchunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "/silent": b"",
}
CLOSES = ("/toclose", "/dies", "/diesinchunks", "/garbage", "/http09", "/closes")


def read_request(connection, unread):
    while b"\r\n\r\n" not in unread:
        piece = connection.recv(65536)
        if not piece:
            return None, b"", b""
        unread += piece
    head, _, rest = unread.partition(b"\r\n\r\n")
    return head, b"", rest


def body_length(head):
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
        if name.lower() == b"transfer-encoding":
            return None
    return 0


def serve(connection):
    unread, number = b"", 0
    while True:
        head, _, unread = read_request(connection, unread)
        if head is None:
            return connection.close()
        number += 1
        path = head.split()[1].decode().partition("?")[0]
        if path == "/head":  # what came, byte by byte
            length = body_length(head)
            while length is not None and len(unread) < length:
                unread += connection.recv(65536)
            while length is None and not unread.endswith(b"0\r\n\r\n"):
                unread += connection.recv(65536)
            text = head + b"\r\n\r\n" + unread
            unread = b""
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(text) + text)
        elif path == "/number":
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n%d" % (len(str(number)), number))
        elif path == "/once":  # the second request on a connection finds it closed
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
            time.sleep(0.05)
            return connection.close()
        elif path == "/bytes":  # one byte at a time
            for byte in ANSWERS["/"]:
                connection.sendall(bytes([byte]))
        elif path == "/later":  # a second response that nobody asked for, a moment after the first
            connection.sendall(ANSWERS["/"])
            time.sleep(0.002)
            connection.sendall(HEAD + b"Content-Length: 4\r\n\r\nevil")
        elif path == "/upgrade":  # a tunnel that sends everything back
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n" + unread)
            while piece := connection.recv(65536):
                connection.sendall(piece)
            return connection.close()
        elif path == "/exit":
            os._exit(3)
        else:
            answer = ANSWERS.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if path != "/closes":
                connection.sendall(answer)
        if path in CLOSES:
            return connection.close()


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
