#!/usr/bin/env python3
"""How fast the results of a streaming runner go out, and how soon the first one does.

usage: token_streams.py BUILD_DIR [--rounds N] [--seconds N] [--clients N,N,...]

Serves bench/plugins/tokens.cc, whose tokens cost nothing, with one worker and no access log. Bulk: so many clients, each
of which reads a stream of tokens to its end and asks again: a direct API of an engine and of a method that emits, a coroutine that
sends events, and a coroutine that only counts. The client is this process, on one thread. First token: on one connection that is
kept, from the request to the first event of a stream of one, beside the whole answer of a plain method. Rounds are interleaved;
the figures are medians.
"""
import argparse
import json
import re
import selectors
import socket
import statistics
import subprocess
import time
from pathlib import Path

FORMS = ("engine", "emit", "coroutine", "count")


def request(path, tokens):
    body = json.dumps({"tokens": tokens}).encode()
    return (f"POST /{path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


class Serving:
    def __init__(self, build):
        self.process = subprocess.Popen(
            [build / "bin" / "bentohost", "--plugin", build / "bench" / "plugins" / "libtokens.so", "--port", "0",
             "--access-log=off"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise SystemExit(f"bentohost does not serve: {line!r}")
        self.address = ("127.0.0.1", int(found[1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def connect(self):
        connection = socket.create_connection(self.address, timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def bulk(serving, form, clients, seconds, tokens):
    """Tokens per second that have arrived."""
    selector = selectors.DefaultSelector()
    ask = request(form, tokens)
    for _ in range(clients):
        connection = serving.connect()
        connection.sendall(ask)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, [b""])
    arrived, began = 0, time.perf_counter()
    until = began + seconds
    while (now := time.perf_counter()) < until:
        for key, _ in selector.select(until - now):
            piece = key.fileobj.recv(1 << 20)
            if not piece:
                raise SystemExit(f"/{form}: the connection was closed")
            if form == "count":
                if not piece.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"/{form}: {piece[:200]}")
                arrived += tokens
                key.fileobj.sendall(ask)
                continue
            arrived += piece.count(b" token")
            tail = (key.data[0] + piece)[-5:]  # the last chunk of the answer may be cut
            key.data[0] = tail
            if tail == b"0\r\n\r\n":
                key.data[0] = b""
                key.fileobj.sendall(ask)
    took = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return arrived / took


def first(serving, form, calls):
    """The median of microseconds from a request to the first token."""
    connection, ask, times = serving.connect(), request(form, 1), []
    for _ in range(calls):
        began = time.perf_counter()
        connection.sendall(ask)
        received = connection.recv(65536)
        while b" token" not in received:
            received += connection.recv(65536)
        times.append(time.perf_counter() - began)
        while form != "once" and not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65536)
    connection.close()
    return 1e6 * statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--clients", default="1,16,64,256")
    arguments = parser.parse_args()
    numbers = [int(n) for n in arguments.clients.split(",")]
    rates = {(form, n): [] for form in FORMS for n in numbers}
    firsts = {form: [] for form in ("once", *FORMS[:3])}
    with Serving(arguments.build.resolve()) as serving:
        for form in firsts:
            first(serving, form, 200)
        for _ in range(arguments.rounds):
            for form, n in rates:
                rates[form, n].append(bulk(serving, form, n, arguments.seconds, 500 + 20_000 // n))
            for form in firsts:
                firsts[form].append(first(serving, form, 3000))
    print("| tokens/s, clients | " + " | ".join(map(str, numbers)) + " |")
    print("|---|" + "--:|" * len(numbers))
    for form in FORMS:
        row = (f"{statistics.median(rates[form, n]):,.0f}" for n in numbers)
        print(f"| /{form} | " + " | ".join(row) + " |")
    print("\n| first token | µs | of a plain call |\n|---|--:|--:|")
    for form, times in firsts.items():
        ratio = statistics.median(t / p for t, p in zip(times, firsts["once"]))
        print(f"| /{form} | {statistics.median(times):.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
