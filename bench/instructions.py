#!/usr/bin/env python3
"""What a request costs the host in instructions and allocations, which other programs on the machine do not change.

usage: instructions.py BUILD_DIR [--requests N] [--top N]

Serves under valgrind's callgrind, with one event loop and without a supervisor, and sends the same request again and again
on one connection: a page of the host's own, a direct API (samples/iris, with and without the access log), and a request
through the proxy to bench/peer_responder. The first 300 requests are not counted. Instructions are those of user space, of
all threads of the serving process; allocations are its calls of malloc, calloc and realloc. --top: the functions that execute
most of them, each without those that it calls.
"""
import argparse
import collections
import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

WARM_UP = 300
ROW = b"[[4.9,3.0,1.4,0.2]]"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
HELLO = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
CLASSIFY = (b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(ROW)) + ROW
ALLOCATORS = ("malloc", "calloc", "realloc")


def ask(client, request):
    client.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(65536)
    head, body = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"the host did not answer 200, but {answer.decode(errors='replace')}")
    length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE).group(1))
    while len(body) < length:
        body += client.recv(65536)


def control(pid, *arguments):
    subprocess.run(["callgrind_control", *arguments, str(pid)], check=True, capture_output=True, timeout=60)


def run(build, options, request, requests):
    """The text of callgrind's report of `requests` requests."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        host = subprocess.Popen(
            ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={report}",
             str(build / "bin/bentohost"), "--port", "0", "--loops", "1", "--no-supervisor", *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            said = ""
            while not (port := re.search(r" at http://127\.0\.0\.1:(\d+) ", said)):
                line = host.stdout.readline()
                said += line
                if not line:
                    sys.exit(f"the host did not start: {said}")
            log = threading.Thread(target=host.stdout.read)  # the access log must not wait for us
            log.start()
            with socket.create_connection(("127.0.0.1", int(port.group(1))), timeout=60) as client:
                for _ in range(WARM_UP):
                    ask(client, request)
                control(host.pid, "-i", "on")
                ask(client, request)
                control(host.pid, "-z")
                for _ in range(requests):
                    ask(client, request)
                control(host.pid, "-d")
        finally:
            host.terminate()
            host.wait(timeout=60)
        log.join()
        return Path(f"{report}.1").read_text()


def read(report):
    """Instructions by function, and how often each function was called."""
    names, instructions, calls = {}, collections.Counter(), collections.Counter()

    def name(text):
        number, given = re.match(r"\((\d+)\)(?: (.*))?", text).groups()
        return names.setdefault(number, given)

    function = called = None
    is_call = False
    for line in report.splitlines():
        if line.startswith("fn="):
            function = name(line[3:])
        elif line.startswith("cfn="):
            called = name(line[4:])
        elif line.startswith("calls="):
            calls[called] += int(line[6:].split()[0])
            is_call = True  # the next line is the cost of these calls, which `called` has, too
        elif re.match(r"[-+*\d]", line):
            if not is_call:
                instructions[function] += int(line.split()[1])
            is_call = False
    return instructions, calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--top", type=int, default=0)
    given = parser.parse_args()
    build = given.build.resolve()
    quiet = ["--access-log", "off"]
    iris = ["--plugin", "libiris.so"]
    proxy = ["--mount", f"/=http:{build}/bench/peer_responder {{socket}}"]
    print("| request | instructions | allocations |\n|---|--:|--:|")
    for label, options, request in (("`GET /hello` through the proxy", proxy + quiet, HELLO),
                                    ("`GET /livez`", iris + quiet, LIVEZ),
                                    ("`POST /classify`", iris + quiet, CLASSIFY),
                                    ("the same, with the access log", iris, CLASSIFY)):
        instructions, calls = read(run(build, options, request, given.requests))
        allocations = sum(calls[each] for each in ALLOCATORS)
        print(f"| {label} | {instructions.total() / given.requests:,.0f} | {allocations / given.requests:.1f} |")
        for function, count in instructions.most_common(given.top):
            print(f"{count / given.requests:10,.0f} {function}")


if __name__ == "__main__":
    main()
