#!/usr/bin/python3
"""An app that misbehaves on demand: app.py SOCKET [word]...; words are carried out in order.

ok             answers each request with 200
serve:N        answers N requests, then exits with code 3
garbage        answers with a line that is no HTTP
mute           accepts, and never answers
late:S         sleeps S seconds
exit:N         exits with code N
say:TEXT       prints TEXT on stderr
print:TEXT     prints TEXT on stdout
stubborn       ignores SIGTERM
child          starts a child that sleeps
setsid         starts a child in a session of its own, that ignores SIGTERM
orphan         the same, but its parent ends at once
eat:N          allocates N MiB
pids:FILE      writes the pids of itself and of its children to FILE
"""

import os
import signal
import socket
import sys
import time

children = []


def start_child(is_own_session, leaves_parent=False):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        if leaves_parent and os.fork() != 0:
            os._exit(0)
        if is_own_session:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(writer, b"%d\n" % os.getpid())
        os.close(writer)
        while True:
            time.sleep(60)
    os.close(writer)
    children.append(int(os.read(reader, 20)))
    if leaves_parent:
        os.waitpid(pid, 0)


def serve(path, limit, answer):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    served = 0
    held = []
    while served < limit:
        connection, _ = listener.accept()
        if answer is None:
            held.append(connection)
            continue
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(4096)
            if not more:
                break
            data += more
        print("asked:", data.split(b"\r\n")[0].decode(), file=sys.stderr, flush=True)
        for piece in answer:
            connection.sendall(piece)
            time.sleep(0.02)
        connection.close()
        served += 1


def main():
    path, words = sys.argv[1], sys.argv[2:]
    ballast = []
    for word in words:
        name, _, value = word.partition(":")
        if name == "ok":
            serve(path, 1 << 30, [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20", b"0 OK\r\nContent-Length: 0\r\n\r\n"])
        elif name == "serve":
            serve(path, int(value), [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
            sys.exit(3)
        elif name == "garbage":
            serve(path, 1 << 30, [b"hello\r\n\r\n"])
        elif name == "mute":
            serve(path, 1 << 30, None)
        elif name == "late":
            time.sleep(float(value))
        elif name == "exit":
            sys.exit(int(value))
        elif name == "say":
            print(value, file=sys.stderr, flush=True)
        elif name == "print":
            print(value)
        elif name == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif name == "child":
            start_child(False)
        elif name == "setsid":
            start_child(True)
        elif name == "orphan":
            start_child(True, leaves_parent=True)
        elif name == "eat":
            ballast.append(b"x" * (int(value) << 20))
        elif name == "pids":
            with open(value + ".new", "w") as file:
                file.write(" ".join(map(str, [os.getpid(), *children])))
            os.rename(value + ".new", value)
        else:
            sys.exit("app.py: what is " + word + "?")


main()
