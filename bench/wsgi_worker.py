"""Compares bentohost's WSGI worker with gunicorn's gthread: requests a second and CPU a request.

    /usr/bin/python3 bench/wsgi_worker.py [--rounds 5] [--seconds 3] [--threads 16]

Both serve the same Flask app, which answers a little JSON, on a Unix socket each. This program is the client: it
keeps one connection, or 64 requests in flight, on raw sockets. In front of the worker 64 callers share as many
connections as it has threads, since bentohost queues the rest; gunicorn gets all 64 connections. The servers take
turns in every round, so that a busy machine meets both alike. Needs Debian's python3-flask and gunicorn.
"""
import argparse
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SDK = Path(__file__).resolve().parents[1] / "sdk" / "python"
APP = """
from flask import Flask, jsonify, request
app = Flask(__name__)

@app.post("/predict")
def predict():
    flower = request.get_json()
    return jsonify(species="setosa", confidence=0.98, petal_len=flower["petal_len"])
"""
BODY = b'{"sepal_len": 4.9, "sepal_width": 3.0, "petal_len": 1.4, "petal_width": 0.2}'
REQUEST = (b"POST /predict HTTP/1.1\r\nHost: localhost:3000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
           b"Content-Type: application/json\r\nContent-Length: %d\r\nX-Forwarded-For: 192.0.2.7\r\n"
           b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: localhost:3000\r\nX-Forwarded-Port: 3000\r\n"
           b"X-Request-ID: 4bf92f3577b34da6a3ce929d0e0e4736\r\nX-Bento-Deadline-Ms: 60000\r\n\r\n%s" % (len(BODY), BODY))
LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
IN_FLIGHT = (1, 64)


class Server:
    def __init__(self, name, command, folder, most_connections):
        self.name = name
        self.most_connections = most_connections
        self.path = f"{folder}/{name}.sock"
        self.process = subprocess.Popen([word.replace("SOCKET", self.path) for word in command], cwd=folder,
                                        env={**os.environ, "PYTHONPATH": str(SDK)}, start_new_session=True)

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(self.path)
        return sock

    def wait(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                with self.connect() as sock:
                    sock.sendall(REQUEST)
                    answer = sock.recv(4096)
                    if not answer.startswith(b"HTTP/1.1 200"):
                        sys.exit(f"{self.name} does not answer as it should: {answer!r}")
                    return
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit(f"{self.name} does not come up: {error}")
                time.sleep(0.05)

    def cpu(self):
        """Seconds that its processes have used."""
        ticks = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = file.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid:  # its process group
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Connection:
    def __init__(self, server):
        self.sock = server.connect()
        self.received = b""
        self.asked = 0.0

    def ask(self):
        self.asked = time.monotonic()
        self.sock.sendall(REQUEST)

    def is_answered(self):
        """Takes what has come; is the response whole?"""
        data = self.sock.recv(65536)
        if not data:
            sys.exit("the server closed a connection")
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self.received.startswith(b"HTTP/1.1 200"):
            sys.exit(f"not answered as it should: {self.received!r}")
        if len(self.received) < end + 4 + int(LENGTH.search(self.received, 0, end)[1]):
            return False
        self.received = b""
        return True


def measure(server, in_flight, seconds):
    """(requests a second, CPU of the server in us a request, p50 and p99 in ms)"""
    connections = {}
    poll = select.epoll()
    for _ in range(min(in_flight, server.most_connections)):
        connection = Connection(server)
        connections[connection.sock.fileno()] = connection
        poll.register(connection.sock, select.EPOLLIN)
    latencies = []
    cpu, start = server.cpu(), time.monotonic()
    for connection in connections.values():
        connection.ask()
    end = start + seconds
    while (now := time.monotonic()) < end:
        for number, _ in poll.poll():
            connection = connections[number]
            if connection.is_answered():
                latencies.append(time.monotonic() - connection.asked)
                connection.ask()
    cpu, elapsed = server.cpu() - cpu, now - start
    for connection in connections.values():
        connection.sock.close()
    latencies.sort()
    count = len(latencies)
    return count / elapsed, cpu / count * 1e6, latencies[count // 2] * 1e3, latencies[count * 99 // 100] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=16)
    options = parser.parse_args()
    threads = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "json_app.py").write_text(APP)
        servers = [
            Server("bento_wsgi", [sys.executable, "-m", "bento_wsgi", "--app", "json_app:app", "--unix", "SOCKET",
                                  "--threads", threads], folder, options.threads),
            Server("gunicorn", [sys.executable, "-m", "gunicorn.app.wsgiapp", "json_app:app", "-b", "unix:SOCKET",
                                "-k", "gthread", "--threads", threads, "-w", "1", "--keep-alive", "75",
                                "--log-level", "warning"], folder, 1000)]
        try:
            for server in servers:
                server.wait()
            compare(servers, options)
        finally:
            for server in servers:
                server.stop()


def compare(servers, options):
    for in_flight in IN_FLIGHT:
        rounds = {server.name: [] for server in servers}
        for number in range(options.rounds):
            for server in servers[::1 if number % 2 else -1]:
                rounds[server.name].append(measure(server, in_flight, options.seconds))
        ours, theirs = (rounds[server.name] for server in servers)
        for name, results in rounds.items():
            medians = [statistics.median(column) for column in zip(*results)]
            print(f"{in_flight:3} in flight  {name:11} {medians[0]:7.0f} req/s  {medians[1]:5.0f} us CPU a request  "
                  f"p50 {medians[2]:.2f} p99 {medians[3]:.2f} ms")
        for what, ratios in (("req/s", [a[0] / b[0] for a, b in zip(ours, theirs)]),
                             ("CPU a request", [b[1] / a[1] for a, b in zip(ours, theirs)])):
            print(f"{in_flight:3} in flight  better by {statistics.median(ratios):.2f} in {what} "
                  f"(of {options.rounds} rounds: {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
