"""Shared by the tests of asynchronous handlers: a host with the plugin `async`, and clients that wait or leave."""
import os
import signal
import socket

from harness import PLUGINS, SLOW, HostTest, eventually, is_alive

ASYNC, WRAPPED = str(PLUGINS / "libasync.so"), str(PLUGINS / "libasync_around.so")


class AsyncTest(HostTest):
    PLUGIN = ASYNC

    def serve(self, *arguments, **options):
        self.host = self.start(*arguments, plugin=options.pop("plugin", self.PLUGIN), **options)
        return self.host

    def counts(self):
        return self.host.get("/counts").json()

    def alive(self):
        return self.counts()["alive"]

    def wait_alive(self, number):
        eventually(lambda: self.alive() == number, what=f"{number} handlers")

    def send(self, head, body=b""):
        """A connection on which the request has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall(head.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        return connection

    def post_and_wait(self, path, text, number=1):
        """Connections that wait for their answers."""
        before = self.alive()
        asked = [self.send(f"POST {path} HTTP/1.1\nHost: x\nContent-Type: text/plain\nContent-Length: {len(text)}",
                          text.encode()) for _ in range(number)]
        self.wait_alive(before + number)
        return asked

    @staticmethod
    def read_all(connection):
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received

    def stop_runner(self):
        """The pid of the stopped worker; it goes on at the end of the test, before the host stops."""
        pid = self.host.runners()["worker"][0]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: is_alive(pid) and os.kill(pid, signal.SIGCONT))
        return pid

    def leave(self, connection):
        """The client resets its connection."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
