"""The worker: threads that serve one connection each, from the first request on it to its end.

The host keeps at most as many connections as there are threads, and so knows which are free.
"""
import contextlib
import os
import signal
import socket
import stat
import sys
import threading
import time
import traceback
from socket import MSG_DONTWAIT

from bento_wsgi.body import BUFFER, BadBody, ClientDisconnected
from bento_wsgi.file_wrapper import FileWrapper
from bento_wsgi.head import BadRequest, HeadReader
from bento_wsgi.loading import StartError
from bento_wsgi.response import Response

_LARGEST_HEAD = 1 << 18
_LARGEST_DRAIN = 1 << 16
_BACKLOG = 1024
_PAUSE = 0.1  # seconds until accept() is tried again after an error


def listen(path):
    """The listening socket at this path; replaces the socket of a process that is dead."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        mask = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        listener.settimeout(None)  # the app may have set a default for its own sockets
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {path}: {error.strerror or error}") from None
    return listener


def _remove_stale(path):
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)


class Worker:
    """Serves `app` on `listener`; `options` are those of the command line."""

    def __init__(self, app, listener, options):
        self._app = app
        self._listener = listener
        self._threads = options.threads
        self._path = options.unix
        self._reader = HeadReader({
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "bento_wsgi",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": options.threads > 1,
            "wsgi.multiprocess": options.multiprocess,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }, options.root_path, options.max_body_buffer)
        self._idle = set()  # connections whose next request has not come
        self._is_stopping = False

    def run(self):
        """Serves until SIGTERM or SIGINT, and then until the requests in flight are answered. The main thread."""
        wake, waker = socket.socketpair()
        wake.settimeout(None)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())  # also when another thread gets the signal
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        threads = [threading.Thread(target=self._accept, name=f"wsgi-{i}", daemon=True) for i in range(self._threads)]
        for thread in threads:
            thread.start()
        while not self._is_stopping:
            wake.recv(16)
        for thread in threads:
            thread.join()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _stop(self, number, _frame):
        # The next one ends the process at once.
        for other in (signal.SIGTERM, signal.SIGINT):
            signal.signal(other, signal.SIG_DFL)
        self._is_stopping = True
        self._listener.shutdown(socket.SHUT_RDWR)  # ends every accept()
        for sock in list(self._idle):
            _end_receiving(sock)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError as error:
                if self._is_stopping:  # and every connection that had come is accepted
                    return
                _log(f"bento_wsgi: cannot accept a connection: {error}\n")
                time.sleep(_PAUSE)
                continue
            with sock:
                sock.settimeout(None)
                try:
                    self._serve(sock)
                    _close(sock)
                except ConnectionError:
                    pass
                except Exception:  # of the worker itself: the thread goes on
                    traceback.print_exc()

    def _serve(self, sock):
        """One request after the other, until the connection is to be closed."""
        receive = sock.recv
        idle = self._idle
        while True:
            idle.add(sock)
            try:
                if self._is_stopping:
                    _end_receiving(sock)
                received = receive(BUFFER)
                end = received.find(b"\r\n\r\n")
                while end < 0:
                    if len(received) > _LARGEST_HEAD:
                        _refuse(sock, "431 Request Header Fields Too Large", "its head is too large")
                        return
                    more = receive(BUFFER)
                    if not more:
                        return
                    searched = max(0, len(received) - 3)
                    received += more
                    end = received.find(b"\r\n\r\n", searched)
            finally:
                idle.discard(sock)
            end += 4
            try:
                environ, keeps = self._reader.read(sock, received[:end], received[end:])
            except BadRequest as why:
                _refuse(sock, "400 Bad Request", why)
                return
            if not self._answer(sock, environ, keeps):
                return

    def _answer(self, sock, environ, keeps):
        """Whether the connection can take another request."""
        response = Response(sock, environ["REQUEST_METHOD"] == "HEAD", environ["wsgi.input"],
                            lambda: keeps and not self._is_stopping)
        result = None
        # The app may change its environ.
        what = (environ["REQUEST_METHOD"], environ["REQUEST_URI"], environ.get("HTTP_X_REQUEST_ID", "-"))
        try:
            try:
                result = self._app(environ, response.start)
                response.send_all(result)
            finally:
                if hasattr(result, "close"):
                    result.close()
        except ClientDisconnected:
            return False
        except BadBody as why:
            _log(f"bento_wsgi: refused a request: {why}\n")
            return self._answer_instead(response, "400 Bad Request", f"{why}\n")
        except BaseException as error:  # SystemExit, too: a request does not end the process
            _log_error(error, what, response)
            return self._answer_instead(response, "500 Internal Server Error", "Internal Server Error\n")
        return response.keeps_connection

    @staticmethod
    def _answer_instead(response, status, text):
        """Answers in the app's place, unless its answer has begun. Returns as _answer()."""
        if response.has_begun:
            return response.is_complete and response.keeps_connection
        with contextlib.suppress(ClientDisconnected):
            response.send_text(status, text)
        return response.keeps_connection


def _log(text):
    """One write, so that lines of several threads do not mix."""
    sys.stderr.write(text)
    sys.stderr.flush()


def _log_error(error, what, response):
    where = error.__traceback__
    while where and where.tb_frame.f_globals.get("__package__") == __package__:
        where = where.tb_next
    lines = traceback.format_exception(type(error), error, where)
    if response.has_begun and not response.is_complete:
        lines.append("bento_wsgi: the response is cut off\n")
    _log("bento_wsgi: error in {} {} (request {})\n".format(*what) + "".join(lines))


def _refuse(sock, status, why):
    _log(f"bento_wsgi: refused a request: {why}\n")
    text = f"{why}\n".encode("ascii", "backslashreplace")
    sock.sendall(b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                 % (status.encode(), len(text), text))


def _end_receiving(sock):
    """recv() gives what has come already, and then ends."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)


def _close(sock):
    """Ends the connection; takes what is there already, so that the other side's last sends do not fail."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        drained = 0
        while drained < _LARGEST_DRAIN:
            data = sock.recv(_LARGEST_DRAIN, MSG_DONTWAIT)
            if not data:
                break
            drained += len(data)
